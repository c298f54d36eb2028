# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A part of the library as a zip file, to be run by a Python that has no more than its standard library."""

# Note that this plugin util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import ast
import functools
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ansible_collections.seahub.offline.plugins.module_utils.transfer import _receiver

PACKAGE = "ansible_collections.seahub.offline.plugins.module_utils"
FOLDER = Path(_receiver.__file__).parents[1]


@functools.cache
def packed(module: str) -> bytes:
    """Return a zip file with a module of the library and all that it imports from there.

    :param module: its name in the library, with that of its package: `transfer._receiver`.
    """
    target = io.BytesIO()
    folder = PurePosixPath(PACKAGE.replace(".", "/"))
    files = [folder / f"{name.replace('.', '/')}.py" for name in sorted(_needed(module))]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        # zipimport knows namespace packages only by entries for their folders, and not in each version.
        for package in sorted({parent for file in files for parent in file.parents[:-1]}):
            archive.writestr(str(package / "__init__.py"), "")
        for file in files:
            archive.writestr(str(file), (FOLDER / file.relative_to(folder)).read_bytes())
    return target.getvalue()


def _needed(module: str) -> set[str]:
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imported(name))
    return found


def _imported(module: str) -> Iterator[str]:
    source = FOLDER.joinpath(*module.split(".")).with_suffix(".py").read_bytes()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith(f"{PACKAGE}."):
            continue
        name = (node.module or "").removeprefix(f"{PACKAGE}.")
        # What is imported from a module, or modules from a package.
        yield from [name] if "." in name else [f"{name}.{alias.name}" for alias in node.names]

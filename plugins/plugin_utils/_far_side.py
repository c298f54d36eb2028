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

from ansible_collections.seahub.offline.plugins.module_utils import _receiver

PACKAGE = "ansible_collections.seahub.offline.plugins.module_utils"
FOLDER = Path(_receiver.__file__).parent


@functools.cache
def packed(module: str) -> bytes:
    """Return a zip file with a module of the library and all that it imports from there.

    :param module: its name in the folder of the library.
    """
    target = io.BytesIO()
    folder = PurePosixPath(PACKAGE.replace(".", "/"))
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        # zipimport knows namespace packages only by entries for their folders, and not in each version.
        for package in (folder, *folder.parents[:-1]):
            archive.writestr(str(package / "__init__.py"), "")
        for name in sorted(_needed(module)):
            archive.writestr(str(folder / f"{name}.py"), _path(name).read_bytes())
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
    for node in ast.walk(ast.parse(_path(module).read_bytes())):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            yield (node.module or "").removeprefix(f"{PACKAGE}.")


def _path(module: str) -> Path:
    return FOLDER / f"{module}.py"

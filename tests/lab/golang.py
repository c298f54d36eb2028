# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that Debian does not have, or not in that release, built from their Go modules."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from .commands import run, say


def is_there(release: tuple[int, int]) -> bool:
    """Whether there is a Go of that release or a newer one."""
    if not shutil.which("go"):
        return False
    found = re.match(r"go(\d+)\.(\d+)", run(["go", "env", "GOVERSION"]))
    return found is not None and (int(found[1]), int(found[2])) >= release


def build(
    packages: Sequence[str],
    version: str,
    target: Path,
    scratch: Path,
    tags: Sequence[str] = (),
    own: Mapping[str, Path] | None = None,
) -> None:
    """Build programs of one version.

    :param packages: one, whose program becomes `target`, or several, whose programs go into that folder.
    :param scratch: a folder for the work, which is not there yet.
    :param tags: Go's build tags.
    :param own: the sources of further programs by their names, which may use what those packages do.
    """
    say(f"building {', '.join(packages)} {version}")
    scratch.mkdir()
    (scratch / "go.mod").write_text("module lab\n")
    run(["go", "get", *(f"{package}@{version}" for package in packages)], cwd=scratch)
    for name, source in (own or {}).items():
        (scratch / name).mkdir()
        shutil.copy(source, scratch / name)
    options = ["-trimpath", "-ldflags", "-s -w", "-tags", ",".join(tags), "-o", str(target)]
    wanted = [*packages, *(f"./{name}" for name in own or {})]
    run(["go", "build", *options, *wanted], cwd=scratch, env={**os.environ, "CGO_ENABLED": "0"})

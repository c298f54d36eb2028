# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the Python interpreters of this machine, for checks of code that has to run under several."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

VERSIONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def folders() -> list[Path]:
    """Returns where interpreters may lie: on PATH, and among pyenv's own.

    pyenv's shims are left out: a shim stands there for each version that is installed, and fails for those that are
    not switched on.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    on_path = [Path(folder) for folder in os.get_exec_path()]
    return [folder for folder in [*on_path, *sorted(pyenv.glob("versions/*/bin"))] if folder.name != "shims"]


def find() -> dict[str, Path]:
    """Returns the interpreter for each version of VERSIONS that this machine has with its whole standard library."""
    found = {}
    for version in VERSIONS:
        for folder in folders():
            python = folder / f"python{version}"
            if python.exists() and _is_complete(python):
                found[version] = python
                break
    return found


def _is_complete(python: Path) -> bool:
    # Debian keeps ensurepip in a package of its own; without it no virtual environment gets a pip.
    return subprocess.run([python, "-c", "import ensurepip"], capture_output=True).returncode == 0

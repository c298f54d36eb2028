# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is tracked belongs to everybody: text with a licence, and no traces of the machine it was written on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.project import ROOT

ONE_PERSONS_PATHS = re.compile(rb"/(?:home|Users)/\w+/|" + re.escape(bytes(ROOT / "plugins")))
WITH_LICENCE = {".cfg", ".py", ".sh", ".toml", ".txt", ".yml", ".yaml"}
WRITTEN_BY_TOOLS = {"changelogs/changelog.yaml"}


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        return []
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True)
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


if not tracked():
    pytest.skip("not a git checkout: nothing says which files are the project's", allow_module_level=True)


def test_no_path_of_one_machine() -> None:
    found = {str(path.relative_to(ROOT)): ONE_PERSONS_PATHS.findall(path.read_bytes()) for path in tracked()}
    assert {name: paths for name, paths in found.items() if paths} == {}


def test_no_binaries() -> None:
    assert [str(path.relative_to(ROOT)) for path in tracked() if b"\0" in path.read_bytes()] == []


def test_each_source_names_its_licence() -> None:
    sources = [path for path in tracked() if path.suffix in WITH_LICENCE and path.stat().st_size]
    without = [path for path in sources if b"SPDX-License-Identifier: GPL-3.0-or-later" not in path.read_bytes()[:500]]
    assert {str(path.relative_to(ROOT)) for path in without} == WRITTEN_BY_TOOLS

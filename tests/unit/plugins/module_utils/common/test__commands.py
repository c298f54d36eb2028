# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common import _commands


def test_programs_are_found_beyond_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = _commands.find("sh")
    assert found is not None
    assert found.endswith("/sh")
    assert _commands.find("no-such-program") is None


def test_a_program_in_the_path_comes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "sh"
    own.write_text("#!/bin/true\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _commands.find("sh") == str(own)


def test_status_and_words_are_returned() -> None:
    done = _commands.run(["sh", "-c", r"cat; printf 'out\377'; echo $WORD >&2; exit 3"], environment={"WORD": "err"})
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\N{REPLACEMENT CHARACTER}", "err\n")


def test_what_takes_too_long_is_killed() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        _commands.run(["sleep", "60"], timeout=0.05)


def test_what_is_not_there_cannot_be_run() -> None:
    with pytest.raises(FileNotFoundError):
        _commands.run(["/no/such/program"])

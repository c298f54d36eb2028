# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress, ProgressFile


def test_the_file_holds_the_latest_state(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    show = ProgressFile(str(path), interval=0)
    for done in range(3):
        show(Progress("saving", done, 10, 1, 2, "references"))
    assert _progress.parse(path.read_text()) == Progress("saving", 2, 10, 1, 2, "references")
    assert [entry.name for entry in tmp_path.iterdir()] == ["progress"]


def test_it_is_not_written_for_every_chunk_but_for_every_phase(tmp_path: Path) -> None:
    path = tmp_path / "progress"
    show = ProgressFile(str(path), interval=3600)
    show(Progress("resolving", 1))
    show(Progress("resolving", 2))
    assert _progress.parse(path.read_text()) == Progress("resolving", 1)
    show(Progress("saving", 3))
    assert _progress.parse(path.read_text()) == Progress("saving", 3)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "{}", '{"phase": "x"}', '{"phase": "x", "done_bytes": "many"}']
)
def test_anything_else_is_no_progress(text: str) -> None:
    assert _progress.parse(text) is None


def test_without_a_file_nothing_is_written(tmp_path: Path) -> None:
    _progress.callback(None)(Progress("saving"))
    _progress.callback("")(Progress("saving"))
    _progress.callback(str(tmp_path / "file"))(Progress("saving"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.modules import tree_prune
from tests.unit import modules
from tests.unit.trees import files, layer_bytes, make_tree


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path) -> Path:
    make_tree(tmp_path / "tree", {"team/app:1": [layer_bytes(1, 3000)], "team/tool:2": [layer_bytes(2, 5000)]})
    return tmp_path / "tree"


def run(path: Path, check: bool = False, **options: Any) -> modules.Outcome:
    return modules.run(tree_prune.main, {"path": str(path), **options}, check=check, diff=True)


def test_a_plan_first_then_quarantine(path: Path) -> None:
    before = files(path)
    planned = run(path, check=True, keep=["team/app:1"])
    assert files(path) == before
    assert not (path / ".seahub" / "quarantine").exists()
    done = run(path, keep=["team/app:1"])
    again = run(path, keep=["team/app:1"])
    for outcome in (planned, done):
        assert outcome.result["changed"]
        (gone,) = outcome.result["removed"]
        assert gone["name"] == "team/tool:2"
        assert outcome.result["bytes"] == gone["bytes"] > 5000
        assert (outcome.result["kept"], outcome.result["blobs"], outcome.result["deleted_bytes"]) == (1, 3, 0)
        assert outcome.result["diff"]["before"].startswith("team/tool:2 sha256:")
    assert Path(done.result["quarantine"]).is_dir()
    assert not again.result["changed"]
    assert again.result["diff"] == {"before": "", "after": ""}


def test_purging_leaves_nothing_aside(path: Path) -> None:
    first = run(path, keep=["team/*"], quarantine_days=0)
    assert not first.result["changed"]
    done = run(path, keep=["team/app:1"], purge=True)
    assert done.result["deleted_bytes"] == done.result["bytes"] > 5000
    assert done.result["quarantine"] == ""
    assert [name for _folder, _folders, names in os.walk(path / ".seahub") for name in names] == ["writer"]


def test_purging_empties_the_quarantine_of_earlier_runs(path: Path) -> None:
    aside = run(path, keep=["team/app:1"]).result["quarantine"]
    os.rename(aside, f"{os.path.dirname(aside)}/20200101T000000Z-1")
    assert not run(path, keep=["team/app:1"], quarantine_days=10000).result["changed"]
    planned = run(path, check=True, keep=["team/app:1"], purge=True)
    done = run(path, keep=["team/app:1"])
    assert planned.result["deleted_bytes"] == done.result["deleted_bytes"] > 5000
    assert done.result["changed"]
    assert not run(path, keep=["team/app:1"]).result["changed"]


def test_a_lock_says_what_stays(path: Path, tmp_path: Path) -> None:
    make_tree(tmp_path / "other", {"team/tool:2": [b"another one"], "team/absent:1": [b"absent"]})
    done = run(path, lock=str(tmp_path / "other" / "seahub.lock.json"))
    assert [gone["name"] for gone in done.result["removed"]] == ["team/app:1"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "nothing would stay"),
        ({"keep": ["mistyped"]}, "nothing in the tree is called mistyped"),
        ({"lock": "/absent/lock.json"}, "the lock /absent/lock.json cannot be read"),
        ({"path": "/absent/tree", "keep": ["*"]}, "there is no tree at /absent/tree"),
    ],
)
def test_failures_say_what_to_do(path: Path, options: dict[str, Any], says: str) -> None:
    before = files(path)
    outcome = run(**{"path": path, **options})
    assert says in outcome.message
    assert files(path) == before

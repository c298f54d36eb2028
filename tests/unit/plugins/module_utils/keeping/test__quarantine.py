# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeNotWritable
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _quarantine
from ansible_collections.seahub.offline.plugins.module_utils.keeping._quarantine import Batch
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

DAY = 24 * 3600


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("content")
    return Tree(str(tmp_path))


def test_a_batch_keeps_the_place_of_what_it_takes(tree: Tree) -> None:
    batch = Batch(tree)
    batch.take(f"{tree.root}/a/b")
    assert not os.path.exists(f"{tree.root}/a/b")
    assert Path(batch.path, "a/b/file").read_text() == "content"
    assert _quarantine.batches(tree) == [batch.path]


def test_what_is_gone_already_is_no_error(tree: Tree) -> None:
    Batch(tree).take(f"{tree.root}/a/absent")


def test_what_cannot_be_taken_is_named(tree: Tree) -> None:
    batch = Batch(tree)
    Path(tree.private_path()).write_text("in the way")
    with pytest.raises(TreeNotWritable, match="cannot be removed"):
        batch.take(f"{tree.root}/a/b")


def test_batches_expire_with_their_days(tree: Tree) -> None:
    batch = Batch(tree)
    batch.take(f"{tree.root}/a")
    now = time.time()
    assert _quarantine.expired(tree, 7, now + 6 * DAY) == {}
    assert _quarantine.expired(tree, 7, now + 8 * DAY) == {batch.path: len("content")}


def test_what_was_to_be_deleted_at_once_is_deleted_by_the_next_run_too(tree: Tree) -> None:
    batch = Batch(tree, purge=True)
    batch.take(f"{tree.root}/a")
    assert _quarantine.batches(tree) == []
    assert list(_quarantine.expired(tree, 7)) == [batch.path]


@pytest.mark.parametrize("purge", [True, False])
def test_sweeping_deletes(tree: Tree, purge: bool) -> None:
    batch = Batch(tree, purge)
    batch.take(f"{tree.root}/a")
    _quarantine.sweep(tree, [batch.path])
    assert [name for _folder, _folders, names in os.walk(tree.root) for name in names] == []

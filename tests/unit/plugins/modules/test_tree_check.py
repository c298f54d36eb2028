# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils import _digest
from ansible_collections.seahub.offline.plugins.module_utils._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import tree_check
from tests.unit import modules
from tests.unit.trees import files, layer_bytes, make_bundle, make_tree

CONTENT = layer_bytes(1, 3000)
LAYER = _digest.hash_bytes(CONTENT)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", {"team/app:1": [CONTENT]})


def run(path: object, check: bool = False, **options: Any) -> modules.Outcome:
    return modules.run(tree_check.main, {"path": str(path), **options}, check=check)


def test_a_bundle_is_checked_like_its_tree(tree: Tree, tmp_path: Path) -> None:
    bundle = make_bundle(tree, tmp_path / "bundle.tar")
    of_bundle, of_tree = run(bundle).result, run(tree.root).result
    assert {**of_bundle, "invocation": ""} == {**of_tree, "invocation": ""}
    assert of_bundle["ok"]


@pytest.mark.parametrize("rehash", [True, False])
def test_a_byte_of_a_bundle_that_was_changed_is_found(tree: Tree, tmp_path: Path, rehash: bool) -> None:
    bundle = make_bundle(tree, tmp_path / "bundle.tar")
    data = bytearray(bundle.read_bytes())
    data[data.index(CONTENT)] ^= 1
    bundle.write_bytes(data)
    outcome = run(bundle, rehash=rehash)
    assert outcome.failed == rehash
    assert [item["digest"] for item in outcome.result["corrupt"]] == [LAYER] * rehash
    assert not rehash or f"the blob {LAYER} is corrupt" in outcome.message


def test_what_a_bundle_lacks_is_named(tree: Tree, tmp_path: Path) -> None:
    os.remove(tree.blob_path(LAYER))
    outcome = run(make_bundle(tree, tmp_path / "bundle.tar"))
    assert f"needs the blob {LAYER}" in outcome.message


def test_repair_from_a_bundle(tree: Tree, tmp_path: Path) -> None:
    before = files(Path(tree.root))
    bundle = make_bundle(tree, tmp_path / "bundle.tar")
    os.truncate(tree.blob_path(LAYER), 5)
    damaged = files(Path(tree.root))
    planned = run(tree.root, check=True, repair=[str(bundle)])
    assert files(Path(tree.root)) == damaged
    done = run(tree.root, repair=[str(bundle)])
    for outcome in (planned, done):
        assert outcome.result["changed"]
        assert outcome.result["repaired"] == {"blobs": [LAYER], "bytes": len(CONTENT), "links": 0}
    assert (planned.result["ok"], done.result["ok"]) == (False, True)
    assert files(Path(tree.root)) == before
    again = run(tree.root, repair=[str(bundle)])
    assert (again.result["changed"], again.result["ok"]) == (False, True)


def test_what_cannot_be_repaired_is_a_failure(tree: Tree, tmp_path: Path) -> None:
    os.remove(tree.blob_path(LAYER))
    source = shutil.copytree(tree.root, tmp_path / "source")
    assert f"needs the blob {LAYER}" in run(tree.root, repair=[str(source)]).message


def test_a_bundle_is_not_repaired(tree: Tree, tmp_path: Path) -> None:
    bundle = make_bundle(tree, tmp_path / "bundle.tar")
    assert "repair the tree it comes from" in run(bundle, repair=[tree.root]).message


def test_no_source_no_repair(tree: Tree) -> None:
    assert "there is neither a tree nor a bundle at /absent" in run(tree.root, repair=["/absent"]).message

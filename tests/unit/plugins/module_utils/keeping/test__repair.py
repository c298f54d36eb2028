# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairing trees that were damaged in every way, from trees and bundles that are whole or damaged themselves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check, _repair
from ansible_collections.seahub.offline.plugins.module_utils.keeping._repair import Repair
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import files, layer_bytes, make_bundle, make_tree

SHARED, OWN, OTHER = (layer_bytes(number, 4000) for number in range(3))
LAYER = _digest.hash_bytes(OWN)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    """A tree with two images that share a layer."""
    return make_tree(tmp_path / "tree", {"team/app:1": [SHARED, OWN], "team/tool:2": [SHARED, OTHER]})


@pytest.fixture(name="source", params=["tree", "bundle"])
def fixture_source(request: pytest.FixtureRequest, tree: Tree, tmp_path: Path) -> Source:
    """The same again, elsewhere."""
    if request.param == "bundle":
        return open_source(str(make_bundle(tree, tmp_path / "bundle.tar")))
    return open_source(str(shutil.copytree(tree.root, tmp_path / "source")))


def run(tree: Tree, *sources: Source) -> Repair:
    findings = _check.check(tree)
    with tree.exclusive():
        return _repair.repair(tree, findings, sources)


def change(path: str) -> None:
    data = Path(path).read_bytes()
    Path(path).write_bytes(bytes([data[0] ^ 1]) + data[1:])


def app(tree: Tree) -> str:
    return str(tree.tag("team/app", "1"))


def remove_everything_but_the_lock(tree: Tree) -> None:
    shutil.rmtree(f"{tree.root}/docker")


DAMAGES: list[Callable[[Tree], None]] = [
    lambda tree: os.remove(tree.blob_path(LAYER)),
    lambda tree: os.truncate(tree.blob_path(LAYER), 100),
    lambda tree: change(tree.blob_path(LAYER)),
    lambda tree: change(tree.blob_path(app(tree))),
    lambda tree: os.remove(tree.blob_path(app(tree))),
    lambda tree: os.remove(tree.layer_path("team/app", LAYER)),
    lambda tree: os.remove(tree.manifest_path("team/app", app(tree))),
    lambda tree: shutil.rmtree(tree.tag_path("team/app", "1")),
    lambda tree: shutil.rmtree(tree.repository_path("team")),
    remove_everything_but_the_lock,
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_damage_is_repaired(tree: Tree, source: Source, damage: Callable[[Tree], None]) -> None:
    before = files(Path(tree.root))
    damage(tree)
    planned = _repair.plan(tree, _check.check(tree), [source])
    done = run(tree, source)
    assert done.findings.ok
    assert done.changed
    assert planned.changed
    assert planned.blobs == done.blobs
    assert files(Path(tree.root)) == before
    assert not run(tree, source).changed


def test_what_the_lock_does_not_know_is_repaired_too(tree: Tree, source: Source) -> None:
    os.remove(f"{tree.root}/{_lock.FILE}")
    before = files(Path(tree.root))
    # The layer can only be missed when the manifest is there again.
    os.remove(tree.blob_path(app(tree)))
    os.remove(tree.blob_path(LAYER))
    os.remove(tree.layer_path("team/app", LAYER))
    assert run(tree, source).findings.ok
    assert files(Path(tree.root)) == before


def test_a_source_that_is_damaged_itself_is_passed_over(tree: Tree, tmp_path: Path) -> None:
    damaged = Tree(str(shutil.copytree(tree.root, tmp_path / "damaged")))
    change(damaged.blob_path(LAYER))
    whole = Tree(str(shutil.copytree(tree.root, tmp_path / "whole")))
    os.remove(tree.blob_path(LAYER))
    alone = run(tree, open_source(damaged.root))
    assert not alone.blobs
    assert alone.findings.lacking == {LAYER}
    assert run(tree, open_source(damaged.root), open_source(whole.root)).blobs == {LAYER: len(OWN)}
    assert _check.check(tree).ok


def test_what_no_source_has_stays_wrong(tree: Tree, tmp_path: Path) -> None:
    other = make_tree(tmp_path / "other", {"team/other:1": [OTHER]})
    change(tree.blob_path(LAYER))
    done = run(tree, open_source(other.root))
    assert not done.changed
    assert [item.digest for item in done.findings.corrupt] == [LAYER]


def test_no_tag_is_set_before_its_blobs_are_there(tree: Tree, tmp_path: Path) -> None:
    other = make_tree(tmp_path / "other", {"team/other:1": [OTHER]})
    shutil.rmtree(tree.tag_path("team/app", "1"))
    os.remove(tree.blob_path(LAYER))
    assert not run(tree, open_source(other.root)).findings.ok
    assert tree.tag("team/app", "1") is None

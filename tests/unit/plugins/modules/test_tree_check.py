# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import tree_check
from tests.bench import servers
from tests.unit import modules
from tests.unit.trees import files, layer_bytes, make_bundle, make_tree

CONTENT = layer_bytes(1, 13_000)
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


@pytest.fixture(name="parts")
def fixture_parts(tree: Tree, tmp_path: Path) -> list[Path]:
    """The same as a bundle in three parts, of which the layer lies in the first two."""
    (tmp_path / "medium").mkdir()
    dest = str(tmp_path / "medium" / "bundle.tar")
    packed = _bundle.pack(open_source(tree.root), dest, _progress.ignore, False, Packing(10_000))
    assert len(packed.files) == 3
    return [Path(file.path) for file in packed.files]


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_parts_are_checked_like_their_tree(tree: Tree, parts: list[Path]) -> None:
    of_parts, of_one, of_tree = run(parts[0].parent).result, run(parts[1]).result, run(tree.root).result
    assert {**of_parts, "invocation": ""} == {**of_one, "invocation": ""} == {**of_tree, "invocation": ""}
    assert of_parts["ok"]


def test_a_damaged_blob_in_a_part_is_named_with_the_part(parts: list[Path]) -> None:
    (part,) = [part for part in parts if CONTENT[:50] in part.read_bytes()]
    flip(part, part.read_bytes().index(CONTENT[:50]))
    outcome = run(part.parent)
    assert f"{part} is damaged: its checksum does not match" in outcome.message
    assert [item["digest"] for item in outcome.result["corrupt"]] == [LAYER]
    assert len(outcome.result["damaged"]) == 1


@pytest.mark.parametrize("position", [-5, 700])
def test_a_part_that_is_damaged_beside_its_blobs_is_named(parts: list[Path], position: int) -> None:
    flip(parts[-1], position)
    assert str(parts[-1]) in run(parts[0].parent).message


def test_an_unreadable_archive_names_the_part_to_look_at(parts: list[Path]) -> None:
    last = parts[-1].read_bytes()
    flip(parts[-1], last.index(b"ustar"))
    assert f"{parts[-1]} is damaged" in run(parts[0].parent).message


def test_a_missing_part_is_named(parts: list[Path]) -> None:
    parts[1].unlink()
    assert "these are missing: 2" in run(parts[0].parent).message


def test_a_tree_is_repaired_from_parts(tree: Tree, parts: list[Path]) -> None:
    os.remove(tree.blob_path(LAYER))
    assert run(tree.root, repair=[str(parts[0].parent)]).result["repaired"]["blobs"] == [LAYER]


def test_repair_from_a_registry(tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules.without_logins(monkeypatch, tmp_path)
    source = Path(shutil.copytree(tree.root, tmp_path / "source"))
    os.remove(tree.blob_path(LAYER))
    with servers.registry(source, tmp_path) as host:
        options: dict[str, Any] = {
            "repair_registry": host,
            "registries": {host: {"plain_http": True, "password": "secret-word"}},
        }
        planned, done = run(tree.root, check=True, **options), run(tree.root, **options)
    for outcome in (planned, done):
        assert outcome.result["changed"]
        assert outcome.result["repaired"]["blobs"] == [LAYER]
        assert "secret-word" not in outcome.printed
    os.remove(tree.blob_path(LAYER))
    failed = run(tree.root, repair_registry=host, plain_http=True, retries=0)
    assert f"the blob {LAYER} was not to be had" in failed.message


def test_what_is_no_registry_is_refused(tree: Tree) -> None:
    assert "'https://sea.hub' is no registry" in run(tree.root, repair_registry="https://sea.hub").message


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

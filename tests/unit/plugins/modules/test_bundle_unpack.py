# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotSigned
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import bundle_unpack
from tests.unit import modules
from tests.unit.ssh_keys import allow, make_key
from tests.unit.trees import add_image, files, layer_bytes, make_tree


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", {"mysql:8": [b"one"], "a/nginx:1": [b"two"]})


@pytest.fixture
def arguments(tree: Tree, tmp_path: Path) -> dict[str, Any]:
    _bundle.pack(open_source(tree.root), str(tmp_path / "bundle.tar"), _progress.ignore)
    return {"bundle": str(tmp_path / "bundle.tar"), "dest": str(tmp_path / "dest")}


def test_the_result_and_the_progress(tree: Tree, arguments: dict[str, Any], tmp_path: Path) -> None:
    state = tmp_path / "progress"
    planned = modules.run(bundle_unpack.main, arguments, check=True).result
    done = modules.run(bundle_unpack.main, {**arguments, "progress_file": str(state)}).result
    again = modules.run(bundle_unpack.main, arguments).result
    expected = {
        "changed": True,
        "dest": arguments["dest"],
        "written_bytes": sum(size for _digest, size in tree.blobs()),
        "written_blobs": 6,
        "present_blobs": 0,
        "tags": ["a/nginx:1", "mysql:8"],
        "moved_tags": {},
        "kept_tags": {},
    }
    assert {key: planned[key] for key in expected} == expected
    assert {key: done[key] for key in expected} == expected
    assert (again["changed"], again["present_blobs"], again["tags"]) == (False, 6, [])
    progress = _progress.parse(state.read_text())
    assert progress is not None
    assert progress.phase == "linking"


def test_moved_tags_are_shown(tree: Tree, arguments: dict[str, Any], tmp_path: Path) -> None:
    modules.run(bundle_unpack.main, arguments)
    before, after = tree.tag("mysql", "8"), add_image(tree, "mysql:8", [b"new"])
    _bundle.pack(open_source(tree.root), arguments["bundle"], _progress.ignore)
    unpacked = files(tmp_path / "dest")
    refused = modules.run(bundle_unpack.main, arguments)
    assert f"mysql:8 is {before} in the tree and {after} in the bundle" in refused.message
    kept = modules.run(bundle_unpack.main, {**arguments, "conflict": "keep"}).result
    assert (kept["changed"], kept["kept_tags"]) == (False, {"mysql:8": before})
    assert files(tmp_path / "dest") == unpacked
    replaced = modules.run(bundle_unpack.main, {**arguments, "conflict": "replace"}, diff=True).result
    assert replaced["moved_tags"] == {"mysql:8": before}
    assert (replaced["diff"]["before"], replaced["diff"]["after"]) == (f"mysql:8 {before}\n", f"mysql:8 {after}\n")


@pytest.mark.parametrize(
    ("name", "why"), [("nothing.tar", "neither a tree nor a bundle"), ("progress.txt", "is no bundle")]
)
def test_what_is_no_bundle_is_refused(tmp_path: Path, name: str, why: str) -> None:
    (tmp_path / "progress.txt").write_bytes(b"x" * 5000)
    refused = modules.run(bundle_unpack.main, {"bundle": str(tmp_path / name), "dest": str(tmp_path / "dest")})
    assert why in refused.message
    assert not (tmp_path / "dest").exists()


@pytest.mark.parametrize("part_size", [None, 100_000])
def test_only_what_is_signed_is_unpacked(tmp_path: Path, part_size: int | None) -> None:
    tree = make_tree(tmp_path / "tree", {"mysql:8": [layer_bytes(1, 250_000)]})
    key, medium = make_key(tmp_path / "key"), tmp_path / "medium"
    medium.mkdir()
    pack = functools.partial(_bundle.pack, path=str(medium / "bundle.tar"), progress=_progress.ignore)
    given = {
        "bundle": str(medium if part_size else medium / "bundle.tar"),
        "dest": str(tmp_path / "dest"),
        "allowed_signers": str(allow(tmp_path / "allowed_signers", build=key)),
    }

    pack(open_source(tree.root), packing=Packing(part_size))
    assert "bundle.tar.sig, or it cannot be read" in modules.run(bundle_unpack.main, given).message

    assert pack(open_source(tree.root), packing=Packing(part_size, sign_key=str(key))).changed
    assert not pack(open_source(tree.root), packing=Packing(part_size, sign_key=str(key))).changed
    signature = (medium / "bundle.tar.sig").read_bytes()

    add_image(tree, "mysql:8", [b"other"])
    pack(open_source(tree.root), packing=Packing(part_size))
    assert not (medium / "bundle.tar.sig").exists()
    (medium / "bundle.tar.sig").write_bytes(signature)
    assert "is no signature of this bundle" in modules.run(bundle_unpack.main, given).message
    assert not (tmp_path / "dest").exists()

    pack(open_source(tree.root), packing=Packing(part_size, sign_key=str(key)))
    assert modules.run(bundle_unpack.main, given).result["signed_by"] == "build"
    assert Tree(given["dest"]).tag("mysql", "8") == tree.tag("mysql", "8")


def test_a_key_that_cannot_sign_writes_nothing(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(NotSigned, match="cannot sign"):
        _bundle.pack(
            open_source(tree.root),
            str(tmp_path / "new.tar"),
            _progress.ignore,
            packing=Packing(sign_key=str(tmp_path / "nothing")),
        )
    assert not list(tmp_path.glob("*new.tar*"))

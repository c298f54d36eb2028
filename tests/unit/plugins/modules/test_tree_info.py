# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils._errors import TreeError
from ansible_collections.seahub.offline.plugins.modules.tree_info import info
from tests.unit.trees import add_image, make_bundle, make_tree


def test_a_tree_tells_what_it_holds(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"mysql:8": [b"old"], "a/nginx:1": [b"shared"]})
    add_image(tree, "mysql:8", [b"shared"])
    found = info(str(tmp_path))
    assert found["kind"] == "tree"
    assert [(entry["name"], entry["tag"]) for entry in found["references"]] == [("a/nginx", "1"), ("mysql", "8")]
    # What an earlier mysql:8 left behind does not count, and what both share counts once.
    assert found["blobs"] == 5
    assert found["bytes"] == sum(entry["size"] for entry in found["references"]) - len(b"shared")


def test_what_each_has_alone_and_all_together(tmp_path: Path) -> None:
    make_tree(tmp_path, {"mysql:8": [b"own", b"shared"], "a/nginx:1": [b"shared"]})
    found = info(str(tmp_path))
    for entry in found["references"]:
        assert entry["shared_bytes"] == len(b"shared")
        assert entry["own_bytes"] == entry["size"] - len(b"shared")
    assert found["shared_bytes"] == len(b"shared")
    assert found["kinds"] == {"image": 2, "chart": 0, "artifact": 0}
    assert found["platforms"] == ["linux/amd64"]
    assert [line.split()[0] for line in found["table"]] == ["reference", "a/nginx:1", "mysql:8"]


def test_a_bundle_tells_the_same_as_its_tree(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"mysql:8": [b"own", b"shared"], "a/nginx:1": [b"shared"]})
    of_bundle = info(str(make_bundle(tree, tmp_path / "bundle.tar")))
    assert of_bundle == {**info(tree.root), "kind": "bundle"}


def test_a_folder_without_a_lock_is_no_tree(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="save images or charts into it first"):
        info(str(tmp_path))

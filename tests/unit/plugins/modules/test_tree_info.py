# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import bundle_pack, tree_info
from ansible_collections.seahub.offline.plugins.modules.tree_info import info
from tests.bench import servers
from tests.unit import modules
from tests.unit.trees import add_image, make_bundle, make_tree

IMAGES = {"mysql:8": [b"own", b"shared"], "a/nginx:1": [b"shared"]}


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


def run(check: bool = False, **options: Any) -> modules.Outcome:
    return modules.run(tree_info.main, options, check=check)


def test_a_receipt_is_written_once(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", IMAGES)
    given: dict[str, Any] = {"path": tree.root, "receipt": str(tmp_path / "oslo.receipt"), "label": "oslo"}
    planned = run(check=True, **given).result
    assert not (tmp_path / "oslo.receipt").exists()
    written, again, checked = (run(**given).result, run(**given).result, run(check=True, **given).result)
    assert [result["changed"] for result in (planned, written, again, checked)] == [True, True, False, False]
    assert planned["receipt"] == written["receipt"] == again["receipt"]
    assert written["receipt"]["size"] == (tmp_path / "oslo.receipt").stat().st_size
    add_image(tree, "mysql:9", [b"own"])
    assert run(**given).result["changed"]
    assert not run(path=tree.root).result["changed"]


def test_from_the_receipt_of_a_registry_to_a_delta(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules.without_logins(monkeypatch, tmp_path)
    tree = make_tree(tmp_path / "tree", IMAGES)
    make_tree(tmp_path / "served", {"mysql:8": IMAGES["mysql:8"]})
    receipt = tmp_path / "served.receipt"
    with servers.registry(tmp_path / "served", tmp_path) as host:
        found = run(registry=host, registries={host: {"plain_http": True}}, receipt=str(receipt), label="harbor").result
    assert (found["kind"], found["changed"], found["names"], found["missing"]) == ("registry", True, ["mysql:8"], [])
    of_tree = info(str(tmp_path / "served"))
    for name in ("bytes", "blobs", "kinds", "platforms", "shared_bytes", "table"):
        assert found[name] == of_tree[name]
    given = {"tree": tree.root, "dest": str(tmp_path / "delta.tar"), "since": [str(receipt)]}
    packed = modules.run(bundle_pack.main, given).result
    delta = info(str(tmp_path / "delta.tar"))
    assert packed["references"] == 1
    assert delta["names"] == ["a/nginx:1"]
    assert delta["missing"] == []
    assert delta["presumes"] == packed["presumes"]
    assert [item["label"] for item in delta["presumes"]["since"]] == ["harbor"]
    assert list(delta["presumes"]["blobs"].values()) == [len(b"shared")]
    assert info(tree.root)["presumes"] is None


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, IMAGES)
    Path(tree.blob_path(next(digest for digest, size in Tree(tree.root).blobs() if size == 3))).unlink()
    assert [text.split(" needs")[0] for text in info(tree.root)["missing"]] == ["mysql:8"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "one of the following is required: path, registry"),
        ({"path": "tree", "registry": "sea.hub:5000"}, "mutually exclusive"),
        ({"registry": "https://sea.hub:5000"}, "is no host of a registry"),
        ({"path": "tree", "label": "a\nb"}, "is no label"),
        ({"path": "{tree}", "receipt": "{tree}/no/receipt"}, "no/receipt cannot be written: No such file"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, options: dict[str, str], says: str) -> None:
    make_tree(tmp_path / "tree", {})
    given: dict[str, Any] = {name: text.format(tree=tmp_path / "tree") for name, text in options.items()}
    assert says in run(**given).message

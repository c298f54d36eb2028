# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole of `tree_sync` and its companions, as a playbook runs it: action plugin, connection, module."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.action.tree_sync import LARGEST_PORTION, SMALLEST_PORTION, Pace
from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import ignore
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit import playbook
from tests.unit.ssh_keys import allow, make_key
from tests.unit.trees import files, layer_bytes, make_tree

# Larger than the first portion: it is sent in parts.
LARGE = layer_bytes(1, 2 * SMALLEST_PORTION + 1000)
IMAGES = {"library/mysql:8": [LARGE, b"two"], "nginx:1": [b"two"]}
SENT = len(LARGE) // 2


@dataclass
class Outcome:
    folder: Path
    process: subprocess.CompletedProcess[str]
    results: dict[str, Any]

    def tree(self, name: str) -> Tree:
        return Tree(str(self.folder / name))


def blob_of(tree: Tree, size: int) -> str:
    return next(digest for digest, found in tree.blobs() if found == size)


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("sync")
    tree = make_tree(folder / "tree", IMAGES)
    make_tree(folder / "other", {"nginx:1": [b"new"], "redis:7": [b"two"]})
    make_tree(folder / "smaller", {"library/mysql:8": IMAGES["library/mysql:8"]})
    damaged = make_tree(folder / "damaged", {"nginx:1": [b"two"]})
    Path(damaged.blob_path(blob_of(damaged, 3))).write_bytes(b"twx")
    interrupted = Tree(str(folder / "from-bundle"))
    with interrupted.blob_writer(blob_of(tree, len(LARGE)), len(LARGE)) as writer:
        writer.write(LARGE[:SENT])
    key = make_key(folder / "key")
    allow(folder / "allowed_signers", build=key)
    _bundle.pack(open_source(tree.root), str(folder / "signed.tar"), ignore, packing=Packing(sign_key=str(key)))
    # A relative source begins at the playbook's folder.
    shutil.copy(Path(__file__).with_name("tree_sync.yml"), folder)
    process = playbook.run(folder / "home", folder / "tree_sync.yml", folder=folder)
    assert process.returncode == 0, process.stdout + process.stderr
    return Outcome(folder, process, json.loads((folder / "results.json").read_text()))


def test_check_mode_tells_and_sends_nothing(outcome: Outcome) -> None:
    checked = outcome.results["checked"]
    assert not (outcome.folder / "checked").exists()
    assert checked["msg"] == "would send 6 blobs (16.0 MiB) and set 2 tags"
    for key in ("changed", "sent_bytes", "sent_blobs", "present_blobs", "tags"):
        assert checked[key] == outcome.results["first"][key]


def test_a_tree_arrives(outcome: Outcome) -> None:
    first = outcome.results["first"]
    assert first["changed"]
    assert first["dest"] == str(outcome.folder / "from-tree")
    assert first["sent_blobs"] == 6
    assert first["sent_bytes"] == sum(size for _digest, size in outcome.tree("tree").blobs())
    assert first["present_blobs"] == 0
    assert first["tags"] == ["library/mysql:8", "nginx:1"]


def test_a_second_time_nothing_is_sent(outcome: Outcome) -> None:
    second = outcome.results["second"]
    assert not second["changed"]
    assert (second["sent_blobs"], second["sent_bytes"], second["present_blobs"], second["tags"]) == (0, 0, 6, [])


def test_another_tree_is_added_and_moved_tags_are_shown(outcome: Outcome) -> None:
    other, tree, target = outcome.results["other"], outcome.tree("other"), outcome.tree("from-tree")
    before = outcome.tree("tree").tag("nginx", "1")
    assert other["changed"]
    assert other["moved_tags"] == {"nginx:1": before}
    assert other["diff"]["before"] == f"nginx:1 {before}\n"
    assert other["diff"]["after"] == f"nginx:1 {tree.tag('nginx', '1')}\nredis:7 {tree.tag('redis', '7')}\n"
    assert target.tag("nginx", "1") == tree.tag("nginx", "1")
    assert target.tag("library/mysql", "8") == outcome.tree("tree").tag("library/mysql", "8")


def test_a_delta_goes_where_the_rest_is(outcome: Outcome) -> None:
    packed, sent = outcome.results["packed_delta"], outcome.results["delta"]
    assert packed["references"] == 1
    assert packed["presumes"]["blobs"] == {blob_of(outcome.tree("tree"), 3): 3}
    assert sent["changed"]
    assert sent["tags"] == ["nginx:1"]
    assert files(outcome.folder / "smaller") == files(outcome.folder / "tree")
    assert "is a delta, and what it presumes is not here" in outcome.results["refused_delta"]["msg"]


def test_a_bundle_is_packed_once(outcome: Outcome) -> None:
    packed, again = outcome.results["packed"], outcome.results["packed_again"]
    assert packed["changed"]
    assert packed["references"] == 2
    assert packed["bundle"] == str(outcome.folder / "bundle.tar")
    assert again["changed"] is False
    assert (again["sha256"], again["size"]) == (packed["sha256"], packed["size"])


def test_a_bundle_arrives_like_its_tree_and_only_the_rest_of_a_blob_is_sent(outcome: Outcome) -> None:
    bundle = outcome.results["bundle"]
    assert bundle["sent_bytes"] == outcome.results["first"]["sent_bytes"] - SENT
    assert files(outcome.folder / "from-bundle") == files(outcome.folder / "tree")


def test_a_signed_bundle_is_taken(outcome: Outcome) -> None:
    assert outcome.results["signed"]["signed_by"] == "build"
    assert "signed_by" not in outcome.results["bundle"]


def test_a_bundle_tells_what_it_holds(outcome: Outcome) -> None:
    info = outcome.results["info"]
    assert not info["changed"]
    assert (info["kind"], info["blobs"], info["bytes"]) == ("bundle", 6, outcome.results["first"]["sent_bytes"])
    assert [entry["requested"] for entry in info["references"]] == ["library/mysql:8", "nginx:1"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "neither a tree nor a bundle at {folder}/nothing"),
        ("damaged", "{folder}/damaged -> {folder}/never: the bytes that arrived for {blob} have the digest"),
        ("occupied", "{folder}/bundle.tar is no folder"),
        ("unsigned", "there is no {folder}/bundle.tar.sig"),
        ("unsignable", "{folder}/tree is no bundle, and only bundles are signed"),
    ],
)
def test_errors_say_what_and_where(outcome: Outcome, name: str, message: str) -> None:
    result = outcome.results[name]
    blob = blob_of(outcome.tree("damaged"), 3)
    assert result["failed"]
    assert message.format(folder=outcome.folder, blob=blob) in result["msg"]


def test_an_error_leaves_no_tag(outcome: Outcome) -> None:
    assert list(outcome.tree("never").repositories()) == []


def test_nothing_temporary_is_left(outcome: Outcome) -> None:
    assert playbook.leftovers(outcome.folder / "home") == []
    for name in ("from-tree", "from-bundle", "never"):
        assert [path.name for path in (outcome.folder / name / ".seahub").rglob("*") if path.is_file()] == ["writer"]


def test_portions_follow_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    pace = Pace()
    sizes = []
    for seconds in (100, 16, 2, 0, 1):
        sizes.append(pace.next_size())
        now += seconds
        pace.sent(sizes[-1])
    assert sizes == [2 * SMALLEST_PORTION, SMALLEST_PORTION, SMALLEST_PORTION, 5 * SMALLEST_PORTION, LARGEST_PORTION]

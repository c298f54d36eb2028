# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pruning real trees: what goes and what stays. Kills are in `tests/e2e/test_kill_bundles.py`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotInTree, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check, _prune, _quarantine
from ansible_collections.seahub.offline.plugins.module_utils.keeping._prune import Plan
from ansible_collections.seahub.offline.plugins.module_utils.keeping._quarantine import Batch
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._selection import Selection
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.bench import servers
from tests.lab.settings import Settings
from tests.lab.upstream import program
from tests.registry.closure import broken_tags
from tests.registry.content import add_manifest, describe, index_of
from tests.unit.trees import MANIFEST_TYPE, add_image, files, layer_bytes, make_tree

SHARED, OWN, OTHER = (layer_bytes(number, 4000) for number in range(3))


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    """A tree with two images that share a layer."""
    return make_tree(tmp_path / "tree", {"team/app:1": [SHARED, OWN], "team/tool:2": [SHARED, OTHER]})


def run(tree: Tree, *keep: str) -> Plan:
    with tree.exclusive():
        plan = _prune.plan(tree, Selection(keep))
        _prune.prune(tree, plan, Batch(tree))
    return plan


def digests(tree: Tree) -> set[str]:
    return {digest for digest, _size in tree.blobs()}


def test_what_is_not_named_goes(tree: Tree, tmp_path: Path) -> None:
    run(tree, "team/app:1")
    expected = make_tree(tmp_path / "expected", {"team/app:1": [SHARED, OWN]})
    assert files(Path(tree.root)) == files(Path(expected.root))
    assert list(tree.repositories()) == ["team/app"]
    assert _check.check(tree).ok


def test_the_plan_says_names_and_bytes_and_changes_nothing(tree: Tree) -> None:
    before = files(Path(tree.root))
    plan = _prune.plan(tree, Selection(["team/app:1"]))
    tool = _lock.read(tree).references[1]
    assert [(item.name, item.size) for item in plan.references] == [("team/tool:2", tool.size - len(SHARED))]
    assert plan.going.size == tool.size - len(SHARED)
    assert plan.staying == 1
    assert plan.changed
    assert files(Path(tree.root)) == before


def test_a_second_run_has_nothing_to_do(tree: Tree) -> None:
    run(tree, "team/app:1")
    assert not _prune.plan(tree, Selection(["team/app:1"])).changed


def test_keeping_all_removes_what_earlier_versions_left(tree: Tree) -> None:
    old = str(tree.tag("team/app", "1"))
    add_image(tree, "team/app:1", [SHARED])
    plan = run(tree, "*")
    assert plan.references == ()
    assert not plan.writes_lock
    assert old not in digests(tree)
    assert _digest.hash_bytes(OWN) not in digests(tree)
    assert _check.check(tree).unreferenced == {}


def test_the_quarantine_copied_over_the_tree_undoes_it(tree: Tree) -> None:
    before = files(Path(tree.root))
    run(tree, "team/app:1")
    (batch,) = _quarantine.batches(tree)
    shutil.copytree(batch, tree.root, dirs_exist_ok=True)
    assert files(Path(tree.root)) == before


def test_a_tag_that_the_lock_does_not_know_goes_or_stays_like_any_other(tree: Tree) -> None:
    lock = _lock.read(tree)
    add_image(tree, "pushed/one:1", [OTHER])
    add_image(tree, "pushed/two:1", [OTHER])
    _lock.write(tree, lock)
    plan = run(tree, "team/app:1", "pushed/one:*")
    assert [item.name for item in plan.references] == ["pushed/two:1", "team/tool:2"]
    assert plan.staying == 2
    assert list(tree.repositories()) == ["pushed/one", "team/app"]
    assert _check.check(tree).ok
    assert broken_tags(Path(tree.root)) == []


def test_the_other_tag_of_one_manifest_keeps_it(tree: Tree) -> None:
    digest = str(tree.tag("team/app", "1"))
    tree.set_tag("team/app", "extra", digest)
    run(tree, "team/app:extra")
    assert tree.tags("team/app") == ["extra"]
    assert broken_tags(Path(tree.root)) == []


def test_an_index_keeps_the_children_that_are_there(tree: Tree) -> None:
    stored = describe(tree, add_image(tree, "team/multi:amd64", [OWN]), architecture="amd64")
    absent = {**stored, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "arm64"}}
    add_manifest(tree, "team/multi:1", index_of([stored, absent]))
    run(tree, "team/multi:1")
    assert tree.tags("team/multi") == ["1"]
    assert tree.manifest("team/multi", stored["digest"]).layers
    assert _check.check(tree).ok


def test_signatures_stay_with_what_they_belong_to(tree: Tree) -> None:
    app, tool = str(tree.tag("team/app", "1")), str(tree.tag("team/tool", "2"))
    signature = add_image(tree, f"team/app:{app.replace(':', '-')}.sig", [b"signature"])
    add_image(tree, f"team/app:{signature.replace(':', '-')}.att", [b"about the signature"])
    add_image(tree, f"team/tool:{tool.replace(':', '-')}.sig", [b"signature of what goes"])
    run(tree, "team/app:1")
    assert len(tree.tags("team/app")) == 3
    assert {entry.name for entry in _lock.read(tree).references} == {"team/app"}
    assert len(_lock.read(tree).references) == 3
    assert _check.check(tree).ok


def test_a_referrer_without_a_tag_stays_with_its_subject(tree: Tree) -> None:
    app = tree.manifest("team/app", "1")
    document = json.loads(app.raw)
    document["subject"] = {"mediaType": MANIFEST_TYPE, "digest": app.digest, "size": len(app.raw)}
    raw = json.dumps(document).encode()
    referrer = _digest.hash_bytes(raw)
    tree.put_blob(referrer, raw)
    tree.link_manifest("team/app", referrer)
    run(tree, "team/app:1")
    assert tree.manifest("team/app", referrer).subject


def test_an_alias_goes_and_stays_with_its_entry(tree: Tree) -> None:
    lock = _lock.read(tree)
    entry = lock.references[0]
    for digest in entry.blobs:
        if digest == entry.digest:
            tree.link_manifest("app", digest)
        else:
            tree.link_layer("app", digest)
    tree.set_tag("app", "1", entry.digest)
    fields = {**vars(entry), "aliases": ("app",)}
    _lock.write(tree, lock.with_entries([_lock.Entry(**fields)]))
    run(tree, "app:1")
    assert list(tree.repositories()) == ["app", "team/app"]
    add_image(tree, "more/one:1", [b"one"])
    run(tree, "more/one:1")
    assert list(tree.repositories()) == ["more/one"]


def test_uploads_and_half_finished_blobs_stay(tree: Tree) -> None:
    upload = Path(tree.repository_path("team/tool"), "_uploads", "one", "data")
    upload.parent.mkdir(parents=True)
    upload.write_text("half")
    with tree.blob_writer(_digest.hash_bytes(b"a whole one"), 11) as writer:
        writer.write(b"a who")
    run(tree, "team/app:1")
    assert upload.read_text() == "half"
    assert list(tree.partials())
    assert not _prune.plan(tree, Selection(["team/app:1"])).changed


def test_what_is_misspelt_removes_nothing(tree: Tree) -> None:
    with pytest.raises(NotInTree, match="team/ap:1"):
        _prune.plan(tree, Selection(["team/ap:1", "team/tool:2"]))


def test_nothing_is_no_selection(tree: Tree) -> None:
    with pytest.raises(TreeError, match="nothing would stay"):
        _prune.plan(tree, Selection([]))


@pytest.mark.parametrize("damage", [os.remove, lambda path: os.truncate(path, 5)])
def test_it_is_not_guessed_what_a_damaged_manifest_needs(tree: Tree, damage: object) -> None:
    assert callable(damage)
    damage(tree.blob_path(str(tree.tag("team/app", "1"))))
    with pytest.raises(TreeError, match="nobody can say what it needs"):
        _prune.plan(tree, Selection(["team/app:1"]))
    # What goes may be damaged.
    assert run(tree, "team/tool:2").changed
    assert list(tree.repositories()) == ["team/tool"]


def test_no_tree_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="there is no tree"):
        _prune.plan(Tree(str(tmp_path / "absent")), Selection(["*"]))


def test_a_registry_that_serves_the_tree_meanwhile_agrees(tree: Tree, tmp_path: Path) -> None:
    with servers.registry(Path(tree.root), tmp_path) as host:
        run(tree, "team/app:1")
        with urllib.request.urlopen(f"http://{host}/v2/_catalog") as answer:
            assert json.load(answer)["repositories"] == ["team/app"]
        for blob in tree.manifest("team/app", "1").blobs:
            with urllib.request.urlopen(f"http://{host}/v2/team/app/blobs/{blob.digest}") as answer:
                assert _digest.hash_bytes(answer.read()) == blob.digest
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{host}/v2/team/tool/manifests/2")
    (configuration,) = tmp_path.glob("registry-*.json")
    collect = [str(program(Settings())), "garbage-collect", "--dry-run", str(configuration)]
    collected = subprocess.run(collect, capture_output=True, text=True, check=True)
    assert f"{len(digests(tree))} blobs marked, 0 blobs and 0 manifests eligible for deletion" in collected.stdout

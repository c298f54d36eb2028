# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._excerpt import excerpt
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotInTree, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._selection import Selection
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import add_image, make_tree

IMAGES = {"library/mysql:8": [b"shared", b"mysql"], "library/mysql:9": [b"nine"], "a/nginx:1": [b"shared"]}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", IMAGES)


def selected(tree: Tree, *texts: str) -> list[str]:
    return [entry.shown for entry in excerpt(open_source(tree.root), Selection(texts)).lock.references]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["library/mysql:8"], ["library/mysql:8"]),
        (["library/*"], ["library/mysql:8", "library/mysql:9"]),
        (["*:1", "library/mysql:9"], ["a/nginx:1", "library/mysql:9"]),
    ],
)
def test_names_and_patterns(tree: Tree, texts: list[str], expected: list[str]) -> None:
    assert selected(tree, *texts) == expected


def test_only_what_it_needs_comes_along(tree: Tree) -> None:
    source = excerpt(open_source(tree.root), Selection(["a/nginx:1"]))
    (entry,) = source.lock.references
    assert source.inventory.blobs == entry.blobs
    assert set(source.inventory.tags) == {("a/nginx", "1")}
    source.require_complete()


def test_a_name_for_which_there_is_nothing_is_an_error(tree: Tree) -> None:
    with pytest.raises(NotInTree, match="nothing in the tree is called redis:7"):
        selected(tree, "a/nginx:1", "redis:7")


def add_referrer(tree: Tree, name: str, subject: str) -> str:
    """Add an artifact to a tree that says in its manifest to what it belongs."""
    digest = add_image(tree, f"{name}:attached", [subject.encode()])
    document = json.loads(tree.read_blob(digest))
    document["subject"] = {"mediaType": document["mediaType"], "digest": subject, "size": 1}
    manifest = json.dumps(document).encode()
    own = _digest.hash_bytes(manifest)
    tree.put_blob(own, manifest)
    tree.link_manifest(name, own)
    tree.set_tag(name, "attached", own)
    lock = _lock.read(tree)
    entry = lock.find(name, "attached")
    assert entry
    blobs = {**{d: size for d, size in entry.blobs.items() if d != digest}, own: len(manifest)}
    _lock.write(tree, lock.with_entries([dataclasses.replace(entry, digest=own, blobs=blobs)]))
    return own


def test_what_belongs_to_a_reference_goes_with_it(tree: Tree) -> None:
    mysql, nginx = tree.tag("library/mysql", "8"), tree.tag("a/nginx", "1")
    assert mysql
    assert nginx
    attached = add_referrer(tree, "library/mysql", mysql)
    signature = f"{attached.replace(':', '-')}.sig"
    add_image(tree, f"library/mysql:{signature}", [b"signature of what is attached"])
    add_image(tree, f"a/nginx:{nginx.replace(':', '-')}.sig", [b"signature of another"])
    assert selected(tree, "library/mysql:8") == [
        "library/mysql:8",
        "library/mysql:attached",
        f"library/mysql:{signature}",
    ]


def test_a_damaged_manifest_cannot_be_passed_over(tree: Tree) -> None:
    digest = tree.tag("a/nginx", "1")
    assert digest
    Path(tree.blob_path(digest)).write_bytes(b"x" * len(tree.read_blob(digest)))
    with pytest.raises(TreeError, match=r"a/nginx:1 in .* is damaged"):
        selected(tree, "library/mysql:8")

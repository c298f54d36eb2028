# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checking trees that are whole, and such from which something was taken or in which something was changed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidLock, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.registry.content import add_manifest, describe, index_of
from tests.unit.trees import add_image, files, layer_bytes, make_tree

SHARED, OWN, OTHER = (layer_bytes(number, 4000) for number in range(3))
LAYER = _digest.hash_bytes(OWN)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    """A tree with two images that share a layer."""
    return make_tree(tmp_path / "tree", {"team/app:1": [SHARED, OWN], "team/tool:2": [SHARED, OTHER]})


def link(tree: Tree, name: str, kind: str, digest: str) -> str:
    return f"{tree.root}/docker/registry/v2/repositories/{name}/{kind}/{digest.replace(':', '/')}/link"


def test_a_whole_tree_is_all_right(tree: Tree) -> None:
    found = _check.check(tree)
    assert found.ok
    assert (found.missing, found.corrupt, found.unreferenced, found.partials) == ((), (), {}, {})
    assert (found.blobs, found.size) == (7, sum(size for _digest, size in tree.blobs()))


def test_nothing_is_changed(tree: Tree) -> None:
    before = files(Path(tree.root))
    _check.check(tree)
    assert files(Path(tree.root)) == before


def remove_blob(tree: Tree) -> None:
    os.remove(tree.blob_path(LAYER))


def shorten_blob(tree: Tree) -> None:
    os.truncate(tree.blob_path(LAYER), 100)


def remove_layer_link(tree: Tree) -> None:
    os.remove(link(tree, "team/app", "_layers", LAYER))


def remove_manifest_link(tree: Tree) -> None:
    os.remove(link(tree, "team/app", "_manifests/revisions", str(tree.tag("team/app", "1"))))


def remove_manifest(tree: Tree) -> None:
    os.remove(tree.blob_path(str(tree.tag("team/app", "1"))))


def remove_tag(tree: Tree) -> None:
    os.remove(f"{tree.root}/docker/registry/v2/repositories/team/app/_manifests/tags/1/current/link")


def move_tag(tree: Tree) -> None:
    other = str(tree.tag("team/tool", "2"))
    tree.set_tag("team/app", "1", other)


def empty_link(tree: Tree) -> None:
    Path(link(tree, "team/app", "_layers", LAYER)).write_text("")


@pytest.mark.parametrize("rehash", [True, False])
@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (remove_blob, f"needs the blob {LAYER}"),
        (shorten_blob, f"needs the blob {LAYER}"),
        (remove_layer_link, f"needs a link to {LAYER}"),
        (empty_link, f"needs a link to {LAYER}"),
        (remove_manifest_link, "needs the manifest sha256:"),
        (remove_manifest, "its manifest is missing"),
        (remove_tag, "needs the tag 1 in the repository team/app"),
        (move_tag, "needs the tag 1 in the repository team/app"),
    ],
)
def test_what_is_missing_is_named(tree: Tree, damage: Callable[[Tree], None], says: str, rehash: bool) -> None:
    damage(tree)
    found = _check.check(tree, rehash)
    assert not found.ok
    assert any(says in sentence for sentence in found.missing), found.missing
    assert not any("team/tool:2" in sentence for sentence in found.missing)
    assert len(set(found.missing)) == len(found.missing)


def test_without_a_lock_the_tree_itself_says_what_it_needs(tree: Tree) -> None:
    os.remove(f"{tree.root}/{_lock.FILE}")
    assert _check.check(tree).ok
    for damage in (remove_blob, remove_layer_link, remove_manifest_link):
        damage(tree)
        found = _check.check(tree)
        assert any("team/app" in sentence for sentence in found.missing), damage
    assert not any("team/tool" in sentence for sentence in found.missing)


def change(tree: Tree, digest: str) -> None:
    """Change one byte of a blob, and nothing about its size."""
    path = Path(tree.blob_path(digest))
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


def test_wrong_bytes_are_found_and_who_needs_them(tree: Tree) -> None:
    shared = _digest.hash_bytes(SHARED)
    change(tree, shared)
    found = _check.check(tree)
    (corrupt,) = found.corrupt
    assert (corrupt.digest, corrupt.used_by) == (shared, ("team/app:1", "team/tool:2"))
    assert corrupt.found == _digest.hash_file(tree.blob_path(shared))
    assert not found.missing
    assert _check.check(tree, rehash=False).ok


def test_a_corrupt_manifest_is_named(tree: Tree) -> None:
    digest = str(tree.tag("team/app", "1"))
    change(tree, digest)
    (corrupt,) = _check.check(tree).corrupt
    assert (corrupt.digest, corrupt.used_by) == (digest, ("team/app:1",))


def test_a_blob_that_cannot_be_read_is_corrupt(tree: Tree) -> None:
    path = tree.blob_path(LAYER)
    os.remove(path)
    os.mkdir(path)
    (corrupt,) = _check.check(tree).corrupt
    assert (corrupt.digest, corrupt.found) == (LAYER, "unreadable: Is a directory")


def test_what_nobody_needs_is_named_but_no_failure(tree: Tree) -> None:
    tree.put_blob(_digest.hash_bytes(b"left over"), b"left over")
    found = _check.check(tree)
    assert found.ok
    assert found.unreferenced == {_digest.hash_bytes(b"left over"): 9}


def test_a_half_finished_blob_is_named_but_no_failure(tree: Tree) -> None:
    digest = _digest.hash_bytes(b"a whole one")
    with tree.blob_writer(digest, 11) as writer:
        writer.write(b"a who")
    found = _check.check(tree)
    assert found.ok
    assert found.partials == {digest: 5}


def test_an_index_needs_only_the_children_that_were_saved(tree: Tree) -> None:
    stored = describe(tree, add_image(tree, "team/multi:amd64", [OWN]), architecture="amd64")
    absent = {**stored, "digest": "sha256:" + "0" * 64, "platform": {"os": "linux", "architecture": "arm64"}}
    add_manifest(tree, "team/multi:1", index_of([stored, absent]))
    assert _check.check(tree).ok


def test_a_foreign_layer_may_lie_elsewhere(tree: Tree) -> None:
    image = tree.manifest("team/app", "1")
    foreign = {
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": "sha256:" + "0" * 64,
        "size": 5,
        "urls": ["https://example.com/layer"],
    }
    assert image.config is not None
    config = {"mediaType": image.config.media_type, "digest": image.config.digest, "size": image.config.size}
    document = {"schemaVersion": 2, "mediaType": image.media_type, "config": config, "layers": [foreign]}
    add_manifest(tree, "team/app:windows", json.dumps(document).encode())
    assert _check.check(tree).ok


def test_what_the_lock_does_not_name_is_checked_all_the_same(tree: Tree) -> None:
    """Somebody may have pushed into it; a host can pull it, so it has to be right."""
    lock = _lock.read(tree)
    add_image(tree, "extra/image:1", [layer_bytes(9, 100)])
    _lock.write(tree, lock)
    assert _check.check(tree).ok
    os.remove(tree.blob_path(_digest.hash_bytes(layer_bytes(9, 100))))
    found = _check.check(tree)
    assert not found.ok
    assert all("extra/image" in sentence for sentence in found.missing)


def test_a_tag_that_leads_nowhere_is_named(tree: Tree) -> None:
    tree.set_tag("team/app", "nowhere", "sha256:" + "0" * 64)
    assert _check.check(tree).missing == (
        f"the tag team/app:nowhere points to sha256:{'0' * 64}, which the repository does not have",
    )


def test_an_empty_tree_is_all_right(tmp_path: Path) -> None:
    assert _check.check(make_tree(tmp_path / "tree", {})).ok


def test_no_tree_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TreeError, match="there is no tree at"):
        _check.check(Tree(str(tmp_path / "absent")))


def test_a_damaged_lock_is_an_error(tree: Tree) -> None:
    Path(tree.root, _lock.FILE).write_bytes(b"{")
    with pytest.raises(InvalidLock, match="damaged"):
        _check.check(tree)


def test_progress_ends_with_everything(tree: Tree) -> None:
    seen: list[Progress] = []
    found = _check.check(tree, report=seen.append)
    assert len(seen) == found.blobs
    assert seen[-1] == Progress("checking", found.size, found.size, found.blobs, found.blobs, "blobs")

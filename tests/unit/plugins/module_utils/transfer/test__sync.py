# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _archive
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidLock, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _sync
from ansible_collections.seahub.offline.plugins.module_utils.transfer._sync import Piece, Plan, Target
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import files, layer_bytes, make_tree

IMAGES = {"mysql:8": [layer_bytes(1, 200_000), layer_bytes(2, 7)], "a/nginx:1": [layer_bytes(2, 7)]}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return open_source(make_tree(tmp_path / "source", IMAGES).root)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(str(tmp_path / "target"))


def describe(tree: Tree, tmp_path: Path) -> Target:
    return _sync.load_target(_sync.describe(tree, str(tmp_path)).dump())


def send(source: Source, tree: Tree, plan: Plan, limit: int) -> int:
    """Send what is planned as the action plugin does; return the number of portions."""
    count = 0
    for portion in _sync.portions(plan.blobs, lambda: limit):
        out = io.BytesIO()
        _sync.write_portion(source, portion, out)
        _archive.receive(io.BytesIO(out.getvalue()), tree)
        count += 1
    out = io.BytesIO()
    _sync.write_links(source, plan, out)
    _archive.receive(io.BytesIO(out.getvalue()), tree)
    return count


@pytest.mark.parametrize(("limit", "portions"), [(1 << 30, 1), (50_000, 5), (100, None)])
def test_everything_arrives_whatever_the_portions(
    source: Source, tree: Tree, tmp_path: Path, limit: int, portions: int | None
) -> None:
    plan = _sync.compare(source, describe(tree, tmp_path))
    assert plan.changed
    assert plan.size == source.inventory.size
    count = send(source, tree, plan, limit)
    assert portions in (None, count)
    assert files(Path(tree.root)) == files(Path(source.path))


def test_nothing_is_to_be_sent_twice(source: Source, tree: Tree, tmp_path: Path) -> None:
    send(source, tree, _sync.compare(source, describe(tree, tmp_path)), 1 << 30)
    plan = _sync.compare(source, describe(tree, tmp_path))
    assert not plan.changed
    assert plan == Plan((), Inventory(), {}, None, len(source.inventory.blobs))


def test_a_half_sent_blob_goes_on(source: Source, tree: Tree, tmp_path: Path) -> None:
    data = layer_bytes(1, 200_000)
    (digest,) = (digest for digest, size in source.inventory.blobs.items() if size == len(data))
    with tree.blob_writer(digest, len(data)) as writer:
        writer.write(data[:150_000])
    plan = _sync.compare(source, describe(tree, tmp_path))
    assert plan.size == source.inventory.size - 150_000
    assert Piece(digest, 200_000, 150_000, 50_000) in plan.blobs
    send(source, tree, plan, 10_000)
    assert files(Path(tree.root)) == files(Path(source.path))


def test_a_blob_killed_before_its_last_step_needs_no_bytes(source: Source, tree: Tree, tmp_path: Path) -> None:
    data = layer_bytes(1, 200_000)
    (digest,) = (digest for digest, size in source.inventory.blobs.items() if size == len(data))
    with tree.blob_writer(digest, len(data)) as writer:
        writer.write(data)
    plan = _sync.compare(source, describe(tree, tmp_path))
    assert plan.size == source.inventory.size - 200_000
    send(source, tree, plan, 10_000)
    assert files(Path(tree.root)) == files(Path(source.path))


def test_a_host_with_other_things_keeps_them(source: Source, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "target", {"mysql:8": [b"old"], "redis:7": [layer_bytes(2, 7)]})
    old = tree.tag("mysql", "8")
    plan = _sync.compare(source, describe(tree, tmp_path))
    assert plan.moved == {("mysql", "8"): old}
    assert plan.present == 2  # the layer, and the configuration of mysql:8
    send(source, tree, plan, 1 << 30)
    assert tree.tag("mysql", "8") == source.inventory.tags["mysql", "8"]
    assert [entry.key for entry in _lock.read(tree).references] == [("a/nginx", "1"), ("mysql", "8"), ("redis", "7")]
    assert not _sync.compare(source, describe(tree, tmp_path)).changed


def test_what_the_host_has_of_other_platforms_stays_in_its_lock(source: Source, tree: Tree, tmp_path: Path) -> None:
    send(source, tree, _sync.compare(source, describe(tree, tmp_path)), 1 << 30)
    both = [dataclasses.replace(entry, platforms=("linux/arm64",)) for entry in source.lock.references]
    _lock.write(tree, _lock.Lock(tuple(both)))
    target = describe(tree, tmp_path)
    united = source.with_lock(_sync.united(source.lock.references, target.lock))
    send(united, tree, _sync.compare(united, target), 1 << 30)
    assert [entry.platforms for entry in _lock.read(tree).references] == [("linux/arm64", "linux/amd64")] * 2


def test_a_part_of_a_tree_goes_where_the_rest_is(source: Source, tmp_path: Path) -> None:
    rest = Inventory(blobs=source.inventory.blobs, layers=source.inventory.layers, manifests=source.inventory.manifests)
    part = Source(source.path, "bundle", source.lock, Inventory(tags=source.inventory.tags), source.open_blob)
    with pytest.raises(TreeError, match="is not complete"):
        _sync.require_fit(part, rest)
    part.partial = True
    _sync.require_fit(part, rest)
    with pytest.raises(TreeError, match=r"does not have the rest either, nothing was written: .* needs the blob"):
        _sync.require_fit(part, Inventory())


def test_a_damaged_blob_is_sent_again(source: Source, tree: Tree, tmp_path: Path) -> None:
    send(source, tree, _sync.compare(source, describe(tree, tmp_path)), 1 << 30)
    digest = min(source.inventory.blobs)
    Path(tree.blob_path(digest)).write_bytes(b"")
    plan = _sync.compare(source, describe(tree, tmp_path))
    assert [piece.digest for piece in plan.blobs] == [digest]


def test_portions_never_exceed_their_limit() -> None:
    pieces = tuple(Piece(f"{number}", size, 0, size) for number, size in enumerate([5, 300, 0, 99, 100, 101, 1000]))
    portions = list(_sync.portions(pieces, lambda: 100))
    assert all(sum(piece.length for piece in portion) <= 100 for portion in portions)
    for whole in pieces:
        parts = [piece for portion in portions for piece in portion if piece.digest == whole.digest]
        assert [piece.offset for piece in parts] == [100 * number for number in range(len(parts))]
        assert sum(piece.length for piece in parts) == whole.size


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"free_bytes": 200_000}, "bytes are needed where dest lies, 200000 are free"),
        ({"free_inodes": 5}, "files and folders will be made where dest lies, 5 inodes are free"),
        ({"staging_free_bytes": 100}, "where Ansible keeps temporary files on the host, 100 are free"),
    ],
)
def test_room_is_checked_before(
    source: Source, tree: Tree, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    target = describe(tree, tmp_path)
    plan = _sync.compare(source, target)
    _sync.require_room(plan, dataclasses.replace(target, free_inodes=None), 1 << 20)
    with pytest.raises(TreeError, match=f"no room: .*{message}"):
        _sync.require_room(plan, dataclasses.replace(target, **changes), 1 << 20)


def test_the_room_on_the_host_is_told(tree: Tree, tmp_path: Path) -> None:
    target = describe(tree, tmp_path)
    assert target.free_bytes > 0
    assert target.staging_free_bytes is None
    assert target.inventory == _inventory.Inventory()


def test_something_else_than_a_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TreeError, match="is no folder"):
        _sync.describe(Tree(str(tmp_path / "file")), str(tmp_path))
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(TreeError, match="is no folder"):
        _sync.describe(Tree(str(tmp_path / "link")), str(tmp_path))


def test_a_damaged_lock_on_the_host_is_an_error(tree: Tree, tmp_path: Path) -> None:
    tree.write_file(_lock.FILE, b"{")
    with pytest.raises(InvalidLock, match=_lock.FILE):
        _sync.describe(tree, str(tmp_path))


def test_each_blob_that_is_lacking_has_one_place_where_a_registry_gives_it_out(
    source: Source, tree: Tree, tmp_path: Path
) -> None:
    wanted = _sync.obtainable(source, _sync.compare(source, describe(tree, tmp_path)))
    assert wanted.blobs == source.inventory.blobs
    assert sorted(digest for _repository, digest in wanted.layers | wanted.manifests) == sorted(wanted.blobs)
    assert wanted.layers <= source.inventory.layers
    assert wanted.manifests <= source.inventory.manifests


def test_a_target_that_has_got_all_blobs_lacks_only_links_and_tags(source: Source, tree: Tree, tmp_path: Path) -> None:
    target = describe(tree, tmp_path)
    before = _sync.compare(source, target)
    after = _sync.compare(source, _sync.filled(target, before))
    assert after == dataclasses.replace(before, blobs=(), present=len(before.blobs) + before.present)

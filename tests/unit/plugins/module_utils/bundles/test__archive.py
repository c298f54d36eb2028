# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _archive, _layout, _tar
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import InvalidArchive, Range
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidLock,
    SeahubError,
)
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import add_image, files, layer_bytes, make_tree

IMAGES = {"library/mysql:8": [b"one", b"two" * 1000], "a/nginx:1.27": [b"one"], "b/" + "x" * 120 + ":1": [b"three"]}


def pack(tree: Tree) -> bytes:
    inventory, out = _inventory.scan(tree), io.BytesIO()
    writer = _archive.Writer(out)
    writer.comment("remark")
    writer.lock(_lock.read(tree).dump())
    for digest, size in sorted(inventory.blobs.items()):
        with tree.open_blob(digest) as file:
            writer.blob(digest, size, file)
    writer.links(inventory)
    writer.end()
    return out.getvalue()


def member(name: str, data: bytes, range_: Range | None = None) -> bytes:
    return _tar.header(name, len(data), range_) + data + _tar.padding(len(data))


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_there_and_back(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "source", IMAGES)
    target = Tree(str(tmp_path / "target"))
    received = _archive.receive(io.BytesIO(pack(source)), target)
    assert files(tmp_path / "target") == files(tmp_path / "source")
    assert received.blobs == len(_inventory.scan(source).blobs)
    assert received.lock
    assert set(received.tags.values()) == {None}


def test_a_second_time_nothing_changes(tmp_path: Path) -> None:
    data = pack(make_tree(tmp_path / "source", IMAGES))
    target = Tree(str(tmp_path / "target"))
    _archive.receive(io.BytesIO(data), target)
    assert _archive.receive(io.BytesIO(data), target) == _archive.Received()


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    one = make_tree(tmp_path / "one", IMAGES)
    umask = os.umask(0o077)
    try:
        two = make_tree(tmp_path / "two", dict(reversed(IMAGES.items())))
    finally:
        os.umask(umask)
    for path in (tmp_path / "two").rglob("*"):
        os.utime(path, (1, 1))
    assert pack(one) == pack(two)


def test_the_length_is_known_before(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, IMAGES)
    assert _archive.length(_inventory.scan(tree), _lock.read(tree).dump(), "remark") == len(pack(tree))


def test_the_order_suits_a_tree_that_is_being_served(tmp_path: Path) -> None:
    data = pack(make_tree(tmp_path, IMAGES))
    kinds = [_archive.item_of(member).kind for member in _tar.Reader(io.BytesIO(data))]
    order = ["lock", "blob", "layer", "manifest", "tag"]
    numbers = [order.index(kind.replace("_index", "")) for kind in kinds]
    assert numbers == sorted(numbers)


def test_what_tar_extracts_is_a_ready_tree(tmp_path: Path) -> None:
    (tmp_path / "bundle.tar").write_bytes(pack(make_tree(tmp_path / "source", IMAGES)))
    (tmp_path / "target").mkdir()
    command = ["tar", "-C", str(tmp_path / "target"), "-xf", str(tmp_path / "bundle.tar")]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    assert process.stderr == ""
    assert files(tmp_path / "target") == files(tmp_path / "source")


def test_two_archives_make_the_union(tmp_path: Path) -> None:
    one = make_tree(tmp_path / "one", {"mysql:8": [b"old"], "nginx:1": [b"x"]})
    two = make_tree(tmp_path / "two", {"mysql:8": [b"new"], "redis:7": [b"x"]})
    before, after = one.tag("mysql", "8"), two.tag("mysql", "8")
    received = _archive.receive(io.BytesIO(pack(two)), one)
    assert received.tags == {("mysql", "8"): before, ("redis", "7"): None}
    assert one.tag("mysql", "8") == after
    assert {entry.key: entry.digest for entry in _lock.read(one).references} == {
        ("mysql", "8"): after,
        ("nginx", "1"): one.tag("nginx", "1"),
        ("redis", "7"): two.tag("redis", "7"),
    }


HOSTILE = {
    "absolute": member("/etc/cron.d/x", b"x"),
    "parent": member("../x", b"x"),
    "parent inside": member("docker/registry/v2/repositories/../../../../x/_layers/sha256/" + 64 * "0" + "/link", b"x"),
    "foreign": member("docker/registry/v2/x", b"x"),
    "private": member(".seahub/writer", b"x"),
    "upload": member("docker/registry/v2/repositories/a/_uploads/1/data", b"x"),
    "link that lies": member(_layout.layer("a", digest_of(b"1")), digest_of(b"2").encode()),
    "manifest link that lies": member(_layout.manifest("a", digest_of(b"1")), b"../../x"),
    "large link": member(_layout.layer("a", digest_of(b"1")), b"x" * 10_000),
    "tag to no digest": member(_layout.tag("a", "1"), b"../../../etc/passwd"),
    "tag to nothing": member(_layout.tag("a", "1"), digest_of(b"1").encode()),
    "part of a link": member(_layout.tag("a", "1"), b"x", Range(0, 2)),
    "two locks": 2 * member("seahub.lock.json", _lock.Lock().dump()),
    "no lock at all": member("seahub.lock.json", b"{}"),
    "range after a gap": member(_layout.blob(digest_of(b"1")), b"x", Range(5, 10)),
    "last range after a gap": member(_layout.blob(digest_of(b"1")), b"x", Range(9, 10)),
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in HOSTILE.items()])
def test_a_hostile_archive_changes_nothing(tmp_path: Path, data: bytes) -> None:
    tree = make_tree(tmp_path / "tree", {"mysql:8": [b"one"]})
    before = files(tmp_path)
    with pytest.raises(SeahubError):
        _archive.receive(io.BytesIO(data + _tar.END), tree)
    after = {name: data for name, data in files(tmp_path).items() if "/.seahub/" not in name}
    assert after == {name: data for name, data in before.items() if "/.seahub/" not in name}


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo(_layout.blob(digest_of(b"1")))
    info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with pytest.raises(InvalidArchive, match="no regular file"):
        _archive.receive(io.BytesIO(info.tobuf() + _tar.END), Tree(str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_a_blob_with_other_bytes_is_named_and_not_kept(tmp_path: Path) -> None:
    digest = digest_of(b"right")
    with pytest.raises(DigestMismatch, match=f"{digest}.*damaged.*send it again"):
        _archive.receive(io.BytesIO(member(_layout.blob(digest), b"wrong") + _tar.END), Tree(str(tmp_path)))
    assert _inventory.scan(Tree(str(tmp_path))) == _inventory.Inventory()


def test_no_tag_without_all_that_its_reference_needs(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "source", {"mysql:8": [b"one", b"two"]})
    os.unlink(source.blob_path(digest_of(b"two")))
    target = Tree(str(tmp_path / "target"))
    with pytest.raises(InvalidArchive, match=f"no tag was set: mysql:8 needs the blob {digest_of(b'two')}"):
        _archive.receive(io.BytesIO(pack(source)), target)
    assert list(target.tags("mysql")) == []


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_half_an_archive_sets_no_tag_and_the_next_goes_on(tmp_path: Path, share: float) -> None:
    source = make_tree(tmp_path / "source", {"mysql:8": [layer_bytes(1, 300_000), layer_bytes(2, 3_000_000)]})
    target, data = Tree(str(tmp_path / "target")), pack(source)
    with pytest.raises(InvalidArchive, match="did not arrive whole"):
        _archive.receive(io.BytesIO(data[: int(len(data) * share)]), target)
    assert list(target.tags("mysql")) == []
    there = sum(_inventory.scan(target).blobs.values()) + sum(_inventory.scan(target).partials.values())
    assert there > len(data) * share - 3 * 1024 * 1024
    received = _archive.receive(io.BytesIO(data), target)
    assert received.size == _inventory.scan(source).size - there
    assert files(tmp_path / "target") == files(tmp_path / "source")


def parts(digest: str, data: bytes, cuts: list[int]) -> list[bytes]:
    ends = [*cuts[1:], len(data)]
    return [
        member(_layout.blob(digest), data[begin:end], Range(begin, len(data))) + _tar.END
        for begin, end in zip(cuts, ends, strict=True)
    ]


def test_a_blob_arrives_in_parts(tmp_path: Path) -> None:
    data = layer_bytes(1, 100_000)
    digest, tree = digest_of(data), Tree(str(tmp_path))
    for number, part in enumerate(parts(digest, data, [0, 10, 50_000, 99_999]), 1):
        assert not tree.has_blob(digest)
        assert _archive.receive(io.BytesIO(part), tree).blobs == (number == 4)
    assert tree.read_blob(digest) == data
    assert list(tree.partials()) == []


def test_parts_may_overlap_what_is_there(tmp_path: Path) -> None:
    data = layer_bytes(1, 100_000)
    digest, tree = digest_of(data), Tree(str(tmp_path))
    first, second, last = parts(digest, data, [0, 40_000, 80_000])
    sizes = [_archive.receive(io.BytesIO(part), tree).size for part in (first, first, second, first, second, last)]
    assert sizes == [40_000, 0, 40_000, 0, 0, 20_000]
    assert tree.read_blob(digest) == data


def test_the_last_part_may_be_empty(tmp_path: Path) -> None:
    data = layer_bytes(1, 1000)
    digest, tree = digest_of(data), Tree(str(tmp_path))
    with tree.blob_writer(digest, len(data)) as writer:
        writer.write(data)
    end = member(_layout.blob(digest), b"", Range(1000, 1000)) + _tar.END
    assert _archive.receive(io.BytesIO(end), tree).blobs == 1
    assert tree.read_blob(digest) == data


def test_a_partial_that_is_too_long_is_forgotten(tmp_path: Path) -> None:
    data = layer_bytes(1, 1000)
    digest, tree = digest_of(data), Tree(str(tmp_path))
    with tree.blob_writer(digest, 5000) as writer:
        writer.write(5000 * b"x")
    for part in parts(digest, data, [0, 500]):
        _archive.receive(io.BytesIO(part), tree)
    assert tree.read_blob(digest) == data


def test_damaged_parts_are_found_when_the_last_has_come(tmp_path: Path) -> None:
    data = layer_bytes(1, 1000)
    digest, tree = digest_of(data), Tree(str(tmp_path))
    first, last = parts(digest, b"x" + data[1:], [0, 500])
    _archive.receive(io.BytesIO(first), tree)
    with pytest.raises(DigestMismatch, match=digest):
        _archive.receive(io.BytesIO(last), tree)
    assert _inventory.scan(tree) == _inventory.Inventory()


def test_a_damaged_blob_in_the_tree_is_replaced(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"mysql:8": [b"one"]})
    data = pack(tree)
    Path(tree.blob_path(digest_of(b"one"))).write_bytes(b"")
    assert _archive.receive(io.BytesIO(data), tree).blobs == 1
    assert tree.read_blob(digest_of(b"one")) == b"one"


def test_a_damaged_lock_in_the_tree_is_an_error(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"mysql:8": [b"one"]})
    data = pack(tree)
    add_image(tree, "mysql:9", [b"two"])
    Path(tree.root, _lock.FILE).write_text("{")
    with pytest.raises(InvalidLock):
        _archive.receive(io.BytesIO(data), tree)


def test_a_blob_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SeahubError, match="became shorter"):
        _archive.Writer(io.BytesIO()).blob(digest_of(b"x"), 10, io.BytesIO(b"x"))

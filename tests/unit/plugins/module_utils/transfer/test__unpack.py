# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle, _part_size, _tar, _tools
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    NameCollision,
    SeahubError,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _unpack
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import add_image, files, layer_bytes, make_tree

LARGE = layer_bytes(1, 3_000_000)
IMAGES = {"library/mysql:8": [LARGE, b"two"], "a/nginx:1": [b"two"]}


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def pack(tree: Tree, path: Path) -> Path:
    _bundle.pack(open_source(tree.root), str(path), _progress.ignore)
    return path


def unpack(bundle: Path, dest: Path, conflict: str = "error", dry_run: bool = False) -> _unpack.Unpacked:
    return _unpack.unpack(open_source(str(bundle)), Tree(str(dest)), conflict, _progress.ignore, dry_run)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", IMAGES)


@pytest.fixture
def bundle(tree: Tree, tmp_path: Path) -> Path:
    return pack(tree, tmp_path / "bundle.tar")


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "new" / "dest"


def test_a_fresh_tree_becomes_what_was_packed(tree: Tree, bundle: Path, dest: Path) -> None:
    done = unpack(bundle, dest)
    assert files(dest) == files(Path(tree.root))
    assert len(done.plan.blobs) == 6
    assert done.plan.present == 0
    assert done.kept == {}


def test_a_second_time_nothing_changes(bundle: Path, dest: Path) -> None:
    unpack(bundle, dest)
    before = {path: path.stat().st_ctime_ns for path in dest.rglob("*")}
    assert not unpack(bundle, dest).plan.changed
    assert {path: path.stat().st_ctime_ns for path in dest.rglob("*")} == before


def test_a_dry_run_tells_the_same_and_writes_nothing(bundle: Path, dest: Path) -> None:
    planned = unpack(bundle, dest, dry_run=True)
    assert not dest.parent.exists()
    assert planned == unpack(bundle, dest)


def test_several_bundles_become_one_tree(tmp_path: Path, dest: Path) -> None:
    one = pack(make_tree(tmp_path / "one", {"x:1": [b"shared", b"one"]}), tmp_path / "one.tar")
    two = pack(make_tree(tmp_path / "two", {"y:1": [b"shared"]}), tmp_path / "two.tar")
    unpack(one, dest)
    assert unpack(two, dest).plan.present == 1
    assert [entry.shown for entry in _lock.read(Tree(str(dest))).references] == ["x:1", "y:1"]
    assert _check.check(Tree(str(dest))).ok
    assert not unpack(one, dest).plan.changed


def for_platform(tree: Tree, platform: str, blob: bytes) -> None:
    """Let the lock say that its only image is there for a platform, which needs a blob of its own."""
    (entry,) = _lock.read(tree).references
    tree.put_blob(digest_of(blob), blob)
    tree.link_layer(entry.name, digest_of(blob))
    entry = dataclasses.replace(entry, platforms=(platform,), blobs={**entry.blobs, digest_of(blob): len(blob)})
    _lock.write(tree, _lock.Lock((entry,)))


def test_platforms_of_one_image_come_together(tmp_path: Path, dest: Path) -> None:
    for platform in ("linux/amd64", "linux/arm64"):
        tree = make_tree(tmp_path / platform, {"x:1": [b"shared"]})
        for_platform(tree, platform, platform.encode())
        unpack(pack(tree, tmp_path / platform / "bundle.tar"), dest)
    (entry,) = _lock.read(Tree(str(dest))).references
    assert entry.platforms == ("linux/amd64", "linux/arm64")
    assert {digest_of(b"linux/amd64"), digest_of(b"linux/arm64")} <= set(entry.blobs)
    assert not unpack(tmp_path / "linux/amd64/bundle.tar", dest).plan.changed


@pytest.fixture
def moved(tree: Tree, bundle: Path, dest: Path, tmp_path: Path) -> Path:
    """A bundle that differs on a tag from what is unpacked already."""
    unpack(bundle, dest)
    add_image(tree, "library/mysql:8", [b"newer"])
    add_image(tree, "a/nginx:2", [b"more"])
    return pack(tree, tmp_path / "moved.tar")


def test_a_tag_on_which_they_differ_is_an_error(tree: Tree, moved: Path, dest: Path) -> None:
    before = files(dest)
    old, new = Tree(str(dest)).tag("library/mysql", "8"), tree.tag("library/mysql", "8")
    with pytest.raises(NameCollision, match=f"library/mysql:8 is {old} in the tree and {new} in the bundle"):
        unpack(moved, dest)
    assert files(dest) == before


def test_the_bundle_wins_when_told_so(tree: Tree, moved: Path, dest: Path) -> None:
    old = Tree(str(dest)).tag("library/mysql", "8")
    done = unpack(moved, dest, "replace")
    assert done.plan.moved == {("library/mysql", "8"): old}
    assert Tree(str(dest)).tag("library/mysql", "8") == tree.tag("library/mysql", "8")
    assert _lock.read(Tree(str(dest))) == _lock.read(tree)


def test_the_tree_wins_when_told_so(moved: Path, dest: Path) -> None:
    old = Tree(str(dest)).tag("library/mysql", "8")
    done = unpack(moved, dest, "keep")
    target = Tree(str(dest))
    assert done.kept == {("library/mysql", "8"): old}
    assert target.tag("library/mysql", "8") == old
    assert not target.has_blob(digest_of(b"newer"))
    assert [entry.shown for entry in _lock.read(target).references] == ["a/nginx:1", "a/nginx:2", "library/mysql:8"]
    assert _check.check(target).ok


def test_a_half_finished_blob_goes_on(bundle: Path, dest: Path) -> None:
    with Tree(str(dest)).blob_writer(digest_of(LARGE), len(LARGE)) as writer:
        writer.write(LARGE[:2_000_000])
    done = unpack(bundle, dest)
    assert next(piece for piece in done.plan.blobs if piece.digest == digest_of(LARGE)).offset == 2_000_000
    assert _check.check(Tree(str(dest))).ok


KILLED = """
import sys
from ansible_collections.seahub.offline.plugins.module_utils.bundles import _source
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _unpack
from ansible_collections.seahub.offline.plugins.module_utils.trees import _tree
def slowly(progress):
    print(progress.done_bytes, flush=True)
    sys.stdin.readline()
_unpack.unpack(_source.open_source(sys.argv[1]), _tree.Tree(sys.argv[2]), "error", slowly)
"""


@pytest.mark.parametrize("steps", [1, 3, 6, 8])
def test_after_a_kill_the_next_run_finishes(tree: Tree, bundle: Path, dest: Path, steps: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, bundle, dest],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdin
        assert process.stdout
        for _step in range(steps):
            assert process.stdout.readline()
            process.stdin.write(b"\n")
            process.stdin.flush()
        time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    if dest.exists():
        assert _check.check(Tree(str(dest))).ok
    unpack(bundle, dest)
    assert files(dest) == files(Path(tree.root))


def test_a_damaged_blob_is_named_and_no_tag_set(bundle: Path, dest: Path) -> None:
    data = bytearray(bundle.read_bytes())
    data[data.index(LARGE) + 1_000_000] ^= 1
    bundle.write_bytes(data)
    with pytest.raises(DigestMismatch, match=f"bundle.tar is damaged, no tag was set: .*{digest_of(LARGE)}"):
        unpack(bundle, dest)
    assert _inventory.scan(Tree(str(dest))).tags == {}


def no_room(real: os.statvfs_result) -> os.statvfs_result:
    return os.statvfs_result((*real[:3], 1, 1, *real[5:]))


def no_inodes(real: os.statvfs_result) -> os.statvfs_result:
    return os.statvfs_result((*real[:5], 1000, 1, 1, *real[8:]))


@pytest.mark.parametrize(("full", "what"), [(no_room, "bytes are needed"), (no_inodes, "inodes")])
def test_no_room_is_said_before_anything_is_written(
    bundle: Path,
    dest: Path,
    full: Callable[[os.statvfs_result], os.statvfs_result],
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = os.statvfs(bundle.parent)
    monkeypatch.setattr(os, "statvfs", lambda path: full(real))
    with pytest.raises(TreeError, match=what):
        unpack(bundle, dest)
    assert not dest.parent.exists()


def member(name: str, data: bytes) -> bytes:
    return _tar.header(name, len(data)) + data + _tar.padding(len(data))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../evil", "no file of a tree"),
        ("/etc/passwd", "no file of a tree"),
        (".seahub/writer", "no file of a tree"),
        ("docker/registry/v2/repositories/../_layers/sha256/" + "a" * 64 + "/link", "no file of a tree"),
        ("seahub.lock.json", "twice"),
    ],
)
def test_a_hostile_name_is_refused_before_anything_is_written(bundle: Path, dest: Path, name: str, why: str) -> None:
    bundle.write_bytes(bundle.read_bytes()[: -len(_tar.END)] + member(name, b"{}") + _tar.END)
    with pytest.raises(_tar.InvalidArchive, match=why):
        unpack(bundle, dest)
    assert not dest.parent.exists()


def test_a_lock_that_leaves_out_what_a_manifest_needs_is_refused(tree: Tree, tmp_path: Path, dest: Path) -> None:
    entries = [
        dataclasses.replace(entry, blobs={d: size for d, size in entry.blobs.items() if d != digest_of(b"two")})
        for entry in _lock.read(tree).references
    ]
    _lock.write(tree, _lock.Lock(tuple(entries)))
    with pytest.raises(TreeError, match=f"needs the blob {digest_of(b'two')}"):
        unpack(pack(tree, tmp_path / "open.tar"), dest)
    assert not dest.parent.exists()


def flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwrite(data: bytearray, chance: random.Random) -> None:
    position = chance.randrange(len(data))
    data[position : position + 20] = chance.randbytes(20)


def truncate(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def repeat_blocks(data: bytearray, chance: random.Random) -> None:
    begin, place = chance.randrange(len(data) // 512) * 512, chance.randrange(len(data) // 512) * 512
    data[place:place] = data[begin : begin + 512 * chance.randrange(1, 8)]


def drop_blocks(data: bytearray, chance: random.Random) -> None:
    begin = chance.randrange(len(data) // 512) * 512
    del data[begin : begin + 512 * chance.randrange(1, 8)]


MUTATIONS = [flip, overwrite, truncate, repeat_blocks, drop_blocks]


@pytest.mark.parametrize("part_size", [None, _part_size.SMALLEST])
@pytest.mark.parametrize("mutate", MUTATIONS)
def test_no_damage_leaves_a_tag_incomplete(
    tmp_path: Path, mutate: Callable[[bytearray, random.Random], None], part_size: int | None
) -> None:
    tree = make_tree(tmp_path / "tree", {"x:1": [b"one", layer_bytes(1, 70_000 if part_size else 10)]})
    medium, place = tmp_path / "medium", tmp_path / "place"
    medium.mkdir()
    source = open_source(tree.root).with_tools([_tools.of_bytes("README.md", b"# Read me\n" * 50)])
    packed = _bundle.pack(source, str(medium / "bundle.tar"), _progress.ignore, packing=_bundle.Packing(part_size))
    chance = random.Random(mutate.__name__)
    for _round in range(100):
        path = Path(chance.choice(packed.files).path)
        whole = path.read_bytes()
        data = bytearray(whole)
        mutate(data, chance)
        path.write_bytes(data)
        place.mkdir()
        with contextlib.suppress(SeahubError):
            unpack(path, place / "dest")
        assert [entry.name for entry in place.iterdir()] in ([], ["dest"])
        assert not (place / "dest").exists() or _check.check(Tree(str(place / "dest"))).ok
        shutil.rmtree(place)
        path.write_bytes(whole)


def test_progress_ends_with_everything(bundle: Path, dest: Path) -> None:
    seen: list[Progress] = []
    done = _unpack.unpack(open_source(str(bundle)), Tree(str(dest)), "error", seen.append)
    assert [step.done_bytes for step in seen] == sorted(step.done_bytes for step in seen)
    assert seen[-1].done_bytes == done.plan.size


@pytest.fixture
def partial(tree: Tree, tmp_path: Path) -> Path:
    """A bundle without one layer, which both its images need."""
    os.unlink(tree.blob_path(digest_of(b"two")))
    _bundle.pack(
        open_source(tree.root),
        str(tmp_path / "partial.tar"),
        _progress.ignore,
        packing=_bundle.Packing(allow_partial=True),
    )
    return tmp_path / "partial.tar"


def test_what_is_partial_needs_a_tree_with_the_rest(partial: Path, tmp_path: Path, dest: Path) -> None:
    with pytest.raises(TreeError, match=f"not have the rest either, .* needs the blob {digest_of(b'two')}"):
        unpack(partial, dest)
    assert not dest.parent.exists()
    make_tree(dest, {"library/mysql:7": [b"two"], "a/nginx:0": [b"two"]})
    unpack(partial, dest)
    assert _check.check(Tree(str(dest))).ok
    assert [entry.shown for entry in _lock.read(Tree(str(dest))).references] == [
        "a/nginx:0",
        "a/nginx:1",
        "library/mysql:7",
        "library/mysql:8",
    ]

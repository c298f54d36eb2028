# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import File, Packed, Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import add_image, files, layer_bytes, make_tree

IMAGES = {"mysql:8": [layer_bytes(1, 3_000_000), b"two"], "a/nginx:1": [b"two"]}
NAMES = ["bundle.tar", "bundle.tar.check.py", "bundle.tar.sha256"]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", IMAGES)


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "bundle.tar"


def pack(tree: Tree, dest: Path, dry_run: bool = False) -> Packed:
    return _bundle.pack(open_source(tree.root), str(dest), _progress.ignore, dry_run)


def test_a_bundle_is_the_tree_in_a_tar(tree: Tree, dest: Path, tmp_path: Path) -> None:
    packed = pack(tree, dest)
    data = dest.read_bytes()
    assert packed == Packed(True, (File(str(dest), len(data), hashlib.sha256(data).hexdigest()),))
    (tmp_path / "extracted").mkdir()
    subprocess.run(["tar", "-C", str(tmp_path / "extracted"), "-xf", str(dest)], check=True)
    assert files(tmp_path / "extracted") == files(Path(tree.root))
    assert sorted(path.name for path in dest.parent.iterdir()) == NAMES
    assert dest.stat().st_mode & 0o777 == 0o644


def test_sha256sum_checks_it(tree: Tree, dest: Path) -> None:
    pack(tree, dest)
    subprocess.run(["sha256sum", "-c", "bundle.tar.sha256"], cwd=dest.parent, check=True, capture_output=True)


def test_a_bundle_that_holds_the_same_stays(tree: Tree, dest: Path) -> None:
    first = pack(tree, dest)
    before = dest.stat()
    assert pack(tree, dest) == Packed(False, first.files)
    after = dest.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_dry_run_writes_nothing(tree: Tree, dest: Path) -> None:
    planned = pack(tree, dest, dry_run=True)
    assert planned == Packed(True, (File(str(dest), planned.size, ""),))
    assert list(dest.parent.iterdir()) == []
    assert pack(tree, dest).size == planned.size
    assert not pack(tree, dest, dry_run=True).changed


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[1:])


def remove(path: Path) -> None:
    path.unlink()


def foreign(path: Path) -> None:
    path.write_bytes(b"x" * 5000)


@pytest.mark.parametrize("name", ["bundle.tar", "bundle.tar.sha256", "bundle.tar.check.py"])
@pytest.mark.parametrize("harm", [damage, remove, foreign])
def test_what_is_damaged_or_missing_is_written_anew(
    tree: Tree, dest: Path, name: str, harm: Callable[[Path], None]
) -> None:
    pack(tree, dest)
    before = files(dest.parent)
    harm(dest.parent / name)
    assert pack(tree, dest).changed
    assert files(dest.parent) == before


def test_a_changed_tree_is_packed_anew(tree: Tree, dest: Path) -> None:
    pack(tree, dest)
    add_image(tree, "mysql:8", [b"new"])
    assert pack(tree, dest).changed
    assert open_source(str(dest)).inventory == open_source(tree.root).inventory


def test_an_incomplete_tree_is_not_packed(tree: Tree, dest: Path) -> None:
    digest = "sha256:" + hashlib.sha256(b"two").hexdigest()
    os.unlink(tree.blob_path(digest))
    with pytest.raises(TreeError, match=f"not complete.*: a/nginx:1 needs the blob {digest}"):
        pack(tree, dest)
    assert list(dest.parent.iterdir()) == []


def test_no_room_is_said_before_anything_is_written(tree: Tree, dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(dest.parent)
    full = os.statvfs_result((real.f_bsize, real.f_frsize, real.f_blocks, 1, 1, *real[5:]))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    with pytest.raises(TreeError, match="make room"):
        pack(tree, dest)
    assert list(dest.parent.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tree: Tree, tmp_path: Path) -> None:
    with pytest.raises(TreeError, match=f"cannot be written to {tmp_path}/no: No such file"):
        pack(tree, tmp_path / "no" / "bundle.tar")


def test_what_a_killed_run_left_is_overwritten(tree: Tree, dest: Path) -> None:
    (dest.parent / ".bundle.tar.part").write_bytes(b"x" * 10_000_000)
    pack(tree, dest)
    assert sorted(path.name for path in dest.parent.iterdir()) == NAMES
    open_source(str(dest)).require_complete()


def test_two_at_once_do_not_mix(tree: Tree, dest: Path) -> None:
    with open(dest.parent / ".bundle.tar.part", "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(TreeError, match="another process is writing"):
            pack(tree, dest)


def test_progress_ends_with_everything(tree: Tree, dest: Path) -> None:
    seen: list[Progress] = []
    source = open_source(tree.root)
    _bundle.pack(source, str(dest), seen.append)
    assert [step.done_bytes for step in seen] == sorted({step.done_bytes for step in seen})
    assert seen[-1] == Progress("packing", source.inventory.size, source.inventory.size)


def test_an_error_leaves_the_old_bundle(tree: Tree, dest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(tree, dest)
    before = files(dest.parent)
    add_image(tree, "mysql:9", [b"new"])

    def fail(progress: Progress) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        _bundle.pack(open_source(tree.root), str(dest), fail)
    assert files(dest.parent) == before


def test_the_same_tree_gives_the_same_bytes_anywhere(tree: Tree, dest: Path, tmp_path: Path) -> None:
    umask = os.umask(0o077)
    try:
        # The other way round, so that folders list their files in another order, too.
        other = make_tree(tmp_path / "other" / "place", dict(reversed(IMAGES.items())))
        elsewhere = tmp_path / "elsewhere" / "bundle.tar"
        elsewhere.parent.mkdir()
        for path in (tmp_path / "other").rglob("*"):
            os.utime(path, (1, 1))
        here, there = pack(tree, dest), pack(other, elsewhere)
    finally:
        os.umask(umask)
    assert [(file.size, file.sha256) for file in here.files] == [(file.size, file.sha256) for file in there.files]
    assert files(dest.parent) == files(elsewhere.parent)
    assert elsewhere.stat().st_mode & 0o777 == 0o644


def test_what_was_packed_although_something_is_missing_says_so(tree: Tree, dest: Path) -> None:
    whole = pack(tree, dest)
    os.unlink(tree.blob_path("sha256:" + hashlib.sha256(b"two").hexdigest()))
    packed = _bundle.pack(open_source(tree.root), str(dest), _progress.ignore, packing=Packing(allow_partial=True))
    assert packed.size < whole.size
    assert open_source(str(dest)).partial
    with pytest.raises(TreeError, match="is not complete"):
        open_source(str(dest)).require_complete()


def test_a_whole_tree_is_not_called_partial(tree: Tree, dest: Path) -> None:
    _bundle.pack(open_source(tree.root), str(dest), _progress.ignore, packing=Packing(allow_partial=True))
    assert not open_source(str(dest)).partial

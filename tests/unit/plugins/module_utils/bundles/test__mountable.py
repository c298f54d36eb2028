# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import random
import subprocess
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle, _mountable, _signature
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packed, Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import InvalidArchive
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _unpack
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.mounting import mounted
from tests.unit.ssh_keys import allow, make_key
from tests.unit.trees import add_image, files, layer_bytes, make_tree

IMAGES = {"mysql:8": [layer_bytes(1, 3_000_000), b"two"], "a/nginx:1": [b"two"]}
PART = 1_000_000


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", IMAGES)


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "bundle.squashfs"


def pack(tree: Tree, dest: Path, part_size: int | None = None, dry_run: bool = False) -> Packed:
    packing = Packing(part_size=part_size, format=_bundle.SQUASHFS)
    return _bundle.pack(open_source(tree.root), str(dest), _progress.ignore, dry_run, packing)


def test_mounted_a_bundle_is_the_tree(tree: Tree, dest: Path) -> None:
    packed = pack(tree, dest)
    assert (packed.changed, packed.size) == (True, dest.stat().st_size)
    with mounted(dest) as folder:
        assert files(folder) == files(Path(tree.root))


def test_it_is_checked_without_ansible(tree: Tree, dest: Path) -> None:
    pack(tree, dest)
    subprocess.run(["sha256sum", "-c", f"{dest.name}.sha256"], cwd=dest.parent, check=True, capture_output=True)
    subprocess.run(["python3", f"{dest}.check.py"], check=True, capture_output=True)
    data = bytearray(dest.read_bytes())
    data[len(data) // 2] ^= 1
    dest.write_bytes(data)
    checked = subprocess.run(["python3", f"{dest}.check.py"], check=False, capture_output=True, text=True)
    assert (checked.returncode, checked.stderr.splitlines()) == (
        1,
        [f"{dest} is damaged: its checksum is not the one in {dest}.sha256"],
    )


def test_the_same_tree_gives_the_same_bytes(tree: Tree, dest: Path, tmp_path: Path) -> None:
    pack(tree, dest)
    again = make_tree(tmp_path / "again", dict(reversed(IMAGES.items())))
    pack(again, tmp_path / "again.squashfs")
    assert dest.read_bytes() == (tmp_path / "again.squashfs").read_bytes()


@pytest.mark.parametrize("part_size", [None, PART])
def test_a_bundle_that_holds_the_same_stays(tree: Tree, dest: Path, part_size: int | None) -> None:
    planned = pack(tree, dest, part_size, dry_run=True)
    first = pack(tree, dest, part_size)
    assert [(file.path, file.size) for file in planned.files] == [(file.path, file.size) for file in first.files]
    assert pack(tree, dest, part_size) == Packed(False, first.files)
    add_image(tree, "more:1", [b"more"])
    assert pack(tree, dest, part_size).changed


def test_either_format_replaces_the_other(tree: Tree, dest: Path) -> None:
    pack(tree, dest)
    assert _bundle.pack(open_source(tree.root), str(dest), _progress.ignore).changed
    assert pack(tree, dest).changed


def test_the_parts_are_the_image(tree: Tree, dest: Path, tmp_path: Path) -> None:
    pack(tree, tmp_path / "whole")
    packed = pack(tree, dest, PART)
    assert [Path(file.path).stat().st_size for file in packed.files[:-1]] == [PART] * 3
    shares = [Path(file.path).read_bytes()[1024:-72] for file in packed.files]
    assert b"".join(shares) == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("part_size", [None, PART])
def test_it_is_read_without_being_mounted(tree: Tree, dest: Path, tmp_path: Path, part_size: int | None) -> None:
    path = pack(tree, dest, part_size).files[0].path
    source, folder = open_source(path), open_source(tree.root)
    assert (source.lock, source.inventory, source.identity) == (folder.lock, folder.inventory, folder.identity)
    target = Tree(str(tmp_path / "target"))
    _unpack.unpack(source, target, _unpack.ERROR, _progress.ignore)
    assert files(tmp_path / "target") == files(Path(tree.root))


def test_its_signature_is_that_of_what_it_holds(tree: Tree, dest: Path, tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    packing = Packing(sign_key=str(key), format=_bundle.SQUASHFS)
    _bundle.pack(open_source(tree.root), str(dest), _progress.ignore, False, packing)
    source = open_source(str(dest))
    signers = allow(tmp_path / "signers", builder=key)
    assert _signature.verify(source.identity, source.signature_path, str(signers)) == "builder"


def test_what_is_missing_in_the_tree_is_not_packed(tree: Tree, dest: Path) -> None:
    Path(tree.blob_path(max(dict(tree.blobs())))).unlink()
    with pytest.raises(TreeError, match="is not complete"):
        pack(tree, dest)
    assert list(dest.parent.iterdir()) == []


# Damage


def comment(path: Path) -> str:
    with path.open("rb") as file:
        return _mountable.read_comment(file)


def test_a_changed_byte_outside_of_a_blob_is_refused(tree: Tree, dest: Path) -> None:
    pack(tree, dest)
    data = dest.read_bytes()
    found = open_source(str(dest))
    before = found.identity, comment(dest)
    with dest.open("rb") as file:
        positions = _mountable.read(file).positions
    blobs = [(start, start + found.inventory.blobs[digest]) for digest, start in positions.items()]
    dice = random.Random(7)
    places = set(range(len(data))).difference(*(range(*span) for span in blobs))
    for place in [0, 8, 95, len(data) - 1, *dice.sample(sorted(places), 100)]:
        dest.write_bytes(data[:place] + bytes([data[place] ^ (1 << dice.randrange(8))]) + data[place + 1 :])
        # A changed lock may still be one: its digest is another one then, which the signature shows.
        with contextlib.suppress(SeahubError):
            assert (open_source(str(dest)).identity, comment(dest)) != before


@pytest.mark.parametrize("size", [0, 3, 96, 511, 4096, -1, -512, -4096])
def test_a_bundle_that_ends_too_early_is_refused(tree: Tree, dest: Path, size: int) -> None:
    pack(tree, dest)
    dest.write_bytes(dest.read_bytes()[:size])
    with pytest.raises(InvalidArchive):
        open_source(str(dest))


def test_an_image_of_somebody_else_is_refused(tree: Tree, dest: Path) -> None:
    subprocess.run(["mksquashfs", tree.root, dest, "-quiet", "-no-progress"], check=True)
    with pytest.raises(InvalidArchive, match="was not written by bundle_pack"):
        open_source(str(dest))


@pytest.mark.parametrize(
    "inventory",
    [
        _inventory.Inventory(blobs={"sha256:../../etc": 1}),
        _inventory.Inventory(layers=frozenset({("../../up", "sha256:" + "a" * 64)})),
        _inventory.Inventory(tags={("a", "../x"): "sha256:" + "a" * 64}),
        _inventory.Inventory(blobs={"sha256:" + "a" * 64: -1}),
    ],
)
def test_names_and_sizes_that_no_tree_has_are_refused(tmp_path: Path, inventory: _inventory.Inventory) -> None:
    lock = _lock.Lock().dump()
    good = _mountable.image(_inventory.Inventory(), lock, "")
    index = good.index.replace(_inventory.Inventory().dump().encode(), inventory.dump().encode())
    body = index[: index.index(b"}") + 1]
    footer = good.index[-512:].replace(str(good.index.index(b"}") + 1).encode(), str(len(body)).encode())
    path = tmp_path / "bundle"
    path.write_bytes(good.layout.head + lock + good.layout.tables + body + b" " * (-len(body) % 512) + footer)
    with pytest.raises(InvalidArchive, match="index of the bundle is damaged"):
        open_source(str(path))

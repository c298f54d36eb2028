# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Deltas between real trees: packed, carried and put into them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle, _delta, _signature
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packed, Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    InvalidLock,
    InvalidReceipt,
    NameCollision,
    SeahubError,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _unpack
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock, _receipt
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.ssh_keys import allow, make_key
from tests.unit.trees import add_image, files, layer_bytes, make_tree

BASE = layer_bytes(1, 400_000)
FIRST = {"library/mysql:8": [BASE, b"mysql 8"], "nginx:1": [BASE, b"nginx 1"]}
NEW = layer_bytes(2, 300_000)
# More links, tags and the lock than this no delta between the trees here has.
OVERHEAD = 64 * 1024


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """The tree of the build host."""
    return make_tree(tmp_path / "tree", FIRST)


@pytest.fixture
def run(tree: Tree, tmp_path: Path) -> Path:
    """A tree on the far side that holds what that of the build host held in the beginning."""
    shutil.copytree(tree.root, tmp_path / "run")
    return tmp_path / "run"


def receipt_of(folder: Path, label: str = "") -> _receipt.Receipt:
    source = open_source(str(folder))
    return _receipt.of(source.lock, source.inventory, label)


def as_receipt(folder: Path, to: Path) -> Path:
    _receipt.write(str(to / "site.receipt"), receipt_of(folder))
    return to / "site.receipt"


def as_lock(folder: Path, to: Path) -> Path:
    return Path(shutil.copy(folder / _lock.FILE, to / "earlier.json"))


def as_tree(folder: Path, _to: Path) -> Path:
    return folder


def as_bundle(folder: Path, to: Path) -> Path:
    _bundle.pack(open_source(str(folder)), str(to / "earlier.tar"), _progress.ignore)
    return to / "earlier.tar"


def delta(tree: Tree, *since: Path) -> Source:
    return _delta.subtract(open_source(tree.root), [_delta.read_target(str(path)) for path in since])


def pack(tree: Tree, dest: Path, *since: Path, packing: Packing = _bundle.PLAIN) -> Packed:
    return _bundle.pack(delta(tree, *since), str(dest), _progress.ignore, packing=packing)


def unpack(bundle: Path, folder: Path, conflict: str = "error") -> bool:
    return _unpack.unpack(open_source(str(bundle)), Tree(str(folder)), conflict, _progress.ignore).plan.changed


def checked(folder: Path) -> dict[str, bytes]:
    """Return the files of a tree, in which nothing is missing or damaged."""
    assert _check.check(Tree(str(folder))).ok
    return files(folder)


@pytest.mark.parametrize("known", [as_receipt, as_lock, as_tree, as_bundle])
def test_a_delta_holds_only_what_is_lacking(
    tree: Tree, run: Path, tmp_path: Path, known: Callable[[Path, Path], Path]
) -> None:
    since = known(run, tmp_path)
    add_image(tree, "redis:7", [BASE, NEW])
    packed = pack(tree, tmp_path / "delta.tar", since)
    assert len(NEW) < packed.size < len(NEW) + OVERHEAD
    assert [entry.shown for entry in open_source(str(tmp_path / "delta.tar")).lock.references] == ["redis:7"]
    assert unpack(tmp_path / "delta.tar", run)
    assert checked(run) == files(Path(tree.root))
    assert not unpack(tmp_path / "delta.tar", run)


def test_a_delta_says_what_it_presumes(tree: Tree, run: Path, tmp_path: Path) -> None:
    _receipt.write(str(tmp_path / "oslo.receipt"), receipt_of(run, "oslo"))
    before = tree.tag("nginx", "1")
    add_image(tree, "nginx:1", [BASE, NEW])
    pack(tree, tmp_path / "delta.tar", tmp_path / "oslo.receipt")
    with tarfile.open(tmp_path / "delta.tar") as archive:
        said = archive.extractfile("seahub.delta.json")
        assert said
        document = json.load(said)
    assert document["blobs"][_digest.hash_bytes(BASE)] == len(BASE)
    assert _digest.hash_bytes(NEW) not in document["blobs"]
    assert document["since"] == [{"label": "oslo", "fingerprint": receipt_of(run).fingerprint}]
    assert document["tags"] == {"nginx:1": [before]}
    presumption = open_source(str(tmp_path / "delta.tar")).presumption
    assert presumption
    assert presumption.as_dict() == {key: document[key] for key in ("since", "blobs", "tags")}


def test_one_delta_for_two_trees(tree: Tree, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    make_tree(other, {"library/mysql:8": FIRST["library/mysql:8"]})
    add_image(tree, "redis:7", [BASE, NEW])
    packed = pack(tree, tmp_path / "delta.tar", as_receipt(run, tmp_path), other)
    assert packed.size < len(NEW) + OVERHEAD
    names = [entry.shown for entry in open_source(str(tmp_path / "delta.tar")).lock.references]
    assert names == ["nginx:1", "redis:7"]
    for folder in (run, other):
        assert unpack(tmp_path / "delta.tar", folder)
        assert checked(folder) == files(Path(tree.root))


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_independent_deltas_go_in_in_any_order_and_twice(
    tree: Tree, run: Path, tmp_path: Path, order: Sequence[int]
) -> None:
    deltas = []
    for number in range(3):
        shutil.copytree(tree.root, tmp_path / str(number))
        add_image(tree, f"new/{number}:1", [BASE, layer_bytes(10 + number, 20_000)])
        deltas.append(tmp_path / f"delta-{number}.tar")
        pack(tree, deltas[-1], tmp_path / str(number))
    for number in (*order, *order):
        unpack(deltas[number], run)
        assert _check.check(Tree(str(run))).ok
    assert checked(run) == files(Path(tree.root))


def test_a_moved_tag_moves_from_where_it_was_alone(tree: Tree, run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(run, other)
    add_image(Tree(str(other)), "nginx:1", [BASE, b"their own"])
    before = files(other)
    shutil.copytree(run, tmp_path / "first")
    add_image(tree, "nginx:1", [BASE, b"newer"])
    pack(tree, tmp_path / "one.tar", tmp_path / "first")
    shutil.copytree(tree.root, tmp_path / "second")
    add_image(tree, "nginx:1", [BASE, b"newest"])
    pack(tree, tmp_path / "two.tar", tmp_path / "second")
    with pytest.raises(NameCollision, match="nginx:1"):
        unpack(tmp_path / "one.tar", other)
    assert files(other) == before
    assert unpack(tmp_path / "one.tar", run)
    assert unpack(tmp_path / "two.tar", run)
    after = checked(run)
    # An older one that comes late does not bring the tag back.
    with pytest.raises(NameCollision, match="nginx:1"):
        unpack(tmp_path / "one.tar", run)
    assert files(run) == after
    assert Tree(str(run)).tag("nginx", "1") == tree.tag("nginx", "1")


def test_a_tree_without_what_is_presumed_is_not_touched(tree: Tree, run: Path, tmp_path: Path) -> None:
    since = as_bundle(run, tmp_path)
    add_image(tree, "redis:7", [BASE, NEW])
    pack(tree, tmp_path / "delta.tar", since)
    wrong = tmp_path / "wrong"
    make_tree(wrong, {"other:1": [b"something else"]})
    before = {path: path.stat().st_mtime_ns for path in wrong.rglob("*")}, files(wrong)
    with pytest.raises(TreeError, match=r"redis:7 needs the blob sha256:") as refused:
        unpack(tmp_path / "delta.tar", wrong)
    assert "It was packed since earlier.tar (sha256:" in str(refused.value)
    assert ({path: path.stat().st_mtime_ns for path in wrong.rglob("*")}, files(wrong)) == before
    with pytest.raises(TreeError, match=r"is a delta"):
        unpack(tmp_path / "delta.tar", tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()
    # What the message asks for cures it.
    unpack(since, wrong)
    assert unpack(tmp_path / "delta.tar", wrong)
    assert _check.check(Tree(str(wrong))).ok


def test_a_delta_is_checked_without_what_it_presumes(tree: Tree, run: Path, tmp_path: Path) -> None:
    add_image(tree, "redis:7", [BASE, NEW])
    source = delta(tree, run)
    assert _check.check_source(source).ok
    blobs = {digest: size for digest, size in source.inventory.blobs.items() if size != len(NEW)}
    assert source.presumption
    less = source.presuming(source.presumption, source.lock, dataclasses.replace(source.inventory, blobs=blobs))
    assert all(_digest.hash_bytes(NEW) in sentence for sentence in _check.check_source(less).missing)
    assert not _check.check_source(less).ok


def test_an_empty_delta_is_a_bundle(tree: Tree, run: Path, tmp_path: Path) -> None:
    packed = pack(tree, tmp_path / "delta.tar", as_receipt(run, tmp_path))
    assert packed.changed
    assert open_source(str(tmp_path / "delta.tar")).lock.references == ()
    before = files(run)
    assert not unpack(tmp_path / "delta.tar", run)
    assert files(run) == before
    assert not unpack(tmp_path / "delta.tar", tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


def test_the_same_delta_has_the_same_bytes_anywhere(tree: Tree, run: Path, tmp_path: Path) -> None:
    add_image(tree, "redis:7", [BASE, NEW])
    shutil.copytree(tree.root, tmp_path / "copy")
    (tmp_path / "elsewhere").mkdir()
    pack(tree, tmp_path / "delta.tar", as_receipt(run, tmp_path))
    pack(Tree(str(tmp_path / "copy")), tmp_path / "elsewhere" / "d.tar", as_receipt(run, tmp_path / "elsewhere"))
    assert (tmp_path / "delta.tar").read_bytes() == (tmp_path / "elsewhere" / "d.tar").read_bytes()
    assert not pack(tree, tmp_path / "delta.tar", as_receipt(run, tmp_path)).changed
    assert pack(tree, tmp_path / "delta.tar", tmp_path / "copy").changed


def test_a_delta_over_a_large_tree_is_the_new_blobs_and_little_more(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {f"team/app-{n}:1": [b"%d %d" % (n, i) for i in range(8)] for n in range(20)})
    whole = open_source(tree.root)
    entry = whole.lock.references[0]
    # A tree of 5,000 blobs, but of their names alone: nobody reads the bytes of what is left out.
    chance = random.Random(1)
    more = [
        dataclasses.replace(
            entry,
            name=f"many/app-{n}",
            blobs={f"sha256:{chance.randbytes(32).hex()}": chance.randrange(10**9) for _ in range(10)},
        )
        for n in range(500)
    ]
    known = _receipt.of_lock(whole.lock.with_entries(more))
    assert len(known.blobs) >= 5000
    new = layer_bytes(5, 2_000_000)
    add_image(tree, "fresh/app:2", [b"0 0", new])
    add_image(tree, "team/app-3:1", [b"3 0", b"3 1", b"fresh"])
    source = _delta.subtract(open_source(tree.root), [known])
    packed = _bundle.pack(source, str(tmp_path / "delta.tar"), _progress.ignore)
    assert packed.size < source.inventory.size + 1024 * 1024
    assert source.inventory.size < len(new) + 10_000


@pytest.mark.parametrize("kind", [_bundle.TAR, _bundle.SQUASHFS])
@pytest.mark.parametrize("part_size", [None, 100_000])
def test_signed_deltas_in_parts(tree: Tree, run: Path, tmp_path: Path, part_size: int | None, kind: str) -> None:
    add_image(tree, "redis:7", [BASE, NEW])
    key, medium = make_key(tmp_path / "key"), tmp_path / "medium"
    medium.mkdir()
    signers = allow(tmp_path / "allowed_signers", build=key)
    pack(tree, medium / "delta.tar", as_lock(run, tmp_path), packing=Packing(part_size, sign_key=str(key), format=kind))
    bundle = medium if part_size else medium / "delta.tar"
    source = open_source(str(bundle))
    assert _signature.verify(source.identity, source.signature_path, str(signers)) == "build"
    # What it presumes is signed, too.
    pack(tree, tmp_path / "other.tar", run)
    other = _delta.subtract(open_source(tree.root), [receipt_of(run, "elsewhere")])
    assert other.identity != source.identity
    assert unpack(bundle, run)
    assert checked(run) == files(Path(tree.root))


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


@pytest.mark.parametrize("steps", [1, 3, 4])
def test_after_a_kill_the_next_run_finishes(tree: Tree, run: Path, tmp_path: Path, steps: int) -> None:
    since = as_receipt(run, tmp_path)
    add_image(tree, "nginx:1", [BASE, NEW, b"newer"])
    pack(tree, tmp_path / "delta.tar", since)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, tmp_path / "delta.tar", run],
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
    assert _check.check(Tree(str(run))).ok
    unpack(tmp_path / "delta.tar", run)
    assert checked(run) == files(Path(tree.root))


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def write_rubbish(path: Path) -> None:
    path.write_bytes(b"rubbish" * 1000)


def write_other_json(path: Path) -> None:
    path.write_bytes(b'{"something": "else"}')


def write_cut_receipt(path: Path) -> None:
    path.write_bytes(_receipt.Receipt("label").dump()[:-9])


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (write_nothing, TreeError),
        (write_rubbish, TreeError),
        (write_other_json, InvalidLock),
        (write_cut_receipt, InvalidReceipt),
        (lambda path: None, TreeError),
    ],
)
def test_what_says_nothing_of_a_tree_is_refused(
    tmp_path: Path, make: Callable[[Path], None], error: type[SeahubError]
) -> None:
    make(tmp_path / "since")
    with pytest.raises(error, match="since"):
        _delta.read_target(str(tmp_path / "since"))

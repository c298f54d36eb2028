# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReceipt
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _receipt
from ansible_collections.seahub.offline.plugins.module_utils.trees._receipt import Receipt
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import make_tree

BOUND = 200 * 1024
ONE, TWO, THREE = (_digest.hash_bytes(data) for data in (b"1", b"2", b"3"))
LONG = "sha512:" + "ab" * 64
SMALL = Receipt(
    "oslo", {ONE: 1, TWO: 2, LONG: 3}, frozenset({("a/b", ONE), ("a/b", LONG), ("c", TWO)}), {("a/b", "1"): ONE}
)


def many(references: int, blobs: int, seed: int = 1) -> Receipt:
    """A receipt of images of a manifest, a configuration and layers, each under two names."""
    chance = random.Random(seed)
    words = ["nginx", "mysql", "kafka", "proxy", "operator", "exporter", "metrics", "grafana", "agent", "controller"]
    sizes: dict[str, int] = {}
    links: set[tuple[str, str]] = set()
    tags: dict[tuple[str, str], str] = {}
    for number in range(references):
        name = f"{chance.choice(words)}-{chance.choice(words)}-{number:x}"
        digests = [f"sha256:{chance.randbytes(32).hex()}" for _ in range(blobs)]
        limits = [2_000, 12_000, *[1 << 30] * (blobs - 2)]
        sizes.update((digest, chance.randrange(400, limit)) for digest, limit in zip(digests, limits, strict=True))
        for path in (f"library/{name}", name):
            links.update((path, digest) for digest in digests)
            tags[path, f"{number % 20}.{number % 7}.{chance.randrange(30)}-alpine"] = digests[0]
    return Receipt("site", sizes, frozenset(links), tags)


@pytest.mark.parametrize(("references", "blobs"), [(1666, 3), (1000, 5), (500, 10), (50, 100)])
def test_five_thousand_blobs_fit_into_200_kib(references: int, blobs: int) -> None:
    receipt = many(references, blobs)
    data = receipt.dump()
    assert len(receipt.blobs) in range(4998, 5001)
    assert len(data) <= BOUND
    assert _receipt.load(data) == receipt


@pytest.mark.parametrize("receipt", [Receipt(), Receipt("Ōsaka"), SMALL, many(7, 9)])
def test_what_is_written_is_read(receipt: Receipt, tmp_path: Path) -> None:
    path = str(tmp_path / "receipt")
    _receipt.write(path, receipt)
    assert _receipt.read(path) == receipt
    assert _receipt.is_written(path, receipt)
    assert os.listdir(tmp_path) == ["receipt"]


def test_the_same_receipt_has_the_same_bytes() -> None:
    turned = Receipt("oslo", dict(sorted(SMALL.blobs.items(), reverse=True)), SMALL.links, SMALL.tags)
    assert turned.dump() == SMALL.dump()
    assert Receipt("other", SMALL.blobs, SMALL.links, SMALL.tags).fingerprint == SMALL.fingerprint
    assert Receipt("oslo", SMALL.blobs, SMALL.links, {}).fingerprint != SMALL.fingerprint


def test_people_can_look_into_it() -> None:
    document = json.loads(gzip.decompress(SMALL.dump()))
    assert document["label"] == "oslo"
    assert [names for names, _links, _tags in document["repositories"]] == [["a/b"], ["c"]]


def test_only_what_is_wholly_there_has_its_tag(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"mysql:8": [b"own", b"shared"], "nginx:1": [b"shared"]})
    whole = open_source(tree.root)
    assert _receipt.of(whole.lock, whole.inventory) == _receipt.of_lock(whole.lock)
    os.unlink(tree.blob_path(_digest.hash_bytes(b"own")))
    source = open_source(tree.root)
    receipt = _receipt.of(source.lock, source.inventory)
    assert list(receipt.tags) == [("nginx", "1")]
    assert _digest.hash_bytes(b"own") not in receipt.blobs
    assert ("mysql", _digest.hash_bytes(b"own")) not in receipt.links
    assert ("mysql", _digest.hash_bytes(b"shared")) in receipt.links


def test_a_blob_of_another_size_is_not_there(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"nginx:1": [b"layer"]})
    Path(Tree(tree.root).blob_path(_digest.hash_bytes(b"layer"))).write_bytes(b"layers")
    source = open_source(tree.root)
    receipt = _receipt.of(source.lock, source.inventory)
    assert _digest.hash_bytes(b"layer") not in receipt.blobs
    assert not receipt.tags


def test_what_several_have_in_common() -> None:
    other = Receipt(
        "", {ONE: 1, TWO: 3, THREE: 3}, frozenset({("a/b", ONE), ("c", ONE)}), {("a/b", "1"): ONE, ("c", "1"): ONE}
    )
    assert _receipt.common([SMALL, other]) == Receipt("", {ONE: 1}, frozenset({("a/b", ONE)}), {("a/b", "1"): ONE})
    assert _receipt.common([SMALL]).blobs == SMALL.blobs


def packed(**changes: Any) -> bytes:
    document = json.loads(gzip.decompress(SMALL.dump()))
    return gzip.compress(json.dumps({**document, **changes}).encode(), mtime=0)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "did not arrive whole"),
        (b"rubbish", "is damaged"),
        (SMALL.dump()[:-1], "did not arrive whole"),
        (SMALL.dump()[:40], "did not arrive whole"),
        (SMALL.dump() + b"more", "something behind its end"),
        (gzip.compress(b"no JSON", mtime=0), "is damaged"),
        (gzip.compress(b"[]", mtime=0), r"but \[\]"),
        (gzip.compress(b"{}", mtime=0), "has no 'seahub_receipt'"),
        (gzip.compress(b"[" * 100_000, mtime=0), "is damaged"),
        (gzip.compress(b" " * (33 << 20), mtime=0), "holds more than 33554432 bytes"),
        (packed(seahub_receipt=2), "has format 2"),
        (packed(label="two\nlines"), "is no label"),
        (packed(digests={"sha256": "AAAA"}), "are not whole"),
        (packed(digests={"sha256": "?"}), "are damaged"),
        (packed(digests={"md5": ""}), "has no 'md5'"),
        (packed(sizes=[1]), "3 digests and 1 sizes"),
        (packed(sizes=[1, 2, -3]), "is no number"),
        (packed(repositories=[[["../a"], [0, 1], {}]]), "is no repository path"),
        (packed(repositories=[[["a"], [0, 1], {"a/b": 0}]]), "is no tag"),
        (packed(repositories=[[["a"], [0, 9], {}]]), "out of range"),
        (packed(repositories=[[["a"], [0, 1 << 40], {}]]), "more than 4000000 links"),
        (packed(repositories=[[["a"], [0, 3] + [-3, 3] * 2_000_000, {}]]), "more than 4000000 links"),
        (packed(repositories=[[["a"], [0, 1], {"1": 7}]]), "out of range"),
        (packed(repositories=7), "is damaged"),
    ],
)
def test_what_is_no_receipt_says_so(data: bytes, why: str) -> None:
    with pytest.raises(InvalidReceipt, match=f"^the stick.*{why}"):
        _receipt.load(data, "the stick")


def test_no_damage_goes_unseen() -> None:
    data = many(20, 5).dump()
    chance = random.Random(3)
    for _attempt in range(300):
        spoiled = bytearray(data)
        # Not the header of gzip: it names a system and a time, which mean nothing.
        place = chance.randrange(10, len(data))
        spoiled[place] ^= 1 << chance.randrange(8)
        with pytest.raises(InvalidReceipt):
            _receipt.load(bytes(spoiled))


@pytest.mark.parametrize("label", ["x" * 201, "two\nlines"])
def test_a_label_is_a_short_line(label: str) -> None:
    with pytest.raises(InvalidReceipt, match="write one line of at most 200 characters"):
        _receipt.require_label(label)

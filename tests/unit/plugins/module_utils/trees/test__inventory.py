# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from tests.unit.trees import add_image, make_tree


def digest(number: int) -> str:
    return f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"


def test_a_folder_that_does_not_exist_holds_nothing(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {})
    assert _inventory.scan(tree) == Inventory()


def test_a_folder_is_listed(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"mysql:8": [b"one", b"two"], "a/nginx:1": [b"one"]})
    with tree.blob_writer(digest(1), 100) as writer:
        writer.write(b"half")
    found = _inventory.scan(tree)
    assert len(found.blobs) == 2 + 2 + 2  # manifests, configurations, layers of which one is shared
    assert found.size == sum(found.blobs.values())
    assert {name for name, _digest in found.layers} == {"mysql", "a/nginx"}
    assert len(found.layers) == 3 + 2
    assert set(found.tags) == {("mysql", "8"), ("a/nginx", "1")}
    assert found.manifests == {(name, digest) for (name, _tag), digest in found.tags.items()}
    assert found.partials == {digest(1): 4}


def test_it_survives_the_way_from_a_host(tmp_path: Path) -> None:
    found = _inventory.scan(make_tree(tmp_path, {"mysql:8": [b"one", b"two"], "a/nginx:1": [b"one"]}))
    found = dataclasses.replace(found, partials={digest(1): 7})
    assert _inventory.load(found.dump()) == found
    assert _inventory.load(Inventory().dump()) == Inventory()


def test_thousands_of_blobs_stay_small() -> None:
    digests = [digest(number) for number in range(5000)]
    many = Inventory(
        blobs={item: 10_000 + number for number, item in enumerate(digests)},
        layers=frozenset(("some/repository", item) for item in digests),
    )
    assert len(many.dump()) < 300 * 1024


@pytest.mark.parametrize("text", ["", "x", "AAAA", _inventory.shrink(b"{}"), _inventory.shrink(b"[")])
def test_another_answer_is_an_error(text: str) -> None:
    with pytest.raises(TreeError, match="cannot be read"):
        _inventory.load(text)


def test_equal_trees_have_equal_fingerprints(tmp_path: Path) -> None:
    images = {"mysql:8": [b"one", b"two"], "a/nginx:1": [b"one"]}
    one = make_tree(tmp_path / "one", images)
    two = make_tree(tmp_path / "two", dict(reversed(images.items())))
    assert _inventory.scan(one).fingerprint() == _inventory.scan(two).fingerprint()
    add_image(two, "mysql:9", [b"one"])
    assert _inventory.scan(one).fingerprint() != _inventory.scan(two).fingerprint()


def test_what_no_reference_needs_is_not_selected(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"mysql:8": [b"old"]})
    add_image(tree, "mysql:8", [b"new"])
    expected = _inventory.scan(make_tree(tmp_path / "other", {"mysql:8": [b"new"]}))
    assert _inventory.select(_inventory.scan(tree), _lock.read(tree)) == expected


def test_a_complete_tree_has_no_gaps(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"mysql:8": [b"one", b"two"], "a/nginx:1": [b"one"]})
    assert _inventory.gaps(_inventory.scan(tree), _lock.read(tree)) == []


@pytest.mark.parametrize(
    ("part", "gap"),
    [
        ("blobs", "mysql:8 needs the blob sha256:.*, which is missing"),
        ("layers", "mysql:8 needs a link to sha256:.* in the repository mysql, which is missing"),
        ("manifests", "mysql:8 needs the manifest sha256:.* in the repository mysql, which is missing"),
        ("tags", "mysql:8 needs the tag 8 in the repository mysql to be sha256:.*"),
    ],
)
def test_each_gap_is_named(tmp_path: Path, part: str, gap: str) -> None:
    tree = make_tree(tmp_path, {"mysql:8": [b"one", b"two"]})
    found = _inventory.scan(tree)
    broken = dataclasses.replace(found, **{part: type(getattr(found, part))()})
    assert any(re.fullmatch(gap, found) for found in _inventory.gaps(broken, _lock.read(tree)))


def test_a_blob_of_the_wrong_size_is_a_gap(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"mysql:8": [b"one"]})
    path = Path(tree.blob_path("sha256:" + hashlib.sha256(b"one").hexdigest()))
    path.write_bytes(b"on")
    (gap,) = _inventory.gaps(_inventory.scan(tree), _lock.read(tree))
    assert gap.endswith("of 3 bytes, but it has 2")


def test_an_alias_is_needed_as_well(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"library/mysql:8": [b"one"]})
    (entry,) = _lock.read(tree).references
    lock = _lock.Lock((dataclasses.replace(entry, aliases=("mysql",)),))
    assert all("in the repository mysql" in gap for gap in _inventory.gaps(_inventory.scan(tree), lock))
    assert _inventory.gaps(_inventory.scan(tree), lock)

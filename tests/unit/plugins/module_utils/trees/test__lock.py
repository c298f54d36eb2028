# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidLock
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Chart, Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import make_tree

ONE, TWO, THREE = ("sha256:" + digit * 64 for digit in "123")

IMAGE = Entry(
    requested="mysql:8",
    source="docker.io/library/mysql:8",
    kind="image",
    name="library/mysql",
    tag="8",
    digest=ONE,
    media_type="application/vnd.oci.image.index.v1+json",
    platforms=("linux/amd64", "linux/arm/v7"),
    aliases=("mysql",),
    blobs={TWO: 20, ONE: 1},
)
CHART = Entry(
    requested="mysql-1.0.0+b.tgz",
    source="mysql-1.0.0+b.tgz",
    kind="chart",
    name="helm-charts/mysql",
    tag="1.0.0_b",
    digest=TWO,
    media_type="application/vnd.oci.image.manifest.v1+json",
    blobs={TWO: 5},
    chart=Chart("mysql", "1.0.0+b", ONE, THREE),
)
UNTAGGED = Entry("app@" + THREE, "quay.io/app@" + THREE, "artifact", "app", None, THREE, "type", blobs={THREE: 3})

# A member of an entry, or of its chart, and what it must not be.
HOSTILE: dict[str, tuple[str, Any]] = {
    "repository above the tree": ("name", "../../etc"),
    "absolute repository": ("name", "/etc/cron.d"),
    "private folder": ("name", "a/_layers"),
    "repository with a line end": ("name", "app\n"),
    "repository of 1 MiB": ("name", "a" * 1_048_576),
    "no repository": ("name", None),
    "alias above the tree": ("aliases", ["ok", "../x"]),
    "aliases in no list": ("aliases", 7),
    "tag as path": ("tag", "../../latest"),
    "tag as option": ("tag", "--config=x"),
    "tag of 1 MiB": ("tag", "t" * 1_048_576),
    "number as tag": ("tag", 8),
    "digest as path": ("digest", "sha256:../../x"),
    "no digest": ("digest", None),
    "digest in capitals": ("digest", ONE.upper()),
    "blob as path": ("blobs", {"sha256:../../x": 1}),
    "blobs in a list": ("blobs", [ONE]),
    "negative size": ("blobs", {ONE: -1}),
    "endless size": ("blobs", {ONE: float("inf")}),
    "broken size": ("blobs", {ONE: 1.5}),
    "size as text": ("blobs", {ONE: "1"}),
    "true as size": ("blobs", {ONE: True}),
    "platform with control characters": ("platforms", ["linux/amd64\x1b[2J"]),
    "platform of no text": ("platforms", [["linux"]]),
    "request of no text": ("requested", {"a": 1}),
    "source of no text": ("source", None),
    "kind of no text": ("kind", ["image"]),
    "media type of no text": ("media_type", 1),
    "chart in a list": ("chart", ["mysql"]),
    "chart as text": ("chart", "mysql"),
    "chart content as path": ("chart", {"name": "a", "version": "1", "content": "../x", "provenance": None}),
    "chart provenance as path": ("chart", {"name": "a", "version": "1", "content": ONE, "provenance": "../x"}),
    "chart name of no text": ("chart", {"name": 1, "version": "1", "content": ONE, "provenance": None}),
    "chart version of no text": ("chart", {"name": "a", "version": None, "content": ONE, "provenance": None}),
    "chart without version": ("chart", {"name": "a", "content": ONE, "provenance": None}),
}

# What is no lock at all.
GARBAGE: dict[str, bytes] = {
    "nothing": b"",
    "text": b"mysql:8",
    "list": b"[]",
    "null": b"null",
    "other document": b"{}",
    "no references": b'{"seahub_lock": 1}',
    "references of no kind": b'{"seahub_lock": 1, "references": 7}',
    "references by name": b'{"seahub_lock": 1, "references": {"a": {}}}',
    "reference as text": b'{"seahub_lock": 1, "references": ["mysql:8"]}',
    "empty reference": b'{"seahub_lock": 1, "references": [{}]}',
    "not UTF-8": b'{"seahub_lock": 1, "references": ["\xff"]}',
    "deep": b"[" * 500_000,
    "deep format": b'{"seahub_lock": ' + b"[" * 900 + b"]" * 900 + b"}",
    "long number": b'{"seahub_lock": ' + b"1" * 100_000 + b"}",
}


def document(*entries: Entry) -> dict[str, Any]:
    return dict(json.loads(Lock().with_entries(entries).dump()))


def test_a_lock_says_the_same_whatever_the_order() -> None:
    """Neither the order in which things were saved nor that within a dictionary shows."""
    dumps = {Lock().with_entries(order).dump() for order in itertools.permutations((IMAGE, CHART, UNTAGGED))}
    swapped = dataclasses.replace(IMAGE, blobs=dict(reversed(IMAGE.blobs.items())))
    dumps.add(Lock().with_entries([UNTAGGED, CHART, swapped]).dump())
    assert len(dumps) == 1


def test_the_file_is_as_it_is_documented() -> None:
    assert document(IMAGE) == {
        "seahub_lock": 1,
        "references": [
            {
                "requested": "mysql:8",
                "source": "docker.io/library/mysql:8",
                "kind": "image",
                "name": "library/mysql",
                "tag": "8",
                "aliases": ["mysql"],
                "digest": ONE,
                "media_type": "application/vnd.oci.image.index.v1+json",
                "platforms": ["linux/amd64", "linux/arm/v7"],
                "size": 21,
                "blobs": {ONE: 1, TWO: 20},
                "chart": None,
            }
        ],
    }


def test_what_is_written_is_read_again() -> None:
    lock = Lock().with_entries([IMAGE, CHART, UNTAGGED])
    assert _lock.load(lock.dump()) == lock
    assert [entry.name for entry in lock.references] == ["app", "helm-charts/mysql", "library/mysql"]


@pytest.mark.parametrize("name", ["chart-\N{SNOWMAN}.tgz", "chart-\udcff.tgz", 'a"\\\n.tgz', "\x1b[2J.tgz"])
def test_files_may_be_called_anything(name: str) -> None:
    """Also what is no text in the encoding of the system."""
    lock = Lock().with_entries([dataclasses.replace(CHART, requested=name, source=name)])
    assert _lock.load(lock.dump()) == lock
    assert lock.dump().isascii()


def test_entries_replace_those_of_the_same_name_and_tag() -> None:
    lock = Lock().with_entries([IMAGE, CHART])
    newer = dataclasses.replace(IMAGE, digest=THREE)
    other_tag = dataclasses.replace(IMAGE, tag="9")
    assert lock.with_entries([newer]).references == (CHART, newer)
    assert lock.with_entries([other_tag]).references == (CHART, IMAGE, other_tag)
    assert lock.with_entries([]) == lock


def test_without_a_tag_the_digest_tells_entries_apart() -> None:
    other = dataclasses.replace(UNTAGGED, digest=ONE)
    lock = Lock().with_entries([UNTAGGED, other, UNTAGGED])
    assert lock.references == (other, UNTAGGED)
    assert lock.find("app", THREE) == UNTAGGED


def test_entries_are_found_by_name_and_tag() -> None:
    lock = Lock().with_entries([IMAGE, CHART])
    assert lock.find("library/mysql", "8") == IMAGE
    assert lock.find("library/mysql", "9") is None
    assert lock.find("mysql", "8") is None


def test_the_size_is_that_of_all_blobs() -> None:
    assert (IMAGE.size, UNTAGGED.size) == (21, 3)


@pytest.mark.parametrize(("member", "value"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_content_is_refused(member: str, value: object) -> None:
    """What a lock says becomes paths and the arguments of commands, and it may have travelled on a foreign medium."""
    changed = document(UNTAGGED, IMAGE)
    changed["references"][1][member] = value
    with pytest.raises(
        InvalidLock, match="the lock of the test is no lock of this collection, or is damaged"
    ) as caught:
        _lock.load(json.dumps(changed).encode(), "the lock of the test")
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("member", [field.name for field in dataclasses.fields(Entry) if field.name != "chart"])
def test_nothing_may_be_missing(member: str) -> None:
    changed = document(IMAGE)
    del changed["references"][0][member]
    with pytest.raises(InvalidLock, match=f"it has no '{member}'"):
        _lock.load(json.dumps(changed).encode())


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidLock) as caught:
        _lock.load(data, "the lock of the test")
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("found", [2, 0, "1", None, "x" * 1_048_576])
def test_other_formats_are_for_other_versions(found: object) -> None:
    with pytest.raises(InvalidLock, match="reads 1: use a newer one") as caught:
        _lock.load(json.dumps({"seahub_lock": found, "references": []}).encode())
    assert len(str(caught.value)) < 300


def test_a_tree_without_a_lock_has_an_empty_one(tmp_path: Path) -> None:
    assert _lock.read(Tree(str(tmp_path / "none"))) == Lock()


def test_a_lock_is_written_only_if_it_says_something_new(tmp_path: Path) -> None:
    tree, lock = Tree(str(tmp_path)), Lock().with_entries([IMAGE])
    assert _lock.write(tree, lock)
    inode = (tmp_path / _lock.FILE).stat().st_ino
    assert not _lock.write(tree, lock)
    assert (tmp_path / _lock.FILE).stat().st_ino == inode
    assert _lock.read(tree) == lock
    assert _lock.write(tree, lock.with_entries([CHART]))
    assert _lock.read(tree).references == (CHART, IMAGE)


def test_a_damaged_lock_of_a_tree_is_named(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"app:1": [b"layer"]})
    path = tmp_path / _lock.FILE
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InvalidLock, match=str(path)):
        _lock.read(tree)

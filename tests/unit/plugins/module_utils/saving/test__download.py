# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Downloading blobs, from sources that are made up; test__save.py has real ones."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotFound, TreeError, Unavailable
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.saving._download import BlobSource, Downloader, Job
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import layer_bytes

SIZE = 100_000
QUICK = RetryPolicy(attempts=3, base=0.001)


class Stream:
    """The bytes of a blob, in pieces."""

    def __init__(self, data: bytes, start: int, end: int | None, piece: int) -> None:
        self.start = start
        self._rest = data[start:]
        self._left = end
        self._piece = piece

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def read(self, count: int) -> bytes:
        """Return the next piece, or break."""
        if self._left is not None and self._left <= 0:
            raise Unavailable("broken")
        size = min(count, self._piece, len(self._rest) if self._left is None else self._left)
        data, self._rest = self._rest[:size], self._rest[size:]
        if self._left is not None:
            self._left -= len(data)
        return data


class Source:
    """Where blobs can be had.

    :param breaks: after how many bytes a stream breaks.
    :param ranges: whether it can begin elsewhere than at the start.
    """

    def __init__(self, *blobs: bytes, breaks: int | None = None, ranges: bool = True, piece: int = 7000) -> None:
        self._blobs = {_digest.hash_bytes(data): data for data in blobs}
        self._breaks = breaks
        self._ranges = ranges
        self._piece = piece
        self.opened: list[tuple[str, int]] = []

    def open_blob(self, blob: Descriptor, offset: int) -> Stream:
        """Return a stream."""
        self.opened.append((blob.digest, offset))
        if blob.digest not in self._blobs:
            raise NotFound("not here")
        return Stream(self._blobs[blob.digest], offset if self._ranges else 0, self._breaks, self._piece)


class Mirrors:
    """Several sources, of which the first answers."""

    def __init__(self, *sources: Source) -> None:
        self._sources = sources

    def open_blob(self, blob: Descriptor, offset: int) -> Stream:
        """Return a stream of the first."""
        return self._sources[0].open_blob(blob, offset)

    def alone(self) -> Sequence[BlobSource]:
        """Return each."""
        return self._sources


def lying(data: bytes, other: bytes) -> Source:
    """A source that gives other bytes than those asked for."""
    source = Source()
    source._blobs[_digest.hash_bytes(data)] = other
    return source


def job(data: bytes, *sources: BlobSource) -> Job:
    return Job(Descriptor("", _digest.hash_bytes(data), len(data)), sources)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    (tmp_path / "tree").mkdir()
    return Tree(str(tmp_path / "tree"))


BLOB, OTHER = layer_bytes(1, SIZE), layer_bytes(2, SIZE)


@pytest.mark.parametrize(
    "sources",
    [
        [Source(BLOB)],
        [Source(BLOB, breaks=SIZE // 3)],
        [Source(BLOB, piece=1)],
        [Source(BLOB, piece=SIZE * 2)],
        [Source(), Source(BLOB)],
        [Source(BLOB, breaks=0), Source(BLOB)],
        [Source(BLOB, breaks=SIZE // 2, ranges=False), Source(BLOB)],
        [Source(BLOB, breaks=SIZE // 2, ranges=False), Source(BLOB, ranges=False)],
        [lying(BLOB, OTHER), Source(BLOB)],
        [lying(BLOB, BLOB + b"more"), Source(BLOB)],
        [lying(BLOB, BLOB[:-1]), Source(BLOB)],
        [Mirrors(lying(BLOB, OTHER), Source(BLOB))],
        [Mirrors(lying(BLOB, OTHER), lying(BLOB, b"")), Source(BLOB)],
    ],
    ids=[
        "good",
        "breaking",
        "byte by byte",
        "all at once",
        "not in the first",
        "the first breaks",
        "the first breaks and begins anew",
        "both begin anew",
        "wrong bytes",
        "more bytes",
        "fewer bytes",
        "a lying mirror",
        "lying mirrors",
    ],
)
def test_a_blob_comes_from_whoever_has_it(tree: Tree, sources: list[BlobSource]) -> None:
    states: list[Progress] = []
    assert Downloader(tree, QUICK, 2, states.append).run([job(BLOB, *sources)]) == {}
    assert tree.read_blob(_digest.hash_bytes(BLOB)) == BLOB
    assert list(tree.partials()) == []
    assert (states[-1].done_bytes, states[-1].total_bytes) == (SIZE, SIZE)
    assert all(0 <= state.done_bytes <= SIZE for state in states)


@pytest.mark.parametrize(
    ("source", "kept"),
    [
        (Source(), 0),
        (Source(BLOB, breaks=0), 0),
        (Source(BLOB, breaks=SIZE // 2, ranges=False), SIZE // 2),
        (lying(BLOB, OTHER), None),
        (lying(BLOB, BLOB + b"more"), None),
        (lying(BLOB, BLOB[:-1]), SIZE - 1),
    ],
    ids=["nothing", "breaking", "beginning anew", "wrong bytes", "more bytes", "fewer bytes"],
)
def test_what_cannot_be_had_is_told_and_the_rest_comes(tree: Tree, source: Source, kept: int | None) -> None:
    failed = Downloader(tree, QUICK, 2, lambda _state: None).run([job(BLOB, source), job(OTHER, Source(OTHER))])
    assert list(failed) == [_digest.hash_bytes(BLOB)]
    assert not tree.has_blob(_digest.hash_bytes(BLOB))
    assert tree.has_blob(_digest.hash_bytes(OTHER), SIZE)
    assert dict(tree.partials()) == ({} if kept is None else {_digest.hash_bytes(BLOB): kept})


def test_it_goes_on_where_an_earlier_run_stopped(tree: Tree) -> None:
    source = Source(BLOB)
    with tree.blob_writer(_digest.hash_bytes(BLOB), SIZE) as writer:
        writer.write(BLOB[:1234])
    downloader = Downloader(tree, QUICK, 2, lambda _state: None)
    assert downloader.run([job(BLOB, source)]) == {}
    assert source.opened == [(_digest.hash_bytes(BLOB), 1234)]
    assert downloader.received == SIZE - 1234


def test_what_an_earlier_run_left_may_be_wrong(tree: Tree) -> None:
    source = Source(BLOB)
    with tree.blob_writer(_digest.hash_bytes(BLOB), SIZE) as writer:
        writer.write(OTHER)
    assert Downloader(tree, QUICK, 2, lambda _state: None).run([job(BLOB, source)]) == {}
    assert source.opened == [(_digest.hash_bytes(BLOB), 0)]


def test_the_largest_come_first(tree: Tree) -> None:
    blobs = [layer_bytes(seed, size) for seed, size in enumerate((10, 5000, 0, 300))]
    source = Source(*blobs)
    assert Downloader(tree, QUICK, 1, lambda _state: None).run([job(data, source) for data in blobs]) == {}
    sizes = {_digest.hash_bytes(data): len(data) for data in blobs}
    # What is empty is there without asking.
    assert [sizes[digest] for digest, _offset in source.opened] == [5000, 300, 10]


def test_progress_is_measured_in_bytes_not_in_attempts(tree: Tree) -> None:
    source = Source(BLOB, breaks=SIZE // 50)
    assert Downloader(tree, QUICK, 1, lambda _state: None).run([job(BLOB, source)]) == {}
    assert len(source.opened) == 50


def test_a_trickle_is_no_progress(tree: Tree) -> None:
    source = Source(BLOB, breaks=SIZE // 1000)
    assert list(Downloader(tree, QUICK, 1, lambda _state: None).run([job(BLOB, source)])) == [_digest.hash_bytes(BLOB)]
    assert len(source.opened) == QUICK.attempts


class FullTree(Tree):
    """A tree whose disk has no room."""

    def blob_path(self, digest: str) -> str:
        raise OSError(28, "No space left on device")


def test_a_full_disk_stops_everything_at_once(tmp_path: Path) -> None:
    waiting = threading.Event()

    class Slow(Source):
        def open_blob(self, blob: Descriptor, offset: int) -> Stream:
            waiting.wait(30)
            return super().open_blob(blob, offset)

    class Full(Source):
        def open_blob(self, blob: Descriptor, offset: int) -> Stream:
            waiting.set()
            return super().open_blob(blob, offset)

    slow = Slow(OTHER, piece=1, breaks=0)
    patient = RetryPolicy(attempts=1000, base=0.1)
    blobs = [job(BLOB, Full(BLOB)), job(OTHER, slow)]
    with pytest.raises(TreeError, match=f"ran full at {_digest.hash_bytes(BLOB)}: make room and run it again"):
        Downloader(FullTree(str(tmp_path)), patient, 2, lambda _state: None).run(blobs)
    assert len(slow.opened) < 20

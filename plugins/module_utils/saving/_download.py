# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Downloading blobs into a tree: several at once, each digest once, each from where it stopped."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import concurrent.futures
import dataclasses
import errno
import os
import threading
import time
from types import TracebackType
from typing import Iterable, Mapping, Protocol, Sequence, runtime_checkable

from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    SeahubError,
    TreeError,
    Unavailable,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import BlobWriter, Tree

# Bytes left free on the disk, and files a blob takes (its folder and itself, with room for its links).
_RESERVE = 64 * 1024 * 1024
_INODES_PER_BLOB = 8
# Bytes in a second up to which a broken transfer counts as one that brought nothing.
_TRICKLE = 1024


class Stream(Protocol):
    """The bytes of a blob, from `start` on."""

    start: int

    def __enter__(self) -> Stream:
        """Return itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give back what it holds."""

    def read(self, count: int) -> bytes:
        """Return some bytes, `count` at most, as soon as there are any; none at the end."""


class BlobSource(Protocol):
    """Where a blob can be had."""

    def open_blob(self, blob: Descriptor, offset: int) -> Stream:
        """Return a stream that begins at the offset, or at 0."""


@runtime_checkable
class Mirrored(BlobSource, Protocol):
    """Several places with the same content, any of which may answer."""

    def alone(self) -> Sequence[BlobSource]:
        """Return each of the places by itself."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A blob to download, and where it can be had."""

    blob: Descriptor
    sources: Sequence[BlobSource]


class Downloader:
    """Brings blobs into a tree.

    :param parallel: how many at once, at most: a source may let fewer in.
    """

    def __init__(self, tree: Tree, retry: RetryPolicy, parallel: int, report: _progress.Callback) -> None:
        self._tree = tree
        self._retry = retry
        self._parallel = parallel
        self._report = report
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._done_bytes = self._done_items = self._total_bytes = self._total_items = 0
        self.received = 0
        """Bytes that came over the wire."""

    def run(self, jobs: Iterable[Job]) -> Mapping[str, SeahubError]:
        """Download everything that is not in the tree yet.

        One blob that fails does not stop the others; a full disk does.

        :returns: the error of each digest that failed.
        :raises TreeError: if the disk is too small for it, before anything is downloaded, or runs full.
        """
        # The largest first: the end is then not one large blob that everything waits for.
        queue = sorted(jobs, key=lambda job: (-job.blob.size, job.blob.digest))
        self._check_space(queue)
        self._total_items = len(queue)
        self._total_bytes = sum(job.blob.size for job in queue)
        self._show(0)
        failed: dict[str, SeahubError] = {}
        with concurrent.futures.ThreadPoolExecutor(self._parallel, thread_name_prefix="download") as pool:
            futures = {pool.submit(self._fetch, job): job.blob.digest for job in queue}
            try:
                for future in concurrent.futures.as_completed(futures):
                    error = future.result()
                    if error is not None:
                        failed[futures[future]] = error
            except BaseException:
                self._stop.set()
                for future in futures:
                    future.cancel()
                raise
        return failed

    def _fetch(self, job: Job) -> SeahubError | None:
        """Download one blob from the first of its sources that has it; return why that failed."""
        error: SeahubError | None = None
        waiting = list(job.sources)
        retried: set[BlobSource] = set()
        while waiting:
            source = waiting.pop(0)
            try:
                self._fetch_from(source, job.blob)
                self._finish_item()
                return None
            except TreeError:
                raise
            except DigestMismatch as reason:
                # It may be a part kept from an earlier run that was wrong, which is gone now, or one of the mirrors.
                error = reason
                if source not in retried:
                    again = source.alone() if isinstance(source, Mirrored) else [source]
                    retried.update(again)
                    waiting[:0] = again
            except SeahubError as reason:
                error = reason
            except OSError as reason:
                raise _disk_error(self._tree, job.blob, reason) from reason
        return error

    def _fetch_from(self, source: BlobSource, blob: Descriptor) -> None:
        with self._tree.blob_writer(blob.digest, blob.size) as writer:
            self._show(writer.offset)
            try:
                self._fill(writer, source, blob)
                writer.commit()
            except BaseException:
                self._show(-writer.offset)
                raise

    def _fill(self, writer: BlobWriter, source: BlobSource, blob: Descriptor) -> None:
        failures = 0
        while writer.offset < blob.size:
            before, begun = writer.offset, time.monotonic()
            try:
                self._receive(source, blob, writer)
            except Unavailable as error:
                # A trickle is no progress: it would go on for ever.
                worth = max(1.0, time.monotonic() - begun) * _TRICKLE
                failures = 1 if writer.offset - before > worth else failures + 1
                self._stop.wait(self._retry.delay(failures, error))

    def _receive(self, source: BlobSource, blob: Descriptor, writer: BlobWriter) -> None:
        """Receive what the source sends before it ends or breaks."""
        self._check()
        with source.open_blob(blob, writer.offset) as stream:
            # A source that begins anew all the same sends what is there already once more.
            known = writer.offset - stream.start
            while True:
                data = stream.read(_digest.CHUNK)
                if not data:
                    break
                self._check()
                fresh = data[known:] if known else data
                known -= len(data) - len(fresh)
                writer.write(fresh)
                self._show(len(fresh), received=len(data))
        if writer.offset < blob.size:
            raise Unavailable(f"{blob.digest} ended after {writer.offset} of {blob.size} bytes")

    def _check(self) -> None:
        if self._stop.is_set():
            raise TreeError("the download was stopped")
        self._retry.check()

    def _show(self, count: int, received: int = 0) -> None:
        with self._lock:
            self._done_bytes += count
            self.received += received
            self._report(
                _progress.Progress(
                    "saving", self._done_bytes, self._total_bytes, self._done_items, self._total_items, "blobs"
                )
            )

    def _finish_item(self) -> None:
        with self._lock:
            self._done_items += 1

    def _check_space(self, jobs: Sequence[Job]) -> None:
        if not jobs:
            return
        partial = dict(self._tree.partials())
        needed = sum(job.blob.size - min(job.blob.size, partial.get(job.blob.digest, 0)) for job in jobs) + _RESERVE
        folder = self._tree.root
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        disk = os.statvfs(folder)
        if disk.f_bavail * disk.f_frsize < needed:
            raise TreeError(
                f"the disk of {self._tree.root} has {_mib(disk.f_bavail * disk.f_frsize)} MiB free, but "
                f"{_mib(needed)} MiB are needed: make room or choose another folder"
            )
        # Filesystems without a fixed number of files, such as btrfs, say that they have none.
        if disk.f_files and disk.f_favail < len(jobs) * _INODES_PER_BLOB:
            raise TreeError(
                f"the disk of {self._tree.root} has room for {disk.f_favail} more files, but about "
                f"{len(jobs) * _INODES_PER_BLOB} are needed: make room or choose another folder"
            )


def _disk_error(tree: Tree, blob: Descriptor, error: OSError) -> TreeError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TreeError(
            f"the disk of {tree.root} ran full at {blob.digest}: make room and run it again, it goes on there"
        )
    return TreeError(f"{blob.digest} cannot be written to {tree.root}: {error}")


def _mib(count: int) -> int:
    return -(-count // (1024 * 1024))

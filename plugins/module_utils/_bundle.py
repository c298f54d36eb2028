# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree packed into one file, for transport."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import queue
import re
import threading
from dataclasses import dataclass
from typing import BinaryIO, Iterator

from ansible_collections.seahub.offline.plugins.module_utils import _archive, _digest, _tar
from ansible_collections.seahub.offline.plugins.module_utils._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils._progress import Callback, Progress
from ansible_collections.seahub.offline.plugins.module_utils._source import Source

_CHECKSUM = re.compile(r"([0-9a-f]{64}) [ *](.+)\n?")


@dataclass(frozen=True)
class Packed:
    """A bundle on disk.

    - changed: whether it had to be written.
    - size: in bytes.
    - sha256: of the file, in hexadecimal digits; empty as long as it has not been written.
    """

    changed: bool
    size: int
    sha256: str


def checksum_path(path: str) -> str:
    """Return where the checksum of a bundle lies, for `sha256sum -c`."""
    return f"{path}.sha256"


def pack(source: Source, path: str, progress: Callback, dry_run: bool = False) -> Packed:
    """Write a tree into a bundle, with its checksum beside it, unless the bundle there holds the same already.

    The file appears when it is complete. It is written in one pass, with its checksum computed on the way.

    :param dry_run: only tell whether it would be written.
    :raises TreeError: if something is missing in the tree, or there is no room for the bundle.
    """
    source.require_complete()
    lock = source.lock.dump()
    comment = f"seahub.offline bundle {_digest.hash_bytes(lock + source.inventory.fingerprint().encode())}"
    size = _archive.length(source.inventory, lock, comment)
    checksum = _up_to_date(path, comment, size)
    if checksum or dry_run:
        return Packed(not checksum, size, checksum)
    _require_room(path, size)
    with _replacing(path) as file:
        with _Hashing(file) as hashing:
            _write(source, lock, comment, hashing, _Counter(progress, source))
        checksum = hashing.hexdigest()
    with _replacing(checksum_path(path)) as file:
        file.write(f"{checksum}  {os.path.basename(path)}\n".encode())
    return Packed(True, size, checksum)


def _write(source: Source, lock: bytes, comment: str, out: _archive.Sink, progress: Callback) -> None:
    writer = _archive.Writer(out)
    writer.comment(comment)
    writer.lock(lock)
    for digest, size in sorted(source.inventory.blobs.items()):
        with source.open_blob(digest) as file:
            writer.blob(digest, size, file, progress)
    writer.links(source.inventory)
    writer.end()


def _up_to_date(path: str, comment: str, size: int) -> str:
    # A bundle says at its beginning what it holds: no need to read gigabytes to learn that they are the same.
    with contextlib.suppress(OSError, _tar.InvalidArchive), open(path, "rb") as file:
        reader = _tar.Reader(file)
        next(iter(reader), None)
        if reader.comment == comment and os.path.getsize(path) == size:
            with open(checksum_path(path), encoding="utf-8") as checksum:
                match = _CHECKSUM.fullmatch(checksum.read(4096))
            if match and match.group(2) == os.path.basename(path):
                return match.group(1)
    return ""


def _require_room(path: str, size: int) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    try:
        status = os.statvfs(folder)
    except OSError as error:
        raise TreeError(f"the bundle cannot be written to {folder}: {error.strerror}") from error
    free = status.f_bavail * status.f_frsize
    if free < size:
        raise TreeError(
            f"the bundle needs {size} bytes in {folder}, where {free} are free: make room or choose another dest"
        )


@contextlib.contextmanager
def _replacing(path: str) -> Iterator[BinaryIO]:
    folder, name = os.path.split(os.path.abspath(path))
    # Always the same name: what a killed run leaves is overwritten by the next one, not kept beside it.
    temporary = os.path.join(folder, f".{name}.part")
    try:
        file = open(temporary, "ab")  # noqa: SIM115  closed below
    except OSError as error:
        raise TreeError(f"nothing can be written to {folder}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TreeError(f"another process is writing {path}: try again when it has finished") from None
        file.truncate(0)
        try:
            yield file
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


class _Hashing:
    """Hashes what it writes, in a thread beside: what waits for the disk does not wait for the processor as well.

    Used as a context manager; `hexdigest` is for after its end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        # A few pieces ahead, no more: the memory is the same whatever the size of the tree.
        self._queue: queue.Queue[bytes] = queue.Queue(maxsize=4)
        self._thread = threading.Thread(target=self._run, name="hash")

    def __enter__(self) -> _Hashing:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._queue.put(b"")
        self._thread.join()

    def write(self, data: bytes) -> int:
        if data:
            self._queue.put(data)
        return self._file.write(data)

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def _run(self) -> None:
        while True:
            data = self._queue.get()
            if not data:
                return
            self._hash.update(data)


class _Counter:
    def __init__(self, progress: Callback, source: Source) -> None:
        self._progress = progress
        self._total = source.inventory.size
        self._done = 0

    def __call__(self, step: Progress) -> None:
        self._done += step.done_bytes
        self._progress(Progress("packing", self._done, self._total))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hashing beside writing."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import hashlib
import queue
import threading
from typing import BinaryIO

from ansible_collections.seahub.offline.plugins.module_utils.common import _disk


class Hashing:
    """Hashes what it writes, in a thread beside: what waits for the disk does not wait for the processor as well.

    The disk begins before the end, too, so that there is little left to wait for when the file is to be on it.

    Used as a context manager; `hexdigest` and `append` are for after its end.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()
        self._written = 0
        # A few pieces ahead, no more: the memory is the same whatever the size of the tree.
        self._queue: queue.Queue[bytes] = queue.Queue(maxsize=4)
        self._thread = threading.Thread(target=self._run, name="hash")

    def __enter__(self) -> Hashing:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._queue.put(b"")
        self._thread.join()

    def write(self, data: bytes) -> int:
        """Write bytes, and have them hashed."""
        if data:
            self._queue.put(data)
        count = self._file.write(data)
        _disk.begin_with_portion(self._file.fileno(), self._written, len(data))
        self._written += len(data)
        return count

    def append(self, data: bytes) -> None:
        """Write bytes after the end of the thread."""
        self._hash.update(data)
        self._file.write(data)

    def hexdigest(self) -> str:
        """Return the SHA-256 checksum of all that was written, in hexadecimal digits."""
        return self._hash.hexdigest()

    def _run(self) -> None:
        while True:
            data = self._queue.get()
            if not data:
                return
            self._hash.update(data)

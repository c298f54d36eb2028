# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of a bundle joined into one file: a copy from the first byte to the last, checked on the way."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import hashlib
import os
from typing import BinaryIO, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle_parts
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle_parts import Part
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import InvalidArchive
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import CHUNK


def join(paths: Sequence[str], path: str, progress: Callback) -> None:
    """Join the parts of a bundle into a file, which appears when it is complete.

    A copy that was interrupted goes on with the part in which it was.

    :param paths: of all the parts in their order.
    :raises InvalidArchive: naming the part that is damaged, foreign, or missing; the file does not appear.
    :raises TreeError: if there is no room.
    """
    parts = _bundle_parts.examine(list(paths))
    # Where the parts are cut says which of them a copy has checked already: with other parts it is another copy.
    copy = f"{path}.{parts[0].length}.partial"
    # Not truncated: what is there is gone on with.
    with open(copy, "ab") as file:
        done = _checked(file.tell(), parts)
        _require_room(copy, parts[0].size - done)
        for part_path, part in zip(paths, parts):
            if part.offset >= done:
                file.truncate(part.offset)
                _append(file, part_path, part, progress)
    os.replace(copy, path)


def _checked(size: int, parts: Sequence[Part]) -> int:
    """Return how many of the bytes that are there were compared with a checksum: the next part is not begun before."""
    ends = [part.offset + part.length for part in parts]
    return max((end for end in ends if end < size), default=0)


def _append(file: BinaryIO, path: str, part: Part, progress: Callback) -> None:
    hash_object = hashlib.sha256()
    left = part.length
    with open(path, "rb", buffering=0) as source:
        hash_object.update(source.read(_bundle_parts.HEADER))
        while left:
            data = source.read(min(CHUNK, left))
            if not data:
                break
            hash_object.update(data)
            file.write(data)
            left -= len(data)
            progress(Progress("joining parts", part.offset + part.length - left, part.size))
        if left or source.read() != _bundle_parts.trailer(hash_object.hexdigest()):
            file.truncate(part.offset)
            raise InvalidArchive(f"{path} is damaged: its checksum does not match; copy it again. Nothing was changed")
    file.flush()
    os.fsync(file.fileno())


def _require_room(path: str, size: int) -> None:
    folder = os.path.dirname(path)
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < size:
        raise TreeError(f"joining the parts needs {size} bytes in {folder}, where {free} are free: make room")

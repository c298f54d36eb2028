# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""When what was written reaches the disk: calls of Linux that Python's standard library does not have."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import ctypes
import os

# https://man7.org/linux/man-pages/man2/sync_file_range.2.html
_SYNC_FILE_RANGE_WRITE = 2
# Bytes of a file after which the disk begins with them: seldom enough to cost nothing.
_PORTION = 32 * 1024 * 1024

_libc = ctypes.CDLL(None, use_errno=True)


def begin_writing(descriptor: int) -> None:
    """Let the disk begin with what was written to a file, without waiting for it.

    Else it would be idle as long as bytes arrive, and everybody would wait for it at the end. It is no more than a
    hint: where it is not understood, nothing is lost but time.
    """
    with contextlib.suppress(AttributeError):
        start, length = ctypes.c_int64(0), ctypes.c_int64(0)
        _libc.sync_file_range(ctypes.c_int(descriptor), start, length, ctypes.c_uint(_SYNC_FILE_RANGE_WRITE))


def begin_with_portion(descriptor: int, offset: int, count: int) -> None:
    """Let the disk begin whenever another portion of a file that is being written is full.

    :param offset: where in the file the last bytes were written.
    :param count: how many they were.
    """
    if offset // _PORTION != (offset + count) // _PORTION:
        begin_writing(descriptor)


def sync(folder: str) -> None:
    """Wait until everything that was written to the filesystem of a folder is on the disk.

    One call for the one filesystem: an fsync for each of thousands of small files takes minutes on a disk.

    :raises OSError: if the disk fails.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), folder)
    except AttributeError:
        os.sync()
    finally:
        os.close(descriptor)

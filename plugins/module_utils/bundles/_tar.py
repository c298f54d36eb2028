# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dialect of tar in which a tree travels.

What is written is ordinary POSIX tar, uncompressed, that every tar lists and extracts. What is read is only what is
written here: regular files with few and small extended headers. A tar can hold much more (links, devices, sparse files,
headers of any size), and each of these is a way to write elsewhere or to fill the memory; none is needed for a tree.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_01
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import os
import tarfile
from typing import BinaryIO, Iterator

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import CHUNK, shorten

_BLOCK = tarfile.BLOCKSIZE
# A repository path and a tag have at most 255 and 128 characters; a comment here is one digest.
_EXTENDED_LIMIT = 8 * 1024
# GNU tar and Python read these without a warning. The comment is what git archive uses as well, for the same reason.
_COMMENT = "comment"
_OFFSET = "SEAHUB.offset"
_SIZE = "SEAHUB.size"
_KNOWN = frozenset(("path", "size", _COMMENT, _OFFSET, _SIZE))


END = b"\0" * (2 * _BLOCK)
"""What follows the last file."""


class InvalidArchive(TreeError):
    """Bytes that are no archive of a tree."""


@dataclasses.dataclass(frozen=True)
class Range:
    """Says that a member holds only a part of its file."""

    offset: int
    size: int
    """Of the whole file, in bytes."""


class Member:
    """One file in an archive that is being read; its bytes are read before the next member is asked for, or skipped."""

    def __init__(self, stream: BinaryIO, name: str, size: int, position: int, range_: Range | None) -> None:
        self.name = name
        self.size = size
        self.position = position
        """Where in the archive its first byte stands."""
        self.range = range_
        self._stream = stream
        self._left = size

    def chunks(self, skip: int = 0) -> Iterator[bytes]:
        """Yield the bytes, without the first ones if told so.

        :raises InvalidArchive: if the archive ends before them.
        """
        while self._left:
            data = self._stream.read(min(CHUNK, self._left))
            if not data:
                raise InvalidArchive(f"the archive ends in the middle of {shorten(self.name)}: it did not arrive whole")
            self._left -= len(data)
            if skip < len(data):
                yield data[skip:] if skip else data
            skip = max(0, skip - len(data))

    def read(self, limit: int) -> bytes:
        """Return all the bytes of a small member.

        :raises InvalidArchive: if it has more than `limit`, or the archive ends before them.
        """
        if self.size > limit:
            raise InvalidArchive(
                f"{shorten(self.name)} in the archive has {self.size} bytes, more than the {limit} expected"
            )
        return b"".join(self.chunks())

    def skip(self) -> None:
        """Pass over the bytes that have not been read."""
        if self._stream.seekable():
            # Beyond the end is no error here; there is no next header then.
            self._stream.seek(self._left, os.SEEK_CUR)
            self._left = 0
        for _data in self.chunks():
            pass


def header(name: str, size: int, range_: Range | None = None) -> bytes:
    """Return the header of a file: always the same for the same file, whoever packs it, whenever."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    if range_ is not None:
        info.pax_headers = {_OFFSET: str(range_.offset), _SIZE: str(range_.size)}
    else:
        try:
            # Half the size of an extended header; a name of more than 100 characters is split at a slash.
            return info.tobuf(tarfile.USTAR_FORMAT)
        except ValueError:
            pass
    return info.tobuf(tarfile.PAX_FORMAT)


def comment(text: str) -> bytes:
    """Return the global header with which an archive begins that says what it holds."""
    return tarfile.TarInfo.create_pax_global_header({_COMMENT: text})


def padding(size: int) -> bytes:
    """Return what follows a file of so many bytes."""
    return b"\0" * (-size % _BLOCK)


def length(name: str, size: int) -> int:
    """Return how many bytes of the archive a file takes."""
    return len(header(name, size)) + size + len(padding(size))


class Reader:
    """Reads an archive from its beginning to its end. In a stream that can seek, unwanted bytes are passed over."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0
        self.comment = ""
        """What the archive says of itself, once the first member has been read."""

    def __iter__(self) -> Iterator[Member]:
        """Yield the members in order.

        :raises InvalidArchive: at anything that was not written by the functions above.
        """
        extended: dict[str, str] = {}
        while True:
            info = self._header()
            if info is None:
                return
            if info.type in (tarfile.XHDTYPE, tarfile.XGLTYPE):
                values = self._extended(info)
                if info.type == tarfile.XHDTYPE:
                    extended = values
                else:
                    self.comment = values.get(_COMMENT, "")
                continue
            yield from self._file(info, extended)
            extended = {}

    def _header(self) -> tarfile.TarInfo | None:
        block = self._read(_BLOCK)
        if block == END[:_BLOCK]:
            return None
        try:
            return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        except (tarfile.TarError, ValueError) as error:
            raise InvalidArchive(
                f"this is no tar archive, or it is damaged at byte {self._position - _BLOCK}: {error}"
            ) from error

    def _file(self, info: tarfile.TarInfo, extended: dict[str, str]) -> Iterator[Member]:
        name = extended.get("path", info.name)
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE):
            raise InvalidArchive(
                f"{shorten(name)} in the archive is no regular file: this was not written by bundle_pack"
            )
        size = _number(extended["size"], name) if "size" in extended else info.size
        if size < 0:
            raise InvalidArchive(f"{shorten(name)} in the archive has a negative size")
        range_ = None
        if _OFFSET in extended or _SIZE in extended:
            range_ = Range(_number(extended.get(_OFFSET, ""), name), _number(extended.get(_SIZE, ""), name))
            if range_.offset + size > range_.size:
                raise InvalidArchive(f"{shorten(name)} in the archive reaches beyond its own end")
        member = Member(self._stream, name, size, self._position, range_)
        yield member
        member.skip()
        self._position += size
        self._read(len(padding(size)))

    def _extended(self, info: tarfile.TarInfo) -> dict[str, str]:
        if not 0 <= info.size <= _EXTENDED_LIMIT:
            raise InvalidArchive(
                f"the archive has an extended header of {info.size} bytes: this was not written by bundle_pack"
            )
        data = self._read(info.size)
        self._read(len(padding(info.size)))
        values = _records(data)
        unknown = sorted(set(values) - _KNOWN)
        if unknown:
            raise InvalidArchive(f"the archive uses {shorten(unknown[0])}: this was not written by bundle_pack")
        return values

    def _read(self, count: int) -> bytes:
        parts = []
        while count:
            data = self._stream.read(count)
            if not data:
                raise InvalidArchive(f"the archive ends at byte {self._position}: it did not arrive whole")
            parts.append(data)
            count -= len(data)
            self._position += len(data)
        return b"".join(parts)


def _records(data: bytes) -> dict[str, str]:
    values = {}
    while data:
        digits, _space, rest = data.partition(b" ")
        # Each record says its own length, this number and the line feed included.
        end = int(digits) - len(digits) - 1 if digits.isdigit() and len(digits) < 6 else 0
        key, equals, value = rest[:end].partition(b"=")
        if not equals or not value.endswith(b"\n") or end > len(rest):
            raise InvalidArchive("the archive has a damaged extended header")
        try:
            values[key.decode()] = value[:-1].decode()
        except UnicodeDecodeError as error:
            raise InvalidArchive(f"the archive has an extended header that is no UTF-8: {error}") from error
        data = rest[end:]
    return values


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise InvalidArchive(f"{shorten(name)} in the archive has a damaged extended header")
    return int(text)

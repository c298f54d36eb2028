# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree as a squashfs image that a host mounts and serves as it is.

After the image, beyond what the kernel looks at, stands an index: what the bundle says of itself, and what it holds.
Image and index follow from one another, byte for byte. Who reads a bundle makes the tables of the image anew from the
index and compares them: what the kernel is given to mount is known to be what bundle_pack writes, and nothing but the
bytes of blobs is taken on trust, for which there are digests.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
import zlib
from typing import Any, BinaryIO, Iterator, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _layout, _squashfs
from ansible_collections.seahub.offline.plugins.module_utils.bundles._archive import Sink
from ansible_collections.seahub.offline.plugins.module_utils.bundles._squashfs import Layout
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import InvalidArchive
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tools import Tool
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidLock, SeahubError, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress, ignore
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import CHUNK
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock, _presumption
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._presumption import Presumption

_FOOTER = 512
_FOOTER_MAGIC = b"seahub.offline squashfs bundle\n"
_INDEX_MAGIC = "seahub_squashfs"
_FORMAT = 1
_INDEX_LIMIT = 64 * 1024 * 1024
_INVENTORY_LIMIT = 256 * 1024 * 1024
_LOCK_LIMIT = 256 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Image:
    """A bundle but for the bytes of its blobs and tools.

    - layout: of the files.
    - index: what follows the image, to the end of the bundle.
    """

    layout: Layout
    index: bytes
    inventory: Inventory
    lock: bytes
    tools: tuple[Tool, ...]

    @property
    def size(self) -> int:
        """Of the bundle in bytes."""
        return self.layout.size + len(self.index)


@dataclasses.dataclass(frozen=True)
class Found:
    """What a bundle holds.

    - comment: what it says of itself.
    - positions: where in the bundle each blob begins.
    - tools: name, size and position of what it carries beside its tree.
    - presumption: what a delta presumes.
    """

    comment: str
    lock: Lock
    inventory: Inventory
    positions: dict[str, int]
    tools: tuple[tuple[str, int, int], ...]
    presumption: Presumption | None


@dataclasses.dataclass(frozen=True)
class _Index:
    """From what all of a bundle follows but for the bytes of its lock, blobs and tools."""

    comment: str
    lock_size: int
    tools: tuple[tuple[str, int], ...]
    inventory: Inventory
    presumption: Presumption | None

    def members(self) -> Iterator[tuple[str, int]]:
        yield _layout.LOCK, self.lock_size
        for name, size in self.tools:
            yield _layout.tool(name), size
        for digest, size in sorted(self.inventory.blobs.items()):
            yield _layout.blob(digest), size
        for name, digest in _links(self.inventory):
            yield name, len(digest)

    def dump(self, layout: Layout) -> bytes:
        document = {
            _INDEX_MAGIC: _FORMAT,
            "comment": self.comment,
            "lock": self.lock_size,
            "tools": self.tools,
            "delta": self.presumption.dump().decode() if self.presumption is not None else None,
            "inventory": self.inventory.dump(),
        }
        index = json.dumps(document, sort_keys=True).encode()
        place = json.dumps({"start": layout.size, "length": len(index)}, sort_keys=True).encode()
        # A loop device has whole sectors only: what mounts the bundle sees all of it, wherever it lies.
        padding = b" " * (-len(index) % _FOOTER)
        return index + padding + (_FOOTER_MAGIC + place).ljust(_FOOTER - 1) + b"\n"


def image(
    inventory: Inventory,
    lock: bytes,
    comment: str,
    tools: Sequence[Tool] = (),
    presumption: Presumption | None = None,
) -> Image:
    """Lay out the bundle of a whole tree."""
    inventory = dataclasses.replace(inventory, partials={})
    index = _Index(comment, len(lock), tuple((tool.name, tool.size) for tool in tools), inventory, presumption)
    layout = _lay_out(index)
    return Image(layout, index.dump(layout), inventory, lock, tuple(tools))


def write(wanted: Image, out: Sink, blobs: Iterator[BinaryIO], progress: Callback = ignore) -> None:
    """Write a bundle from its first byte to its last.

    :param blobs: the blobs of the inventory, sorted by digest, each read from where it stands.
    :raises TreeError: if a blob is shorter than the inventory says.
    """
    out.write(wanted.layout.head)
    out.write(wanted.lock)
    for tool in wanted.tools:
        with tool.open() as file:
            _copy(tool.name, tool.size, file, out, ignore)
    for (digest, size), file in zip(sorted(wanted.inventory.blobs.items()), blobs):
        _copy(f"the blob {digest}", size, file, out, progress)
    out.write(_link_contents(wanted.inventory))
    out.write(wanted.layout.tables)
    out.write(wanted.index)


def read(file: io.BufferedIOBase) -> Found:
    """Read what a bundle holds, all but the bytes of its blobs and tools.

    :raises InvalidArchive: if any other byte of it is not what `write` writes.
    """
    end = file.seek(0, os.SEEK_END)
    index = _load_index(_read(file, *_footer(file, end)))
    layout = _lay_out(index)
    tail, contents = index.dump(layout), _link_contents(index.inventory)
    data_end = layout.size - len(layout.tables)
    pieces = (
        (0, layout.head),
        (data_end - len(contents), contents),
        (data_end, layout.tables),
        (layout.size, tail),
    )
    if layout.size + len(tail) != end or any(_read(file, place, len(piece)) != piece for place, piece in pieces):
        raise InvalidArchive("its file system is not what bundle_pack writes: it is damaged or was changed")
    lock_bytes = _read(file, layout.positions[_layout.LOCK], index.lock_size)
    try:
        lock = _lock.load(lock_bytes, "the lock in the bundle")
    except InvalidLock as error:
        raise InvalidArchive(str(error)) from error
    if lock.dump() != lock_bytes:
        raise InvalidArchive("its lock is not written as bundle_pack writes it: it is damaged or was changed")
    return Found(
        comment=index.comment,
        lock=lock,
        inventory=index.inventory,
        positions={digest: layout.positions[_layout.blob(digest)] for digest in index.inventory.blobs},
        tools=tuple((name, size, layout.positions[_layout.tool(name)]) for name, size in index.tools),
        presumption=index.presumption,
    )


def read_comment(file: io.BufferedIOBase) -> str:
    """Read what a bundle says of itself, and no more.

    :raises InvalidArchive: if it does not say it as a bundle does.
    """
    return _load_index(_read(file, *_footer(file, file.seek(0, os.SEEK_END)))).comment


def _lay_out(index: _Index) -> Layout:
    try:
        return _squashfs.lay_out(index.members())
    except ValueError as error:
        raise InvalidArchive(f"this cannot be a squashfs image: {error}") from error


def _link_contents(inventory: Inventory) -> bytes:
    return b"".join(digest.encode() for _name, digest in _links(inventory))


def _links(inventory: Inventory) -> Iterator[tuple[str, str]]:
    for repository, digest in sorted(inventory.layers):
        yield _layout.layer(repository, digest), digest
    for repository, digest in sorted(inventory.manifests):
        yield _layout.manifest(repository, digest), digest
    for (repository, tag), digest in sorted(inventory.tags.items()):
        yield _layout.tag_index(repository, tag, digest), digest
        yield _layout.tag(repository, tag), digest


def _copy(name: str, size: int, file: BinaryIO, out: Sink, progress: Callback) -> None:
    left = size
    while left:
        data = file.read(min(CHUNK, left))
        if not data:
            raise TreeError(f"{name} became shorter while it was read: is something writing its tree?")
        out.write(data)
        left -= len(data)
        progress(Progress("", done_bytes=len(data)))


def _footer(file: io.BufferedIOBase, end: int) -> tuple[int, int]:
    footer = _read(file, max(0, end - _FOOTER), _FOOTER) if end >= _FOOTER else b""
    try:
        if not footer.startswith(_FOOTER_MAGIC):
            raise ValueError("it does not end like one")
        place = json.loads(footer[len(_FOOTER_MAGIC) :])
        start, length = _count(place["start"]), _count(place["length"])
        if start + length > end or length > _INDEX_LIMIT:
            raise ValueError("its end contradicts itself")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise InvalidArchive(
            f"this squashfs image was not written by bundle_pack, or it did not arrive whole: {error}"
        ) from error
    return start, length


def _load_index(data: bytes) -> _Index:
    try:
        document = json.loads(data)
        if document[_INDEX_MAGIC] != _FORMAT:
            raise ValueError("it is of a later format; use a newer version of the collection")
        text, comment = document["inventory"], document["comment"]
        unpacker = zlib.decompressobj()
        unpacker.decompress(base64.b64decode(text), _INVENTORY_LIMIT)
        if unpacker.unconsumed_tail or not isinstance(comment, str):
            raise ValueError("it is too large")
        index = _Index(
            comment,
            _count(document["lock"]),
            tuple((name, size) for name, size in document["tools"]),
            _inventory.load(text),
            None if document["delta"] is None else _presumption.load(document["delta"].encode()),
        )
        _check(index)
        return index
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, zlib.error, SeahubError) as error:
        raise InvalidArchive(f"the index of the bundle is damaged: {error}") from error


def _check(index: _Index) -> None:
    if index.lock_size > _LOCK_LIMIT:
        raise ValueError(f"its lock has {index.lock_size} bytes")
    for name, size in index.members():
        if _layout.parse(name) is None:
            raise ValueError("it names a file that a tree does not have")
        _count(size)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 62:
        raise ValueError("it has a number that is none")
    return value


def _read(file: io.BufferedIOBase, start: int, length: int) -> bytes:
    file.seek(start)
    data = file.read(length)
    if len(data) != length:
        raise InvalidArchive("it ends too early: it did not arrive whole")
    return data

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where everything lies in a squashfs image whose files are known by name and size.

Nothing in such an image is compressed, so that its tables follow from the names and sizes alone: the image can be
written from its first byte to its last, without going back, and its size is known before. That is what mksquashfs
cannot do, which writes the head last. The same files give the same image, whatever makes it.

https://docs.kernel.org/filesystems/squashfs.html, https://dr-emann.github.io/squashfs/
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import struct
from typing import Iterable, Iterator, Union

MAGIC = b"hsqs"
"""How every squashfs image begins."""

_BLOCK = 128 * 1024
_BLOCK_LOG = 17
_METADATA = 8 * 1024
_PAGE = 4096
_NONE = 0xFFFFFFFF
_NO_TABLE = 0xFFFFFFFFFFFFFFFF
_STORED = 1 << 24
_STORED_METADATA = 1 << 15
_GZIP = 1
# Inodes, data, fragments, attributes and owners are not compressed; there are no fragments and no attributes.
_FLAGS = 0x0001 | 0x0002 | 0x0008 | 0x0010 | 0x0100 | 0x0200 | 0x0800

_SUPERBLOCK = struct.Struct("<4s4I6H8Q")
_INODE = struct.Struct("<4H2I")
_FOLDER = struct.Struct("<4I2HI")
_FILE = struct.Struct("<3Q4I")
_RUN = struct.Struct("<3I")
_ENTRY = struct.Struct("<HhHH")
# An inode says that it is one of the extended kind, its entry in a folder does not.
_FOLDER_INODE, _FILE_INODE = 8, 9
_FOLDER_ENTRY, _FILE_ENTRY = 1, 2
_ENTRIES_IN_RUN = 256
_EMPTY_LISTING = 3
"""How much longer a folder says to be than its listing is."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """An image but for the bytes of its files.

    - head: what it begins with.
    - positions: where the bytes of each file begin; one file follows the other, in the order in which they were given.
    - tables: what follows the last file.
    """

    head: bytes
    positions: dict[str, int]
    tables: bytes
    size: int
    """Of the whole image, in bytes."""


@dataclasses.dataclass
class _File:
    size: int
    start: int
    number: int = 0
    place: int = 0

    @property
    def inode_size(self) -> int:
        return _INODE.size + _FILE.size + 4 * -(-self.size // _BLOCK)

    def inode(self) -> bytes:
        whole, rest = divmod(self.size, _BLOCK)
        blocks = struct.pack("<I", _STORED | _BLOCK) * whole + (struct.pack("<I", _STORED | rest) if rest else b"")
        common = _INODE.pack(_FILE_INODE, 0o644, 0, 0, 0, self.number)
        return common + _FILE.pack(self.start, self.size, 0, 1, _NONE, 0, _NONE) + blocks


@dataclasses.dataclass
class _Folder:
    parent: _Folder | None = None
    children: dict[str, _Node] = dataclasses.field(default_factory=dict)
    number: int = 0
    place: int = 0
    listing_place: int = 0
    listing_size: int = 0
    inode_size = _INODE.size + _FOLDER.size

    def inode(self, parent: int) -> bytes:
        links = 2 + sum(isinstance(child, _Folder) for child in self.children.values())
        block, offset = _in_table(self.listing_place)
        common = _INODE.pack(_FOLDER_INODE, 0o755, 0, 0, 0, self.number)
        return common + _FOLDER.pack(links, self.listing_size + _EMPTY_LISTING, block, parent, 0, offset, _NONE)


_Node = Union[_File, _Folder]


def lay_out(files: Iterable[tuple[str, int]]) -> Layout:
    """Lay out an image.

    :param files: the path and size in bytes of each, in the order in which their bytes are to lie.
    :raises ValueError: if two of them cannot be in one folder.
    """
    root = _Folder()
    positions: dict[str, int] = {}
    end = _SUPERBLOCK.size
    for path, size in files:
        _add(root, path, _File(size, end))
        positions[path] = end
        end += size
    nodes = list(_walk(root))
    place = 0
    for number, node in enumerate(nodes, 1):
        node.number, node.place = number, place
        place += node.inode_size
    listings = _listings(nodes)
    inodes = b"".join(
        node.inode() if isinstance(node, _File) else node.inode(node.parent.number if node.parent else len(nodes) + 1)
        for node in nodes
    )
    return _image(end, positions, inodes, listings, len(nodes))


def _image(end: int, positions: dict[str, int], inodes: bytes, listings: bytes, count: int) -> Layout:
    inode_table, directory_table = _in_blocks(inodes), _in_blocks(listings)
    # The only owner is root.
    owners = _in_blocks(struct.pack("<I", 0))
    owners_at = end + len(inode_table) + len(directory_table)
    used = owners_at + len(owners) + 8
    tables = inode_table + directory_table + owners + struct.pack("<Q", owners_at)
    padding = b"\0" * (-used % _PAGE)
    head = _SUPERBLOCK.pack(
        *(MAGIC, count, 0, _BLOCK, 0),
        *(_GZIP, _BLOCK_LOG, _FLAGS, 1, 4, 0),
        # The first inode is that of the root.
        *(0, used, used - 8, _NO_TABLE, end, end + len(inode_table), _NO_TABLE, _NO_TABLE),
    )
    return Layout(head, positions, tables + padding, used + len(padding))


def _add(root: _Folder, path: str, file: _File) -> None:
    *folders, name = path.split("/")
    folder = root
    for part in folders:
        child = folder.children.setdefault(part, _Folder(folder))
        if not isinstance(child, _Folder):
            raise ValueError(f"{part} in {path} is a file, and would have to be a folder as well")
        folder = child
    if name in folder.children:
        raise ValueError(f"{path} is there twice")
    folder.children[name] = file


def _walk(root: _Folder) -> Iterator[_Node]:
    """Yield all nodes: the root first, then what is in a folder together, as far as it can be."""
    waiting = [root]
    yield root
    while waiting:
        folder = waiting.pop()
        for name in _sorted(folder):
            child = folder.children[name]
            yield child
            if isinstance(child, _Folder):
                waiting.append(child)


def _sorted(folder: _Folder) -> list[str]:
    return sorted(folder.children, key=str.encode)


def _listings(nodes: Iterable[_Node]) -> bytes:
    out = bytearray()
    for node in nodes:
        if isinstance(node, _Folder):
            node.listing_place = len(out)
            out += _listing(node)
            node.listing_size = len(out) - node.listing_place
    return bytes(out)


def _listing(folder: _Folder) -> bytes:
    out = bytearray()
    entries: list[bytes] = []
    first, first_block = 0, -1
    for name in _sorted(folder):
        child = folder.children[name]
        block, offset = _in_table(child.place)
        # The entries of a run have inodes in one block of the table, whose place is said once.
        if block != first_block or len(entries) == _ENTRIES_IN_RUN:
            out += _run(entries, first_block, first)
            entries, first, first_block = [], child.number, block
        kind = _FOLDER_ENTRY if isinstance(child, _Folder) else _FILE_ENTRY
        encoded = name.encode()
        entries.append(_ENTRY.pack(offset, child.number - first, kind, len(encoded) - 1) + encoded)
    return bytes(out + _run(entries, first_block, first))


def _run(entries: list[bytes], block: int, first: int) -> bytes:
    return _RUN.pack(len(entries) - 1, block, first) + b"".join(entries) if entries else b""


def _in_table(place: int) -> tuple[int, int]:
    """Return where the block begins in a table that has a byte, and where it is in this block."""
    block, offset = divmod(place, _METADATA)
    return block * (_METADATA + 2), offset


def _in_blocks(data: bytes) -> bytes:
    blocks = (data[start : start + _METADATA] for start in range(0, len(data), _METADATA))
    return b"".join(struct.pack("<H", _STORED_METADATA | len(block)) + block for block in blocks)

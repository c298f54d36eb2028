# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree as a tar, and back.

The order is that in which it can be put into a tree that a registry serves at that moment: the lock, which says what is
to come, then blobs, then the links that make them available, then tags. The same content gives the same bytes. What a
delta presumes and what is carried beside the tree stand between the lock and the blobs, where they are found without
reading gigabytes.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _layout, _tar
from ansible_collections.seahub.offline.plugins.module_utils.bundles._layout import Item
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import InvalidArchive, Member, Range
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tools import Tool
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidReceipt,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress, ignore
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import CHUNK, shorten
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock, _presumption
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory, TagName
from ansible_collections.seahub.offline.plugins.module_utils.trees._presumption import Presumption
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import BlobWriter, Tree

_LINK_LIMIT = 256
_LOCK_LIMIT = 256 * 1024 * 1024
# A wheel has some megabytes.
_TOOL_LIMIT = 1024 * 1024 * 1024


class Sink(Protocol):
    """What an archive is written to."""

    def write(self, data: bytes) -> Any:
        """Take all the bytes."""


class Writer:
    """Writes the members of an archive; the caller keeps to the order that the module names."""

    def __init__(self, out: Sink) -> None:
        self._out = out

    def comment(self, text: str) -> None:
        """Begin with a remark about the whole."""
        self._out.write(_tar.comment(text))

    def lock(self, data: bytes) -> None:
        """Add the lock."""
        self._small(_layout.LOCK, data)

    def presumption(self, presumption: Presumption | None) -> None:
        """Add what a delta presumes; nothing if this is none."""
        if presumption is not None:
            self._small(_layout.DELTA, presumption.dump())

    def tools(self, tools: Sequence[Tool]) -> None:
        """Add what is carried beside the tree."""
        for tool in tools:
            self._out.write(_tar.header(_layout.tool(tool.name), tool.size))
            with tool.open() as file:
                self._copy(tool.name, tool.size, file, ignore)

    def blob(self, digest: str, size: int, file: BinaryIO, progress: Callback = ignore) -> None:
        """Add a whole blob, read from its beginning."""
        self._out.write(_tar.header(_layout.blob(digest), size))
        self._copy(f"the blob {digest}", size, file, progress)

    def blob_range(self, digest: str, range_: Range, length: int, file: BinaryIO, progress: Callback = ignore) -> None:
        """Add a part of a blob, read from where the file stands."""
        self._out.write(_tar.header(_layout.blob(digest), length, range_))
        self._copy(f"the blob {digest}", length, file, ignore)

    def links(self, inventory: Inventory) -> None:
        """Add all links of an inventory, then all its tags."""
        for repository, digest in sorted(inventory.layers):
            self._small(_layout.layer(repository, digest), digest.encode())
        for repository, digest in sorted(inventory.manifests):
            self._small(_layout.manifest(repository, digest), digest.encode())
        for (repository, tag), digest in sorted(inventory.tags.items()):
            self._small(_layout.tag_index(repository, tag, digest), digest.encode())
            self._small(_layout.tag(repository, tag), digest.encode())

    def end(self) -> None:
        """Finish the archive."""
        self._out.write(_tar.END)

    def _small(self, name: str, data: bytes) -> None:
        self._out.write(_tar.header(name, len(data)) + data + _tar.padding(len(data)))

    def _copy(self, what: str, length: int, file: BinaryIO, progress: Callback) -> None:
        left = length
        while left:
            data = file.read(min(CHUNK, left))
            if not data:
                raise TreeError(f"{what} became shorter while it was read: is something writing it?")
            self._out.write(data)
            left -= len(data)
            progress(Progress("", done_bytes=len(data)))
        self._out.write(_tar.padding(length))


def length(
    inventory: Inventory,
    lock: bytes,
    comment: str,
    tools: Sequence[Tool] = (),
    presumption: Presumption | None = None,
) -> int:
    """Return how many bytes the archive of a whole tree will have, with what is carried beside it."""
    total = len(_tar.comment(comment)) + _tar.length(_layout.LOCK, len(lock)) + len(_tar.END)
    if presumption is not None:
        total += _tar.length(_layout.DELTA, len(presumption.dump()))
    total += sum(_tar.length(_layout.tool(tool.name), tool.size) for tool in tools)
    total += sum(_tar.length(_layout.blob(digest), size) for digest, size in inventory.blobs.items())
    total += sum(_tar.length(_layout.layer(*link), len(link[1])) for link in inventory.layers)
    total += sum(_tar.length(_layout.manifest(*link), len(link[1])) for link in inventory.manifests)
    for (repository, tag), digest in inventory.tags.items():
        total += _tar.length(_layout.tag_index(repository, tag, digest), len(digest))
        total += _tar.length(_layout.tag(repository, tag), len(digest))
    return total


@dataclass
class Received:
    """What an archive brought into a tree.

    - blobs: how many came to be whole; those that were there already do not count.
    - size: how many bytes were written for blobs.
    - tags: those that were set, with the digest to which they pointed before.
    - lock: whether the lock has changed.
    """

    blobs: int = 0
    size: int = 0
    tags: dict[TagName, str | None] = field(default_factory=dict)
    lock: bool = False


def receive(stream: BinaryIO, tree: Tree) -> Received:
    """Put an archive into a tree, which may be one that a registry serves; the caller holds `tree.exclusive()`.

    Everything is checked before it is written: names, and the bytes of blobs. Tags come last, after the disk has
    everything that they need. What the tree holds already stays: the lock becomes the union, in which the archive's
    entry wins where both have the same name and tag.

    :param stream: only read from its beginning to its end.
    :raises InvalidArchive: if it is not what `Writer` writes. What was whole before that remains in the tree, without a
        tag; a blob that is not whole goes on from there the next time.
    :raises DigestMismatch: if a blob has other bytes than its digest.
    """
    return _Receiver(tree).run(stream)


class _Receiver:
    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._received = Received()
        self._tags: dict[TagName, str] = {}
        self._lock: _lock.Lock | None = None
        self._handlers = {
            "lock": self._take_lock,
            "blob": self._take_blob,
            "layer": self._take_layer,
            "manifest": self._take_manifest,
            "tag": self._take_tag,
            "tag_index": self._take_tag_index,
            "tool": self._pass_over,
            "delta": self._pass_over,
        }

    def run(self, stream: BinaryIO) -> Received:
        for member in _tar.Reader(stream):
            item = item_of(member)
            self._handlers[item.kind](item, member)
        self._finish()
        return self._received

    def _take_lock(self, item: Item, member: Member) -> None:
        if self._lock is not None:
            raise InvalidArchive("the archive has two locks: this was not written by bundle_pack")
        self._lock = _lock.load(member.read(_LOCK_LIMIT), "the lock in the archive")

    def _take_blob(self, item: Item, member: Member) -> None:
        range_ = member.range or Range(0, member.size)
        if self._tree.has_blob(item.digest, range_.size):
            return
        if range_.offset + member.size < range_.size:
            self._append(item.digest, range_, member)
            return
        with self._tree.blob_writer(item.digest, range_.size) as writer:
            self._complete(writer, member, range_.offset)
        self._received.blobs += 1

    def _append(self, digest: str, range_: Range, member: Member) -> None:
        path = self._tree.partial_path(digest)
        if not os.path.exists(path):
            with self._tree.blob_writer(digest, range_.size):
                pass
        # Not by the writer: it would read and hash all that is there anew for each part. The last part's does, once.
        with open(path, "ab") as file:
            present = file.tell()
            if present > range_.size:
                file.truncate(0)
                present = 0
            _no_gap(digest, present, range_.offset)
            for data in member.chunks(present - range_.offset):
                file.write(data)
                self._received.size += len(data)

    def _complete(self, writer: BlobWriter, member: Member, offset: int) -> None:
        _no_gap(writer.digest, writer.offset, offset)
        for data in member.chunks(writer.offset - offset):
            writer.write(data)
            self._received.size += len(data)
        try:
            writer.commit()
        except DigestMismatch as error:
            raise DigestMismatch(
                f"{error}: it is damaged where it comes from, or was on its way; check the source, then send it again"
            ) from error

    def _take_layer(self, item: Item, member: Member) -> None:
        _read_link(member, item.digest)
        self._tree.link_layer(item.repository, item.digest)

    def _take_manifest(self, item: Item, member: Member) -> None:
        _read_link(member, item.digest)
        self._tree.link_manifest(item.repository, item.digest)

    def _take_tag(self, item: Item, member: Member) -> None:
        name = item.repository, item.tag
        if name in self._tags:
            raise InvalidArchive(f"the archive has the tag {item.repository}:{item.tag} twice")
        self._tags[name] = read_tag(member)

    def _take_tag_index(self, item: Item, member: Member) -> None:
        # Written together with the tag; a manifest that the tag had earlier is not brought back.
        _read_link(member, item.digest)

    def _pass_over(self, _item: Item, _member: Member) -> None:
        # What lies beside a tree does not belong into one.
        pass

    def _finish(self) -> None:
        for (repository, tag), digest in self._tags.items():
            if not (self._tree.has_manifest(repository, digest) and self._tree.has_blob(digest)):
                raise InvalidArchive(
                    f"the archive has the tag {repository}:{tag}, but neither it nor the tree has its manifest {digest}"
                )
        if self._lock is not None:
            self._require(self._lock)
        if self._tags or self._lock is not None:
            self._tree.sync()
        for (repository, tag), digest in sorted(self._tags.items()):
            before = self._tree.tag(repository, tag)
            if before != digest:
                self._tree.set_tag(repository, tag, digest)
                self._received.tags[repository, tag] = before
        if self._lock is not None:
            self._received.lock = _lock.write(self._tree, _lock.read(self._tree).with_entries(self._lock.references))

    def _require(self, lock: _lock.Lock) -> None:
        after = _inventory.scan(self._tree)
        after.tags.update(self._tags)
        missing = _inventory.gaps(after, lock)
        if missing:
            raise InvalidArchive(f"the archive is not complete, no tag was set: {missing[0]} ({len(missing)} such)")


def item_of(member: Member) -> Item:
    """Tell what a member of an archive is.

    :raises InvalidArchive: if it has no place in a tree.
    """
    item = _layout.parse(member.name)
    if item is None:
        raise InvalidArchive(
            f"the archive holds {shorten(member.name)}, which is no file of a tree: this was not written by bundle_pack"
        )
    if member.range is not None and item.kind != "blob":
        raise InvalidArchive(f"the archive holds only a part of {shorten(member.name)}")
    if item.kind == "tool" and member.size > _TOOL_LIMIT:
        raise InvalidArchive(f"{shorten(member.name)} in the archive is too large: this was not written by bundle_pack")
    return item


def read_tag(member: Member) -> str:
    """Return the digest to which the tag in a member points."""
    text = member.read(_LINK_LIMIT).decode("ascii", "replace").strip()
    digest = text if _digest.is_digest(text) else None
    if digest is None:
        raise InvalidArchive(f"{shorten(member.name)} in the archive points to {shorten(text)}, which is no digest")
    return digest


def read_lock(member: Member) -> bytes:
    """Return the content of the lock in a member."""
    return member.read(_LOCK_LIMIT)


def read_presumption(member: Member) -> Presumption:
    """Return what the delta in a member presumes.

    :raises InvalidArchive: if it cannot be read.
    """
    try:
        return _presumption.load(member.read(_LOCK_LIMIT))
    except InvalidReceipt as error:
        raise InvalidArchive(str(error)) from error


def _no_gap(digest: str, present: int, offset: int) -> None:
    if present < offset:
        raise InvalidArchive(f"the bytes {present} to {offset} of the blob {digest} are missing: send it again")


def _read_link(member: Member, digest: str) -> None:
    if read_tag(member) != digest:
        raise InvalidArchive(f"{shorten(member.name)} in the archive does not point where its name says")

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What has to be sent so that another tree holds what this one holds, and in which portions."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import os
import sys
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _archive
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import Range
from ansible_collections.seahub.offline.plugins.module_utils.common import _cpu
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidPlatform,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress, ignore
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import EMPTY, Inventory, TagName
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

# Folders and file of a blob; of a link; of a tag's two links.
_INODES = {"blob": 3, "link": 2, "tag": 6}
_HEADERS = 4096
_PORTION_OVERHEAD = 1024 * 1024
_SHOWN = 20


@dataclass(frozen=True)
class Target:
    """The tree to which something is to be sent, and the room that is left there.

    - root: its folder.
    - python: the Python that runs there.
    - free_bytes, free_inodes: on its filesystem; no number of inodes where the filesystem does not count them.
    - staging_free_bytes: where the portions arrive; None if that is the same filesystem, or there are none.
    - encrypts_aes: whether its processor does so by itself.
    """

    root: str
    python: str
    inventory: Inventory
    lock: Lock
    free_bytes: int
    free_inodes: int | None
    staging_free_bytes: int | None
    encrypts_aes: bool

    def dump(self) -> dict[str, Any]:
        """Return it as plain, small data."""
        return {
            "root": self.root,
            "python": self.python,
            "inventory": self.inventory.dump(),
            "lock": _inventory.shrink(self.lock.dump()),
            "free_bytes": self.free_bytes,
            "free_inodes": self.free_inodes,
            "staging_free_bytes": self.staging_free_bytes,
            "encrypts_aes": self.encrypts_aes,
        }


def describe(tree: Tree, staging: str | None) -> Target:
    """Describe a tree on this host, which need not exist yet.

    :param staging: the folder in which portions will arrive, if any will.
    :raises TreeError: if there is something else than a folder.
    :raises InvalidLock: if its lock cannot be read.
    """
    if os.path.lexists(tree.root) and not os.path.isdir(tree.root):
        raise TreeError(f"{tree.root} is no folder: choose another dest, or move it away")
    existing = tree.root
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    room = os.statvfs(existing)
    return Target(
        root=tree.root,
        python=sys.executable,
        inventory=_inventory.scan(tree),
        lock=_lock.read(tree),
        free_bytes=room.f_bavail * room.f_frsize,
        free_inodes=room.f_favail if room.f_files else None,
        staging_free_bytes=_other_room(staging, existing) if staging else None,
        encrypts_aes=_cpu.encrypts_aes(),
    )


def _other_room(folder: str, than: str) -> int | None:
    if os.stat(folder).st_dev == os.stat(than).st_dev:
        return None
    room = os.statvfs(folder)
    return room.f_bavail * room.f_frsize


def load_target(answer: dict[str, Any]) -> Target:
    """Read what `Target.dump` returned on another host.

    :raises TreeError: if it is something else.
    """
    return Target(
        root=answer["root"],
        python=answer["python"],
        inventory=_inventory.load(answer["inventory"]),
        lock=_lock.load(_inventory.unshrink(answer["lock"]), "the host's lock"),
        free_bytes=answer["free_bytes"],
        free_inodes=answer["free_inodes"],
        staging_free_bytes=answer["staging_free_bytes"],
        encrypts_aes=answer["encrypts_aes"],
    )


@dataclass(frozen=True)
class Piece:
    """A part of a blob, or all of it."""

    digest: str
    size: int
    """Of the whole blob."""
    offset: int
    length: int


@dataclass(frozen=True)
class Plan:
    """What a target lacks.

    - blobs: what is to be sent of each, from where the target's half-finished one ends.
    - links: an inventory without blobs: the links and tags to come.
    - moved: tags among them that point elsewhere on the target now, and where.
    - lock: the target's lock as it will be; None if it stays as it is.
    - present: how many blobs are there already.
    """

    blobs: tuple[Piece, ...]
    links: Inventory
    moved: dict[TagName, str]
    lock: Lock | None
    present: int

    @property
    def size(self) -> int:
        """Bytes of blobs to be sent."""
        return sum(piece.length for piece in self.blobs)

    @property
    def inodes(self) -> int:
        """Files and folders that will be made, at most."""
        links = len(self.links.layers) + len(self.links.manifests)
        return _INODES["blob"] * len(self.blobs) + _INODES["link"] * links + _INODES["tag"] * len(self.links.tags)

    @property
    def room(self) -> int:
        """Bytes that the target's filesystem needs for all of it, in blocks of the usual size."""
        return self.size + 4096 * self.inodes

    @property
    def changed(self) -> bool:
        """Whether anything has to be done."""
        return bool(self.blobs or self.links != Inventory() or self.lock)


def require_fit(source: Source, present: Inventory) -> None:
    """Make sure that a tree will be whole with a source in it, by names and the small files alone.

    :param present: what the tree holds. Only a source that says that it is not all may count on it.
    :raises TreeError: naming what would be missing.
    """
    source.require_complete(present)
    _require_closed(source, present if source.partial else EMPTY)


def united(entries: Iterable[Entry], present: Lock) -> Lock:
    """Return a lock of the entries; one that the tree has with the same digest, for other platforms perhaps, is joined
    with what the tree has of it.

    :param present: the lock of the tree into which they come.
    """
    joined = []
    for entry in entries:
        there = present.find(*entry.key)
        joined.append(there.joined(entry) if there is not None and there.digest == entry.digest else entry)
    return _lock.Lock().with_entries(joined)


def compare(source: Source, target: Target) -> Plan:
    """Compare what there is with what a target holds already."""
    wanted, present = source.inventory, target.inventory
    lacking = {digest: size for digest, size in wanted.blobs.items() if present.blobs.get(digest) != size}
    tags = {name: digest for name, digest in wanted.tags.items() if present.tags.get(name) != digest}
    merged = target.lock.with_entries(source.lock.references)
    return Plan(
        blobs=tuple(_rest(digest, size, present.partials.get(digest, 0)) for digest, size in sorted(lacking.items())),
        links=Inventory(
            layers=wanted.layers - present.layers, manifests=wanted.manifests - present.manifests, tags=tags
        ),
        moved={name: present.tags[name] for name in tags if name in present.tags},
        lock=merged if merged != target.lock else None,
        present=len(wanted.blobs) - len(lacking),
    )


def require_room(plan: Plan, target: Target, portion: int) -> None:
    """Make sure that the target has room for all that will be sent.

    :param portion: the size in bytes of the largest portion, which lies there beside the tree while it is taken in.
    :raises TreeError: saying how much is lacking, and where.
    """
    largest = min(portion, plan.size) + _PORTION_OVERHEAD
    staged = largest if target.staging_free_bytes is None else 0
    if plan.room + staged > target.free_bytes:
        raise TreeError(
            f"no room: {plan.room + staged} bytes are needed where dest lies, {target.free_bytes} are free there;"
            " make room, or choose a dest on a larger filesystem"
        )
    if target.free_inodes is not None and plan.inodes > target.free_inodes:
        raise TreeError(
            f"no room: {plan.inodes} files and folders will be made where dest lies, {target.free_inodes} inodes are"
            " free there; remove files, or choose a dest on another filesystem"
        )
    if target.staging_free_bytes is not None and largest > target.staging_free_bytes:
        raise TreeError(
            f"no room: {largest} bytes are needed where Ansible keeps temporary files on the host,"
            f" {target.staging_free_bytes} are free there; make room, or set ansible_remote_tmp to another folder"
        )


def filled(target: Target, plan: Plan) -> Target:
    """Return a target as it is when it has got all blobs of a plan."""
    blobs = {piece.digest: piece.size for piece in plan.blobs}
    inventory = _inventory.united(target.inventory, Inventory(blobs=blobs))
    return dataclasses.replace(target, inventory=dataclasses.replace(inventory, partials={}))


def obtainable(source: Source, plan: Plan) -> Inventory:
    """Return the blobs of a plan, each with one link in a repository where a registry gives it out."""
    sizes = {piece.digest: piece.size for piece in plan.blobs}
    links = [
        {digest: repository for repository, digest in linked if digest in sizes}
        for linked in (source.inventory.layers, source.inventory.manifests)
    ]
    layers, manifests = (frozenset((repository, digest) for digest, repository in link.items()) for link in links)
    return Inventory(blobs=sizes, layers=layers, manifests=manifests)


def portions(pieces: tuple[Piece, ...], limit: Callable[[], int]) -> Iterator[list[Piece]]:
    """Yield the pieces in portions, cutting those that are too large.

    :param limit: asked for the size of each portion in bytes just before it is cut.
    """
    waiting = list(reversed(pieces))
    while waiting:
        room = limit()
        portion = []
        while waiting and room > 0:
            piece = waiting.pop()
            first = Piece(piece.digest, piece.size, piece.offset, min(piece.length, room))
            portion.append(first)
            # Many small blobs fill a portion with headers and with work for the target.
            room -= first.length + _HEADERS
            if first.length < piece.length:
                end = first.offset + first.length
                waiting.append(Piece(piece.digest, piece.size, end, piece.length - first.length))
        yield portion


def write_portion(source: Source, portion: list[Piece], out: _archive.Sink) -> None:
    """Write the bytes of blobs as an archive.

    :raises TreeError: if a blob is not there any more.
    """
    writer = _archive.Writer(out)
    for piece in portion:
        _write_piece(source, piece, writer, ignore)
    writer.end()


def write_links(source: Source, plan: Plan, out: _archive.Sink) -> None:
    """Write the lock, links and tags of a plan as an archive, to be sent when all blobs have arrived."""
    writer = _archive.Writer(out)
    writer.lock(source.lock.dump())
    writer.links(plan.links)
    writer.end()


def write_all(source: Source, plan: Plan, out: _archive.Sink, progress: Callback) -> None:
    """Write all of a plan as one archive.

    :raises TreeError: if a blob is not there any more.
    """
    writer = _archive.Writer(out)
    done = 0
    for number, piece in enumerate(plan.blobs):

        def count(step: Progress, blobs: int = number) -> None:
            nonlocal done
            done += step.done_bytes
            progress(Progress("sending", done, plan.size, blobs, len(plan.blobs), "blobs"))

        _write_piece(source, piece, writer, count)
    writer.lock(source.lock.dump())
    writer.links(plan.links)
    writer.end()


def _write_piece(source: Source, piece: Piece, writer: _archive.Writer, progress: Callback) -> None:
    with source.open_blob(piece.digest, piece.offset) as file:
        if piece.length == piece.size:
            writer.blob(piece.digest, piece.size, file, progress)
        else:
            writer.blob_range(piece.digest, Range(piece.offset, piece.size), piece.length, file, progress)


def _rest(digest: str, size: int, present: int) -> Piece:
    # All bytes may be there while the blob is not: killed before the last step. Then an empty part completes it; if the
    # partial is longer than the blob, it is something else and comes anew.
    offset = present if present <= size else 0
    return Piece(digest, size, offset, size - offset)


def _require_closed(source: Source, present: Inventory) -> None:
    """Make sure that the lock does not leave out what a manifest needs: its tag would be seen incomplete."""
    gaps: list[str] = []
    union = _inventory.united(present, source.inventory)
    for repository, digest in sorted(source.inventory.manifests):
        if digest not in source.inventory.blobs and digest in present.blobs:
            continue
        try:
            manifest = source.manifest(digest)
        except (InvalidManifest, InvalidPlatform, DigestMismatch) as error:
            gaps.append(f"{repository}@{digest}: {error}")
            continue
        gaps.extend(
            f"{repository}@{digest} needs the blob {blob.digest} of {blob.size} bytes"
            for blob in manifest.blobs
            if not _has(union, repository, blob)
        )
    if gaps:
        raise TreeError(
            f"the {source.kind} {source.path} is damaged or was not written by bundle_pack, nothing was written;"
            f" pack or copy it again: {'; '.join(gaps[:_SHOWN])}"
        )


def _has(inventory: Inventory, repository: str, blob: Descriptor) -> bool:
    found = inventory.blobs.get(blob.digest)
    return (found == blob.size and (repository, blob.digest) in inventory.layers) or (found is None and blob.is_foreign)

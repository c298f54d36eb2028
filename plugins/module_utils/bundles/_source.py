# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a tree can be read from: a folder, or a bundle that nobody has unpacked.

Both say what they hold and give the bytes of a blob; what sends or describes a tree does not ask which it is.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import functools
import io
import os
from typing import Any, BinaryIO, Callable, Sequence, cast

from ansible_collections.seahub.offline.plugins.module_utils.bundles import (
    _archive,
    _bundle_parts,
    _layout,
    _mountable,
    _squashfs,
    _tar,
    _tools,
)
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle_parts import BundleError, PartsFile
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tools import Tool
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    NotInTree,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Manifest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import EMPTY, Inventory, Link, TagName
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._presumption import Presumption
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

PARTIAL = " partial"
"""How the remark of a bundle ends that was packed although something was missing."""
DELTA = " delta"
"""How that of a delta ends."""

_SHOWN = 20


class Source:
    """A tree to read from.

    - path: of the folder or the file.
    - kind: `tree` or `bundle`.
    - lock: the references that it holds.
    - inventory: what these references need, as far as it is there.
    - parts: the files of a bundle in parts.
    - partial: whether it is a bundle that needs a tree with the rest, and says so: a delta, or one that was packed
      although something was missing.
    - presumption: what a delta presumes; None if this is none.
    - everything: all that is there.
    """

    def __init__(
        self,
        path: str,
        kind: str,
        lock: Lock,
        inventory: Inventory,
        open_blob: Callable[[str], BinaryIO],
        parts: Sequence[str] = (),
        partial: bool = False,
        tools: Callable[[], Sequence[Tool]] = tuple,
        presumption: Presumption | None = None,
    ) -> None:
        self.path = path
        self.kind = kind
        self.lock = lock
        self.everything = inventory
        self.inventory = _inventory.select(inventory, lock)
        self.parts = tuple(parts)
        self.partial = partial
        self.presumption = presumption
        self._open_blob = open_blob
        self._tools = tools

    @functools.cached_property
    def tools(self) -> tuple[Tool, ...]:
        """What a bundle carries beside its tree. It is read when it is asked for, since its checksums are not known."""
        return tuple(self._tools())

    def with_tools(self, tools: Sequence[Tool]) -> Source:
        """Return the same source with other files beside its tree."""
        return self._but(tools=lambda: tools)

    @property
    def identity(self) -> bytes:
        """What is signed of a bundle: a digest over its lock and over the digest and size of all else that it holds.

        It is computed from what was found, not from what the bundle says of itself.
        """
        index = self.lock.dump() + (self.inventory.fingerprint() + _tools.fingerprint(self.tools)).encode()
        if self.presumption is not None:
            index += self.presumption.dump()
        return _digest.hash_bytes(index).encode()

    @property
    def signature_path(self) -> str:
        """Where the signature of a bundle lies."""
        return signature_path(_bundle_parts.bundle_of(self.parts[0]) if self.parts else self.path)

    def open_blob(self, digest: str, offset: int = 0) -> BinaryIO:
        """Return a file that stands at a byte of a blob. What follows the blob in it is something else.

        :raises NotInTree: if there is no such blob.
        """
        file = self._open_blob(digest)
        file.seek(offset, os.SEEK_CUR)
        return file

    def with_lock(self, lock: Lock) -> Source:
        """Return the same source, as far as the references of another lock need it."""
        return self._but(lock=lock, inventory=self.inventory)

    def presuming(self, presumption: Presumption, lock: Lock, inventory: Inventory) -> Source:
        """Return a part of the same source, for trees that hold the rest."""
        return self._but(lock=lock, inventory=inventory, presumption=presumption, partial=True)

    def _but(self, **changes: Any) -> Source:
        given: dict[str, Any] = {
            "path": self.path,
            "kind": self.kind,
            "lock": self.lock,
            "inventory": self.everything,
            "open_blob": self._open_blob,
            "parts": self.parts,
            "partial": self.partial,
            "tools": self._tools,
            "presumption": self.presumption,
        }
        return Source(**{**given, **changes})

    def manifest(self, digest: str) -> Manifest:
        """Read a manifest.

        :raises NotInTree: if there is no such blob.
        :raises InvalidManifest: if it is none.
        :raises DigestMismatch: if its bytes are damaged.
        """
        size = self.inventory.blobs.get(digest, 0)
        if size > _manifest.SIZE_LIMIT:
            raise InvalidManifest(f"a manifest of {size} bytes is too large")
        with self.open_blob(digest) as file:
            data = file.read(size)
        manifest = _manifest.parse(data, algorithm_of=digest)
        if manifest.digest != digest:
            raise DigestMismatch(f"its bytes have the digest {manifest.digest}")
        return manifest

    def verify_parts(self, progress: Callback) -> None:
        """Compare each part of a bundle with its checksum; whatever else this is, there is nothing to do.

        :raises InvalidArchive: naming each damaged part.
        """
        problems = self.damaged_parts(progress)
        if problems:
            raise _tar.InvalidArchive("nothing was changed: " + "; ".join(problems))

    def damaged_parts(self, progress: Callback) -> list[str]:
        """Read each part of a bundle; return a sentence for each whose checksum does not match."""
        return _damaged(self.parts, progress)

    def gaps(self, present: Inventory = EMPTY) -> list[str]:
        """Return a sentence for each thing that a reference needs and that is not there.

        :param present: what else there is: the tree into which it will be put.
        """
        union = dataclasses.replace(_inventory.united(present, self.inventory), tags=self.inventory.tags)
        return _inventory.gaps(union, self.lock)

    def require_complete(self, present: Inventory = EMPTY) -> None:
        """Make sure that everything is there that the references need.

        :param present: what the tree holds into which it will be put. It counts only if this is a bundle that needs
            one and says so.
        :raises TreeError: naming what is missing.
        """
        gaps = self.gaps(present if self.partial else EMPTY)
        if gaps:
            more = f" (and {len(gaps) - _SHOWN} more)" if len(gaps) > _SHOWN else ""
            raise TreeError(f"{self._incomplete()}: {'; '.join(gaps[:_SHOWN])}{more}")

    def _incomplete(self) -> str:
        if self.presumption is not None:
            return (
                f"{self.path} is a delta, and what it presumes is not here; nothing was written. It was packed since"
                f" {self.presumption.shown}: unpack first the bundle that brought that, or bring one that was packed"
                " since a receipt of this tree, or a whole one"
            )
        if self.partial:
            return (
                f"{self.path} is not complete, as the tree was not from which it was packed, and this tree does not"
                " have the rest either, nothing was written"
            )
        return f"the {self.kind} {self.path} is not complete; save these references again"


def signature_path(path: str) -> str:
    """Return where the signature of the bundle at a path lies."""
    return f"{path}.sig"


def open_source(path: str) -> Source:
    """Open a folder or a bundle.

    :param path: of the folder of a tree; of a bundle, one of its parts, or the folder in which these lie.
    :raises TreeError: if there is no tree at this path.
    :raises InvalidArchive: if it is a file but no bundle, or a damaged one.
    :raises InvalidLock: if its lock cannot be read.
    """
    if os.path.isfile(os.path.join(path, _lock.FILE)):
        return _open_folder(path)
    try:
        parts = _bundle_parts.find(path)
        if parts:
            return _open_bundle(path, functools.partial(PartsFile, parts, _bundle_parts.examine(parts)), parts)
    except BundleError as error:
        raise _tar.InvalidArchive(str(error)) from error
    if os.path.isdir(path):
        return _open_folder(path)
    if os.path.isfile(path):
        return _open_bundle(path, functools.partial(io.FileIO, path))
    raise TreeError(
        f"there is neither a tree nor a bundle at {path}: give the folder or the file that the build host made"
    )


def _open_folder(path: str) -> Source:
    if not os.path.isfile(os.path.join(path, _lock.FILE)):
        raise TreeError(f"the folder {path} is no tree: it has no {_lock.FILE}; save images or charts into it first")
    tree = Tree(path)
    return Source(path, "tree", _lock.read(tree), _inventory.scan(tree), tree.open_blob)


def _open_bundle(path: str, open_: Callable[[], io.RawIOBase], parts: Sequence[str] = ()) -> Source:
    try:
        index = _MountableIndex(path, open_) if _is_squashfs(open_) else _Index(path, open_)
    except TreeError as error:
        # On which medium to look is worth reading them all.
        said = [f"{path} is no bundle: {error}", *_damaged(parts, _progress.ignore)]
        raise _tar.InvalidArchive("; ".join(said)) from error
    return Source(
        path,
        "bundle",
        index.lock,
        index.inventory,
        index.open_blob,
        parts,
        index.partial,
        index.tools,
        index.presumption,
    )


def _require_once_and_whole(item: _layout.Item, member: _tar.Member, seen: set[_layout.Item]) -> None:
    # Which of two would count differs from reader to reader.
    if item in seen:
        raise _tar.InvalidArchive(f"it holds {shorten(member.name)} twice")
    seen.add(item)
    if member.range is not None:
        raise _tar.InvalidArchive(f"it holds only a part of {shorten(member.name)}")


def _damaged(parts: Sequence[str], progress: Callback) -> list[str]:
    total = sum(os.path.getsize(path) for path in parts)
    done = 0
    problems: list[str] = []

    def count(read: int) -> None:
        nonlocal done
        done += read
        progress(Progress("checking parts", done, total))

    for path in parts:
        try:
            _bundle_parts.verify(path, count)
        except BundleError as error:
            problems += error.problems
        except OSError as error:
            problems.append(f"{path} cannot be read: {error.strerror}")
    return problems


def _is_squashfs(open_: Callable[[], io.RawIOBase]) -> bool:
    with open_() as file:
        return file.read(len(_squashfs.MAGIC)) == _squashfs.MAGIC


class _Positions:
    """Where in a bundle each blob begins."""

    def __init__(self, path: str, open_: Callable[[], io.RawIOBase]) -> None:
        self._path = path
        self._open = open_
        self._positions: dict[str, int] = {}
        self._tools: list[tuple[str, int, int]] = []

    def open_blob(self, digest: str) -> BinaryIO:
        if digest not in self._positions:
            raise NotInTree(f"the blob {digest} is not in the bundle {self._path}")
        return self._open_at(self._positions[digest])

    def tools(self) -> list[Tool]:
        return [
            _tools.read(name, size, functools.partial(self._open_at, position)) for name, size, position in self._tools
        ]

    def _open_at(self, position: int) -> BinaryIO:
        file = self._open()
        file.seek(position)
        return cast(BinaryIO, file)


class _MountableIndex(_Positions):
    """What a squashfs file holds; reading it costs no look at any blob."""

    def __init__(self, path: str, open_: Callable[[], io.RawIOBase]) -> None:
        super().__init__(path, open_)
        with io.BufferedReader(open_()) as file:
            found = _mountable.read(file)
        self._positions = found.positions
        self._tools = list(found.tools)
        self.partial = found.comment.endswith((PARTIAL, DELTA))
        self.presumption = found.presumption
        self.lock = found.lock
        self.inventory = found.inventory


class _Index(_Positions):
    """What a tar holds; reading it costs a look at each header, whatever the size."""

    def __init__(self, path: str, open_: Callable[[], io.RawIOBase]) -> None:
        super().__init__(path, open_)
        blobs: dict[str, int] = {}
        links: dict[str, set[Link]] = {"layer": set(), "manifest": set()}
        tags: dict[TagName, str] = {}
        lock: bytes | None = None
        self.presumption: Presumption | None = None
        seen: set[_layout.Item] = set()
        with io.BufferedReader(open_()) as file:
            reader = _tar.Reader(file)
            for member in reader:
                item = _archive.item_of(member)
                _require_once_and_whole(item, member, seen)
                if item.kind == "lock":
                    lock = _archive.read_lock(member)
                elif item.kind == "delta":
                    self.presumption = _archive.read_presumption(member)
                elif item.kind == "blob":
                    blobs[item.digest] = member.size
                    self._positions[item.digest] = member.position
                elif item.kind == "tag":
                    tags[item.repository, item.tag] = _archive.read_tag(member)
                elif item.kind == "tool":
                    self._tools.append((item.name, member.size, member.position))
                elif item.kind in links:
                    links[item.kind].add((item.repository, item.digest))
        self.partial = reader.comment.endswith((PARTIAL, DELTA))
        if lock is None:
            raise _tar.InvalidArchive(f"it has no {_layout.LOCK}")
        self.lock = _lock.load(lock, f"the lock in {path}")
        self.inventory = Inventory(
            blobs=blobs, layers=frozenset(links["layer"]), manifests=frozenset(links["manifest"]), tags=tags
        )

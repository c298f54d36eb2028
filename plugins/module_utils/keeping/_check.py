# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checking a tree: is everything there that its references and tags need, and is every byte what its digest says?

A bundle is checked where it lies, without being unpacked.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import threading
from typing import BinaryIO, Callable, Iterator, Mapping

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    InvalidManifest,
    InvalidPlatform,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Manifest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree


@dataclasses.dataclass(frozen=True)
class Corrupt:
    """A blob whose bytes are not those that its digest names.

    - found: what its bytes are, or why they cannot be read.
    - used_by: the names that need it.
    """

    digest: str
    found: str
    used_by: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is wrong with a tree.

    - missing: a sentence for each thing that something needs and that is not there.
    - lacking: the digests of the blobs among them.
    - corrupt: the blobs with wrong bytes.
    - unreferenced: blobs that no manifest needs, with their sizes in bytes; they only take room.
    - partials: half-finished blobs, with their present sizes in bytes; the next run goes on with them.
    - blobs, size: how many blobs were read, and their bytes.
    - damaged: a sentence for each part of a bundle that is not as it was written.
    """

    missing: tuple[str, ...]
    lacking: frozenset[str]
    corrupt: tuple[Corrupt, ...]
    unreferenced: Mapping[str, int]
    partials: Mapping[str, int]
    blobs: int
    size: int
    damaged: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether everything that the tree shows is there and right."""
        return not self.missing and not self.corrupt and not self.damaged


def check(tree: Tree, rehash: bool = True, report: _progress.Callback = _progress.ignore) -> Findings:
    """Check a tree; nothing is changed.

    :param rehash: read and hash every blob, on all processors; otherwise only their sizes are compared.
    :raises TreeError: if there is no tree.
    :raises InvalidLock: if its lock cannot be read.
    """
    if not os.path.isdir(tree.root):
        raise TreeError(f"there is no tree at {tree.root}")
    return _examine(_Holding(_lock.read(tree), _inventory.scan(tree), tree.open_blob), rehash, report)


def check_source(source: Source, rehash: bool = True, report: _progress.Callback = _progress.ignore) -> Findings:
    """Check a bundle, or a tree that has a lock, like `check`; of a bundle in parts each of these, too.

    What a delta presumes is not missing in it.
    """
    damaged = source.damaged_parts(report) if rehash else []
    holding = _Holding(source.lock, source.everything, source.open_blob, _presumed(source))
    findings = _examine(holding, rehash, report)
    return dataclasses.replace(findings, damaged=tuple(damaged))


def _presumed(source: Source) -> Inventory:
    if source.presumption is None:
        return _inventory.EMPTY
    # A delta does not say which links it leaves out.
    links = frozenset(
        (name, digest)
        for entry in source.lock.references
        for name in (entry.name, *entry.aliases)
        for digest in entry.blobs
    )
    return Inventory(blobs=dict(source.presumption.blobs), layers=links, manifests=links)


class _Holding:
    """What is checked: its lock, what is there, and how a blob is opened."""

    def __init__(
        self,
        lock: Lock,
        inventory: Inventory,
        open_blob: Callable[[str], BinaryIO],
        presumed: Inventory = _inventory.EMPTY,
    ) -> None:
        self.lock = lock
        self.inventory = inventory
        self.known = _inventory.united(presumed, inventory)
        self._open_blob = open_blob

    def hash(self, digest: str) -> str:
        """Return the digest that the bytes of a blob have, or why they cannot be read."""
        hash_object = _digest.hasher(digest)
        rest = self.inventory.blobs[digest]
        buffer = memoryview(bytearray(min(_digest.CHUNK, rest)))
        try:
            with self._open_blob(digest) as file:
                while rest:
                    count = file.readinto(buffer[:rest])  # type: ignore[attr-defined]
                    if not count:
                        break
                    hash_object.update(buffer[:count])
                    rest -= count
        except OSError as error:
            return f"unreadable: {error.strerror}"
        except TreeError as error:
            return f"unreadable: {error}"
        return _digest.finish(digest, hash_object)

    def manifest(self, digest: str) -> Manifest | None:
        """Return a manifest; nothing if it is damaged, or is none."""
        size = self.inventory.blobs.get(digest)
        if size is None or size > _manifest.SIZE_LIMIT:
            return None
        try:
            with self._open_blob(digest) as file:
                manifest = _manifest.parse(file.read(size), algorithm_of=digest)
        except (InvalidManifest, InvalidPlatform, TreeError, OSError):
            return None
        return manifest if manifest.digest == digest else None


def _examine(holding: _Holding, rehash: bool, report: _progress.Callback) -> Findings:
    lock, inventory = holding.lock, holding.inventory
    wrong = _rehash(holding, report) if rehash else {}
    needs = _Needs(holding, frozenset(wrong))
    missing = dict.fromkeys([*_inventory.gaps(holding.known, lock), *needs.gaps()])
    users = _users(lock, needs)
    return Findings(
        missing=tuple(missing),
        lacking=frozenset(_lacking(lock, holding.known)) | needs.lacking,
        corrupt=tuple(Corrupt(digest, wrong[digest], tuple(sorted(users.get(digest, ())))) for digest in sorted(wrong)),
        unreferenced={digest: size for digest, size in sorted(inventory.blobs.items()) if digest not in needs.reached},
        partials=inventory.partials,
        blobs=len(inventory.blobs),
        size=inventory.size,
    )


def _lacking(lock: Lock, inventory: Inventory) -> Iterator[str]:
    for entry in lock.references:
        yield from (digest for digest, size in entry.blobs.items() if inventory.blobs.get(digest) != size)


class _Needs:
    """What the manifests of each repository need, whether the lock knows of them or not."""

    def __init__(self, holding: _Holding, corrupt: frozenset[str]) -> None:
        self._holding = holding
        self._inventory = inventory = holding.inventory
        self._corrupt = corrupt
        self._manifests: dict[str, Manifest | None] = {}
        self.reached: set[str] = set()
        self.lacking: set[str] = set()
        for _repository, digest in sorted(inventory.manifests):
            self.reached.add(digest)
            manifest = self._manifest(digest)
            if manifest is not None:
                self.reached.update(blob.digest for blob in manifest.blobs)

    def gaps(self) -> Iterator[str]:
        """Yield a sentence for each thing that a tag or a manifest lacks."""
        for (repository, tag), digest in sorted(self._inventory.tags.items()):
            if (repository, digest) not in self._holding.known.manifests:
                yield f"the tag {repository}:{tag} points to {digest}, which the repository does not have"
        for repository, digest in sorted(self._inventory.manifests):
            yield from self._gaps_of(repository, digest)

    def uses(self) -> Iterator[tuple[str, str]]:
        """Yield each digest that a repository needs, with the repository."""
        for repository, digest in self._inventory.manifests:
            yield digest, repository
            manifest = self._manifest(digest)
            for blob in manifest.blobs if manifest else ():
                yield blob.digest, repository

    def _gaps_of(self, repository: str, digest: str) -> Iterator[str]:
        if digest not in self._holding.known.blobs:
            self.lacking.add(digest)
            yield f"{repository}@{digest}: its manifest is missing"
            return
        manifest = self._manifest(digest)
        # The children of an index are not missing: they are there for the platforms that were saved.
        for blob in manifest.blobs if manifest else ():
            if blob.is_foreign and blob.digest not in self._holding.known.blobs:
                continue
            if self._holding.known.blobs.get(blob.digest) != blob.size:
                self.lacking.add(blob.digest)
                yield f"{repository}@{digest} needs the blob {blob.digest} of {blob.size} bytes, which is missing"
            elif (repository, blob.digest) not in self._holding.known.layers:
                yield f"{repository}@{digest} needs a link to {blob.digest} in its repository, which is missing"

    def _manifest(self, digest: str) -> Manifest | None:
        if digest not in self._manifests:
            self._manifests[digest] = None if digest in self._corrupt else self._holding.manifest(digest)
        return self._manifests[digest]


def _users(lock: Lock, needs: _Needs) -> dict[str, set[str]]:
    """Return for each digest the names that need it: those of the lock, else the repositories."""
    users: dict[str, set[str]] = {}
    for entry in lock.references:
        for digest in entry.blobs:
            users.setdefault(digest, set()).add(entry.shown)
    for digest, repository in needs.uses():
        if digest not in users:
            users[digest] = {repository}
    return users


def _rehash(holding: _Holding, report: _progress.Callback) -> dict[str, str]:
    """Hash every blob; return the wrong ones with what they are instead."""
    wrong: dict[str, str] = {}
    inventory = holding.inventory
    done = _Counter(inventory, report)
    # The largest first: the end is then not one large blob on one processor.
    digests = sorted(inventory.blobs, key=lambda digest: -inventory.blobs[digest])
    with concurrent.futures.ThreadPoolExecutor(_processors(), thread_name_prefix="check") as pool:
        for digest, found in zip(digests, pool.map(holding.hash, digests)):
            done.add(inventory.blobs[digest])
            if found != digest:
                wrong[digest] = found
    return wrong


class _Counter:
    def __init__(self, inventory: Inventory, report: _progress.Callback) -> None:
        self._total = (inventory.size, len(inventory.blobs))
        self._report = report
        self._lock = threading.Lock()
        self._bytes = self._items = 0

    def add(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            self._items += 1
            total_bytes, total_items = self._total
            self._report(_progress.Progress("checking", self._bytes, total_bytes, self._items, total_items, "blobs"))


def _processors() -> int:
    return max(1, len(os.sched_getaffinity(0)))

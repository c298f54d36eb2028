# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checking a tree: is everything there that its references and tags need, and is every byte what its digest says?"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
import threading
from typing import Iterator, Mapping

from ansible_collections.seahub.offline.plugins.module_utils import (
    _digest,
    _inventory,
    _lock,
    _manifest,
    _progress,
)
from ansible_collections.seahub.offline.plugins.module_utils._errors import DigestMismatch, InvalidManifest, TreeError
from ansible_collections.seahub.offline.plugins.module_utils._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils._lock import Lock
from ansible_collections.seahub.offline.plugins.module_utils._manifest import Manifest
from ansible_collections.seahub.offline.plugins.module_utils._tree import Tree


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
    - corrupt: the blobs with wrong bytes.
    - unreferenced: blobs that no manifest needs, with their sizes in bytes; they only take room.
    - partials: half-finished blobs, with their present sizes in bytes; the next run goes on with them.
    - blobs, size: how many blobs were read, and their bytes.
    """

    missing: tuple[str, ...]
    corrupt: tuple[Corrupt, ...]
    unreferenced: Mapping[str, int]
    partials: Mapping[str, int]
    blobs: int
    size: int

    @property
    def ok(self) -> bool:
        """Whether everything that the tree shows is there and right."""
        return not self.missing and not self.corrupt


def check(tree: Tree, rehash: bool = True, report: _progress.Callback = _progress.ignore) -> Findings:
    """Check a tree; nothing is changed.

    :param rehash: read and hash every blob, on all processors; otherwise only their sizes are compared.
    :raises TreeError: if there is no tree.
    :raises InvalidLock: if its lock cannot be read.
    """
    if not os.path.isdir(tree.root):
        raise TreeError(f"there is no tree at {tree.root}")
    lock = _lock.read(tree)
    inventory = _inventory.scan(tree)
    wrong = _rehash(tree, inventory, report) if rehash else {}
    needs = _Needs(tree, inventory, frozenset(wrong))
    missing = dict.fromkeys([*_inventory.gaps(inventory, lock), *needs.gaps()])
    users = _users(lock, needs)
    return Findings(
        missing=tuple(missing),
        corrupt=tuple(Corrupt(digest, wrong[digest], tuple(sorted(users.get(digest, ())))) for digest in sorted(wrong)),
        unreferenced={digest: size for digest, size in sorted(inventory.blobs.items()) if digest not in needs.reached},
        partials=inventory.partials,
        blobs=len(inventory.blobs),
        size=inventory.size,
    )


class _Needs:
    """What the manifests of each repository need, whether the lock knows of them or not."""

    def __init__(self, tree: Tree, inventory: Inventory, corrupt: frozenset[str]) -> None:
        self._tree = tree
        self._inventory = inventory
        self._corrupt = corrupt
        self._manifests: dict[str, Manifest | None] = {}
        self.reached: set[str] = set()
        for _repository, digest in sorted(inventory.manifests):
            self.reached.add(digest)
            manifest = self._manifest(digest)
            if manifest is not None:
                self.reached.update(blob.digest for blob in manifest.blobs)

    def gaps(self) -> Iterator[str]:
        """Yield a sentence for each thing that a tag or a manifest lacks."""
        for (repository, tag), digest in sorted(self._inventory.tags.items()):
            if (repository, digest) not in self._inventory.manifests:
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
        if digest not in self._inventory.blobs:
            yield f"{repository}@{digest}: its manifest is missing"
            return
        manifest = self._manifest(digest)
        # The children of an index are not missing: they are there for the platforms that were saved.
        for blob in manifest.blobs if manifest else ():
            if blob.is_foreign and blob.digest not in self._inventory.blobs:
                continue
            if self._inventory.blobs.get(blob.digest) != blob.size:
                yield f"{repository}@{digest} needs the blob {blob.digest} of {blob.size} bytes, which is missing"
            elif (repository, blob.digest) not in self._inventory.layers:
                yield f"{repository}@{digest} needs a link to {blob.digest} in its repository, which is missing"

    def _manifest(self, digest: str) -> Manifest | None:
        if digest not in self._manifests:
            self._manifests[digest] = self._read(digest)
        return self._manifests[digest]

    def _read(self, digest: str) -> Manifest | None:
        if digest in self._corrupt or digest not in self._inventory.blobs:
            return None
        try:
            return _manifest.parse(self._tree.read_blob(digest), algorithm_of=digest)
        except (DigestMismatch, InvalidManifest, TreeError):
            return None


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


def _rehash(tree: Tree, inventory: Inventory, report: _progress.Callback) -> dict[str, str]:
    """Hash every blob; return the wrong ones with what they are instead."""
    wrong: dict[str, str] = {}
    done = _Counter(inventory, report)
    # The largest first: the end is then not one large blob on one processor.
    digests = sorted(inventory.blobs, key=lambda digest: -inventory.blobs[digest])
    with concurrent.futures.ThreadPoolExecutor(_processors(), thread_name_prefix="check") as pool:
        for digest, found in zip(digests, pool.map(lambda digest: _found(tree, digest), digests)):
            done.add(inventory.blobs[digest])
            if found != digest:
                wrong[digest] = found
    return wrong


def _found(tree: Tree, digest: str) -> str:
    try:
        return _digest.hash_file(tree.blob_path(digest), _digest.split(digest)[0])
    except OSError as error:
        return f"unreadable: {error.strerror}"


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

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Removing from a tree what is no longer wanted, while a registry may be serving it.

First the lock, then tags, then the links to manifests, those to layers, and blobs at last: the reverse of saving, so
that whatever is served at any moment is whole. What is to be removed follows from the tree and from what is to stay
alone, so that a run that was killed is finished by the next one.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import dataclasses
import os
from typing import Iterable

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidPlatform,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.keeping._quarantine import Batch
from ansible_collections.seahub.offline.plugins.module_utils.oci import _manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Manifest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock, _selection
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory, Link, TagName
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._selection import Selection
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree


@dataclasses.dataclass(frozen=True)
class Gone:
    """A reference that goes: what it is called in the tree, and how many bytes only it and others that go need."""

    name: str
    digest: str
    size: int


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be removed.

    - lock: as it will be, and whether it has to be written.
    - references: what goes, by name.
    - going: blobs, links and tags to be removed; what no reference names any more is among them.
    - staying: how many references of the lock and further tags stay.
    - deserted: repositories with nothing left in them.
    """

    lock: Lock
    writes_lock: bool
    references: tuple[Gone, ...]
    going: Inventory
    staying: int
    deserted: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything has to be done."""
        return bool(self.writes_lock or self.deserted or self.going != Inventory())


def plan(tree: Tree, selection: Selection) -> Plan:
    """Find out what goes when only what is selected stays; nothing is changed.

    What belongs to it stays with it: all platforms of an image, its signatures, attestations and other referrers.

    :raises TreeError: if there is no tree, or nothing would stay, or it cannot be known what that needs which stays.
    :raises NotInTree: if the selection names what is not there.
    :raises InvalidLock: if the lock of the tree cannot be read.
    """
    if not os.path.isdir(tree.root):
        raise TreeError(f"there is no tree at {tree.root}")
    lock, inventory = _lock.read(tree), _inventory.scan(tree)
    keeping = _Keeping(tree, inventory, lock, selection)
    selection.require_used()
    if inventory.tags and not keeping.tags and not keeping.entries:
        raise TreeError(f"nothing would stay in the tree {tree.root}: if you mean that, remove the folder itself")
    going = keeping.rest()
    kept = Lock(tuple(entry for entry in lock.references if keeping.has(entry)))
    return Plan(
        lock=kept,
        writes_lock=kept != lock,
        references=tuple(_gone(tree, lock, kept, going)),
        going=going,
        staying=len(kept.references) + len(keeping.tags - {tag for entry in lock.references for tag in _tags(entry)}),
        deserted=tuple(name for name in tree.repositories() if name not in keeping.repositories),
    )


def prune(tree: Tree, wanted: Plan, batch: Batch) -> None:
    """Carry out a plan that was made while nobody else could write the tree.

    :raises TreeNotWritable: if something cannot be moved; what was moved before stays so.
    """
    if wanted.writes_lock:
        batch.copy(os.path.join(tree.root, _lock.FILE))
        _lock.write(tree, wanted.lock)
    for repository, tag in sorted(wanted.going.tags):
        batch.take(tree.tag_path(repository, tag))
    for link in sorted(wanted.going.manifests):
        batch.take(os.path.dirname(tree.manifest_path(*link)))
    for link in sorted(wanted.going.layers):
        batch.take(os.path.dirname(tree.layer_path(*link)))
    # A crash of the machine must not leave a link to a blob that went.
    tree.sync()
    for digest in sorted(wanted.going.blobs):
        batch.take(os.path.dirname(tree.blob_path(digest)))
    for repository in wanted.deserted:
        _remove_rest(tree, batch, repository)


class _Keeping:
    """What stays: which entries and tags, and all that these need."""

    def __init__(self, tree: Tree, inventory: Inventory, lock: Lock, selection: Selection) -> None:
        self._tree = tree
        self._inventory = inventory
        self._read: dict[str, Manifest | None] = {}
        self._manifests: set[Link] = set()
        self._layers: set[Link] = set()
        self.entries = [entry for entry in lock.references if selection.has_entry(entry)]
        self._selected = {entry.key for entry in self.entries}
        self.tags: set[TagName] = set()
        known = {tag for entry in lock.references for tag in _tags(entry)}
        for entry in self.entries:
            self._keep_entry(entry)
        for tag in sorted(set(inventory.tags) - known):
            if selection.has_tag(*tag):
                self._keep_tag(tag)
        while self._keep_companions():
            pass

    def has(self, entry: Entry) -> bool:
        """Tell whether an entry of the lock stays: it is selected, or belongs to what is."""
        return entry.key in self._selected or any(tag in self.tags for tag in _tags(entry))

    @property
    def repositories(self) -> set[str]:
        """Those in which something stays."""
        return {name for name, _version in (*self._manifests, *self._layers, *self.tags)}

    def rest(self) -> Inventory:
        """Return what goes."""
        inventory = self._inventory
        needed = {digest for _name, digest in (*self._manifests, *self._layers)}
        needed.update(digest for entry in self.entries for digest in entry.blobs)
        return Inventory(
            blobs={digest: size for digest, size in inventory.blobs.items() if digest not in needed},
            layers=inventory.layers - self._layers,
            manifests=inventory.manifests - self._manifests,
            tags={tag: digest for tag, digest in inventory.tags.items() if tag not in self.tags},
        )

    def _keep_entry(self, entry: Entry) -> None:
        for tag in _tags(entry):
            self._keep_tag(tag)
        for name in (entry.name, *entry.aliases):
            for digest in entry.blobs:
                if (name, digest) in self._inventory.manifests:
                    self._keep_manifest(name, digest)

    def _keep_tag(self, tag: TagName) -> None:
        self.tags.add(tag)
        if tag in self._inventory.tags:
            self._keep_manifest(tag[0], self._inventory.tags[tag])

    def _keep_companions(self) -> bool:
        """Keep what belongs to that which stays; tell whether anything was added, which may have companions, too."""
        before = len(self._manifests) + len(self.tags)
        for tag in sorted(set(self._inventory.tags) - self.tags):
            if (tag[0], _selection.subject(tag[1])) in self._manifests:
                self._keep_tag(tag)
        for name, digest in sorted(self._inventory.manifests - self._manifests):
            manifest = self._manifest(digest)
            if manifest and manifest.subject and (name, manifest.subject.digest) in self._manifests:
                self._keep_manifest(name, digest)
        return len(self._manifests) + len(self.tags) > before

    def _keep_manifest(self, name: str, digest: str) -> None:
        if (name, digest) in self._manifests:
            return
        manifest = self._manifest(digest)
        if manifest is None:
            raise TreeError(
                f"the manifest {digest} of {name}, which is to stay, is missing or damaged in {self._tree.root}: nobody"
                " can say what it needs; save or send it again, or repair the tree, before anything is removed"
            )
        self._manifests.add((name, digest))
        self._layers.update((name, blob.digest) for blob in manifest.blobs)
        for child in manifest.children:
            if child.digest in self._inventory.blobs:
                self._keep_manifest(name, child.digest)

    def _manifest(self, digest: str) -> Manifest | None:
        if digest not in self._read:
            self._read[digest] = _read_manifest(self._tree, digest)
        return self._read[digest]


def _read_manifest(tree: Tree, digest: str) -> Manifest | None:
    try:
        return _manifest.parse(tree.read_blob(digest), algorithm_of=digest)
    except (DigestMismatch, InvalidManifest, InvalidPlatform, TreeError):
        return None


def _tags(entry: Entry) -> list[TagName]:
    return [(name, entry.tag) for name in (entry.name, *entry.aliases)] if entry.tag else []


def _gone(tree: Tree, lock: Lock, kept: Lock, going: Inventory) -> list[Gone]:
    stays = {entry.key for entry in kept.references}
    entries = [entry for entry in lock.references if entry.key not in stays]
    known = {tag for entry in lock.references for tag in _tags(entry)}
    gone = [Gone(entry.shown, entry.digest, _size(entry.blobs, going)) for entry in entries]
    for tag, digest in going.tags.items():
        if tag not in known:
            manifest = _read_manifest(tree, digest)
            needs = [digest, *(blob.digest for blob in (*manifest.blobs, *manifest.children))] if manifest else [digest]
            gone.append(Gone(":".join(tag), digest, _size(needs, going)))
    return sorted(gone, key=lambda item: item.name)


def _size(digests: Iterable[str], going: Inventory) -> int:
    return sum(going.blobs.get(digest, 0) for digest in set(digests))


def _remove_rest(tree: Tree, batch: Batch, repository: str) -> None:
    """Remove a repository without content, so that the registry lists it no more; what is left of it is no content."""
    # `_manifests` last: by it the next run finds a repository that this one could not finish.
    for part in ("_layers", "_manifests"):
        for folder, _folders, names in os.walk(os.path.join(tree.repository_path(repository), part), topdown=False):
            for name in names:
                batch.take(os.path.join(folder, name))
            _remove_empty(folder)
    # Uploads that are under way stay, and so does what lies deeper.
    _remove_empty(os.path.join(tree.repository_path(repository), "_uploads"))
    while repository:
        _remove_empty(tree.repository_path(repository))
        repository = repository.rpartition("/")[0]


def _remove_empty(folder: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(folder)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repairing a tree: what is missing or damaged comes from other trees, bundles and registries, links from the lock.

A registry may serve the tree meanwhile: each blob is replaced at once, and tags are set when what they need is there.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
from typing import BinaryIO, Iterable, Iterator, Mapping, Protocol, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidPlatform,
    NotInTree,
    SeahubError,
    TreeError,
    TreeNotWritable,
)
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check
from ansible_collections.seahub.offline.plugins.module_utils.keeping._check import Findings
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Manifest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory, Link, TagName
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import BlobWriter, Tree


@dataclasses.dataclass(frozen=True)
class Repair:
    """What was done, or can be done.

    - blobs: digest and size in bytes of each blob that came anew.
    - links: links and tags that were set anew.
    - findings: what is wrong with the tree now.
    - refusals: why a blob did not come from a registry that was asked for it.
    """

    blobs: dict[str, int]
    links: Inventory
    findings: Findings
    refusals: Mapping[str, SeahubError] = dataclasses.field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was done, or can be done."""
        return bool(self.blobs) or self.links != Inventory()


class Donor(Protocol):
    """What is asked for the blobs that no source has: registries."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """Digest and size in bytes of what it may have."""

    def fetch(self, tree: Tree, digests: Iterable[str], report: _progress.Callback) -> Mapping[str, SeahubError]:
        """Bring blobs into the tree, verified; return why each of those failed that did."""


def plan(tree: Tree, findings: Findings, sources: Sequence[Source], donor: Donor | None = None) -> Repair:
    """Find out what can be repaired, without a look at the bytes of the sources; nothing is changed, nobody is asked.

    :param findings: what a check of the tree has found.
    :param sources: where blobs can come from, asked in this order.
    :param donor: asked after them.
    """
    known = donor.sizes if donor else {}
    found = {digest: _size(digest, sources, known) for digest in sorted(_wanted(findings))}
    blobs = {digest: size for digest, size in found.items() if size is not None}
    return Repair(blobs, _links(tree, _wanted(findings)), findings)


def repair(
    tree: Tree,
    findings: Findings,
    sources: Sequence[Source],
    report: _progress.Callback = _progress.ignore,
    donor: Donor | None = None,
) -> Repair:
    """Repair what can be repaired, while nobody else can write the tree.

    :raises TreeNotWritable: if the disk of the tree is full, or does not take what is written.
    """
    blobs: dict[str, int] = {}
    refusals: dict[str, SeahubError] = {}
    links = Inventory()
    while True:
        fetched = dict(_fetch_all(tree, sorted(_wanted(findings) - set(blobs)), sources, report))
        if donor:
            fetched.update(_ask(tree, donor, _wanted(findings) - {*blobs, *fetched, *refusals}, refusals, report))
        blobs.update(fetched)
        corrupt = tuple(item for item in findings.corrupt if item.digest not in blobs)
        tree.sync()
        links = _restore_links(tree, frozenset(item.digest for item in corrupt), links)
        findings = dataclasses.replace(_check.check(tree, rehash=False), corrupt=corrupt)
        # A manifest that came anew may need what nobody knew of.
        if not fetched:
            return Repair(blobs, links, findings, refusals)


def _ask(
    tree: Tree, donor: Donor, digests: Iterable[str], refusals: dict[str, SeahubError], report: _progress.Callback
) -> dict[str, int]:
    asked = {digest: donor.sizes[digest] for digest in sorted(digests) if digest in donor.sizes}
    failed = donor.fetch(tree, asked, report)
    refusals.update(failed)
    return {digest: size for digest, size in asked.items() if digest not in failed}


def _wanted(findings: Findings) -> frozenset[str]:
    return findings.lacking | {item.digest for item in findings.corrupt}


def _size(digest: str, sources: Iterable[Source], known: Mapping[str, int]) -> int | None:
    sizes = (blobs.get(digest) for blobs in (*(source.everything.blobs for source in sources), known))
    return next((size for size in sizes if size is not None), None)


def _fetch_all(
    tree: Tree, digests: Sequence[str], sources: Sequence[Source], report: _progress.Callback
) -> Iterator[tuple[str, int]]:
    received = 0
    for number, digest in enumerate(digests, 1):
        size = _fetch(tree, digest, sources)
        if size is not None:
            received += size
            yield digest, size
        report(_progress.Progress("repairing", received, 0, number, len(digests), "blobs"))


def _fetch(tree: Tree, digest: str, sources: Sequence[Source]) -> int | None:
    """Bring a blob from the first source that has it undamaged; return its size, nothing if none has."""
    for source in sources:
        size = source.everything.blobs.get(digest)
        if size is None:
            continue
        try:
            with source.open_blob(digest) as file, tree.blob_writer(digest, size) as writer:
                writer.restart()
                _copy(file, writer)
        except (DigestMismatch, NotInTree):
            continue
        return size
    return None


def _copy(file: BinaryIO, writer: BlobWriter) -> None:
    while writer.offset < writer.size:
        data = file.read(min(_digest.CHUNK, writer.size - writer.offset))
        if not data:
            break
        _write(writer, data)
    writer.commit()


def _write(writer: BlobWriter, data: bytes) -> None:
    try:
        writer.write(data)
    except OSError as error:
        raise TreeNotWritable(f"the blob {writer.digest} cannot be written: {error.strerror}") from error


def _restore_links(tree: Tree, broken: frozenset[str], before: Inventory) -> Inventory:
    links = _links(tree, broken)
    for link in sorted(links.layers):
        tree.link_layer(*link)
    for link in sorted(links.manifests):
        tree.link_manifest(*link)
    for (repository, tag), digest in sorted(links.tags.items()):
        tree.set_tag(repository, tag, digest)
    return Inventory(
        layers=before.layers | links.layers,
        manifests=before.manifests | links.manifests,
        tags={**before.tags, **links.tags},
    )


def _links(tree: Tree, broken: frozenset[str]) -> Inventory:
    """Return the links and tags that are missing and whose blobs are there."""
    layers: set[Link] = set()
    manifests: set[Link] = set()
    tags: dict[TagName, str] = {}
    for entry in _lock.read(tree).references:
        if all(tree.has_blob(digest, size) and digest not in broken for digest, size in entry.blobs.items()):
            own = _manifests(tree, entry)
            for name in (entry.name, *entry.aliases):
                manifests.update((name, digest) for digest in own)
                layers.update((name, digest) for digest in entry.blobs if digest not in own)
                if entry.tag and tree.tag(name, entry.tag) != entry.digest:
                    tags[name, entry.tag] = entry.digest
    for name, manifest in _linked_manifests(tree):
        layers.update((name, blob.digest) for blob in manifest.blobs if tree.has_blob(blob.digest, blob.size))
    return Inventory(
        layers=frozenset(link for link in layers if not tree.has_layer(*link)),
        manifests=frozenset(link for link in manifests if not tree.has_manifest(*link)),
        tags=tags,
    )


def _manifests(tree: Tree, entry: Entry) -> set[str]:
    """Return the digests of the manifests and indexes of an entry."""
    found: set[str] = set()
    waiting = {entry.digest}
    while waiting:
        found |= waiting
        read = [_read(tree, digest) for digest in waiting]
        children = {child.digest for manifest in read if manifest for child in manifest.children}
        waiting = children.intersection(entry.blobs) - found
    return found


def _linked_manifests(tree: Tree) -> Iterator[tuple[str, Manifest]]:
    for name in tree.repositories():
        for digest in tree.manifests(name):
            manifest = _read(tree, digest)
            if manifest is not None:
                yield name, manifest


def _read(tree: Tree, digest: str) -> Manifest | None:
    try:
        return _manifest.parse(tree.read_blob(digest), algorithm_of=digest)
    except (DigestMismatch, InvalidManifest, InvalidPlatform, TreeError):
        return None

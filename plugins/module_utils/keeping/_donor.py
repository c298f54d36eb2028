# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries that give back what a tree has lost, by what its lock says of each reference."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import io
from types import TracebackType
from typing import Callable, Iterable, Mapping, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidPlatform,
    InvalidReference,
    SeahubError,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _manifest, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.oci._reference import Reference
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Repository
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.saving._download import BlobSource, Downloader, Job, Stream
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

_UNKNOWN_TYPE = "application/octet-stream"

Place = Callable[[Entry], "Reference | None"]
"""Gives the repository in which an entry of the lock can be had; nothing if there is none."""


def under_own_names(text: str) -> Place:
    """Return where a registry has the references of a tree that calls them as the tree does.

    :param text: its host, with the path that goes before each name, if any.
    :raises InvalidReference: if it is no host.
    """
    host, slash, prefix = text.partition("/")
    if not _reference.is_host(host) or (slash and not _reference.is_repository(prefix)):
        raise InvalidReference(f"{text!r} is no registry: write its host, such as sea.hub:5000, or host/path")
    return lambda entry: Reference(_reference.canonical_host(host), f"{prefix}{slash}{entry.name}")


def origin(entry: Entry) -> Reference | None:
    """Return where an entry came from; nothing if it was not a registry."""
    try:
        reference = _reference.parse(entry.source)
    except InvalidReference:
        return None
    # The name of a file may look like a short name, but the lock has references in full.
    return reference if str(reference) == entry.source else None


class Donor:
    """Registries that are asked for what the lock of a tree knows."""

    def __init__(
        self, lock: Lock, places: Sequence[Place], registries: Registries, retry: RetryPolicy, parallel: int
    ) -> None:
        """Take note of who may have what.

        :param places: asked in this order.
        """
        self._registries = registries
        self._retry = retry
        self._parallel = parallel
        self._sizes: dict[str, int] = {}
        self._places: dict[str, dict[Reference, None]] = {}
        self._roots: set[str] = set()
        for place in places:
            for entry in lock.references:
                reference = place(entry)
                if reference is not None:
                    self._note(entry, reference)

    @property
    def sizes(self) -> Mapping[str, int]:
        """Digest and size in bytes of what is asked for; nobody has been asked yet."""
        return self._sizes

    def fetch(self, tree: Tree, digests: Iterable[str], report: _progress.Callback) -> Mapping[str, SeahubError]:
        """Bring blobs into a tree, verified.

        :param digests: some of those in `sizes`.
        :returns: why each of those failed that did.
        :raises TreeError: if the disk is too small.
        """
        # Registries have manifests in another place than blobs. Which digests are manifests the ones above them say.
        waiting = set(digests)
        failed: dict[str, SeahubError] = {}
        level, seen = self._roots, set(self._roots)
        while level:
            failed.update(self._download(tree, level & waiting, _Manifests, report))
            waiting -= level
            level = {child for digest in level for child in _children(tree, digest)}.intersection(self._sizes) - seen
            seen |= level
        failed.update(self._download(tree, waiting, _same, report))
        return failed

    def _download(
        self,
        tree: Tree,
        digests: set[str],
        content: Callable[[Repository], BlobSource],
        report: _progress.Callback,
    ) -> Mapping[str, SeahubError]:
        def show(progress: _progress.Progress) -> None:
            report(dataclasses.replace(progress, phase="repairing"))

        def sources(digest: str) -> list[BlobSource]:
            return [content(self._registries.repository(reference)) for reference in self._places[digest]]

        jobs = [Job(Descriptor(_UNKNOWN_TYPE, digest, self._sizes[digest]), sources(digest)) for digest in digests]
        return Downloader(tree, self._retry, self._parallel, show).run(jobs)

    def _note(self, entry: Entry, reference: Reference) -> None:
        repository = Reference(reference.host, reference.path)
        self._roots.add(entry.digest)
        for digest, size in entry.blobs.items():
            self._sizes[digest] = size
            self._places.setdefault(digest, {})[repository] = None


def _same(repository: Repository) -> BlobSource:
    return repository


def _children(tree: Tree, digest: str) -> list[str]:
    """Return the digests of the children of an index; none if it is something else, or not there."""
    try:
        manifest = _manifest.parse(tree.read_blob(digest), algorithm_of=digest)
    except (DigestMismatch, InvalidManifest, InvalidPlatform, TreeError):
        return []
    return [child.digest for child in manifest.children]


class _Manifests:
    """The manifests of a repository, each as if it were a blob."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def open_blob(self, blob: Descriptor, offset: int) -> Stream:
        """Return a stream that begins at 0."""
        return _Held(self._repository.manifest(blob.digest).raw)


class _Held:
    """The stream of bytes that are there already."""

    start = 0

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def __enter__(self) -> _Held:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, count: int) -> bytes:
        """Return some bytes, `count` at most; none at the end."""
        return self._file.read(count)

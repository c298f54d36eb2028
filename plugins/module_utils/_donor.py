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

from ansible_collections.seahub.offline.plugins.module_utils import _manifest, _progress, _reference
from ansible_collections.seahub.offline.plugins.module_utils._download import Downloader, Job, Stream
from ansible_collections.seahub.offline.plugins.module_utils._errors import InvalidReference, NotFound, SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils._reference import Reference
from ansible_collections.seahub.offline.plugins.module_utils._registry import Registries, Repository
from ansible_collections.seahub.offline.plugins.module_utils._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils._tree import Tree

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

        def show(progress: _progress.Progress) -> None:
            report(dataclasses.replace(progress, phase="repairing"))

        jobs = [
            Job(Descriptor(_UNKNOWN_TYPE, digest, self._sizes[digest]), self._sources(digest)) for digest in digests
        ]
        return Downloader(tree, self._retry, self._parallel, show).run(jobs)

    def _note(self, entry: Entry, reference: Reference) -> None:
        repository = Reference(reference.host, reference.path)
        for digest, size in entry.blobs.items():
            self._sizes[digest] = size
            self._places.setdefault(digest, {})[repository] = None

    def _sources(self, digest: str) -> list[_Content]:
        return [_Content(self._registries.repository(reference)) for reference in self._places[digest]]


class _Content:
    """A repository in which manifests are found like blobs: who has lost one does not know which it was."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository

    def open_blob(self, blob: Descriptor, offset: int) -> Stream:
        """Return a stream that begins at the offset, or at 0."""
        try:
            return self._repository.open_blob(blob, offset)
        except NotFound:
            if blob.size > _manifest.SIZE_LIMIT:
                raise
        return _Held(self._repository.manifest(blob.digest).raw)

    def alone(self) -> list[_Content]:
        """Return the repository at each of its endpoints alone."""
        return [_Content(repository) for repository in self._repository.alone()]


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

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading manifests and configurations: from a tree, or from their source into the tree."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import threading
from typing import Protocol

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import DigestMismatch, NotInTree
from ansible_collections.seahub.offline.plugins.module_utils.oci import _manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree


class ManifestSource(Protocol):
    """Where manifests and small blobs can be had."""

    def manifest(self, version: str) -> Manifest:
        """Return the manifest to which a tag or a digest leads."""

    def read_blob(self, blob: Descriptor, limit: int) -> bytes:
        """Return a small blob."""


class Stored:
    """Reads manifests and configurations of a tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def manifest(self, digest: str) -> Manifest:
        return _manifest.parse(self._tree.read_blob(digest), algorithm_of=digest)

    def config(self, descriptor: Descriptor) -> bytes:
        return self._tree.read_blob(descriptor.digest)


class Turns:
    """Gives each digest a lock, so that of several threads that want it one fetches it and the others find it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self.received = 0
        """Bytes of configurations that were fetched."""

    def count(self, received: int) -> None:
        with self._lock:
            self.received += received

    def __getitem__(self, digest: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(digest, threading.Lock())


class Fetching:
    """Reads them of a tree, and fetches into the tree what it lacks: nothing is fetched twice, not by a later run."""

    def __init__(self, tree: Tree, source: ManifestSource, turns: Turns) -> None:
        self._tree = tree
        self._source = source
        self._turns = turns

    def manifest(self, digest: str) -> Manifest:
        with self._turns[digest]:
            data = self._stored(digest)
            if data is not None:
                return _manifest.parse(data, algorithm_of=digest)
            manifest = self._source.manifest(digest)
            self._tree.put_blob(digest, manifest.raw)
            return manifest

    def config(self, descriptor: Descriptor) -> bytes:
        with self._turns[descriptor.digest]:
            data = self._stored(descriptor.digest)
            if data is None:
                data = self._source.read_blob(descriptor, _manifest.SIZE_LIMIT)
                self._tree.put_blob(descriptor.digest, data)
                self._turns.count(len(data))
            return data

    def _stored(self, digest: str) -> bytes | None:
        try:
            return self._tree.read_blob(digest)
        except NotInTree:
            return None
        except DigestMismatch:
            self._tree.remove_blob(digest)
            return None

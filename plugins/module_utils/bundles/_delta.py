# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Deltas: of what a tree holds, what other trees lack.

For several trees a delta holds what any of them lacks, so that one bundle serves them all.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import os
from typing import Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock, _receipt
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._presumption import Presumption
from ansible_collections.seahub.offline.plugins.module_utils.trees._receipt import Receipt


def read_target(path: str) -> Receipt:
    """Read what a tree holds already.

    :param path: of a receipt; of the lock of an earlier tree; or of a tree or a bundle that it was filled from.
    :raises InvalidReceipt: if a receipt is damaged.
    :raises InvalidLock: if a lock is.
    :raises TreeError: if it is none of these.
    """
    begin = _beginning(path)
    if begin.startswith(_receipt.MAGIC):
        return _receipt.read(path)
    if begin.startswith(b"{"):
        with open(path, "rb") as file:
            return _receipt.of_lock(_lock.load(file.read(), path))
    source = open_source(path)
    return of_source(source, os.path.basename(os.path.abspath(path)) if source.kind == "bundle" else "")


def of_source(source: Source, label: str = "") -> Receipt:
    """Return what a tree holds; of a bundle, what a tree holds that has taken it in."""
    if source.presumption is not None:
        return _receipt.of_lock(source.lock, label)
    return _receipt.of(source.lock, source.inventory, label)


def subtract(source: Source, targets: Sequence[Receipt]) -> Source:
    """Return of a source what any of some trees lacks; there is at least one.

    References that all of them have wholly are not in it at all. Of the others it has the blobs and links that are
    lacking somewhere.
    """
    held = _receipt.common(targets)
    lock = Lock(tuple(entry for entry in source.lock.references if not _has(held, entry)))
    wanted = source.with_lock(lock).inventory
    rest = Inventory(
        blobs={digest: size for digest, size in wanted.blobs.items() if held.blobs.get(digest) != size},
        layers=wanted.layers - held.links,
        manifests=wanted.manifests - held.links,
        tags=wanted.tags,
    )
    presumption = Presumption(
        since=tuple(sorted({(target.label, target.fingerprint) for target in targets})),
        blobs={digest: size for digest, size in wanted.blobs.items() if digest not in rest.blobs},
        tags={
            name: tuple(sorted(before))
            for name, digest in wanted.tags.items()
            for before in ({target.tags[name] for target in targets if name in target.tags} - {digest},)
            if before
        },
    )
    return source.presuming(presumption, lock, rest)


def _has(held: Receipt, entry: Entry) -> bool:
    wanted = _receipt.of_lock(Lock((entry,)))
    return (
        wanted.blobs.items() <= held.blobs.items()
        and wanted.links <= held.links
        and wanted.tags.items() <= held.tags.items()
    )


def _beginning(path: str) -> bytes:
    if not os.path.isfile(path):
        return b""
    with open(path, "rb") as file:
        return file.read(len(_receipt.MAGIC))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bundle put into a tree on the same host, which a registry may be serving.

All that can be told from the names and the small files in a bundle is told before anything is written. Then each byte
that the tree lacks is read once, in the order of the bundle, and hashed on its way into its place.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    NameCollision,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _sync
from ansible_collections.seahub.offline.plugins.module_utils.transfer._sync import Piece, Plan, Target
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import TagName
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

ERROR, REPLACE, KEEP = "error", "replace", "keep"
CONFLICT = (ERROR, REPLACE, KEEP)
"""What becomes of a tag that points elsewhere in the tree: nothing is done, the bundle wins, or the tree wins."""

_WAIT_FOR_WRITER = 30
_SHOWN = 20


@dataclass(frozen=True)
class Unpacked:
    """What was done, or would be.

    - plan: what the tree lacked.
    - kept: tags of the bundle that were not taken over, with the digest that they have in the tree.
    """

    plan: Plan
    kept: Mapping[TagName, str]


def unpack(source: Source, tree: Tree, conflict: str, progress: Callback, dry_run: bool = False) -> Unpacked:
    """Put all that a source holds into a tree, which need not exist yet; what is there stays.

    A blob that was half-finished goes on where it stopped. Tags come last, after the disk has all that they need.

    :param conflict: one of `CONFLICT`.
    :param dry_run: only tell what would be done; nothing is hashed but manifests.
    :raises NameCollision: if a tag points elsewhere in the tree, and it is not said which wins. Nothing is written.
    :raises TreeError: if the source is not complete or there is no room; nothing is written. If the tree cannot be
        written; what was whole before that remains in it, without a tag.
    :raises InvalidArchive: if a part of the bundle is damaged; nothing is written.
    :raises DigestMismatch: if a blob has other bytes than its digest; as before.
    """
    unpacked = _plan(source, tree, conflict)
    if dry_run or not unpacked.plan.changed:
        return unpacked
    source.verify_parts(progress)
    with tree.exclusive(wait=_WAIT_FOR_WRITER):
        # Planned anew: whoever has written the tree until now may have changed it.
        unpacked = _plan(source, tree, conflict)
        _write(source, tree, unpacked.plan, progress)
    return unpacked


def _plan(source: Source, tree: Tree, conflict: str) -> Unpacked:
    target = _sync.describe(tree, _existing(tree.root))
    _sync.require_fit(source, target.inventory)
    differing = {
        name: target.inventory.tags[name]
        for name, digest in source.inventory.tags.items()
        if target.inventory.tags.get(name, digest) != digest
    }
    unforeseen = {name: digest for name, digest in differing.items() if digest not in _foreseen(source, name)}
    if unforeseen and conflict == ERROR:
        raise NameCollision(_collision(source, tree, unforeseen))
    wanted = [entry for entry in source.lock.references if conflict != KEEP or not differing.keys() & _tags(entry)]
    plan = _sync.compare(source.with_lock(_sync.united(wanted, target.lock)), target)
    _require_room(plan, target)
    return Unpacked(plan, differing if conflict == KEEP else {})


def _foreseen(source: Source, name: TagName) -> Sequence[str]:
    """Return where a tag may point that a delta was packed to move."""
    return source.presumption.tags.get(name, ()) if source.presumption is not None else ()


def _existing(path: str) -> str:
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _collision(source: Source, tree: Tree, differing: Mapping[TagName, str]) -> str:
    shown = [
        f"{repository}:{tag} is {digest} in the tree and {source.inventory.tags[repository, tag]} in the {source.kind}"
        for (repository, tag), digest in sorted(differing.items())
    ]
    more = f" (and {len(shown) - _SHOWN} more)" if len(shown) > _SHOWN else ""
    return (
        f"{source.path} and {tree.root} differ on tags, nothing was written: {'; '.join(shown[:_SHOWN])}{more}."
        f" Say with conflict which wins: {REPLACE} for the {source.kind}, {KEEP} for the tree"
    )


def _tags(entry: Entry) -> set[tuple[str, str | None]]:
    return {(name, entry.tag) for name in (entry.name, *entry.aliases)}


def _require_room(plan: Plan, target: Target) -> None:
    if plan.changed:
        _sync.require_room(plan, target, portion=0)


def _write(source: Source, tree: Tree, plan: Plan, progress: Callback) -> None:
    done = 0
    for number, piece in enumerate(plan.blobs):
        for count in _copy(source, tree, piece):
            done += count
            progress(Progress("unpacking", done, plan.size, number, len(plan.blobs), "blobs"))
    progress(Progress("linking", plan.size, plan.size, len(plan.blobs), len(plan.blobs), "blobs"))
    for repository, digest in sorted(plan.links.layers):
        tree.link_layer(repository, digest)
    for repository, digest in sorted(plan.links.manifests):
        tree.link_manifest(repository, digest)
    tree.sync()
    for (repository, tag), digest in sorted(plan.links.tags.items()):
        tree.set_tag(repository, tag, digest)
    if plan.lock is not None:
        _lock.write(tree, plan.lock)


def _copy(source: Source, tree: Tree, piece: Piece) -> Iterator[int]:
    """Bring a blob into the tree; yield how many bytes each step has written."""
    with tree.blob_writer(piece.digest, piece.size) as writer, source.open_blob(piece.digest, writer.offset) as file:
        while writer.offset < piece.size:
            data = file.read(min(_digest.CHUNK, piece.size - writer.offset))
            if not data:
                raise TreeError(f"{source.path} ends in the middle of the blob {piece.digest}: copy it again")
            writer.write(data)
            yield len(data)
        try:
            writer.commit()
        except DigestMismatch as error:
            raise DigestMismatch(f"{source.path} is damaged, no tag was set: {error}; copy or pack it again") from error

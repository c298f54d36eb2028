# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a tree holds, without the bytes: what can be compared, selected and sent ahead.

The same for a folder, a bundle and the tree on another host.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import base64
import dataclasses
import json
import zlib
from typing import Any, Iterable, Tuple

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

Link = Tuple[str, str]
"""A repository and the digest of what it has."""
TagName = Tuple[str, str]
"""A repository and a tag in it."""


@dataclasses.dataclass(frozen=True)
class Inventory:
    """The blobs, links and tags of a tree.

    - blobs: digest and size in bytes.
    - partials: digest and present size of half-finished blobs.
    - layers, manifests: which repository has which digest.
    - tags: where each tag of each repository points.
    """

    blobs: dict[str, int] = dataclasses.field(default_factory=dict)
    partials: dict[str, int] = dataclasses.field(default_factory=dict)
    layers: frozenset[Link] = frozenset()
    manifests: frozenset[Link] = frozenset()
    tags: dict[TagName, str] = dataclasses.field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all blobs."""
        return sum(self.blobs.values())

    def fingerprint(self) -> str:
        """Return a digest over everything but the partial blobs: equal for equal trees."""
        return _digest.hash_bytes(json.dumps(dict(self._plain(), partials=[])).encode())

    def dump(self) -> str:
        """Return it as a short text for `load`: about 45 bytes for a blob."""
        document = self._plain()
        # A digest costs 64 random characters wherever it stands: write each once, refer to it by its number.
        digests = sorted(
            {item[-1] for part in ("layers", "manifests", "tags") for item in document[part]}.union(
                self.blobs, self.partials
            )
        )
        numbers = {digest: number for number, digest in enumerate(digests)}
        document["digests"] = digests
        for part in ("blobs", "partials"):
            document[part] = [[numbers[digest], size] for digest, size in document[part]]
        for part in ("layers", "manifests", "tags"):
            document[part] = [[*item[:-1], numbers[item[-1]]] for item in document[part]]
        return shrink(json.dumps(document, separators=(",", ":")).encode())

    def _plain(self) -> dict[str, Any]:
        return {
            "blobs": sorted(self.blobs.items()),
            "partials": sorted(self.partials.items()),
            "layers": sorted(self.layers),
            "manifests": sorted(self.manifests),
            "tags": sorted((*name, digest) for name, digest in self.tags.items()),
        }


EMPTY = Inventory()
"""What a tree holds that does not exist yet."""


def load(text: str) -> Inventory:
    """Read what `Inventory.dump` wrote.

    :raises TreeError: if it is something else.
    """
    try:
        document = json.loads(unshrink(text))
        digests = document["digests"]
        return Inventory(
            blobs={digests[number]: size for number, size in document["blobs"]},
            partials={digests[number]: size for number, size in document["partials"]},
            layers=frozenset((repository, digests[number]) for repository, number in document["layers"]),
            manifests=frozenset((repository, digests[number]) for repository, number in document["manifests"]),
            tags={(repository, tag): digests[number] for repository, tag, number in document["tags"]},
        )
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise TreeError(f"the host's list of what it holds cannot be read: {error}") from error


def shrink(data: bytes) -> str:
    """Compress bytes into text."""
    return base64.b64encode(zlib.compress(data)).decode()


def unshrink(text: str) -> bytes:
    """Return the bytes that `shrink` compressed.

    :raises TreeError: if it is something else.
    """
    try:
        return zlib.decompress(base64.b64decode(text))
    except (ValueError, zlib.error) as error:
        raise TreeError(f"the host's answer cannot be read: {error}") from error


def scan(tree: Tree) -> Inventory:
    """Return what a folder holds; nothing is read but names, sizes and links."""
    repositories = list(tree.repositories())
    return Inventory(
        blobs=dict(tree.blobs()),
        partials=dict(tree.partials()),
        layers=frozenset((name, digest) for name in repositories for digest in tree.layers(name)),
        manifests=frozenset((name, digest) for name in repositories for digest in tree.manifests(name)),
        tags={
            (name, tag): digest
            for name in repositories
            for tag in tree.tags(name)
            for digest in (tree.tag(name, tag),)
            if digest is not None
        },
    )


def select(inventory: Inventory, lock: Lock) -> Inventory:
    """Return the part of an inventory that the references of a lock need.

    The rest of a tree is what earlier versions of its references left behind: nobody asks for it any more.
    """
    needed = {digest for entry in lock.references for digest in entry.blobs}
    links = {(name, digest) for entry in lock.references for name in _names(entry) for digest in entry.blobs}
    tags = {(name, entry.tag) for entry in lock.references for name in _names(entry)}
    return Inventory(
        blobs={digest: size for digest, size in inventory.blobs.items() if digest in needed},
        layers=inventory.layers & links,
        manifests=inventory.manifests & links,
        tags={name: digest for name, digest in inventory.tags.items() if name in tags},
    )


def united(one: Inventory, other: Inventory) -> Inventory:
    """Return what two trees hold together; where they differ, what the other one has."""
    return Inventory(
        blobs={**one.blobs, **other.blobs},
        partials={**one.partials, **other.partials},
        layers=one.layers | other.layers,
        manifests=one.manifests | other.manifests,
        tags={**one.tags, **other.tags},
    )


def gaps(inventory: Inventory, lock: Lock) -> list[str]:
    """Return a sentence for each thing that a reference of the lock needs and the inventory lacks."""
    return [gap for entry in lock.references for gap in _gaps(inventory, entry)]


def _gaps(inventory: Inventory, entry: Entry) -> Iterable[str]:
    shown = ":".join(filter(None, (entry.name, entry.tag))) if entry.tag else f"{entry.name}@{entry.digest}"
    for digest, size in sorted(entry.blobs.items()):
        found = inventory.blobs.get(digest)
        if found is None:
            yield f"{shown} needs the blob {digest}, which is missing"
        elif found != size:
            yield f"{shown} needs the blob {digest} of {size} bytes, but it has {found}"
    for name in _names(entry):
        for digest in sorted(entry.blobs):
            if (name, digest) not in inventory.layers and (name, digest) not in inventory.manifests:
                yield f"{shown} needs a link to {digest} in the repository {name}, which is missing"
        if (name, entry.digest) not in inventory.manifests:
            yield f"{shown} needs the manifest {entry.digest} in the repository {name}, which is missing"
        if entry.tag is not None and inventory.tags.get((name, entry.tag)) != entry.digest:
            yield f"{shown} needs the tag {entry.tag} in the repository {name} to be {entry.digest}"


def _names(entry: Entry) -> tuple[str, ...]:
    return (entry.name, *entry.aliases)

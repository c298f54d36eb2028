# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lock: the bill of materials of a tree, one JSON file at its top.

It says of every reference what was asked for, where it came from, and exactly what it led to. The same tree has the
same lock, byte for byte: it holds no times and no order of events.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import functools
import json
import os
from typing import Any, Iterable

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    InvalidDigest,
    InvalidLock,
    InvalidPlatform,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _platform, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

FILE = "seahub.lock.json"
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Chart:
    """What a Helm chart's own archive says, and the digests of the files that `helm pull` writes."""

    name: str
    version: str
    content: str
    provenance: str | None = None


@dataclasses.dataclass(frozen=True)
class Entry:
    """One reference in a tree.

    - requested: the reference as it was written by the user.
    - source: where it came from: a full reference, or the name of the file.
    - kind: `image`, `chart` or `artifact`.
    - name, tag: what it is called in the tree; without a tag it is known by its digest only.
    - aliases: further repositories in which it can be found.
    - digest, media_type: of the manifest or index that the name leads to.
    - platforms: those that are in the tree; empty for what has none.
    - size: bytes of all its blobs and manifests.
    - blobs: digest and size in bytes of each of them, manifests included.
    """

    requested: str
    source: str
    kind: str
    name: str
    tag: str | None
    digest: str
    media_type: str
    platforms: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    blobs: dict[str, int] = dataclasses.field(default_factory=dict)
    chart: Chart | None = None

    @property
    def size(self) -> int:
        """Bytes of all its blobs and manifests."""
        return sum(self.blobs.values())

    @property
    def key(self) -> tuple[str, str]:
        """What is unique in a tree: the name with the tag, or with the digest where there is no tag."""
        return self.name, self.tag or self.digest

    @property
    def shown(self) -> str:
        """How people write it: `name:tag`, or `name@digest` where there is no tag."""
        return f"{self.name}:{self.tag}" if self.tag else f"{self.name}@{self.digest}"

    def joined(self, other: Entry) -> Entry:
        """Return this entry with the platforms, names and blobs of another one for the same digest added."""
        return dataclasses.replace(
            self,
            platforms=tuple(dict.fromkeys(self.platforms + other.platforms)),
            aliases=tuple(dict.fromkeys(self.aliases + other.aliases)),
            blobs={**other.blobs, **self.blobs},
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, as it stands in the file."""
        fields = dataclasses.asdict(self)
        fields.update(platforms=list(self.platforms), aliases=list(self.aliases), size=self.size)
        fields["blobs"] = dict(sorted(self.blobs.items()))
        return fields


@dataclasses.dataclass(frozen=True)
class Lock:
    """All references of a tree, sorted by their names."""

    references: tuple[Entry, ...] = ()

    def find(self, name: str, version: str) -> Entry | None:
        """Return the entry with this name and this tag or digest."""
        return self._by_key.get((name, version))

    @functools.cached_property
    def _by_key(self) -> dict[tuple[str, str], Entry]:
        return {entry.key: entry for entry in self.references}

    def with_entries(self, entries: Iterable[Entry]) -> Lock:
        """Return a lock in which these entries replace those of the same name and tag."""
        merged = {entry.key: entry for entry in self.references}
        merged.update((entry.key, entry) for entry in entries)
        return Lock(tuple(merged[key] for key in sorted(merged)))

    def dump(self) -> bytes:
        """Return the content of the file."""
        document = {"seahub_lock": FORMAT, "references": [entry.as_dict() for entry in self.references]}
        return json.dumps(document, indent=1, sort_keys=True).encode() + b"\n"


def load(data: bytes, where: str = FILE) -> Lock:
    """Read the content of a lock file.

    :param where: what to call it in an error.
    :raises InvalidLock: if it is none, or one of a later format.
    """
    try:
        document = json.loads(data)
        found = document["seahub_lock"]
        if found != FORMAT:
            raise InvalidLock(
                f"{where} has format {shorten(found)}; this version of the collection reads {FORMAT}: use a newer one"
            )
        return Lock().with_entries(_entry(fields) for fields in document["references"])
    except KeyError as error:
        raise InvalidLock(f"{where} is no lock of this collection, or is damaged: it has no {error}") from error
    except (ValueError, TypeError, AttributeError, RecursionError, InvalidDigest, InvalidPlatform) as error:
        raise InvalidLock(f"{where} is no lock of this collection, or is damaged: {error}") from error


def read(tree: Tree) -> Lock:
    """Return the lock of a tree; an empty one if it has none yet.

    :raises InvalidLock: if it has one that cannot be read.
    """
    path = os.path.join(tree.root, FILE)
    try:
        with open(path, "rb") as file:
            return load(file.read(), path)
    except FileNotFoundError:
        return Lock()


def write(tree: Tree, lock: Lock) -> bool:
    """Write the lock of a tree, unless it says the same already.

    :returns: whether it was written.
    """
    data = lock.dump()
    try:
        with open(os.path.join(tree.root, FILE), "rb") as file:
            if file.read() == data:
                return False
    except FileNotFoundError:
        pass
    tree.write_file(FILE, data)
    return True


def _entry(fields: dict[str, Any]) -> Entry:
    """Read an entry. Its names lead to files, and were perhaps carried on a medium that others could write."""
    return Entry(
        requested=_text(fields["requested"]),
        source=_text(fields["source"]),
        kind=_text(fields["kind"]),
        name=_repository(fields["name"]),
        tag=None if fields["tag"] is None else _tag(fields["tag"]),
        digest=_checked_digest(fields["digest"]),
        media_type=_text(fields["media_type"]),
        platforms=tuple(str(_platform.parse(_text(item))) for item in fields["platforms"]),
        aliases=tuple(_repository(item) for item in fields["aliases"]),
        blobs={_checked_digest(digest): _size(size) for digest, size in fields["blobs"].items()},
        chart=_chart(fields["chart"]) if fields.get("chart") is not None else None,
    )


def _chart(fields: dict[str, Any]) -> Chart:
    provenance = fields["provenance"]
    return Chart(
        name=_text(fields["name"]),
        version=_text(fields["version"]),
        content=_checked_digest(fields["content"]),
        provenance=None if provenance is None else _checked_digest(provenance),
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{shorten(value)} is no text")
    return value


def _checked_digest(value: Any) -> str:
    _digest.split(value)
    return _text(value)


def _repository(value: Any) -> str:
    if not _reference.is_repository(_text(value)):
        raise ValueError(f"{shorten(value)} is no repository path")
    return _text(value)


def _tag(value: Any) -> str:
    if not _reference.is_tag(_text(value)):
        raise ValueError(f"{shorten(value)} is no tag")
    return _text(value)


def _size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{shorten(value)} is no size")
    return value

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the references of a lock are and take: how much of it each has alone, as numbers and as a table for people."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import collections
import dataclasses
from typing import Sequence

from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock

KINDS = ("image", "chart", "artifact")
_HEADS = ("reference", "kind", "platforms", "size", "own")
_RIGHT = ("size", "own")


@dataclasses.dataclass(frozen=True)
class Item:
    """A reference, and how many bytes of it no other reference needs."""

    entry: Entry
    own: int

    @property
    def shared(self) -> int:
        """Bytes that other references need, too."""
        return self.entry.size - self.own


@dataclasses.dataclass(frozen=True)
class Contents:
    """All references of a lock, in its order."""

    items: tuple[Item, ...]

    @property
    def kinds(self) -> dict[str, int]:
        """How many there are of each kind."""
        counts = collections.Counter(item.entry.kind for item in self.items)
        return {kind: counts[kind] for kind in dict.fromkeys([*KINDS, *counts])}

    @property
    def platforms(self) -> tuple[str, ...]:
        """All platforms of all images, sorted."""
        return tuple(sorted({platform for item in self.items for platform in item.entry.platforms}))

    @property
    def shared(self) -> int:
        """Bytes that several references need, each blob counted once."""
        blobs = {digest: size for item in self.items for digest, size in item.entry.blobs.items()}
        return sum(blobs.values()) - sum(item.own for item in self.items)

    def table(self) -> list[str]:
        """Return a table: a line of heads and one for each reference."""
        rows = [_HEADS, *(_row(item) for item in self.items)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADS))]
        return [_line(row, widths) for row in rows]


def describe(lock: Lock) -> Contents:
    """Return what a lock says that there is."""
    users = collections.Counter(digest for entry in lock.references for digest in entry.blobs)
    return Contents(tuple(Item(entry, _own(entry, users)) for entry in lock.references))


def human(size: int) -> str:
    """Return a number of bytes as people read it."""
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.1f} {unit}" if unit != "B" else f"{size} B"
        value /= 1024
    return f"{value:.1f} TiB"


def _own(entry: Entry, users: collections.Counter[str]) -> int:
    return sum(size for digest, size in entry.blobs.items() if users[digest] == 1)


def _row(item: Item) -> tuple[str, ...]:
    entry = item.entry
    return entry.shown, entry.kind, ",".join(entry.platforms) or "-", human(entry.size), human(item.own)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        text.rjust(width) if head in _RIGHT else text.ljust(width) for head, text, width in zip(_HEADS, row, widths)
    )
    return "  ".join(cells).rstrip()

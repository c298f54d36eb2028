# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names in a tree: no two different artifacts may get the same."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

from typing import Iterable, Protocol

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NameCollision
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock


class Named(Protocol):
    """What is to get names: its repositories and its tag in the tree, and where it comes from."""

    @property
    def names(self) -> tuple[str, ...]:
        """All repositories."""

    @property
    def tag(self) -> str | None:
        """The tag, if it gets one."""

    @property
    def source_name(self) -> str:
        """A full reference, or the name of a file."""


def check(digests: Iterable[tuple[Named, str]], lock: Lock) -> None:
    """Make sure that no two different artifacts get the same name.

    :raises NameCollision: naming all that would.
    """
    locked = {
        (name, entry.tag): (entry.source, entry.digest)
        for entry in lock.references
        for name in (entry.name, *entry.aliases)
    }
    claimed: dict[tuple[str, str | None], tuple[str, str]] = {}
    problems = []
    for wish, digest in digests:
        for key in [(name, wish.tag) for name in wish.names if wish.tag is not None]:
            claim = (wish.source_name, digest)
            rivals = [claimed.setdefault(key, claim)]
            # What is in the tree already may move with its own source, but not be taken over by another one.
            if key in locked and not _same_repository(locked[key][0], wish.source_name):
                rivals.append(locked[key])
            problems += [
                f"{source} ({other}) and {wish.source_name} ({digest}) would both be {key[0]}:{key[1]}"
                for source, other in rivals
                if other != digest
            ]
    if problems:
        raise NameCollision(
            "; ".join(problems)
            + ". Give one of them another name with 'as', or keep the hosts with 'naming: keep_host'"
        )


def _same_repository(one: str, other: str) -> bool:
    return repository_of(one) == repository_of(other)


def repository_of(source: str) -> str:
    """Return a reference without its tag and digest."""
    name = source.partition("@")[0]
    colon = name.find(":", name.rfind("/") + 1)
    return name[:colon] if colon >= 0 else name

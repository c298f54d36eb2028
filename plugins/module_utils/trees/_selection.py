# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which references of a tree are meant: by what people write, by patterns, and by a lock."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import fnmatch
import re
from typing import Callable, Iterable, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReference, NotInTree
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock

# The tags of cosign and of referrers say what they belong to.
_COMPANION = re.compile(r"(sha256|sha384|sha512)-([0-9a-f]+)(?:\..+)?")
_WILDCARDS = re.compile(r"[*?\[]")


def subject(tag: str) -> str | None:
    """Return the digest to which the tag of a signature, an attestation or a list of referrers belongs."""
    match = _COMPANION.fullmatch(tag)
    return ":".join(match.groups()) if match else None


def choose(lock: Lock, texts: Sequence[str]) -> list[Entry]:
    """Return the entries of a lock that are meant, with their signatures and other companions; no texts mean all.

    :raises NotInTree: naming each text that means nothing.
    """
    if not texts:
        return list(lock.references)
    selection = Selection(texts)
    chosen = {entry.key for entry in lock.references if selection.has_entry(entry)}
    selection.require_used()
    while True:
        held = {(entry.name, digest) for entry in lock.references if entry.key in chosen for digest in entry.blobs}
        more = {entry.key for entry in lock.references if (entry.name, subject(entry.tag or "")) in held}
        if more <= chosen:
            return [entry for entry in lock.references if entry.key in chosen]
        chosen |= more


class Selection:
    """A list of names and patterns, and perhaps a lock.

    A name is a reference as it was asked for, as it is called in the tree (`name:tag`, `name@digest`), or where it came
    from. A pattern is a shell pattern for any of these, in which `*` goes beyond slashes.
    """

    def __init__(self, texts: Sequence[str], lock: Lock | None = None) -> None:
        self._texts = {text: _matcher(text) for text in texts}
        self._unused = set(self._texts)
        self._lock = lock or Lock()

    def has_entry(self, entry: Entry) -> bool:
        """Tell whether an entry of a tree's lock is meant."""
        names = (entry.name, *entry.aliases)
        version = f":{entry.tag}" if entry.tag else f"@{entry.digest}"
        called = [f"{name}{version}" for name in names] + [f"{name}@{entry.digest}" for name in names]
        # Both are asked, so that no name counts as unused that a lock happens to have, too.
        named = self._has([entry.requested, entry.source, *called])
        return self._lock.find(*entry.key) is not None or named

    def has_tag(self, repository: str, tag: str) -> bool:
        """Tell whether a tag is meant that the tree's lock does not know."""
        return self._has([f"{repository}:{tag}"])

    def require_used(self) -> None:
        """Make sure that each text meant something.

        :raises NotInTree: naming those that did not.
        """
        if self._unused:
            raise NotInTree(
                f"nothing in the tree is called {', '.join(sorted(self._unused))}: correct it, or leave it out"
            )

    def _has(self, names: Iterable[str]) -> bool:
        known = set(names)
        found = {text for text, matches in self._texts.items() if any(matches(name) for name in known)}
        self._unused -= found
        return bool(found)


def _matcher(text: str) -> Callable[[str], bool]:
    if _WILDCARDS.search(text):
        pattern = re.compile(fnmatch.translate(text))
        return lambda name: pattern.match(name) is not None
    written = {text, *_full(text)}
    return lambda name: name in written


def _full(text: str) -> tuple[str, ...]:
    """Return a reference written in full, as the lock has it for where something came from."""
    try:
        return (str(_reference.parse(text)),)
    except InvalidReference:
        return ()

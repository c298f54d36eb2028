# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A part of what a tree or a bundle holds: the references that are meant, with what belongs to them."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotInTree, SeahubError, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.trees import _selection
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._selection import Selection


def excerpt(source: Source, selection: Selection) -> Source:
    """Return what is selected of a source, with its signatures, attestations and other referrers.

    :raises NotInTree: if the selection names what is not there.
    :raises TreeError: if the manifest of a reference is damaged, so that nobody can say whether it belongs to another.
    """
    chosen = [entry for entry in source.lock.references if selection.has_entry(entry)]
    selection.require_used()
    others = [(entry, _subject(source, entry)) for entry in source.lock.references if entry not in chosen]
    while True:
        held = {(entry.name, digest) for entry in chosen for digest in entry.blobs}
        companions = [entry for entry, subject in others if (entry.name, subject) in held]
        if not companions:
            return source.with_lock(Lock().with_entries(chosen))
        chosen += companions
        others = [(entry, subject) for entry, subject in others if entry not in companions]


def _subject(source: Source, entry: Entry) -> str | None:
    """Return the digest of the manifest to which an entry belongs, if it belongs to one."""
    by_tag = _selection.subject(entry.tag or "")
    if by_tag:
        return by_tag
    try:
        subject = source.manifest(entry.digest).subject
    except NotInTree:
        return None
    except SeahubError as error:
        raise TreeError(f"{entry.shown} in {source.path} is damaged: {error}; save or send it again") from error
    return subject.digest if subject else None

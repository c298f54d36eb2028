# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What files of passwords were before a login was written into them, so that they can be given back.

There is one record for each file and registry. It holds what the file held before, and of what was written only the
digest: a password is not kept a second time. Of a file into which logins for several registries went, the last one has
to be given back first for the file to be byte for byte what it was.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os

from ansible_collections.seahub.offline.plugins.module_utils import _host_file
from ansible_collections.seahub.offline.plugins.module_utils._logins import LoginError

# Beside the records of other files that are given back: see _configuration.
FOLDER = "/var/lib/seahub-client/logins"


@dataclasses.dataclass(frozen=True)
class Record:
    """What was done to one file for one registry.

    - before: what the file held, without a login of ours; nothing if it was not there.
    - after: the SHA-256 digest of what was written.
    - is_new: whether there was no file at first.
    - folders: those above it that were made for it, the deepest first.
    """

    before: str = dataclasses.field(repr=False)
    after: str
    is_new: bool
    folders: tuple[str, ...]

    def is_of(self, text: str) -> bool:
        """Tell whether a file still holds what was written."""
        return self.after == _digest(text)


def find(path: str, registry: str) -> Record | None:
    """Return what was done to a file for a registry, or None if nothing was.

    :raises LoginError: if the record cannot be read.
    """
    place = _place(path, registry)
    try:
        text = _host_file.read(place)
        fields = None if text is None else json.loads(text)
        if fields is None:
            return None
        return Record(fields["before"], fields["after"], fields["is_new"], tuple(fields["folders"]))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LoginError(
            f"{place}, the record of what {path} was before, cannot be read: {type(error).__name__}. Remove it, and "
            f"check by hand what {path} holds for {registry}"
        ) from None


def keep(path: str, registry: str, before: str, after: str) -> None:
    """Write down what a file held, before a login is written into it.

    :raises LoginError: if that cannot be done.
    """
    earlier = find(path, registry)
    fields = {
        "path": path,
        "registry": registry,
        "before": before,
        "after": _digest(after),
        "is_new": earlier.is_new if earlier is not None else not before,
        "folders": list(earlier.folders) if earlier is not None else _missing_folders(path),
    }
    try:
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        _host_file.write(_place(path, registry), (json.dumps(fields, indent=1) + "\n").encode(), 0o600)
    except OSError as error:
        raise LoginError(f"what {path} was before cannot be kept in {FOLDER}: {error}") from error


def forget(path: str, registry: str) -> None:
    """Remove a record, and the folders that were made for the file, as far as they are empty."""
    record = find(path, registry)
    if record is None:
        return
    os.unlink(_place(path, registry))
    for folder in (*record.folders, FOLDER, os.path.dirname(FOLDER)):
        # Somebody else may have put something there in the meantime.
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def _place(path: str, registry: str) -> str:
    return os.path.join(FOLDER, _digest(f"{registry} {path}") + ".json")


def _missing_folders(path: str) -> list[str]:
    found = []
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        found.append(folder)
        folder = os.path.dirname(folder)
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

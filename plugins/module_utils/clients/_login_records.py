# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What files of passwords were before a login was written into them, so that they can be given back.

There is one record for each file. It holds what the file held before the first login, for which registries there are
logins in it now, and of what was written last only the digest: a password is not kept a second time. Records are
numbered: a folder that was made for one file, and has another one in it, goes with the last of them.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import re

from ansible_collections.seahub.offline.plugins.module_utils.clients._logins import LoginError
from ansible_collections.seahub.offline.plugins.module_utils.common import _host_file
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

# Beside the records of other files that are given back: see _configuration.
FOLDER = "/var/lib/seahub-client"


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclasses.dataclass(frozen=True)
class Record:
    """What was done to one file.

    - registries: those for which there is a login of ours in it.
    - before: what the file held, without a login of ours; nothing if it was not there.
    - after: the SHA-256 digest of what was written last.
    - is_new: whether there was no file at first.
    - folders: those above it that were made for it, the deepest first.
    """

    path: str
    number: int
    registries: tuple[str, ...]
    before: str = dataclasses.field(repr=False)
    after: str
    is_new: bool
    folders: tuple[str, ...]

    def is_of(self, text: str) -> bool:
        """Tell whether a file still holds what was written."""
        return self.after == _digest(text)


class Records:
    """The records of one owner, in whose name logins are written and given back."""

    def __init__(self, owner: str) -> None:
        """:raises LoginError: if the owner's name cannot be that of a folder."""
        if _NAME.fullmatch(owner) is None:
            raise LoginError(f"{shorten(owner)} cannot be a name: use letters, digits, '.', '_' and '-'")
        self._folder = os.path.join(FOLDER, owner, "logins")

    def all(self) -> list[Record]:
        """Return all of them, the last one first.

        :raises LoginError: if one cannot be read.
        """
        try:
            names = [name for name in os.listdir(self._folder) if name.endswith(".json")]
        except FileNotFoundError:
            return []
        found = [self._read(os.path.join(self._folder, name)) for name in names]
        return sorted(found, key=lambda record: record.number, reverse=True)

    def find(self, path: str) -> Record | None:
        """Return what was done to a file, or None if nothing was.

        :raises LoginError: if a record cannot be read.
        """
        return next((record for record in self.all() if record.path == path), None)

    def keep(self, path: str, registry: str, before: str, after: str) -> None:
        """Write down what a file held, before a login is written into it.

        :raises LoginError: if that cannot be done.
        """
        earlier = self.find(path)
        others = earlier.registries if earlier else ()
        record = Record(
            path,
            earlier.number if earlier else max((other.number for other in self.all()), default=0) + 1,
            others if registry in others else (*others, registry),
            before,
            _digest(after),
            earlier.is_new if earlier else not before,
            earlier.folders if earlier else _missing_folders(path),
        )
        self._write(record)

    def leave(self, record: Record, registries: tuple[str, ...], text: str, after: str) -> None:
        """Write down that only the logins for these registries stay in a file.

        :param text: what it holds. Where somebody else has changed that, it is not ours afterwards, either.
        :raises LoginError: if that cannot be done.
        """
        digest = _digest(after) if record.is_of(text) else record.after
        self._write(dataclasses.replace(record, registries=registries, after=digest))

    def forget(self, record: Record) -> None:
        """Remove a record, and the folders that were made for the file, as far as they are empty."""
        os.unlink(self._place(record))
        own = (self._folder, os.path.dirname(self._folder), FOLDER)
        for folder in (*record.folders, *own):
            # Somebody else may have put something there in the meantime.
            with contextlib.suppress(OSError):
                os.rmdir(folder)

    def _place(self, record: Record) -> str:
        return os.path.join(self._folder, _digest(record.path) + ".json")

    def _write(self, record: Record) -> None:
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            text = json.dumps(dataclasses.asdict(record), indent=1) + "\n"
            _host_file.write(self._place(record), text.encode(), 0o600)
        except OSError as error:
            raise LoginError(f"what {record.path} was before cannot be kept in {self._folder}: {error}") from error

    def _read(self, place: str) -> Record:
        try:
            with open(place, encoding="utf-8") as file:
                fields = json.load(file)
            return Record(**{**fields, **{name: tuple(fields[name]) for name in ("registries", "folders")}})
        except (OSError, ValueError, TypeError, KeyError) as error:
            # The error's own words might be those of a password.
            raise LoginError(
                f"{place}, the record of a file of passwords, cannot be read: {type(error).__name__}. Remove it, and "
                "check by hand what the files of passwords hold"
            ) from None


def _missing_folders(path: str) -> tuple[str, ...]:
    found = []
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        found.append(folder)
        folder = os.path.dirname(folder)
    return tuple(found)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

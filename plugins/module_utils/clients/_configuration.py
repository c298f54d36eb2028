# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Configuration files of other programs, changed in a way that can be taken back.

Of each file that is changed, a record keeps what it was before and what was written. A file that nobody has changed
since is given back byte for byte. From one that somebody has edited since, only what was added here is taken out; how
that is done depends on the kind of the change:

- `WHOLE`: the file is all ours; what was there under its name before is put aside.
- `MARKED`: lines that were added carry a mark, lines that were in their way are commented out with one.
- `MIRRORS`: a JSON object, in which the list `registry-mirrors` has got further items.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import tempfile
import urllib.parse
from typing import Callable, Iterator

from ansible_collections.seahub.offline.plugins.module_utils.clients import _daemon_json
from ansible_collections.seahub.offline.plugins.module_utils.common import _marked_lines
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

WHOLE = "whole"
MARKED = "marked"
MIRRORS = "mirrors"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

RECORDS = "/var/lib/seahub-client"


class ConfigurationError(SeahubError):
    """A configuration file that cannot be read, changed or given back."""


@dataclasses.dataclass(frozen=True)
class Edit:
    """A change of one file.

    - change: makes the wanted text out of the text without any change of ours, which is None where there is no file.
    - check: raises an error if the program that reads the file would not do what is wanted; gets the path of a
      candidate beside the file.
    - mode: of a file that is made. One that is there keeps its owner and mode.
    """

    path: str
    kind: str
    change: Callable[[str | None], str]
    check: Callable[[str], None] | None = None
    mode: int = 0o644


@dataclasses.dataclass(frozen=True)
class Change:
    """A file that was, or would be, changed; None where there is no file."""

    path: str
    before: str | None
    after: str | None


@dataclasses.dataclass(frozen=True)
class _Record:
    """What was done to one file; `folders` are those above it that were made here, the deepest first."""

    path: str
    kind: str
    before: str | None
    after: str
    folders: tuple[str, ...]


class Configuration:
    """The files of one program.

    :param owner: for whom they are changed; its records lie in a folder of that name.
    :param program: the name of the program, for a folder within.
    :param root: the folder to work below, instead of the host's own root.
    """

    def __init__(self, owner: str, program: str, root: str = "/") -> None:
        """:raises ConfigurationError: if a name cannot be that of a folder."""
        if _NAME.fullmatch(owner) is None:
            raise ConfigurationError(f"{shorten(owner)} cannot be a name: use letters, digits, '.', '_' and '-'")
        self._root = root
        self._records = self._below(os.path.join(RECORDS, owner, program))

    def plan(self, edits: list[Edit]) -> list[Change]:
        """Return what has to be changed for the files to be as wanted, with what earlier edits no longer want."""
        wanted = {edit.path: edit for edit in edits}
        changes = [self._planned(edit) for edit in edits]
        changes += [self._restored(record) for path, record in sorted(self._all().items()) if path not in wanted]
        return [change for change in changes if change.before != change.after]

    def carry_out(self, edits: list[Edit], changes: list[Change]) -> Callable[[], None]:
        """Do what was planned. Every candidate is checked before the first file is changed.

        :returns: what takes it back again, for a program that does not take the files up.
        :raises ConfigurationError: if a file cannot be written.
        """
        wanted = {edit.path: edit for edit in edits}
        for change in changes:
            edit = wanted.get(change.path)
            if edit is not None and edit.check is not None and change.after is not None:
                with beside(self._below(edit.path), change.after) as candidate:
                    edit.check(candidate)
        records = [(change, self._record(change.path)) for change in changes]
        for change in changes:
            edit = wanted.get(change.path)
            if edit is not None and change.after is not None:
                self._put(edit, change)
            else:
                self._set(change.path, change.after)
        # Also of those that somebody else has removed, or brought back to what they were.
        for path in self._all():
            if path not in wanted:
                self._forget(path)
        return lambda: self._undo(records)

    def _undo(self, records: list[tuple[Change, _Record | None]]) -> None:
        for change, record in reversed(records):
            self._set(change.path, change.before)
            if record is None:
                self._forget(change.path)
            else:
                self._keep(record)

    @contextlib.contextmanager
    def for_a_moment(self, path: str, text: str) -> Iterator[None]:
        """Let a file hold another text, and then again what it holds."""
        before = self.read(path)
        _write(self._below(path), text, 0o644)
        try:
            yield
        finally:
            self._set(path, before)

    def read(self, path: str) -> str | None:
        """Return what a file holds, or None if there is none.

        :raises ConfigurationError: if it cannot be read.
        """
        try:
            with open(self._below(path), encoding="utf-8", newline="") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from error

    def _planned(self, edit: Edit) -> Change:
        current = self.read(edit.path)
        record = self._record(edit.path)
        return Change(edit.path, current, edit.change(_original(record, current) if record else current))

    def _restored(self, record: _Record) -> Change:
        current = self.read(record.path)
        return Change(record.path, current, _original(record, current))

    def _put(self, edit: Edit, change: Change) -> None:
        record = self._record(edit.path)
        before = _original(record, change.before) if record else change.before
        text = change.after or ""
        # The record comes first: a file that was changed without one could not be given back.
        self._keep(_Record(edit.path, edit.kind, before, text, self._own_folders(edit.path)))
        os.makedirs(os.path.dirname(self._below(edit.path)), mode=0o755, exist_ok=True)
        _write(self._below(edit.path), text, edit.mode)

    def _own_folders(self, path: str) -> tuple[str, ...]:
        """Return the folders above a file that are not there without us, the deepest first."""
        known = {folder for record in self._all().values() for folder in record.folders}
        found = []
        folder = os.path.dirname(path)
        while folder in known or not os.path.isdir(self._below(folder)):
            found.append(folder)
            folder = os.path.dirname(folder)
        return tuple(found)

    def _set(self, path: str, text: str | None) -> None:
        """Let a file hold a text again, or be gone together with the folders that were made for it."""
        if text is not None:
            _write(self._below(path), text, 0o644)
            return
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._below(path))
        record = self._record(path)
        for folder in record.folders if record else ():
            # Somebody else may have put something there in the meantime.
            with contextlib.suppress(OSError):
                os.rmdir(self._below(folder))

    def _record_path(self, path: str) -> str:
        return os.path.join(self._records, urllib.parse.quote(path, safe="") + ".json")

    def _record(self, path: str) -> _Record | None:
        return self._read_record(self._record_path(path))

    def _all(self) -> dict[str, _Record]:
        try:
            names = sorted(os.listdir(self._records))
        except FileNotFoundError:
            return {}
        records = [self._read_record(os.path.join(self._records, name)) for name in names if name.endswith(".json")]
        return {record.path: record for record in records if record is not None}

    def _read_record(self, path: str) -> _Record | None:
        try:
            with open(path, encoding="utf-8") as file:
                fields = json.load(file)
            return _Record(**{**fields, "folders": tuple(fields["folders"])})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise ConfigurationError(
                f"{path}, the record of a file that was changed, cannot be read: {error}. Remove it, "
                "and check by hand what the changed file holds"
            ) from error

    def _keep(self, record: _Record) -> None:
        # The files of others may hold passwords.
        os.makedirs(self._records, mode=0o700, exist_ok=True)
        text = json.dumps(dataclasses.asdict(record), indent=1, sort_keys=True) + "\n"
        _write(self._record_path(record.path), text, 0o600)

    def _forget(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._record_path(path))
        # Only what is empty goes.
        with contextlib.suppress(OSError):
            for folder in (".", "..", "../.."):
                os.rmdir(os.path.normpath(os.path.join(self._records, folder)))

    def _below(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))


@contextlib.contextmanager
def beside(path: str, text: str) -> Iterator[str]:
    """Give the name of a file with this text, in the folder of another file, or the nearest one that there is."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix=".seahub-", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        yield file.name


def _write(path: str, text: str, mode: int) -> None:
    # A file behind a link is replaced where it is.
    target = os.path.realpath(path)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(target), prefix=".seahub-")
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            found = os.stat(target)
            os.chown(temporary, found.st_uid, found.st_gid)
            mode = found.st_mode & 0o7777
        os.chmod(temporary, mode)
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            os.unlink(temporary)
        raise ConfigurationError(f"{path} cannot be written: {error}") from error


def _original(record: _Record, current: str | None) -> str | None:
    """Return the text without what was added here."""
    if current is None:
        return None
    if record.kind == WHOLE or current == record.after:
        return record.before
    rest = _STRIP[record.kind](current, record.before, record.after)
    return None if record.before is None and not rest.strip() else rest


def _without_marks(current: str, before: str | None, after: str) -> str:
    return _marked_lines.strip(current)


def _without_mirrors(current: str, before: str | None, after: str) -> str:
    ours = set(_daemon_json.mirrors(after)) - set(_daemon_json.mirrors(before or ""))
    rest = _daemon_json.without_mirrors(
        current, ours, keep_list=before is not None and _daemon_json.has_mirrors(before)
    )
    return "" if before is None and rest.strip() == "{}" else rest


_STRIP: dict[str, Callable[[str, str | None, str], str]] = {MARKED: _without_marks, MIRRORS: _without_mirrors}

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Single values in a TOML text, read and set line by line.

This is no parser of TOML, which Python's standard library has from 3.11 on only, and no writer, which it does not
have. It finds where statements begin and end, and leaves all of them as they are but the one that is set. Whoever sets
a value lets the program that reads the file say what it makes of it.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import json
import re
from typing import Iterator

from ansible_collections.seahub.offline.plugins.module_utils.common import _marked_lines
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_KEYS = rf"\s*{_KEY}(?:\s*\.\s*{_KEY})*\s*"
_TABLE = re.compile(rf"^\s*\[(\[?)({_KEYS})\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"^({_KEYS})=\s*(.*)$", re.DOTALL)
_ONE_KEY = re.compile(_KEY)
# What a value can consist of: strings, which may hold anything, comments, brackets, and the rest.
_TOKEN = re.compile(
    r'"""(?:[^\\]|\\.)*?"""|'
    r"'''.*?'''|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'|#[^\n]*|[\[{]|[\]}]|\n|[^\"'#\[\]{}\n]+|.",
    re.DOTALL,
)
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class TomlError(SeahubError):
    """A text in which a value cannot be set line by line."""


@dataclasses.dataclass(frozen=True)
class _Statement:
    """A table's header, whose value is None, or an assignment.

    - first, last: the numbers of its lines.
    - keys: the whole path.
    """

    first: int
    last: int
    keys: tuple[str, ...]
    value: str | None


def value(text: str, keys: tuple[str, ...]) -> str | None:
    """Return the value as it is written, without a comment, or None if it is not set."""
    found = None
    for statement in _statements(text):
        if statement.keys == keys and statement.value is not None:
            found = statement.value
    return found


def string(text: str, keys: tuple[str, ...]) -> str | None:
    """Return a value that is an ordinary string, or None if it is not set, or something else."""
    found = value(text, keys) or ""
    if len(found) >= 2 and found[0] == found[-1] == "'":
        return found[1:-1]
    try:
        decoded = json.loads(found)
    except ValueError:
        return None
    return decoded if isinstance(decoded, str) else None


def tables_below(text: str, keys: tuple[str, ...]) -> set[str]:
    """Return the names of the tables that have a header, or a value, below a table."""
    depth = len(keys)
    return {
        statement.keys[depth]
        for statement in _statements(text)
        if statement.keys[:depth] == keys and len(statement.keys) > depth
    }


def with_value(text: str, keys: tuple[str, ...], wanted: str) -> str:
    """Return the text with a value set to a TOML literal, by marked lines.

    :raises TomlError: if it stands within an inline table.
    """
    lines = text.splitlines()
    table, key = keys[:-1], keys[-1]
    header = None
    for statement in _statements(text):
        if statement.keys == keys:
            if statement.value is None:
                raise TomlError(f"{dotted(keys)} is a table, not a value")
            replaced = [_marked_lines.aside(line) for line in lines[statement.first : statement.last + 1]]
            # Within the table the statement may have been written with a dotted key: the new one is as far in.
            own = lines[statement.first].partition("=")[0].rstrip()
            lines[statement.first : statement.last + 1] = [*replaced, _marked_lines.added(f"{own} = {wanted}")]
            return "\n".join(lines) + "\n"
        if (
            statement.value is not None
            and statement.value.startswith("{")
            and keys[: len(statement.keys)] == statement.keys
        ):
            raise TomlError(
                f"{dotted(statement.keys)} is written as an inline table, within which {dotted(keys)} cannot be set: "
                f"write it as a table, [{dotted(statement.keys)}]"
            )
        if statement.keys == table and statement.value is None:
            header = statement
    line = _marked_lines.added(f"{dotted((key,))} = {wanted}")
    if not table:
        # Before the first table: what follows a header belongs to its table.
        lines.insert(0, line)
    elif header is not None:
        lines.insert(header.last + 1, line)
    else:
        lines += [_marked_lines.added(f"[{dotted(table)}]"), line]
    return "\n".join(lines) + "\n"


def dotted(keys: tuple[str, ...]) -> str:
    """Return a path as it is written in TOML."""
    return ".".join(key if _BARE.fullmatch(key) else json.dumps(key) for key in keys)


def _statements(text: str) -> Iterator[_Statement]:
    lines = text.splitlines()
    table: tuple[str, ...] = ()
    number = 0
    while number < len(lines):
        header = _TABLE.match(lines[number])
        assignment = None if header else _ASSIGNMENT.match("\n".join(lines[number:])) if "=" in lines[number] else None
        if header:
            table = _split(header.group(2))
            yield _Statement(number, number, table, None)
        elif assignment:
            found, height = _first_value(assignment.group(2))
            yield _Statement(number, number + height, (*table, *_split(assignment.group(1))), found)
            number += height
        number += 1


def _first_value(text: str) -> tuple[str, int]:
    """Return the value with which a text begins, and how many line ends it holds."""
    depth = height = 0
    parts = []
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "\n" and depth == 0:
            break
        height += token.count("\n")
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token, 0)
        if not token.startswith("#"):
            parts.append(token)
    return "".join(parts).strip(), height


def _split(keys: str) -> tuple[str, ...]:
    return tuple(_unquoted(match.group()) for match in _ONE_KEY.finditer(keys))


def _unquoted(key: str) -> str:
    if key.startswith('"'):
        decoded: str = json.loads(key)
        return decoded
    return key[1:-1] if key.startswith("'") else key

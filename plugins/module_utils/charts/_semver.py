# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Semantic versions, and the constraints on them that Helm accepts.

https://semver.org/spec/v2.0.0.html
https://github.com/Masterminds/semver/blob/v3.3.0/README.md#checking-version-constraints
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import functools
import re
from typing import Callable, Iterable

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
# Like Helm, more lenient than the specification: a leading v, and missing minor and patch numbers.
_VERSION = re.compile(
    rf"v?(?P<major>\d+)(?:\.(?P<minor>\d+))?(?:\.(?P<patch>\d+))?(?:-(?P<pre>{_IDENTIFIERS}))?(?:\+(?P<build>{_IDENTIFIERS}))?"
)
_STRICT = re.compile(rf"(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-{_IDENTIFIERS})?(?:\+{_IDENTIFIERS})?")
_PART = r"\d+|[xX*]"
_PARTIAL = (
    rf"v?(?P<major>{_PART})(?:\.(?P<minor>{_PART}))?(?:\.(?P<patch>{_PART}))?"
    rf"(?:-(?P<pre>{_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?"
)
_OPERATORS = r"=|!=|>=|=>|<=|=<|>|<|~>|~|\^|"
_CONSTRAINT = re.compile(rf"(?P<operator>{_OPERATORS})\s*{_PARTIAL}")
_RANGE = re.compile(r"(?<!\S)(\S+)\s+-\s+(\S+)")


class InvalidConstraint(SeahubError):
    """Text that is no constraint on versions."""


@functools.total_ordering
@dataclasses.dataclass(frozen=True)
class Version:
    """A version. Build metadata is no part of its order."""

    major: int
    minor: int = 0
    patch: int = 0
    pre: tuple[str, ...] = ()
    text: str = dataclasses.field(default="", compare=False)

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        return self.major, self.minor, self.patch

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def _key(self) -> tuple[object, ...]:
        # Numbers come before words, and a version without a pre-release comes after all of its pre-releases.
        identifiers = tuple((0, int(item), "") if item.isdigit() else (1, 0, item) for item in self.pre)
        return self.numbers, not self.pre, identifiers


def parse(text: str) -> Version | None:
    """Read a version as leniently as Helm does; None if it is none."""
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        return None
    pre = tuple(match["pre"].split(".")) if match["pre"] else ()
    return Version(int(match["major"]), int(match["minor"] or 0), int(match["patch"] or 0), pre, text.strip())


def is_exact(text: str) -> bool:
    """Tell whether a text is one whole version, which needs no list to choose from."""
    return _STRICT.fullmatch(text.strip()) is not None


def best(constraint: str, versions: Iterable[str]) -> str | None:
    """Return the highest of the versions that the constraint allows, or None.

    :param constraint: empty for the highest that is no pre-release.
    :raises InvalidConstraint: if it is none.
    """
    allows = compile_constraint(constraint or "*")
    candidates = [version for version in map(parse, versions) if version is not None and allows(version)]
    return max(candidates, key=lambda version: (version, version.text)).text if candidates else None


def compile_constraint(text: str) -> Callable[[Version], bool]:
    """Return a function that tells whether a version meets a constraint such as `^1.2, !=1.3.1 || ~2`.

    Pre-releases meet only those alternatives that name one themselves.

    :raises InvalidConstraint: if it is none.
    """
    alternatives = [_alternative(text, part) for part in text.split("||")]
    return lambda version: any(allows(version) for allows in alternatives)


def _alternative(text: str, part: str) -> Callable[[Version], bool]:
    matches = _conditions(text, part)
    checks = [_check(match) for match in matches]
    allows_pre = any(match["pre"] for match in matches)
    return lambda version: (allows_pre or not version.pre) and all(check(version) for check in checks)


def _conditions(text: str, part: str) -> list[re.Match[str]]:
    part = _RANGE.sub(r">=\1 <=\2", part.strip()).replace(",", " ").strip()
    matches = []
    position = 0
    while position < len(part):
        match = _CONSTRAINT.match(part, position)
        if match is None or (match.end() < len(part) and not part[match.end()].isspace()):
            raise InvalidConstraint(f"{shorten(text)} is no version or constraint, such as 1.2.3, ^1.2 or >=1.2 <2")
        matches.append(match)
        position = match.end()
        while position < len(part) and part[position].isspace():
            position += 1
    if not matches:
        raise InvalidConstraint(f"{shorten(text)} is no version or constraint: it, or an alternative in it, is empty")
    return matches


def _check(match: re.Match[str]) -> Callable[[Version], bool]:
    given = [int(part) for part in _given(match)]
    low = _filled(given, tuple(match["pre"].split(".")) if match["pre"] else ())
    return _comparison(match["operator"], given, low)


def _given(match: re.Match[str]) -> list[str]:
    """Return the numbers that are written, up to the first wildcard."""
    numbers = []
    for name in ("major", "minor", "patch"):
        if match[name] is None or not match[name].isdigit():
            break
        numbers.append(match[name])
    return numbers


def _comparison(operator: str, given: list[int], low: Version) -> Callable[[Version], bool]:
    """Return the check for one operator; `given` are the numbers written, `low` the lowest version they stand for."""
    if not given:
        return lambda version: operator not in (">", "<", "!=")
    # The first version beyond all those that the written numbers stand for: 1.2 stands for every 1.2.x.
    above = _bump(given, len(given) - 1)
    whole = len(given) == 3
    checks: dict[str, Callable[[Version], bool]] = {
        "": lambda v: v == low if whole else low <= v < above,
        "!=": lambda v: v != low if whole else not low <= v < above,
        ">": lambda v: v > low if whole else v >= above,
        ">=": lambda v: v >= low,
        "<": lambda v: v < low,
        "<=": lambda v: v <= low if whole else v < above,
        # To Helm, ~0.0.0 stands for every version.
        "~": lambda v: given == [0, 0, 0] or low <= v < _bump(given, min(len(given) - 1, 1)),
        "^": lambda v: low <= v < _bump(given, _first_significant(given)),
    }
    aliases = {"=": "", "=>": ">=", "=<": "<=", "~>": "~"}
    return checks[aliases.get(operator, operator)]


def _bump(given: list[int], index: int) -> Version:
    # The lowest pre-release of the next version: what is below it has nothing of that version.
    return _filled([*given[:index], given[index] + 1], ("0",))


def _filled(numbers: list[int], pre: tuple[str, ...]) -> Version:
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    return Version(major, minor, patch, pre)


def _first_significant(given: list[int]) -> int:
    return next((index for index, number in enumerate(given) if number), len(given) - 1)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Versions and constraints. What is expected here is what helm 3.19.0 and 4.2.3 chose from an index like this one."""

from __future__ import annotations

import itertools
import random

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.charts import _semver

_INDEX = (
    "0.0.0 0.0.1 0.0.3 0.0.4 0.1.0 0.2.3 0.2.9 0.3.0 1.0.0-alpha 1.0.0 1.0.1 1.1.0 1.1.5 1.2.0-rc.1 1.2.0 "
    "1.2.3-beta.2 1.2.3-beta.10 1.2.3 1.2.4-alpha 1.2.9 1.3.0-beta 1.3.0 1.3.1 1.4.5 1.5.0 2.0.0-alpha 2.0.0 2.1.0 "
    "2.2.0-rc1 3.0.0-beta.1 v4.0.0 4.1.0+build.7 5.0.0-0 11.0.0 11.1.0 11.2.5"
)
VERSIONS = _INDEX.split()

# Constraint -> the version that helm takes.
CHOICES = {
    # Everything
    "": "11.2.5",
    "*": "11.2.5",
    "x": "11.2.5",
    "X.X": "11.2.5",
    # Exactly one, or whatever begins so
    "1": "1.5.0",
    "1.2": "1.2.9",
    "1.2.3": "1.2.3",
    "v1.2": "1.2.9",
    "1.x": "1.5.0",
    "1.2.x": "1.2.9",
    "1.*": "1.5.0",
    "1.x.3": "1.5.0",
    "v1.2.3": "1.2.3",
    "4.1.0": "4.1.0+build.7",
    "=4.1.0+other": "4.1.0+build.7",
    "v4": "4.1.0+build.7",
    "=1.2": "1.2.9",
    "=1.2.3": "1.2.3",
    "1.2.3-beta.2": "1.2.3-beta.2",
    "01.2.3": "1.2.3",
    # More and less
    ">1": "11.2.5",
    "<1": "0.3.0",
    "<1.2": "1.1.5",
    "<1.2.3": "1.2.0",
    "<0.0.1": "0.0.0",
    "<=1": "1.5.0",
    "<=1.2": "1.2.9",
    "<=1.2.3": "1.2.3",
    "=<1.2": "1.2.9",
    "=>1.2.3": "11.2.5",
    ">=1.x": "11.2.5",
    "> 1.2": "11.2.5",
    "!=11.2.5": "11.1.0",
    "!=11": "4.1.0+build.7",
    "!=11.x": "4.1.0+build.7",
    # About the same
    "~1": "1.5.0",
    "~1.2": "1.2.9",
    "~>1.2": "1.2.9",
    "~1.2.3": "1.2.9",
    "~ 1.2.3": "1.2.9",
    "~0": "0.3.0",
    "~0.0": "0.0.4",
    "~0.0.0": "11.2.5",
    "~0.2.3": "0.2.9",
    "^1": "1.5.0",
    "^1.2": "1.5.0",
    "^1.2.3": "1.5.0",
    "^0": "0.3.0",
    "^0.0": "0.0.4",
    "^0.0.0": "0.0.0",
    "^0.0.3": "0.0.3",
    "^0.2": "0.2.9",
    "^0.2.3": "0.2.9",
    # Several
    ">=1 <2 !=1.5.0": "1.4.5",
    ">=1,<2": "1.5.0",
    "<1 || >=1.2 <2": "1.5.0",
    "~1.1 || ~0.2": "1.1.5",
    "1.2 - 1.4.5": "1.4.5",
    "1.2 - 1.3": "1.3.1",
    "1 - 1": "1.5.0",
    # Pre-releases, in alternatives that name one
    "^1.2.3-beta.2": "1.5.0",
    "~1.2.3-beta.2": "1.2.9",
    ">=1.2.3-beta.2 <=1.2.3": "1.2.3",
    "<1.2.3-beta.10": "1.2.3-beta.2",
    "<=1.2.3-beta.10": "1.2.3-beta.10",
    "1.2.3-beta.2 - 1.2.3": "1.2.3",
    ">1.0.0-0 <2.0.0": "2.0.0-alpha",
    ">=1.0.0-0, <1.3.0": "1.3.0-beta",
    ">=3.0.0-0 <5.0.0": "5.0.0-0",
    ">=1.0.0-0 <2.0.0-0": "1.5.0",
    "5.0.0-0": "5.0.0-0",
}


@pytest.mark.parametrize(("constraint", "expected"), CHOICES.items())
def test_the_version_is_taken_that_helm_takes(constraint: str, expected: str) -> None:
    shuffled = random.Random(constraint).sample(VERSIONS, len(VERSIONS))
    assert _semver.best(constraint, shuffled) == expected


@pytest.mark.parametrize("constraint", ["^9", "<0.0.0", "9.9.9", ">11.2.5", "=1.2.3-beta.3", ">=3 <4", "~12"])
def test_what_no_version_meets_is_nothing(constraint: str) -> None:
    assert _semver.best(constraint, VERSIONS) is None


@pytest.mark.parametrize(
    "text",
    ["foo", "latest", "1.2.3.4", ">>1", "=", "||", "1 ||", "1.2.3-", ">=1.2.3-", "1- 2", "^", "1.2.3\x00", "€1"],
)
def test_what_is_no_constraint_is_refused(text: str) -> None:
    with pytest.raises(_semver.InvalidConstraint, match="is no version or constraint"):
        _semver.best(text, VERSIONS)


def test_a_hostile_constraint_is_refused_at_once() -> None:
    with pytest.raises(_semver.InvalidConstraint):
        _semver.best(">=1.2.3-" + "a." * 50_000 + "!", VERSIONS)


def test_pre_releases_are_passed_over_unless_one_is_named() -> None:
    assert _semver.best("", ["1.0.0-rc.1"]) is None
    assert _semver.best(">=1.0.0-0", ["1.0.0-rc.1"]) == "1.0.0-rc.1"


def test_the_order_is_that_of_the_specification() -> None:
    """https://semver.org/spec/v2.0.0.html#spec-item-11 has this very row."""
    row = (
        "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 2.0.0 2.1.0"
    )
    versions = [_semver.parse(text) for text in row.split()]
    for lower, higher in itertools.pairwise(versions):
        assert lower is not None
        assert higher is not None
        assert lower < higher
        assert not higher < lower


def test_build_metadata_is_no_part_of_the_order() -> None:
    assert _semver.parse("1.0.0+1") == _semver.parse("1.0.0+2")
    assert _semver.best("*", ["1.0.0+1", "1.0.0+2", "1.0.0+10"]) in ("1.0.0+1", "1.0.0+2", "1.0.0+10")


@pytest.mark.parametrize(
    "text", ["", "latest", "1.2.3.4", "1..2", "1.2.3-", "1.2.3+", "-1", "1.2.3-a..b", "sha256-ab.sig"]
)
def test_tags_that_are_no_versions_are_passed_over(text: str) -> None:
    assert _semver.parse(text) is None
    assert _semver.best("*", [text, "0.1.0"]) == "0.1.0"


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("1.2.3", True),
        ("1.2.3-rc.1+build.5", True),
        ("1.2", False),
        ("v1.2.3", False),
        ("^1.2.3", False),
        ("01.2.3", False),
        ("", False),
    ],
)
def test_only_a_whole_version_needs_no_list(text: str, exact: bool) -> None:
    assert _semver.is_exact(text) is exact

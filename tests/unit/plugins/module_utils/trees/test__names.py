# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in the tree: who may have one, and who is told that it is taken."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NameCollision
from ansible_collections.seahub.offline.plugins.module_utils.trees import _names
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
EMPTY = Lock()


@dataclass(frozen=True)
class Wanted:
    """Something that wants names."""

    source_name: str
    names: tuple[str, ...]
    tag: str | None = "1"


QUAY = Wanted("quay.io/team/app:1", ("team/app",))
HUB = Wanted("docker.io/team/app:1", ("team/app",))


def locked(source: str, digest: str, name: str = "team/app", tag: str | None = "1", *aliases: str) -> Lock:
    """Return the lock of a tree with one entry."""
    return Lock((Entry("requested", source, "image", name, tag, digest, "type", aliases=aliases),))


def test_two_sources_with_different_content_cannot_have_one_name() -> None:
    with pytest.raises(NameCollision) as raised:
        _names.check([(QUAY, ONE), (HUB, TWO)], EMPTY)
    said = str(raised.value)
    assert f"quay.io/team/app:1 ({ONE}) and docker.io/team/app:1 ({TWO}) would both be team/app:1" in said
    assert "'as'" in said
    assert "'naming: keep_host'" in said


def test_two_sources_with_the_same_content_can() -> None:
    _names.check([(QUAY, ONE), (HUB, ONE)], EMPTY)


def test_all_collisions_are_named() -> None:
    others = [(Wanted("quay.io/b:2", ("b",), "2"), ONE), (Wanted("docker.io/b:2", ("b",), "2"), TWO)]
    with pytest.raises(NameCollision, match=r"team/app:1; .* would both be b:2"):
        _names.check([(QUAY, ONE), (HUB, TWO), *others], EMPTY)


@pytest.mark.parametrize(
    "other",
    [Wanted("docker.io/team/app:2", ("team/app",), "2"), Wanted("docker.io/team/app:1", ("docker.io/team/app",))],
)
def test_another_tag_or_another_repository_is_another_name(other: Wanted) -> None:
    _names.check([(QUAY, ONE), (other, TWO)], EMPTY)


def test_aliases_are_names_too() -> None:
    official = Wanted("docker.io/library/mysql:1", ("library/mysql", "mysql"))
    with pytest.raises(NameCollision, match="would both be mysql:1"):
        _names.check([(official, ONE), (Wanted("quay.io/mysql:1", ("mysql",)), TWO)], EMPTY)


def test_what_has_no_tag_is_known_by_its_digest() -> None:
    _names.check([(Wanted("quay.io/a@one", ("a",), None), ONE), (Wanted("docker.io/a@two", ("a",), None), TWO)], EMPTY)


def test_one_reference_asked_for_twice_is_no_collision() -> None:
    _names.check([(QUAY, ONE), (QUAY, ONE)], EMPTY)


# Names that the tree has given already


def test_a_tag_may_move_with_its_own_source() -> None:
    _names.check([(QUAY, TWO)], locked("quay.io/team/app:1", ONE))


@pytest.mark.parametrize("source", ["docker.io/team/app:1", f"docker.io/team/app@{ONE}", "docker-archive:app.tar"])
def test_a_tag_is_not_taken_over_by_another_source(source: str) -> None:
    with pytest.raises(NameCollision, match="would both be team/app:1"):
        _names.check([(QUAY, TWO)], locked(source, ONE))


def test_another_source_with_the_same_content_changes_nothing() -> None:
    _names.check([(QUAY, ONE)], locked("docker.io/team/app:1", ONE))


def test_the_aliases_of_the_tree_are_taken_too() -> None:
    lock = locked("docker.io/library/mysql:1", ONE, "library/mysql", "1", "mysql")
    with pytest.raises(NameCollision, match="would both be mysql:1"):
        _names.check([(Wanted("quay.io/mysql:1", ("mysql",)), TWO)], lock)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("quay.io/team/app:1", "quay.io/team/app"),
        ("quay.io:5000/team/app:1", "quay.io:5000/team/app"),
        ("quay.io:5000/team/app", "quay.io:5000/team/app"),
        (f"quay.io/team/app:1@{ONE}", "quay.io/team/app"),
        (f"quay.io:5000/team/app@{ONE}", "quay.io:5000/team/app"),
        ("https://charts.example.com:8443/stable/mysql:1.0.0", "https://charts.example.com:8443/stable/mysql"),
        ("mysql-8.8.25.tgz", "mysql-8.8.25.tgz"),
    ],
)
def test_the_repository_of_a_source(source: str, expected: str) -> None:
    assert _names.repository_of(source) == expected

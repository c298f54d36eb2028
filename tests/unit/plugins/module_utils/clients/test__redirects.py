# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which hosts the images of a tree came from, and where they are in it."""

from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _redirects
from ansible_collections.seahub.offline.plugins.module_utils.clients._redirects import Redirect, Registry
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry


def entry(source: str, name: str, kind: str = "image", aliases: tuple[str, ...] = ()) -> Entry:
    return Entry(source, source, kind, name, "1", "sha256:" + "0" * 64, "", aliases=aliases)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], ()),
        ([entry("docker.io/library/redis:1", "library/redis", aliases=("redis",))], (Redirect("docker.io"),)),
        ([entry("quay.io/a/b:1", "quay.io/a/b")], (Redirect("quay.io", ("quay.io",)),)),
        (
            [entry("quay.io/a/b:1", "quay.io/a/b"), entry("quay.io/c/d:1", "c/d"), entry("ghcr.io:8443/x:1", "x")],
            (Redirect("ghcr.io:8443"), Redirect("quay.io", ("", "quay.io"))),
        ),
        ([entry("quay.io/charts/x:1", "charts/x", kind="chart"), entry("oci:dir/images:redis:1", "redis")], ()),
    ],
)
def test_hosts_and_prefixes(entries: list[Entry], expected: tuple[Redirect, ...]) -> None:
    assert _redirects.find(entries).redirects == expected


def test_short_names_are_those_of_docker_hub() -> None:
    entries = [
        entry("docker.io/library/redis:1", "library/redis", aliases=("redis",)),
        entry("docker.io/bitnami/redis:1", "docker.io/bitnami/redis"),
        entry("quay.io/a/b:1", "a/b"),
    ]
    assert _redirects.find(entries).short_names == (
        ("bitnami/redis", "docker.io/bitnami/redis"),
        ("library/redis", "docker.io/library/redis"),
        ("redis", "docker.io/library/redis"),
    )


def test_an_image_with_a_name_of_its_own_is_told() -> None:
    found = _redirects.find([entry("quay.io/a/b:1", "ours/b")])
    assert (found.redirects, found.renamed) == ((), ("quay.io/a/b:1 is ours/b:1",))


def test_locations_are_tried_prefix_by_prefix() -> None:
    registry = Registry(("a:1", "b:1"))
    assert registry.locations(Redirect("quay.io", ("", "quay.io"))) == ["a:1", "b:1", "a:1/quay.io", "b:1/quay.io"]

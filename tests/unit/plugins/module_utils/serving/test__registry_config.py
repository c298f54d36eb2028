# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of the registry: what is in it, and what it is merged with."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.serving import _registry_config
from ansible_collections.seahub.offline.plugins.module_utils.serving._registry_config import ConfigError, Paths, Wishes

WISHES = Wishes(port=5000, tree="/srv/tree")
PATHS = Paths("/run/reg")
HASH = "$2y$05$" + "a" * 53


def rendered(**wishes: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_registry_config.render(dataclasses.replace(WISHES, **wishes), PATHS))
    return document


def test_it_serves_a_folder_that_nobody_changes() -> None:
    document = rendered()
    assert document["storage"]["filesystem"] == {"rootdirectory": "/srv/tree"}
    assert document["storage"]["maintenance"]["readonly"] == {"enabled": True}
    assert document["storage"]["delete"] == {"enabled": False}
    assert document["http"]["addr"] == ":5000"
    assert document["http"]["tls"]["certificate"] == "/run/reg/tls.crt"
    assert "auth" not in document


def test_a_registry_can_be_written_to_if_told_so() -> None:
    assert rendered(read_only=False)["storage"]["maintenance"]["readonly"] == {"enabled": False}


def test_users_are_those_of_the_file() -> None:
    assert rendered(users=True)["auth"] == {"htpasswd": {"realm": "sea.hub", "path": "/run/reg/htpasswd"}}


def test_storage_on_s3_takes_the_place_of_the_folder() -> None:
    storage = rendered(s3={"region": "here", "bucket": "images", "secure": True})["storage"]
    assert storage["s3"] == {"region": "here", "bucket": "images", "secure": True}
    assert storage["redirect"] == {"disable": True}
    assert "filesystem" not in storage


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, None),
        ({"regionendpoint": "https://s3.site.example"}, True),
        ({"regionendpoint": "https://s3.site.example", "forcepathstyle": False}, False),
    ],
)
def test_another_service_than_that_of_aws_has_no_names_for_buckets(
    given: dict[str, Any], expected: bool | None
) -> None:
    storage = rendered(s3={"region": "here", "bucket": "images", **given})["storage"]
    assert storage["s3"].get("forcepathstyle") is expected


@pytest.mark.parametrize("missing", ["region", "bucket"])
def test_storage_on_s3_has_to_be_somewhere(missing: str) -> None:
    with pytest.raises(ConfigError, match=f"needs a {missing}"):
        rendered(s3={name: "x" for name in ("region", "bucket") if name != missing})


@pytest.mark.parametrize(
    ("extra", "path", "expected"),
    [
        ({"log": {"level": "debug"}}, ("log",), {"level": "debug", "accesslog": {"disabled": True}}),
        ({"log": {"accesslog": None}}, ("log",), {"level": "info"}),
        ({"health": None}, ("health",), None),
        ({"http": {"addr": "127.0.0.1:5000"}}, ("http", "addr"), "127.0.0.1:5000"),
        ({"proxy": {"remoteurl": "x"}}, ("proxy",), {"remoteurl": "x"}),
    ],
)
def test_more_is_merged_in(extra: dict[str, Any], path: tuple[str, ...], expected: object) -> None:
    found: Any = rendered(extra=extra)
    for name in path:
        found = found.get(name)
    assert found == expected


def test_a_text_stands_for_all() -> None:
    wishes = dataclasses.replace(WISHES, text="version: 0.1", users=True, extra={"a": 1})
    assert _registry_config.render(wishes, PATHS) == b"version: 0.1\n"


def test_the_file_of_users_has_a_line_for_each() -> None:
    assert _registry_config.htpasswd([("a", HASH), ("b", HASH)]).decode() == f"a:{HASH}\nb:{HASH}\n"


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        ([("a:b", HASH)], "no name for a user"),
        ([("a", "{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=")], "no bcrypt hash"),
        ([("a", "secret")], "no bcrypt hash"),
        ([("a", HASH + "\nb:x")], "no bcrypt hash"),
        ([("a", HASH), ("a", HASH)], "twice"),
    ],
)
def test_what_the_registry_would_not_understand_is_an_error(users: list[tuple[str, str]], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as caught:
        _registry_config.htpasswd(users)
    assert "secret" not in str(caught.value)

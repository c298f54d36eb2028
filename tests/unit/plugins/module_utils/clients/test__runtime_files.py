# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texts that runtimes read, as a real parser of their language understands them."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import yaml

from ansible_collections.seahub.offline.plugins.module_utils.clients import _runtime_files
from ansible_collections.seahub.offline.plugins.module_utils.clients._redirects import Redirect, Registry
from ansible_collections.seahub.offline.plugins.module_utils.clients._runtime_files import RegistriesYamlError
from ansible_collections.seahub.offline.plugins.module_utils.common import _marked_lines

ONE = Registry(
    endpoints=("sea.hub:5000",),
    redirects=(Redirect("docker.io"), Redirect("quay.io", ("quay.io",)), Redirect("_default")),
    short_names=(("mysql", "docker.io/library/mysql"),),
)
TWO = Registry(endpoints=("sea.hub:5000", "10.0.0.6:5000"), redirects=(Redirect("docker.io", ("", "docker.io")),))
PULL = ["pull", "resolve"]


def test_containerd_has_one_place_and_no_way_back() -> None:
    text = _runtime_files.hosts_toml(["sea.hub:5000"], "/ca.crt")
    assert tomllib.loads(text) == {
        "server": "https://sea.hub:5000",
        "capabilities": PULL,
        "ca": "/ca.crt",
        "host": {},
    }


def test_containerd_tries_places_in_their_order() -> None:
    document = tomllib.loads(_runtime_files.hosts_toml(TWO.locations(TWO.redirects[0]), ""))
    assert list(document["host"].items()) == [
        ("https://sea.hub:5000", {"capabilities": PULL}),
        ("https://10.0.0.6:5000", {"capabilities": PULL}),
        ("https://sea.hub:5000/v2/docker.io", {"capabilities": PULL, "override_path": True}),
    ]
    del document["host"]
    assert document == {
        "server": "https://10.0.0.6:5000/v2/docker.io",
        "capabilities": PULL,
        "override_path": True,
    }


def test_podman_replaces_hosts_as_a_whole() -> None:
    assert tomllib.loads(_runtime_files.registries_conf(ONE)) == {
        "registry": [
            {"prefix": "docker.io", "location": "sea.hub:5000"},
            {"prefix": "quay.io", "location": "sea.hub:5000/quay.io"},
        ]
    }


def test_podman_tries_places_in_their_order() -> None:
    own, hub = tomllib.loads(_runtime_files.registries_conf(TWO))["registry"]
    assert own == {"prefix": "sea.hub:5000", "location": "10.0.0.6:5000", "mirror": [{"location": "sea.hub:5000"}]}
    places = [*(mirror["location"] for mirror in hub["mirror"]), hub["location"]]
    assert places == ["sea.hub:5000", "10.0.0.6:5000", "sea.hub:5000/docker.io", "10.0.0.6:5000/docker.io"]


def test_short_names_and_sandbox_images() -> None:
    assert tomllib.loads(_runtime_files.short_names_conf(ONE)) == {"aliases": {"mysql": "docker.io/library/mysql"}}
    assert tomllib.loads(_runtime_files.crio_conf("a/pause:3")) == {"crio": {"image": {"pause_image": "a/pause:3"}}}
    assert yaml.safe_load(_runtime_files.rancher_config("a/pause:3")) == {
        "disable-default-registry-endpoint": True,
        "pause-image": "a/pause:3",
    }


OURS: dict[str, Any] = {
    "mirrors": {
        "sea.hub:5000": {"endpoint": ["https://sea.hub:5000"]},
        "docker.io": {"endpoint": ["https://sea.hub:5000"]},
        "quay.io": {"endpoint": ["https://sea.hub:5000"], "rewrite": {"^(.*)$": "quay.io/$1"}},
        "*": {"endpoint": ["https://sea.hub:5000"]},
    },
    "configs": {"sea.hub:5000": {"tls": {"ca_file": "/ca.crt"}}},
}
MINE = """# mine
mirrors: # of ours
    docker.io:
        endpoint:
        - "https://elsewhere"   # old
    # a comment

    "own:5000":
        endpoint: ["https://own:5000"]
configs:
  own:5000:
    auth: {username: x, password: "y # z"}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, OURS),
        ("", OURS),
        ("mirrors: {}\nconfigs:\n", OURS),
        ("---\nmirrors: null # none\n", OURS),
        (
            MINE,
            {
                "mirrors": {**OURS["mirrors"], "own:5000": {"endpoint": ["https://own:5000"]}},
                "configs": {**OURS["configs"], "own:5000": {"auth": {"username": "x", "password": "y # z"}}},
            },
        ),
        (
            "mirrors:\n  \"*\":\n    endpoint:\n    - https://all\n  'quay.io':\n    endpoint: []\nother: 1\n",
            {**OURS, "other": 1},
        ),
    ],
)
def test_what_k3s_has_is_merged_with(text: str | None, expected: object) -> None:
    changed = _runtime_files.registries_yaml(text, ONE, "/ca.crt")
    assert yaml.safe_load(changed) == expected
    assert _marked_lines.strip(changed) == (text or "")


LOGIN = """configs:
    # the user of the cluster
    "sea.hub:5000":
       auth:
          username: x
       tls:
          insecure_skip_verify: true

          # no more
       other: 1
    'own:5000':
       tls: {ca_file: /own.crt}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            LOGIN,
            {
                "sea.hub:5000": {"tls": {"ca_file": "/ca.crt"}, "auth": {"username": "x"}, "other": 1},
                "own:5000": {"tls": {"ca_file": "/own.crt"}},
            },
        ),
        ("configs:\n  sea.hub:5000:\n", OURS["configs"]),
        ("configs:\n  sea.hub:5000: {} # nothing\n", OURS["configs"]),
        ("configs:\n  sea.hub:5000:\n  own: {}\n", {**OURS["configs"], "own": {}}),
    ],
)
def test_a_password_for_the_registry_stays(text: str, expected: object) -> None:
    changed = _runtime_files.registries_yaml(text, ONE, "/ca.crt")
    assert yaml.safe_load(changed) == {**OURS, "configs": expected}
    assert _marked_lines.strip(changed) == text
    assert _runtime_files.registries_yaml(_marked_lines.strip(changed), ONE, "/ca.crt") == changed


@pytest.mark.parametrize(
    "text",
    [
        "mirrors: {docker.io: {endpoint: [x]}}\n",
        "mirrors:\n\tdocker.io:\n",
        "configs:\n  sea.hub:5000: {auth: {username: x}}\n",
    ],
)
def test_what_leaves_no_place_for_lines_is_an_error(text: str) -> None:
    with pytest.raises(RegistriesYamlError, match="block"):
        _runtime_files.registries_yaml(text, ONE, "/ca.crt")

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which address of a host others can use."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.seahub.offline.plugins.filter.registry_addresses import registry_addresses


def facts(**values: Any) -> dict[str, Any]:
    return {"ansible_facts": values}


ETH0 = {"interfaces": ["lo", "docker0", "eth0"], "lo": {"ipv4": {"address": "127.0.0.1"}}}
DOCKER0 = {"ipv4": {"address": "172.17.0.1"}}

CASES = [
    pytest.param("h", {"ansible_host": "10.0.0.5"}, "10.0.0.5", id="ansible_host"),
    pytest.param("10.0.0.6", {}, "10.0.0.6", id="name in the inventory"),
    pytest.param("h", {"ansible_host": "fd00::5"}, "fd00::5", id="IPv6"),
    pytest.param(
        "h", {"ansible_host": "h.example.org", **facts(default_ipv4={"address": "10.0.0.7"})}, "10.0.0.7", id="fact"
    ),
    pytest.param(
        "localhost",
        {"ansible_host": "127.0.0.1", **facts(default_ipv4={"address": "10.0.0.8"})},
        "10.0.0.8",
        id="loopback is of no use to others",
    ),
    pytest.param(
        "h",
        facts(default_ipv4={}, docker0=DOCKER0, eth0={"ipv4": {"address": "10.0.0.9"}}, **ETH0),
        "10.0.0.9",
        id="no default route",
    ),
    pytest.param(
        "h",
        facts(eth0={"ipv6": [{"address": "fe80::1"}, {"address": "fd00::9"}]}, **ETH0),
        "fd00::9",
        id="IPv6 without a default route",
    ),
]


@pytest.mark.parametrize(("host", "variables", "expected"), CASES)
def test_the_address_that_others_can_use(host: str, variables: dict[str, Any], expected: str) -> None:
    assert registry_addresses([host], {host: variables}) == [expected]


def test_the_order_is_kept() -> None:
    hostvars = {"b": {"ansible_host": "10.0.0.2"}, "a": {"ansible_host": "10.0.0.1"}}
    assert registry_addresses(["b", "a"], hostvars) == ["10.0.0.2", "10.0.0.1"]


@pytest.mark.parametrize("variables", [{}, {"ansible_host": "localhost"}, facts(docker0=DOCKER0, **ETH0)])
def test_no_usable_address_is_an_error_with_its_cure(variables: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError, match="set seahub_registry_address"):
        registry_addresses(["h"], {"h": variables})

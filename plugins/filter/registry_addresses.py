# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the addresses under which clients reach the registry hosts."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = r"""
name: registry_addresses
short_description: The addresses under which hosts are reached
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Returns one IP address for each host, in the order of the hosts.
  - It is the host's C(ansible_host), or its name in the inventory, where that is an IP address that others can use.
    If not, it is the address of the network interface with the default route; on a host without a default route, the
    first address that is not one of a container engine's bridges.
options:
  _input:
    description: The names of the hosts in the inventory.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, that is, C(hostvars). The facts of the subset V(network) have to be there.
    type: dict
    required: true
"""

EXAMPLES = r"""
---
- name: Show where the registry is
  ansible.builtin.debug:
    msg: "{{ groups['registry'] | seahub.offline.registry_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The addresses.
  type: list
  elements: str
  sample: [10.0.0.5]
"""

# Interfaces that container engines and clusters make for themselves.
_BRIDGES = ("docker", "br-", "cni", "podman", "virbr", "flannel", "veth")


def registry_addresses(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return one address for each host.

    :raises AnsibleFilterError: if a host has none that others could use.
    """
    return [_address(host, hostvars[host]) for host in hosts]


def _address(host: str, variables: Mapping[str, Any]) -> str:
    for text in _candidates(host, variables):
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        if not (address.is_loopback or address.is_link_local or address.is_unspecified):
            return str(address)
    raise AnsibleFilterError(
        f"no IP address of the registry host {host} is known that other hosts could use: "
        "set seahub_registry_address to the one under which they reach it"
    )


def _candidates(host: str, variables: Mapping[str, Any]) -> Iterator[str]:
    yield str(variables.get("ansible_host") or host)
    facts = variables.get("ansible_facts") or {}
    for family in ("ipv4", "ipv6"):
        yield str((facts.get(f"default_{family}") or {}).get("address") or "")
        for name in facts.get("interfaces") or ():
            # The fact of eth0.5 is called eth0_5.
            interface = facts.get(str(name).replace("-", "_").replace(".", "_").replace(":", "_")) or {}
            if not str(name).startswith(_BRIDGES):
                yield from _interface_addresses(interface.get(family))


def _interface_addresses(found: Any) -> Iterator[str]:
    # One IPv4 address is a dictionary, several IPv6 addresses are a list of them.
    for item in found if isinstance(found, list) else [found or {}]:
        yield str(item.get("address") or "")


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {"registry_addresses": registry_addresses}

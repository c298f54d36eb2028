# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts the addresses of several registry hosts into the order in which one host tries them."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Callable, Collection, Sequence
from typing import Any

DOCUMENTATION = r"""
name: nearest_first
short_description: The order in which a host tries several registry hosts
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - A host that serves the registry itself has its own address first.
  - The others stay in their order. With O(spread) the order begins at another place on each host, so that not all hosts
    pull from the first one; the place depends on O(spread) and the number of addresses alone, and so is the same each
    time.
options:
  _input:
    description: The addresses of the registry hosts.
    type: list
    elements: str
    required: true
  own:
    description: The addresses of the host itself. What is no IP address is passed over.
    type: list
    elements: str
    default: []
  spread:
    description: The name of the host, to let its order begin somewhere. When empty, the order is that of the input.
    type: str
    default: ""
"""

EXAMPLES = r"""
---
- name: Show in which order this host tries the registry hosts
  ansible.builtin.debug:
    msg: >-
      {{ ['10.0.0.5', '10.0.0.6']
         | seahub.offline.nearest_first(own=ansible_facts['all_ipv4_addresses'], spread=inventory_hostname) }}
"""

RETURN = r"""
_value:
  description: The same addresses.
  type: list
  elements: str
  sample: [10.0.0.6, 10.0.0.5]
"""


def nearest_first(addresses: Sequence[str], own: Collection[Any] = (), spread: str = "") -> list[str]:
    """Return the addresses in the order in which a host tries them."""
    start = _number(spread) % len(addresses) if spread and addresses else 0
    turned = [*addresses[start:], *addresses[:start]]
    mine = {_normalised(address) for address in own}
    # Sorting is stable: the others keep their order.
    return sorted(turned, key=lambda address: _normalised(address) not in mine)


def _number(name: str) -> int:
    # A checksum would do for this if it did not give numbered names, which hosts have, nearly the same bits.
    return int(hashlib.sha256(name.encode()).hexdigest(), 16)


def _normalised(address: Any) -> str:
    try:
        return str(ipaddress.ip_address(str(address)))
    except ValueError:
        return str(address)


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {"nearest_first": nearest_first}

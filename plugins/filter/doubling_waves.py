# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts hosts into waves of which each has as many as all before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

DOCUMENTATION = r"""
name: doubling_waves
short_description: Hosts in waves, each as large as all before it together
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Puts hosts into waves. The first one has one host, the second one another, then come two, four, eight, and so on.
  - So each host of a wave can get something from a host of its own that has it already.
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
---
- name: Go from host to host
  ansible.builtin.include_tasks: wave.yml
  loop: "{{ ansible_play_batch | seahub.offline.doubling_waves }}"
"""

RETURN = r"""
_value:
  description: The waves.
  type: list
  elements: list
  sample: [["host1"], ["host2"], ["host3", "host4"], ["host5", "host6", "host7"]]
"""


def doubling_waves(hosts: Sequence[str]) -> list[list[str]]:
    """Return the hosts in waves, in their order."""
    waves = []
    begin, end = 0, 1
    while begin < len(hosts):
        waves.append(list(hosts[begin:end]))
        begin, end = end, 2 * end
    return waves


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {"doubling_waves": doubling_waves}

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Puts hosts into waves of which each has twice as many as all before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

DOCUMENTATION = r"""
name: waves
short_description: Hosts in waves, each twice as large as all before it together
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Puts hosts into waves. The first one has one host, the next one two, then come six, eighteen, and so on.
  - So each host that has something already serves two of the next wave. If it served only one, there would be fewer at
    a time, but half as many waves again, of which each takes its time to begin.
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
  loop: "{{ ansible_play_batch | seahub.offline.waves }}"
"""

RETURN = r"""
_value:
  description: The waves.
  type: list
  elements: list
  sample: [["host1"], ["host2", "host3"], ["host4", "host5", "host6", "host7"]]
"""


def waves(hosts: Sequence[str]) -> list[list[str]]:
    """Return the hosts in waves, in their order."""
    waves = []
    begin, end = 0, 1
    while begin < len(hosts):
        waves.append(list(hosts[begin:end]))
        begin, end = end, 3 * end
    return waves


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {"waves": waves}

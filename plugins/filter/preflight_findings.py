# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathers what was found on all hosts before anything was changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

DOCUMENTATION = r"""
name: preflight_findings
short_description: What stands in the way on several hosts
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Makes one sentence for each thing that M(seahub.offline.host_preflight) has found on these hosts.
  - A host without a result, because it could not be reached or failed, is a sentence, too.
options:
  _input:
    description: The names of the hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: The variables of all hosts, that is, C(hostvars).
    type: dict
    required: true
  variable:
    description: The name of the variable in which the result was registered.
    type: str
    required: true
"""

EXAMPLES = r"""
---
- name: Look at all hosts
  seahub.offline.host_preflight:
  register: looked

- name: Stop if something stands in the way
  ansible.builtin.assert:
    that: ansible_play_hosts_all | seahub.offline.preflight_findings(hostvars, 'looked') | length == 0
  run_once: true
"""

RETURN = r"""
_value:
  description: The sentences, in the order of the hosts.
  type: list
  elements: str
  sample: ["run1: port 5000 is in use by nginx (process 812). Cure: end that program"]
"""


def preflight_findings(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]], variable: str) -> list[str]:
    """Return the sentences."""
    return [f"{host}: {sentence}" for host in hosts for sentence in _sentences(hostvars[host].get(variable) or {})]


def _sentences(result: Mapping[str, Any]) -> list[str]:
    if "findings" not in result:
        return [f"it could not be looked at: {result.get('msg') or 'it returned no result'}"]
    return [f"{finding['problem']}. Cure: {finding['cure']}" for finding in result["findings"]]


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {"preflight_findings": preflight_findings}

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes one table out of what all hosts have pulled."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.seahub.offline.plugins.plugin_utils._matrix import Matrix

DOCUMENTATION = r"""
name: verify_matrix
short_description: The matrix of a verification on several hosts
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Makes one table, with a row for each reference and client and a column for each host, out of the results that
    M(seahub.offline.pull_verify) has returned on these hosts.
  - A host without a result, because it could not be reached or failed, has wrong cells.
options:
  _input:
    description: The names of all hosts that are to be in the matrix.
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
- name: Pull everything
  seahub.offline.pull_verify:
    references: "{{ tree.references }}"
  register: pulled

- name: Show who can pull what
  ansible.builtin.debug:
    msg: "{{ (ansible_play_hosts_all | seahub.offline.verify_matrix(hostvars, 'pulled')).lines }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: The matrix.
  type: dict
  contains:
    lines:
      description: The table, line by line.
      type: list
      elements: str
    wrong:
      description: A sentence for each wrong cell and each host without a result. Empty when all is right.
      type: list
      elements: str
    summary:
      description: One sentence for the whole.
      type: str
    evidence:
      description: The record of the verification.
      type: dict
"""


def verify_matrix(hosts: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]], variable: str) -> dict[str, Any]:
    """Return the matrix of these hosts as plain data."""
    results = {host: hostvars[host].get(variable) for host in hosts if host in hostvars}
    matrix = Matrix(hosts, results)
    return {
        "lines": matrix.lines(),
        "wrong": matrix.wrong(),
        "summary": matrix.summary(),
        "evidence": matrix.evidence(),
    }


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {"verify_matrix": verify_matrix}

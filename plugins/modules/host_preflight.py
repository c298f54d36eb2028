#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for what would stand in the way on a host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_preflight
short_description: Looks for what would stand in the way on a host
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Looks at the host before anything is changed there, and returns everything that it finds at once.
  - Findings do not fail the task. The role P(seahub.offline.preflight#role) fails, with the findings of all hosts.
  - Always looked at are the version of Python, how the registry's name is looked up, and whether the environment of an
    engine or a client sends what is meant for the registry to a proxy.
  - Needs nothing but Python on the host.
extends_documentation_fragment:
  - seahub.offline._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  domain:
    description: The name of the registry.
    type: str
    default: sea.hub
  port:
    description: The port of the registry.
    type: int
    default: 5000
  addresses:
    description: The addresses of the registry, to each of which there has to be a way.
    type: list
    elements: str
    default: []
  clients:
    description:
      - The names or paths of programs that have to be there and to run, such as V(docker) and V(helm).
      - V(auto) stands for one of V(docker), V(podman) and V(ctr), whichever it is.
    type: list
    elements: str
    default: []
  now:
    description: The time on the controller, in seconds since the epoch. Without it the two clocks are not compared.
    type: float
  drift:
    description: Seconds by which the two clocks may differ.
    type: int
    default: 600
  not_before:
    description: When the registry's certificate begins to be valid, as M(seahub.offline.registry_certificate) tells it.
    type: str
  not_after:
    description: When it ends.
    type: str
  serves:
    description: What this host is to serve. Without it, it is no registry host.
    type: dict
    suboptions:
      dir:
        description: The folder in which everything is to lie.
        type: path
        default: /var/lib/seahub
      bytes:
        description: The size of the tree in bytes.
        type: int
        default: 0
      blobs:
        description: How many blobs the tree has.
        type: int
        default: 0
seealso:
  - module: seahub.offline.pull_verify
"""

EXAMPLES = r"""
- name: See whether this host can pull
  seahub.offline.host_preflight:
    addresses: [10.0.0.5]
    clients: [auto, helm]
  register: preflight

- name: Stop if it cannot
  ansible.builtin.assert:
    that: preflight.findings | length == 0
    fail_msg: "{{ preflight.findings }}"
"""

RETURN = r"""
findings:
  description: What would stand in the way. Empty if nothing would.
  returned: success
  type: list
  elements: dict
  contains:
    check:
      description: What was looked at.
      type: str
      sample: port
    problem:
      description: What is wrong.
      type: str
      sample: port 5000 is in use by nginx (process 812)
    cure:
      description: What to do about it.
      type: str
      sample: end that program, or choose another port with seahub_port
"""

import dataclasses
import os
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.clients import _preflight
from ansible_collections.seahub.offline.plugins.module_utils.clients._preflight import Finding


def look(params: dict[str, Any]) -> list[Finding]:
    """Return what would stand in the way.

    :raises ValueError: if a time cannot be read.
    """
    domain, port, here = params["domain"], params["port"], time.time()
    findings = _preflight.python() + _preflight.name(domain) + _preflight.proxies(domain, port)
    findings += _preflight.way(params["addresses"], port)
    for binary in params["clients"]:
        findings += _preflight.client(binary)
    if params["now"] is not None:
        findings += _preflight.drift(here, params["now"], params["drift"])
    if params["not_before"] and params["not_after"]:
        begins, ends = _preflight.seconds(params["not_before"]), _preflight.seconds(params["not_after"])
        findings += _preflight.validity(here, begins, ends)
    return findings + (look_at_server(params["serves"], domain, port) if params["serves"] else [])


def look_at_server(serves: dict[str, Any], domain: str, port: int) -> list[Finding]:
    """Return what would stand in the way of serving."""
    folder = serves["dir"]
    return _preflight.space(os.path.join(folder, "tree"), serves["bytes"], serves["blobs"]) + _preflight.port(
        port, domain, os.path.join(folder, "certs", "ca.crt")
    )


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "domain": {"type": "str", "default": "sea.hub"},
            "port": {"type": "int", "default": 5000},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "clients": {"type": "list", "elements": "str", "default": []},
            "now": {"type": "float"},
            "drift": {"type": "int", "default": 600},
            "not_before": {"type": "str"},
            "not_after": {"type": "str"},
            "serves": {
                "type": "dict",
                "options": {
                    "dir": {"type": "path", "default": "/var/lib/seahub"},
                    "bytes": {"type": "int", "default": 0},
                    "blobs": {"type": "int", "default": 0},
                },
            },
        },
        required_together=[("not_before", "not_after")],
        supports_check_mode=True,
    )
    try:
        findings = look(module.params)
    except (OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, findings=[dataclasses.asdict(finding) for finding in findings])


if __name__ == "__main__":
    main()

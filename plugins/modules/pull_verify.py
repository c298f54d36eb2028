#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pulls from the offline registry with the host's own clients."""

from __future__ import annotations

DOCUMENTATION = r"""
module: pull_verify
short_description: Pulls from the offline registry, compared with the lock
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Pulls every image with C(docker pull) and every chart with C(helm pull), on the host it runs on, and compares the
    digests with those of the lock. Other artifacts are fetched over HTTPS and hashed.
  - No client is told to trust anything, and one that would not verify the registry's certificate makes a wrong cell.
  - An image is pulled for every platform that the tree holds, and under every name that it has there.
  - What was pulled is removed again, unless the host had it before.
  - Docker does not fetch a layer again that the host already has. Such layers are fetched over HTTPS and hashed, so a
    right cell always says that the registry has everything.
  - Of several registry hosts, each is asked by its address, too; a client would go on with the next where one is down.
  - Pulls that fail do not fail the task; they are cells of the result. The role P(seahub.offline.verify#role) fails.
  - Needs nothing but Python and the clients on the host.
extends_documentation_fragment:
  - seahub.offline._attributes
attributes:
  check_mode:
    support: full
    details: Returns the cells without pulling anything; their RV(cells[].ok) is then null.
  diff_mode:
    support: none
  idempotent:
    support: full
    details: Leaves the host as it was, and so never reports a change.
options:
  references:
    description: The entries of the lock, as M(seahub.offline.tree_info) returns them.
    type: list
    elements: dict
    required: true
  domain:
    description: The name of the registry.
    type: str
    default: sea.hub
  port:
    description: The port of the registry.
    type: int
    default: 5000
  addresses:
    description:
      - The IP addresses of several registry hosts that serve the same, each of which makes a cell of its own.
      - Each of them has to prove by its certificate that it is O(domain), give every manifest with the digest of the
        lock, and have every blob in its size. What blobs hold is hashed where a client pulls them.
    type: list
    elements: str
    default: []
  username:
    description:
      - As whom the registry is asked over HTTPS, if it has users.
      - The clients log in with what they have been told, see M(seahub.offline.registry_login).
    type: str
  password:
    description: The password of O(username).
    type: str
  docker:
    description: The name or path of the docker client, with which images are pulled.
    type: str
    default: docker
  helm:
    description: The names or paths of helm clients, each of which pulls every chart.
    type: list
    elements: str
    default: [helm]
  parallel:
    description: How many pulls run at the same time.
    type: int
    default: 3
  timeout:
    description: Seconds after which a single pull is given up.
    type: int
    default: 3600
seealso:
  - module: seahub.offline.tree_info
"""

EXAMPLES = r"""
---
- name: Read the lock of the tree on the controller
  seahub.offline.tree_info:
    path: /srv/seahub/tree
  delegate_to: localhost
  run_once: true
  register: tree

- name: Pull everything on every host, with helm 3 and helm 4
  seahub.offline.pull_verify:
    references: "{{ tree.references }}"
    helm:
      - helm3
      - helm4
  register: pulled

- name: Accept nothing but what the lock says
  ansible.builtin.assert:
    that: pulled.ok
"""

RETURN = r"""
ok:
  description: Whether every cell is right. Null in check mode.
  returned: success
  type: bool
  sample: true
cells:
  description: One dictionary for each pull, sorted by reference.
  returned: success
  type: list
  elements: dict
  contains:
    reference:
      description: What was pulled, or the registry host that was asked, as V(sea.hub:5000 at 10.0.0.5).
      type: str
      sample: sea.hub:5000/library/nginx:1.27
    client:
      description: What it was pulled with.
      type: str
      sample: docker
    platform:
      description: The platform that was pulled; null for what has none.
      type: str
      sample: linux/amd64
    expected:
      description: The digest that the lock names; null for a registry host as a whole.
      type: str
      sample: sha256:0a399eb16751829e1af26fea27b20c3ec28d7ab1fb72182879dcae1cca21206a
    actual:
      description: The digest that the client got; null if it got none.
      type: str
      sample: sha256:0a399eb16751829e1af26fea27b20c3ec28d7ab1fb72182879dcae1cca21206a
    ok:
      description: Whether the client got what the lock says. Null in check mode.
      type: bool
      sample: true
    error:
      description: What is wrong, in the words of the client where it said something. Empty when nothing is.
      type: str
      sample: "manifest for sea.hub:5000/library/nginx:1.27 not found: manifest unknown: manifest unknown"
    seconds:
      description: How long it took.
      type: float
      sample: 1.72
    was_present:
      description: Whether the host had an image of this name before.
      type: bool
      sample: false
"""

import json

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils import _lock, _pull_verify
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._pull_verify import Settings


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "references": {"type": "list", "elements": "dict", "required": True},
            "domain": {"type": "str", "default": "sea.hub"},
            "port": {"type": "int", "default": 5000},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "docker": {"type": "str", "default": "docker"},
            "helm": {"type": "list", "elements": "str", "default": ["helm"]},
            "parallel": {"type": "int", "default": 3},
            "timeout": {"type": "int", "default": 3600},
        },
        required_together=[("username", "password")],
        supports_check_mode=True,
    )
    params = module.params
    settings = Settings(
        domain=params["domain"],
        port=params["port"],
        docker=params["docker"],
        helm=tuple(params["helm"]),
        timeout=params["timeout"],
        parallel=params["parallel"],
        addresses=tuple(params["addresses"]),
        login=f"{params['username']}:{params['password']}" if params["username"] else "",
    )
    try:
        document = {"seahub_lock": _lock.FORMAT, "references": params["references"]}
        entries = list(_lock.load(json.dumps(document).encode(), "the option references").references)
        cells = (_pull_verify.planned if module.check_mode else _pull_verify.verify)(entries, settings)
    except SeahubError as error:
        module.fail_json(msg=str(error))
    ok = None if module.check_mode else all(cell.ok for cell in cells)
    module.exit_json(changed=False, ok=ok, cells=[cell.as_dict() for cell in cells])


if __name__ == "__main__":
    main()

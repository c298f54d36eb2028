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
  - Pulls every image with docker, podman and containerd's C(ctr), those of them that are there, and every chart with
    C(helm pull), on the host it runs on, and compares the digests with those of the lock. Other artifacts are fetched
    over HTTPS and hashed.
  - No client is told to trust anything, and one that would not verify the registry's certificate makes a wrong cell.
  - An image is pulled for every platform that the tree holds, and under every name that it has there.
  - What was pulled is removed again, unless the host had it before. Podman pulls into a storage and C(ctr) into a
    namespace that are there for one pull only.
  - Docker and containerd do not fetch a layer again that the host already has. Such layers are fetched over HTTPS and
    hashed, so a right cell always says that the registry has everything.
  - Where the registry has users, docker, podman and helm pull with the password in their own login files, as
    M(seahub.offline.registry_login) writes them.
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
  image_clients:
    description:
      - The names or paths of clients, each of which pulls every image. C(docker), C(podman) or C(ctr) has to be in the
        name.
      - V(auto) stands for each of these three that is on the host and runs. If there is none, all images are wrong.
    type: list
    elements: str
    default: [auto]
  helm:
    description: The names or paths of helm clients, each of which pulls every chart.
    type: list
    elements: str
    default: [helm]
  username:
    description:
      - The user as whom C(ctr) pulls, and content is fetched over HTTPS, where the registry has users.
    type: str
  password:
    description: The password of O(username). No other program sees it on its command line.
    type: str
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
  - module: seahub.offline.registry_login
"""

EXAMPLES = r"""
---
- name: Read the lock of the tree on the controller
  seahub.offline.tree_info:
    path: /srv/seahub/tree
  delegate_to: localhost
  run_once: true
  register: tree

- name: Pull everything on every host, images with docker and podman, charts with helm 3 and helm 4
  seahub.offline.pull_verify:
    references: "{{ tree.references }}"
    image_clients:
      - docker
      - podman
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

from ansible_collections.seahub.offline.plugins.module_utils.clients import _pull_verify
from ansible_collections.seahub.offline.plugins.module_utils.clients._pull_verify import Settings
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "references": {"type": "list", "elements": "dict", "required": True},
            "domain": {"type": "str", "default": "sea.hub"},
            "port": {"type": "int", "default": 5000},
            "addresses": {"type": "list", "elements": "str", "default": []},
            "image_clients": {"type": "list", "elements": "str", "default": ["auto"]},
            "helm": {"type": "list", "elements": "str", "default": ["helm"]},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
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
        image_clients=tuple(params["image_clients"]),
        helm=tuple(params["helm"]),
        timeout=params["timeout"],
        login=Credentials(params["username"], params["password"]) if params["username"] else None,
        parallel=params["parallel"],
        addresses=tuple(params["addresses"]),
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

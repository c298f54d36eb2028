#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the offline registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_service
short_description: The offline registry, running on its host
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Runs a registry container that serves a tree over TLS, read-only, on the host where the tree lies.
  - The registry's own image comes out of the same tree, since there is nowhere to pull it from. It is streamed into the
    engine as an archive that is never written to the disk, for the platform of the host, and only once.
  - The task succeeds when the registry answers on its port with a certificate that O(ca_certificate) verifies for
    O(domain).
  - The container starts with the engine, sees its files read-only, and has no capabilities. It is replaced when its
    image, its configuration or its certificate changes, and when it does not run.
  - Needs nothing but Python and the engine on the host.
extends_documentation_fragment:
  - seahub.offline._attributes
attributes:
  check_mode:
    support: full
    details: Whether the registry answers is only asked if nothing would be changed.
  diff_mode:
    support: full
    details: Says why what is replaced is replaced.
  idempotent:
    support: full
options:
  state:
    description:
      - With V(present) the registry runs and answers.
      - With V(absent) the container, its images (those named after O(name)) and O(config) are removed; the tree and the
        certificates stay.
    type: str
    choices: [present, absent]
    default: present
  name:
    description: What the container is called. A container of this name that was not made by this module is an error.
    type: str
    default: seahub-registry
  engine:
    description: The container engine that runs it.
    type: str
    choices: [docker]
    default: docker
  tree:
    description: The folder of the tree. Required with O(state=present).
    type: path
  image:
    description:
      - The registry's image in the tree, as it was named when it was saved.
      - Images of docker-distribution 2 and 3 can be used.
    type: str
    default: registry:2
  domain:
    description: The name under which clients reach the registry.
    type: str
    default: sea.hub
  port:
    description: The port on which the host offers it.
    type: int
    default: 5000
  certificate:
    description: The file with the server certificate. Required with O(state=present).
    type: path
  private_key:
    description: The file with its private key. Required with O(state=present).
    type: path
  ca_certificate:
    description: The file with the CA certificate that clients trust. Required with O(state=present).
    type: path
  config:
    description: Where the configuration file of the registry is written.
    type: path
    default: /var/lib/seahub/config.yml
  timeout:
    description: Seconds to wait for the registry to answer.
    type: int
    default: 60
seealso:
  - module: seahub.offline.registry_certificate
  - module: seahub.offline.tree_sync
"""

EXAMPLES = r"""
---
- name: Serve the tree
  seahub.offline.registry_service:
    tree: /var/lib/seahub/tree
    certificate: /var/lib/seahub/certs/sea.hub.crt
    private_key: /var/lib/seahub/certs/sea.hub.key
    ca_certificate: /var/lib/seahub/certs/ca.crt

- name: Serve it no longer
  seahub.offline.registry_service:
    state: absent
"""

RETURN = r"""
url:
  description: Where clients find the registry.
  returned: with O(state=present)
  type: str
  sample: https://sea.hub:5000/v2/
image:
  description: The image that the container runs from.
  returned: with O(state=present)
  type: dict
  contains:
    source:
      description: What it is called in the tree.
      type: str
      sample: library/registry:2
    name:
      description: What it is called in the engine.
      type: str
      sample: seahub-registry:4fac7abe868a6a7f5d1a5d9d7a0a3c0f6b4b7a40c0c6d0d0dd5ae4f0eb8f5f2e
    digest:
      description: The digest of its manifest for the platform of this host.
      type: str
      sample: sha256:4fac7abe868a6a7f5d1a5d9d7a0a3c0f6b4b7a40c0c6d0d0dd5ae4f0eb8f5f2e
reasons:
  description: Why something was changed, as sentences. Empty when nothing was.
  returned: success
  type: list
  elements: str
  sample:
    - there is no container
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils import _registry_service
from ansible_collections.seahub.offline.plugins.module_utils._engine import ENGINES, Engine
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._registry_service import Settings


def present(module: AnsibleModule, engine: Engine) -> dict[str, Any]:
    """Let the registry run and answer; return the result."""
    params = module.params
    settings = Settings(
        name=params["name"],
        tree=os.path.abspath(params["tree"]),
        image=params["image"],
        domain=params["domain"],
        port=params["port"],
        certificate=os.path.abspath(params["certificate"]),
        private_key=os.path.abspath(params["private_key"]),
        ca_certificate=os.path.abspath(params["ca_certificate"]),
        config=os.path.abspath(params["config"]),
    )
    steps = _registry_service.plan(settings, engine)
    if not module.check_mode:
        _registry_service.carry_out(steps, settings, engine)
    if not (module.check_mode and steps.reasons):
        _registry_service.wait_until_healthy(settings, engine, params["timeout"])
    if not module.check_mode and steps.reasons:
        _registry_service.clean(steps, settings, engine)
    image = {"source": steps.image.name, "name": steps.spec.image, "digest": steps.image.manifest.digest}
    return {"url": settings.url, "image": image, "reasons": steps.reasons}


def absent(module: AnsibleModule, engine: Engine) -> dict[str, Any]:
    """Remove the registry; return the result."""
    name, config = module.params["name"], module.params["config"]
    reasons = _registry_service.reasons_to_remove(name, config, engine)
    if reasons and not module.check_mode:
        _registry_service.remove(name, config, engine)
    return {"reasons": reasons}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "name": {"type": "str", "default": "seahub-registry"},
            "engine": {"type": "str", "choices": ["docker"], "default": "docker"},
            "tree": {"type": "path"},
            "image": {"type": "str", "default": "registry:2"},
            "domain": {"type": "str", "default": "sea.hub"},
            "port": {"type": "int", "default": 5000},
            "certificate": {"type": "path"},
            "private_key": {"type": "path", "no_log": False},
            "ca_certificate": {"type": "path"},
            "config": {"type": "path", "default": "/var/lib/seahub/config.yml"},
            "timeout": {"type": "int", "default": 60},
        },
        required_if=[("state", "present", ("tree", "certificate", "private_key", "ca_certificate"))],
        supports_check_mode=True,
    )
    state = module.params["state"]
    try:
        engine = ENGINES[module.params["engine"]]()
        result = (present if state == "present" else absent)(module, engine)
    except (SeahubError, OSError) as error:
        module.fail_json(msg=str(error))
    reasons = "".join(f"{reason}\n" for reason in result["reasons"])
    module.exit_json(changed=bool(reasons), diff={"prepared": reasons}, **result)


if __name__ == "__main__":
    main()

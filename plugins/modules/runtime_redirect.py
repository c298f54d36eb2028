#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets container runtimes pull from the offline registry."""

from __future__ import annotations

DOCUMENTATION = r"""
module: runtime_redirect
short_description: Container runtimes that pull from the offline registry
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Lets the container runtimes of a host trust the offline registry, and lets the original names of images lead to it.
  - The files of the runtimes are merged with. Before one is changed, the program that reads it is asked what it would
    make of it, where it can say so; afterwards it is asked what it has. If it does not take it, all is as it was.
  - What was there before is kept in C(/var/lib/seahub-client). With O(state=absent) it is given back, byte for byte
    where nobody has changed the file since; else only what was added is taken out.
  - "B(docker): C(/etc/docker/certs.d), and C(registry-mirrors) in C(/etc/docker/daemon.json) for V(docker.io). Docker
    is told to read it again, not restarted. It can redirect no other host, and tries the real V(docker.io) when the
    mirrors do not have an image."
  - "B(containerd): C(hosts.toml) for the registry and for each host, without a way back to the real one, in the folder
    that containerd looks at. If it looks at none, C(config_path) is set in C(/etc/containerd/config.toml), which
    takes a restart; running containers go on."
  - "B(podman) and B(crio): C(/etc/containers/certs.d) and drop-ins in C(/etc/containers/registries.conf.d), without a
    way back to the real host. CRI-O is told to read them again. Buildah and skopeo read them too. A sandbox image is
    set in C(/etc/crio/crio.conf.d). If that folder was not there when CRI-O was started, CRI-O has to be restarted,
    which is left to you; RV(restart_needed) has it then."
  - "B(k3s) and B(rke2): C(registries.yaml) and a drop-in with C(disable-default-registry-endpoint), both in
    C(/etc/rancher), which are read when the service starts. Releases of before 2024 do not know that option and try the
    real host last."
extends_documentation_fragment:
  - seahub.offline._attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - What the registry is called in C(/var/lib/seahub-client), to know what to give back.
      - Two registries may be there side by side, if only one of them has O(redirects).
    type: str
    default: seahub
  runtimes:
    description: The runtimes; when empty, those that are on the host.
    type: list
    elements: str
    choices: [docker, containerd, podman, crio, k3s, rke2]
    default: []
  endpoints:
    description:
      - Host and port of the registry, or of several that serve the same, in the order in which they are tried.
      - The first is the one that references name. Needed with O(state=present).
    type: list
    elements: str
    default: []
  ca_certificate:
    description: The CA certificate of the registry in PEM form. Without one, the system's trust store has to have it.
    type: str
    default: ""
  redirects:
    description:
      - The hosts whose images come from the registry.
      - The filter P(seahub.offline.redirects#filter) makes the list out of what is in a tree.
    type: list
    elements: dict
    default: []
    suboptions:
      host:
        description:
          - The host as it stands in references, with its port. Docker Hub is V(docker.io).
          - V(_default) is any host that has no configuration of its own; containerd, k3s and RKE2 know that.
        type: str
        required: true
      prefixes:
        description: What the registry's names have before the path of the original one, tried in this order.
        type: list
        elements: str
        default: [""]
  short_names:
    description: What podman and CRI-O make of names without a host. What others have written for a name counts first.
    type: dict
    default: {}
  sandbox_image:
    description: The image of the sandboxes of pods, if it is not to be the one that the runtime has chosen.
    type: str
    default: ""
  restart:
    description:
      - The runtimes that may be restarted when they have to be.
      - What has to be restarted and may not be is in RV(restart_needed).
    type: list
    elements: str
    choices: [containerd, k3s, rke2]
    default: [containerd]
  state:
    description: Whether the runtimes use the registry, or are again as they were.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: seahub.offline.ca_trust
  - module: seahub.offline.pull_verify
"""

EXAMPLES = r"""
---
- name: Pull from sea.hub whatever the image is called
  seahub.offline.runtime_redirect:
    endpoints: ["sea.hub:5000"]
    ca_certificate: "{{ lookup('ansible.builtin.file', '/srv/seahub/pki/ca.crt') }}"
    redirects:
      - host: docker.io
      - host: quay.io
    short_names:
      mysql: docker.io/library/mysql

- name: Let everything be as it was
  seahub.offline.runtime_redirect:
    state: absent
"""

RETURN = r"""
runtimes:
  description: The runtimes that were looked after; podman stands for CRI-O, too, which reads the same files.
  returned: success
  type: list
  elements: str
  sample: [docker, containerd]
files:
  description: The files that were (or, in check mode, would be) written or given back.
  returned: success
  type: list
  elements: str
  sample: [/etc/docker/daemon.json]
remarks:
  description: What a runtime cannot do of what is wanted, as sentences.
  returned: success
  type: list
  elements: str
  sample: ["docker can redirect docker.io only: images of quay.io are pulled as sea.hub:5000/..."]
done:
  description: What was done for the runtimes to read their files.
  returned: success
  type: list
  elements: str
  sample: [docker reloaded]
restart_needed:
  description: The services that read what was written only after a restart.
  returned: success
  type: list
  elements: str
  sample: [k3s]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.clients import _runtimes
from ansible_collections.seahub.offline.plugins.module_utils.clients._redirects import ANY_HOST, Redirect, Registry
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference


def registry(params: dict[str, Any]) -> Registry:
    """Return what the options say of the registry.

    :raises SeahubError: if they cannot be right.
    """
    for host in (*params["endpoints"], *(item["host"] for item in params["redirects"])):
        if host != ANY_HOST and not _reference.is_host(host):
            raise SeahubError(f"{host} is no host: write its name or address, with a port or without")
    authorities = params["ca_certificate"].strip()
    return Registry(
        endpoints=tuple(params["endpoints"]),
        authorities=authorities + "\n" if authorities else "",
        redirects=tuple(
            Redirect(item["host"], tuple(prefix.strip("/") for prefix in item["prefixes"]))
            for item in params["redirects"]
        ),
        short_names=tuple(sorted((str(key), str(value)) for key, value in params["short_names"].items())),
        sandbox_image=params["sandbox_image"],
    )


def run(module: AnsibleModule) -> dict[str, Any]:
    """Do what the options say, and return the result."""
    params = module.params
    wanted = registry(params) if params["state"] == "present" else None
    # One that is gone from the host has left its files behind.
    runtimes = _runtimes.chosen(params["runtimes"]) if wanted or params["runtimes"] else list(_runtimes.RUNTIMES)
    outcomes = [
        _runtimes.apply(
            params["name"], runtime, wanted, module.check_mode, bool(set(runtime.names) & set(params["restart"]))
        )
        for runtime in runtimes
    ]
    changes = [change for outcome in outcomes for change in outcome.changes]
    return {
        "changed": bool(changes),
        "runtimes": [runtime.name for runtime in runtimes],
        "files": [change.path for change in changes],
        "remarks": [remark for outcome in outcomes for remark in outcome.remarks],
        "done": [done for outcome in outcomes for done in outcome.taken_up.done],
        "restart_needed": [unit for outcome in outcomes for unit in outcome.taken_up.restart],
        "diff": [
            {
                "before_header": change.path,
                "after_header": change.path,
                "before": change.before or "",
                "after": change.after or "",
            }
            for change in changes
        ],
    }


def main() -> None:
    """Run as an Ansible module."""
    redirects = {
        "host": {"type": "str", "required": True},
        "prefixes": {"type": "list", "elements": "str", "default": [""]},
    }
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "seahub"},
            "runtimes": {"type": "list", "elements": "str", "choices": list(_runtimes.NAMES), "default": []},
            "endpoints": {"type": "list", "elements": "str", "default": []},
            "ca_certificate": {"type": "str", "default": ""},
            "redirects": {"type": "list", "elements": "dict", "default": [], "options": redirects},
            "short_names": {"type": "dict", "default": {}},
            "sandbox_image": {"type": "str", "default": ""},
            "restart": {
                "type": "list",
                "elements": "str",
                "choices": ["containerd", "k3s", "rke2"],
                "default": ["containerd"],
            },
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ("endpoints",))],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except (SeahubError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

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
  - Runs a registry that serves a tree over TLS, read-only, on the host where the tree lies.
  - The registry's own image comes out of the same tree, since there is nowhere to pull it from. It is streamed into
    the engine, for the platform of the host, and only once. On a host without an engine, the program is taken out of
    the image and run by systemd.
  - The task succeeds when the registry answers on its port with a certificate that O(ca_certificate) verifies for
    O(domain).
  - The registry starts with the host, sees its files read-only, and has no capabilities. It is replaced when its
    image, its configuration, its users or its certificate changes, and when it does not run. What takes time is done
    before the old one ends.
  - Needs nothing but Python on the host, and an engine or systemd.
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
      - With V(absent) the container, its images (those named after O(name)) and O(config) are removed; the tree and
        the certificates stay.
      - With V(possible) nothing is changed. The task fails if no engine works, or another program has the port.
    type: str
    choices: [present, absent, possible]
    default: present
  name:
    description:
      - What the container is called, or the service of systemd. One of this name that was not made by this module is
        an error.
    type: str
    default: seahub-registry
  engine:
    description:
      - What runs it.
      - V(podman) has no daemon, and so a unit of systemd starts its container.
      - V(nerdctl) is the client of containerd that takes docker's commands. On hosts with containerd but without it,
        V(none) does the same.
      - V(none) is a unit of systemd that runs the program itself, as a user that owns nothing and exists only as long
        as it runs, in a sandbox. The program lies in C(/usr/local/bin).
      - V(auto) is the one that runs it already, or else the first of V(docker), V(podman), V(nerdctl) and V(none)
        that works. One that is there and does not work is passed over with a warning.
    type: str
    choices: [auto, docker, podman, nerdctl, none]
    default: auto
  network:
    description:
      - With V(bridge) the engine leads the port of the host to the container, with V(host) the registry listens there
        itself.
      - The default is V(bridge) with O(engine=docker) and O(engine=podman), otherwise V(host). O(engine=none) has no
        other.
    type: str
    choices: [bridge, host]
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
    description:
      - Where the configuration file of the registry is written. The file C(htpasswd) beside it belongs to it if
        O(users) is set. Only root may read them.
    type: path
    default: /var/lib/seahub/config.yml
  read_only:
    description:
      - Whether nobody can push or delete. Keep it so unless you fill the registry by pushing, as with O(s3).
      - A registry that can be written to without users takes from everybody.
    type: bool
    default: true
  users:
    description: Who may use the registry. Without it and O(htpasswd), everybody may.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the user.
        type: str
        required: true
      password_hash:
        description: The bcrypt hash of the password, as C(htpasswd -nB) makes it.
        type: str
        required: true
  htpasswd:
    description: A file on the host with users and bcrypt hashes. It stands instead of O(users).
    type: path
  username:
    description:
      - The user as whom the task asks whether the registry answers.
      - Without it, a registry with users is taken to answer when it asks for a password.
    type: str
  password:
    description: The password of O(username).
    type: str
  s3:
    description:
      - Keeps the storage on S3 instead of in O(tree), from which then only the registry's image comes.
      - Clients are not sent to S3, but get everything from the registry.
      - The task fails where the registry cannot read its storage. With users, that is seen only if O(username) is
        given.
      - What else the registry's driver can be told is said in O(extra_config), under C(storage) and C(s3).
    type: dict
    suboptions:
      region:
        description: The region.
        type: str
        required: true
      bucket:
        description: The bucket.
        type: str
        required: true
      regionendpoint:
        description: The URL of the service where it is not that of AWS.
        type: str
      rootdirectory:
        description: A prefix for all names in the bucket.
        type: str
      accesskey:
        description: The access key. Without it, the registry looks for one as AWS's own tools do.
        type: str
      secretkey:
        description: The secret key.
        type: str
      forcepathstyle:
        description:
          - Whether the bucket is named in paths and not in the host's name. The default is V(true) with
            O(s3.regionendpoint).
        type: bool
      ca_certificate:
        description:
          - A file on the host with the CA certificate that vouches for O(s3.regionendpoint), where it is not one that
            is known everywhere. A container does not know the CAs of its host.
        type: path
  extra_config:
    description:
      - Is merged into the configuration that is made here. A null takes something away.
      - It is shown in logs, and so no place for secrets.
      - See U(https://distribution.github.io/distribution/about/configuration/).
    type: dict
    default: {}
  config_text:
    description:
      - The whole configuration, instead of the one that is made here.
      - The registry finds its files as C(/run/NAME/tls.crt), C(/run/NAME/tls.key) and C(/run/NAME/htpasswd), where
        C(NAME) is O(name), and the tree where it is on the host. It has to listen on O(port).
    type: str
    default: ""
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

- name: Serve it to those who have a password, on a host that has podman
  seahub.offline.registry_service:
    engine: podman
    tree: /var/lib/seahub/tree
    certificate: /var/lib/seahub/certs/sea.hub.crt
    private_key: /var/lib/seahub/certs/sea.hub.key
    ca_certificate: /var/lib/seahub/certs/ca.crt
    users:
      - name: reader
        password_hash: "{{ reader_hash }}"
    extra_config:
      log:
        accesslog:
          disabled: false

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
engine:
  description: What runs it.
  returned: success
  type: str
  sample: docker
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

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.serving import _engines, _registry_service
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import Engine
from ansible_collections.seahub.offline.plugins.module_utils.serving._registry_config import ConfigError, Wishes
from ansible_collections.seahub.offline.plugins.module_utils.serving._registry_service import Login, Settings


def settings_of(params: dict[str, Any]) -> Settings:
    """Return what the registry is to be.

    :raises ConfigError: if what was asked for does not go together.
    """
    if params["users"] and params["htpasswd"]:
        raise ConfigError("there are users and an htpasswd file: give one of them")
    tree = os.path.abspath(params["tree"])
    login = Login(params["username"], params["password"]) if params["username"] else None
    s3 = {name: value for name, value in (params["s3"] or {}).items() if value is not None}
    storage_ca = s3.pop("ca_certificate", None)
    return Settings(
        name=params["name"],
        tree=tree,
        image=params["image"],
        domain=params["domain"],
        certificate=os.path.abspath(params["certificate"]),
        private_key=os.path.abspath(params["private_key"]),
        ca_certificate=os.path.abspath(params["ca_certificate"]),
        config=os.path.abspath(params["config"]),
        wishes=Wishes(
            port=params["port"],
            tree=tree,
            domain=params["domain"],
            read_only=params["read_only"],
            users=bool(params["users"] or params["htpasswd"]),
            s3=s3,
            extra=params["extra_config"],
            text=params["config_text"],
        ),
        users=tuple((user["name"], user["password_hash"]) for user in params["users"]),
        htpasswd=os.path.abspath(params["htpasswd"]) if params["htpasswd"] else None,
        storage_ca=os.path.abspath(storage_ca) if storage_ca else None,
        network=params["network"],
        login=login,
    )


def present(module: AnsibleModule, engine: Engine) -> dict[str, Any]:
    """Let the registry run and answer; return the result."""
    params = module.params
    settings = settings_of(params)
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


def possible(module: AnsibleModule, engine: Engine) -> dict[str, Any]:
    """See whether the registry could run; return the result."""
    _registry_service.require_port(module.params["name"], module.params["port"], engine)
    return {"reasons": []}


STATES = {"present": present, "absent": absent, "possible": possible}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent", "possible"], "default": "present"},
            "name": {"type": "str", "default": "seahub-registry"},
            "engine": {
                "type": "str",
                "choices": ["auto", "docker", "podman", "nerdctl", "none"],
                "default": "auto",
            },
            "network": {"type": "str", "choices": ["bridge", "host"]},
            "tree": {"type": "path"},
            "image": {"type": "str", "default": "registry:2"},
            "domain": {"type": "str", "default": "sea.hub"},
            "port": {"type": "int", "default": 5000},
            "certificate": {"type": "path"},
            "private_key": {"type": "path", "no_log": False},
            "ca_certificate": {"type": "path"},
            "config": {"type": "path", "default": "/var/lib/seahub/config.yml"},
            "read_only": {"type": "bool", "default": True},
            "users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "password_hash": {"type": "str", "required": True, "no_log": True},
                },
            },
            "htpasswd": {"type": "path", "no_log": False},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "s3": {
                "type": "dict",
                "options": {
                    "region": {"type": "str", "required": True},
                    "bucket": {"type": "str", "required": True},
                    "regionendpoint": {"type": "str"},
                    "rootdirectory": {"type": "str"},
                    "accesskey": {"type": "str", "no_log": True},
                    "secretkey": {"type": "str", "no_log": True},
                    "forcepathstyle": {"type": "bool"},
                    "ca_certificate": {"type": "path"},
                },
            },
            "extra_config": {"type": "dict", "default": {}},
            "config_text": {"type": "str", "default": "", "no_log": True},
            "timeout": {"type": "int", "default": 60},
        },
        required_together=[("username", "password")],
        required_if=[("state", "present", ("tree", "certificate", "private_key", "ca_certificate"))],
        supports_check_mode=True,
    )
    params = module.params
    try:
        engine = _engines.choose(params["engine"], params["name"], _registry_service.LABEL, module.warn)
        result = STATES[params["state"]](module, engine)
    except (SeahubError, OSError) as error:
        module.fail_json(msg=str(error))
    reasons = "".join(f"{reason}\n" for reason in result["reasons"])
    module.exit_json(changed=bool(reasons), diff={"prepared": reasons}, engine=engine.name, **result)


if __name__ == "__main__":
    main()

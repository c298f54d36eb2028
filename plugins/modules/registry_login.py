#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps a user's password for the registry where clients look for it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: registry_login
short_description: The password for the registry, where clients look for it
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Writes a user name and a password for a registry into the files from which docker, podman and its kin, and helm read
    them, as C(docker login), C(podman login) and C(helm registry login) do, but without any of these programs.
  - What the files hold for other registries stays. Only their owner may read them. What they hold for this registry is
    replaced.
  - What was there before is kept in C(/var/lib/seahub-client), where only root may read it. With O(state=absent) it is
    given back, byte for byte where nobody has changed the file since; else only what was added is taken out. A file
    that others could read stays closed to them.
  - Can write a secret for Kubernetes, too, as a manifest that C(kubectl apply) takes.
  - Docker does not send a password to a mirror. Where the registry asks for one, images are pulled by docker under the
    registry's own name.
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
  name:
    description: In whose name it is done. What was there before is kept under it in C(/var/lib/seahub-client).
    type: str
    default: seahub
  registry:
    description:
      - The host of the registry with its port, as it stands in references. Needed with O(state=present).
      - With O(state=absent) and without it, all that was written under O(name) is taken back, wherever it was written.
    type: str
  username:
    description: The name of the user. Needed with O(state=present).
    type: str
  password:
    description: The password. Needed with O(state=present).
    type: str
  clients:
    description: Whose files are written. V(containers) is podman, buildah, skopeo and CRI-O.
    type: list
    elements: str
    choices: [docker, containers, helm]
    default: [docker, containers, helm]
  home:
    description:
      - The home of the user that pulls, below which the files lie. A folder that is made, and a file in it, belong to
        the owner of the folder above.
    type: path
    default: "~"
  pull_secret:
    description: The file on the host to write the manifest of a Kubernetes secret to; none without.
    type: path
  pull_secret_name:
    description: The name of that secret.
    type: str
    default: seahub
  pull_secret_namespace:
    description: The namespace of that secret; without one, it is for the one that C(kubectl) is told.
    type: str
    default: ""
  state:
    description:
      - Whether the password is there, or the files are again as they were.
      - A password that this module has not written stays.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
---
- name: Let root pull from the registry
  seahub.offline.registry_login:
    registry: sea.hub:5000
    username: reader
    password: "{{ vault_reader_password }}"
    pull_secret: /etc/kubernetes/seahub-pull-secret.json

- name: Let the files be as they were
  seahub.offline.registry_login:
    state: absent
"""

RETURN = r"""
files:
  description: The files that were (or, in check mode, would be) changed.
  returned: success
  type: list
  elements: str
  sample: [/root/.docker/config.json]
"""

import os
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.clients import _logins
from ansible_collections.seahub.offline.plugins.module_utils.clients._login_records import Record, Records
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError


@dataclass(frozen=True)
class File:
    """What a file holds, what it held before there was anything of ours in it, and what it is to hold."""

    path: str
    text: str = field(repr=False)
    original: str = field(repr=False)
    wanted: str = field(repr=False)


def paths_of(params: dict[str, Any]) -> list[str]:
    """Return the files that the options name."""
    paths = [os.path.join(params["home"], _logins.PLACES[client]) for client in params["clients"]]
    return paths + ([params["pull_secret"]] if params["pull_secret"] else [])


def original_of(text: str, record: Record | None) -> str:
    """Return what a file would hold without us."""
    if record is None or not text:
        return text
    is_secret = not record.path.endswith(tuple(_logins.PLACES.values()))
    if is_secret or record.is_of(text):
        return record.before
    for registry in record.registries:
        text = _logins.without_login(text, record.before, registry, record.is_new)
    return text


def present(module: AnsibleModule, records: Records) -> list[str]:
    """Write the login into all files; return those that were, or would be, changed."""
    params = module.params
    login = (params["registry"], params["username"], params["password"])
    files = []
    for path in paths_of(params):
        text = _logins.read(path)
        wanted = _logins.with_login(text, *login)
        if path == params["pull_secret"]:
            wanted = _logins.pull_secret(params["pull_secret_name"], params["pull_secret_namespace"], *login)
        files.append(File(path, text, original_of(text, records.find(path)), wanted))
    changed = [file for file in files if file.text != file.wanted or not _logins.is_private(file.path)]
    for file in changed if not module.check_mode else ():
        if file.text != file.wanted:
            # First: what was changed without a record could not be given back.
            records.keep(file.path, params["registry"], file.original, file.wanted)
        _logins.write(file.path, file.wanted)
    return [file.path for file in changed]


def absent(module: AnsibleModule, records: Records) -> list[str]:
    """Give the files back; return those that were, or would be, changed."""
    registry, paths = module.params["registry"], paths_of(module.params)
    changed = []
    for record in records.all():
        if registry and (registry not in record.registries or record.path not in paths):
            continue
        others = tuple(other for other in record.registries if registry and other != registry)
        text = _logins.read(record.path)
        wanted = _logins.without_login(text, record.before, registry, False) if others else original_of(text, record)
        if text != wanted:
            changed.append(record.path)
        if module.check_mode:
            continue
        if text != wanted:
            _logins.write(record.path, wanted)
        if others:
            records.leave(record, others, text, wanted)
        else:
            records.forget(record)
    return changed


def run(module: AnsibleModule) -> dict[str, Any]:
    """Do what the options say, and return the result."""
    records = Records(module.params["name"])
    changed = (present if module.params["state"] == "present" else absent)(module, records)
    return {"changed": bool(changed), "files": changed}


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "default": "seahub"},
            "registry": {"type": "str"},
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "clients": {
                "type": "list",
                "elements": "str",
                "choices": list(_logins.PLACES),
                "default": ["docker", "containers", "helm"],
            },
            "home": {"type": "path", "default": "~"},
            # Names of secrets, and no secrets.
            "pull_secret": {"type": "path", "no_log": False},
            "pull_secret_name": {"type": "str", "default": "seahub", "no_log": False},
            "pull_secret_namespace": {"type": "str", "default": "", "no_log": False},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        required_if=[("state", "present", ("registry", "username", "password"))],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module))
    except SeahubError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()

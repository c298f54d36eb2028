#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tree_sync
version_added: 0.1.0
short_description: Brings a registry tree to a host, sending only what it lacks
description:
  - Makes a registry tree on the target host hold everything that a tree or bundle on the controller holds.
  - Only what the host lacks is sent, found by digests, over the connection that the inventory gives for the host,
    whatever that is (ssh, local, docker, ...).
  - Over P(ansible.builtin.ssh#connection) it goes down one process of ssh, which Ansible itself begins with all that is
    set for the connection (jump hosts, keys, passwords, ControlPersist, C(become) with and without a password), but
    without compression. Over other connections it goes in a few large portions. Where ssh cannot be used in that way,
    it goes in portions too, and C(-v) says why.
  - A registry may serve the tree meanwhile. Blobs come first, then the links that make them available, then tags, so
    that no tag is ever seen before everything that it needs. The bytes of each blob are hashed as they arrive.
  - After an interruption the next run goes on where this one stopped, within a large blob as well.
  - What the host's tree holds beyond the source stays. A tag that points elsewhere there is set to what the source has.
options:
  source:
    description:
      - The tree (a folder) or the bundle (a file) on the controller. A relative path begins at the playbook's folder.
      - Of a bundle in parts, one of these or the folder in which they lie. A part that is missing, swapped, foreign or
        damaged is named before anything is sent.
      - What the references in its lock need is sent; what earlier versions of them left behind in the tree is not.
    type: path
    required: true
  dest:
    description: The folder of the tree on the target host. It is made if it does not exist.
    type: path
    required: true
  allowed_signers:
    description:
      - The file on the controller that says who may sign, as C(ssh-keygen) describes it (ALLOWED SIGNERS). A relative
        path begins at the playbook's folder.
      - A source that is no bundle, or a bundle that none of them has signed, is refused before anything is sent. The
        signature lies beside the bundle, in a file with C(.sig) at the end of its name.
      - Without it, no signature is looked at.
    type: path
  fetch_from:
    description:
      - Registries that serve the same tree on other hosts. The host fetches from them what it lacks, by HTTPS; only
        what none of them has comes from the controller.
      - Each blob is hashed as it arrives. A registry that does not answer, shows another certificate, or gives wrong
        bytes is left out, with a warning, and another one goes on within the blob.
      - In check mode nothing is fetched.
    type: dict
    suboptions:
      addresses:
        description: The IP addresses or names under which the host reaches them. With none of them, nothing is fetched.
        type: list
        elements: str
        required: true
      domain:
        description: The name of the registry, for which the certificate of each of them has to be valid.
        type: str
        required: true
      port:
        description: The port on which they listen.
        type: int
        default: 5000
      ca_certificate:
        description: The file on the controller with the CA that has signed their certificates.
        type: str
        required: true
      username:
        description: The user as whom they are asked, if they have users.
        type: str
      password:
        description: The password of that user.
        type: str
  _step:
    description: What to do on the target host. Set by the action plugin; a task cannot set it.
    type: str
    choices: [describe, fetch, receive]
  _staging:
    description: The folder on the target host where portions arrive. Set by the action plugin; a task cannot set it.
    type: path
  _portion:
    description: The portion on the target host to take in. Set by the action plugin; a task cannot set it.
    type: path
  _wanted:
    description: What to fetch. Set by the action plugin; a task cannot set it.
    type: str
  _trust:
    description: The certificate of the CA to trust. Set by the action plugin; a task cannot set it.
    type: str
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
    details: Shows tags and their digests.
  idempotent:
    support: full
extends_documentation_fragment:
  - seahub.offline._attributes
notes:
  - The part on the target host needs nothing but Python.
  - Over ssh no temporary file is written. Of the portions, one of at most 128 MiB lies in the remote temporary folder
    (C(ansible_remote_tmp)) at a time.
  - Ansible's own default for ssh is to compress (C(-C) in C(ssh_args)), which makes the transfer of layers, which are
    compressed already, several times slower. Where that is set, the module opens a connection of its own beside the one
    that is kept (C(ControlPersist)). The C(ansible.cfg) that comes with this collection does not set it.
  - From 64 MiB on, where the processors of both sides have instructions for AES, such a connection is opened as well.
    Of the ciphers that ssh is set to use, AES in Galois/Counter Mode is its first choice. If it cannot be opened, the
    one that is kept is used.
author:
  - seahub.offline contributors (!UNKNOWN)
seealso:
  - module: seahub.offline.bundle_pack
  - module: seahub.offline.tree_info
"""

EXAMPLES = r"""
- name: Bring the tree to the registry host
  seahub.offline.tree_sync:
    source: "{{ playbook_dir }}/seahub/tree"
    dest: /var/lib/seahub/tree

- name: The same from a bundle, without unpacking it first
  seahub.offline.tree_sync:
    source: /media/usb/bundle.tar
    dest: /var/lib/seahub/tree

- name: Only a bundle that the build host has signed
  seahub.offline.tree_sync:
    source: /media/usb/bundle.tar
    dest: /var/lib/seahub/tree
    allowed_signers: allowed_signers

- name: What other registry hosts have comes from them, not over the controller's line
  seahub.offline.tree_sync:
    source: "{{ playbook_dir }}/seahub/tree"
    dest: /var/lib/seahub/tree
    fetch_from:
      addresses: [10.0.0.5, 10.0.0.6]
      domain: sea.hub
      ca_certificate: "{{ playbook_dir }}/seahub/pki/ca.crt"
"""

RETURN = r"""
dest:
  description: The folder of the tree on the target host.
  returned: success
  type: str
  sample: /var/lib/seahub/tree
sent_bytes:
  description:
    - Bytes of blobs that were sent from the controller. In check mode, those that the host lacks, wherever they would
      come from.
  returned: success
  type: int
  sample: 2411724
sent_blobs:
  description: How many blobs were sent from the controller. In check mode, how many the host lacks.
  returned: success
  type: int
  sample: 12
fetched_bytes:
  description: Bytes of blobs that were fetched from other registries.
  returned: when O(fetch_from) is given
  type: int
  sample: 2411724
fetched_blobs:
  description: How many blobs were fetched from other registries.
  returned: when O(fetch_from) is given
  type: int
  sample: 12
left_out:
  description: The addresses of O(fetch_from) that were given up, each with the reason.
  returned: when O(fetch_from) is given
  type: dict
  sample:
    10.0.0.6: "[Errno 111] Connection refused"
present_blobs:
  description: How many of the source's blobs were there before.
  returned: success
  type: int
  sample: 40
tags:
  description: The tags that were set, or would be set in check mode, sorted.
  returned: success
  type: list
  elements: str
  sample:
    - helm-charts/mysql:8.8.25
    - library/mysql:8
msg:
  description: What would be done.
  returned: when something would be changed in check mode
  type: str
  sample: would send 12 blobs (2.3 MiB) and set 2 tags
signed_by:
  description: Who has signed the bundle, as O(allowed_signers) calls them.
  returned: when O(allowed_signers) is given
  type: str
  sample: build@example.com
moved_tags:
  description: Those tags that pointed elsewhere on the host before, with the digest they had.
  returned: success
  type: dict
  sample:
    library/mysql:8: sha256:7f5c2a2a8d9c0f7d0e7e5ba2e2ab6e4a0e1b3a6f0b8c4d5e6f708192a3b4c5d6
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _archive
from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _peers, _sync
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

WAIT_FOR_WRITER = 30


def describe(params: dict[str, Any]) -> dict[str, Any]:
    """Tell the action plugin what the host has."""
    return dict(_sync.describe(Tree(params["dest"]), params["_staging"]).dump(), changed=False)


def receive(params: dict[str, Any]) -> dict[str, Any]:
    """Take in one portion that the action plugin has put on the host."""
    tree = Tree(params["dest"])
    with tree.exclusive(wait=WAIT_FOR_WRITER), open(params["_portion"], "rb") as portion:
        received = _archive.receive(portion, tree)
    return {"changed": True, "blobs": received.blobs, "size": received.size}


def fetch(params: dict[str, Any]) -> dict[str, Any]:
    """Fetch from other registries what the host lacks."""
    tree, given = Tree(params["dest"]), params["fetch_from"]
    peers = _peers.Peers(
        addresses=tuple(given["addresses"]),
        domain=given["domain"],
        port=given["port"],
        trust=_tls.context(ca_text=params["_trust"]),
        username=given["username"] or "",
        password=given["password"] or "",
    )
    with tree.exclusive(wait=WAIT_FOR_WRITER):
        fetched = _peers.fetch(tree, _inventory.load(params["_wanted"]), peers)
    return {
        "changed": fetched.blobs > 0,
        "blobs": fetched.blobs,
        "size": fetched.size,
        "left_out": fetched.left_out,
    }


STEPS = {"describe": describe, "fetch": fetch, "receive": receive}


def main() -> None:
    """Run one step of the synchronisation on the target host; the action plugin of the same name calls them."""
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "allowed_signers": {"type": "path"},
            "fetch_from": {
                "type": "dict",
                "options": {
                    "addresses": {"type": "list", "elements": "str", "required": True},
                    "domain": {"type": "str", "required": True},
                    "port": {"type": "int", "default": 5000},
                    "ca_certificate": {"type": "str", "required": True},
                    "username": {"type": "str"},
                    "password": {"type": "str", "no_log": True},
                },
            },
            "_step": {"type": "str", "choices": list(STEPS)},
            "_staging": {"type": "path"},
            "_portion": {"type": "path"},
            "_wanted": {"type": "str"},
            "_trust": {"type": "str"},
        },
        supports_check_mode=True,
    )
    if module.params["_step"] is None:
        module.fail_json(msg="tree_sync works through its action plugin: use it as seahub.offline.tree_sync in a play")
    try:
        result = STEPS[module.params["_step"]](module.params)
    except SeahubError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{module.params['dest']} on the host cannot be used: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()

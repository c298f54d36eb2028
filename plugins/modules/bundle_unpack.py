#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_unpack
version_added: 0.1.0
short_description: Unpacks a bundle into a registry tree on the same host
description:
  - Puts all that a bundle holds into a registry tree, straight from the medium that it came on. Use it where the bundle
    lies on the registry host; where it lies on the controller, M(seahub.offline.tree_sync) sends what the host lacks.
  - What can be told without reading layers is checked before anything is written. That is, the names in the archive,
    that it holds all that its references need, the room and the number of inodes on the disk, and the tags.
  - Only blobs that the tree lacks are read. They are hashed while they are written, and there is no temporary copy.
  - A registry may serve the tree meanwhile. Blobs come first, then the links that make them available, then tags, so
    that no tag is ever seen before everything that it needs.
  - After an interruption the next run goes on where this one stopped, within a large blob as well.
  - A delta, which holds only what a tree lacked, is taken only into a tree that has the rest.
  - What the tree holds already stays. Several bundles can be unpacked into one tree, in any order.
options:
  bundle:
    description:
      - The bundle on the target host, as M(seahub.offline.bundle_pack) has made it.
      - Of a bundle in parts, one of these or the folder in which they lie. They are read first, and a part that is
        missing, swapped, foreign or damaged is named before anything is written.
      - Where they lie on several media at once, a shell pattern that leads to all of them, such as V(/media/dvd*).
    type: path
    required: true
  dest:
    description: The folder of the tree on the target host. It is made if it does not exist.
    type: path
    required: true
  conflict:
    description:
      - What to do where a tag of the bundle points elsewhere in the tree.
      - V(error) fails and names these tags. Nothing is written. A tag that a delta was packed to move is moved, if it
        points where the delta presumes it to.
      - V(replace) lets them point where the bundle has them.
      - V(keep) leaves them, and does not unpack the references that have such a tag.
    type: str
    choices: [error, replace, keep]
    default: error
  allowed_signers:
    description:
      - The file on the target host that says who may sign, as C(ssh-keygen) describes it (ALLOWED SIGNERS).
      - A bundle that none of them has signed is refused before anything is written. The signature lies beside the
        bundle, in a file with C(.sig) at the end of its name.
      - Without it, no signature is looked at.
    type: path
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
  - seahub.offline._progress
author:
  - seahub.offline contributors (!UNKNOWN)
seealso:
  - module: seahub.offline.bundle_pack
  - module: seahub.offline.tree_sync
  - module: seahub.offline.tree_check
"""

EXAMPLES = r"""
- name: Unpack a bundle from a USB disk
  seahub.offline.bundle_unpack:
    bundle: /media/usb/bundle.tar
    dest: /var/lib/seahub/tree

- name: Take a newer bundle, tags that have moved included
  seahub.offline.bundle_unpack:
    bundle: /media/usb/bundle.tar
    dest: /var/lib/seahub/tree
    conflict: replace

- name: Take only what the build host has signed
  seahub.offline.bundle_unpack:
    bundle: /media/usb/bundle.tar
    dest: /var/lib/seahub/tree
    allowed_signers: /etc/seahub/allowed_signers
"""

RETURN = r"""
dest:
  description: The folder of the tree.
  returned: success
  type: str
  sample: /var/lib/seahub/tree
written_bytes:
  description: Bytes of blobs that were written, or would be written in check mode.
  returned: success
  type: int
  sample: 2411724
written_blobs:
  description: How many blobs were written, or would be written in check mode.
  returned: success
  type: int
  sample: 12
present_blobs:
  description: How many of the bundle's blobs were there before.
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
moved_tags:
  description: Those tags that pointed elsewhere before, with the digest they had.
  returned: success
  type: dict
  sample:
    library/mysql:8: sha256:7f5c2a2a8d9c0f7d0e7e5ba2e2ab6e4a0e1b3a6f0b8c4d5e6f708192a3b4c5d6
signed_by:
  description: Who has signed the bundle, as O(allowed_signers) calls them.
  returned: when O(allowed_signers) is given
  type: str
  sample: build@example.com
kept_tags:
  description: The tags that were left as they are because of O(conflict=keep), with the digest that they have.
  returned: success
  type: dict
  sample: {}
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _signature
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _unpack
from ansible_collections.seahub.offline.plugins.module_utils.transfer._unpack import Unpacked
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "bundle": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "conflict": {"type": "str", "choices": list(_unpack.CONFLICT), "default": _unpack.ERROR},
            "allowed_signers": {"type": "path"},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    signed: dict[str, str] = {}
    try:
        source = open_source(params["bundle"])
        if params["allowed_signers"]:
            signer = _signature.verify(source.identity, source.signature_path, params["allowed_signers"])
            signed = {"signed_by": signer}
        unpacked = _unpack.unpack(
            source,
            Tree(params["dest"]),
            params["conflict"],
            _progress.callback(params["progress_file"]),
            dry_run=module.check_mode,
        )
    except SeahubError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{params['bundle']} cannot be unpacked into {params['dest']}: {error}")
    result = {**_result(params["dest"], unpacked), **signed}
    if module._diff:
        result["diff"] = _diff(params["dest"], unpacked)
    module.exit_json(**result)


def _result(dest: str, unpacked: Unpacked) -> dict[str, Any]:
    plan = unpacked.plan
    return {
        "changed": plan.changed,
        "dest": dest,
        "written_bytes": plan.size,
        "written_blobs": len(plan.blobs),
        "present_blobs": plan.present,
        "tags": [":".join(name) for name in sorted(plan.links.tags)],
        "moved_tags": {":".join(name): digest for name, digest in sorted(plan.moved.items())},
        "kept_tags": {":".join(name): digest for name, digest in sorted(unpacked.kept.items())},
    }


def _diff(dest: str, unpacked: Unpacked) -> dict[str, str]:
    before, after = unpacked.plan.moved, unpacked.plan.links.tags
    return {
        "before_header": f"{dest} (tags)",
        "after_header": f"{dest} (tags)",
        "before": "".join(f"{':'.join(name)} {digest}\n" for name, digest in sorted(before.items())),
        "after": "".join(f"{':'.join(name)} {digest}\n" for name, digest in sorted(after.items())),
    }


if __name__ == "__main__":
    main()

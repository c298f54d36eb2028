#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_mount
version_added: 0.1.0
short_description: Mounts bundles on the registry host, to be served as they are
description:
  - Mounts bundles of the format C(squashfs), read-only, as one tree from which a registry can serve at once. Nothing is
    unpacked, and there is no second copy.
  - Several bundles are laid one over the other with overlayfs, the newest on top. An update is one more bundle at the
    end of O(bundle), a roll-back is the list without it.
  - The new tree is made beside the old one, and takes its place in one step, C(<path>/tree) being a link. A registry
    that M(seahub.offline.registry_service) has started from this link goes on, pulls that are under way included. After
    a failure or an interruption what was served before is served on, and the next run does the rest.
  - The mounts are also written into C(/etc/fstab), so that they are there after the host has started again. What the
    file says otherwise stays.
  - Each bundle is read before it is mounted, but for the bytes of layers and other blobs. All of its file system is
    compared with what M(seahub.offline.bundle_pack) writes, so that the kernel is not given anything else to mount, and
    together the bundles have to hold all that their references need.
  - The bytes of blobs are not read unless O(verify) says so. Blobs are named by their digests, which clients compute
    anew when they pull, so that a damaged one is not used by anybody; it is only found late.
  - Needs root, a kernel with squashfs, overlay and loop devices, and C(mount) and C(umount).
options:
  bundle:
    description:
      - The bundles on the target host, oldest first. Required if O(state=present).
      - Of a bundle in parts, one of these or the folder in which they lie. The parts are joined into one file below
        O(path), in one copy that compares each part with its checksum, and goes on where it was interrupted. Once that
        is done the parts are only looked at again when the module is.
      - A bundle that is one file is mounted where it lies, and has to stay there.
    type: list
    elements: path
  path:
    description:
      - The folder in which everything is mounted. The tree is C(<path>/tree).
      - It is made if it does not exist, and should be used for nothing else.
    type: path
    required: true
  state:
    description:
      - V(present) mounts what is in O(bundle), and unmounts whatever else was mounted by this module in O(path).
      - V(absent) unmounts all, now and at boot, and removes O(path). The bundles themselves stay.
    type: str
    choices: [present, absent]
    default: present
  allowed_signers:
    description:
      - The file on the target host that says who may sign, as C(ssh-keygen) describes it (ALLOWED SIGNERS).
      - If a bundle was signed by none of them, nothing is mounted. The signature lies beside the bundle, in a file with
        C(.sig) at the end of its name.
      - Without it, no signature is looked at.
    type: path
  verify:
    description:
      - Whether each blob of a bundle is hashed before the bundle is mounted.
      - It takes the time to read the bundle once. A bundle that is mounted already is not read again.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - seahub.offline._attributes
  - seahub.offline._progress
author:
  - seahub.offline contributors (!UNKNOWN)
seealso:
  - module: seahub.offline.bundle_pack
  - module: seahub.offline.bundle_unpack
  - module: seahub.offline.registry_service
"""

EXAMPLES = r"""
- name: Mount a bundle from a USB disk
  seahub.offline.bundle_mount:
    bundle: /media/usb/bundle.squashfs
    path: /var/lib/seahub/mounted

- name: Mount what came later over it, if both are signed
  seahub.offline.bundle_mount:
    bundle:
      - /srv/bundles/january.squashfs
      - /srv/bundles/february.squashfs
    path: /var/lib/seahub/mounted
    allowed_signers: /etc/seahub/allowed_signers

- name: Go back
  seahub.offline.bundle_mount:
    bundle: /srv/bundles/january.squashfs
    path: /var/lib/seahub/mounted

- name: Unmount everything
  seahub.offline.bundle_mount:
    path: /var/lib/seahub/mounted
    state: absent
"""

RETURN = r"""
tree:
  description: The tree, to be given to M(seahub.offline.registry_service).
  returned: success
  type: str
  sample: /var/lib/seahub/mounted/tree
bundles:
  description: What is mounted, or would be in check mode, oldest first.
  returned: when O(state=present)
  type: list
  elements: dict
  contains:
    bundle:
      description: The bundle, as it was given.
      type: str
      sample: /media/usb/bundle.squashfs
    file:
      description: The file that is mounted. Another one for a bundle in parts.
      type: str
      sample: /media/usb/bundle.squashfs
    signed_by:
      description: Who has signed it, as O(allowed_signers) calls them. Nothing without that option.
      type: str
      sample: build@example.com
references:
  description: How many references the tree holds.
  returned: when O(state=present)
  type: int
  sample: 40
mounted:
  description: The places at which something was mounted, or would be in check mode.
  returned: when O(state=present)
  type: list
  elements: str
  sample:
    - /var/lib/seahub/mounted/bundles/6e1a5b7c0d3f4e2a
unmounted:
  description: The places at which something was unmounted, or would be in check mode.
  returned: when O(state=present)
  type: list
  elements: str
  sample: []
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle_parts import BundleError
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.mounting import _mounts, _stack


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "bundle": {"type": "list", "elements": "path"},
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "allowed_signers": {"type": "path"},
            "verify": {"type": "bool", "default": False},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    present = params["state"] == "present"
    if present and not params["bundle"]:
        module.fail_json(msg="bundle says nothing to mount: give at least one, or state: absent to unmount all")
    try:
        result = _mount(params, module.check_mode) if present else _unmount(params["path"], module.check_mode)
    except (SeahubError, BundleError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"what is mounted in {params['path']} cannot be changed: {error}")
    module.exit_json(tree=os.path.join(params["path"], _stack.TREE), **result)


def _mount(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    stack = _stack.describe(params["bundle"], params["path"], params["allowed_signers"])
    change = _stack.compare(stack, _mounts.FSTAB)
    if change.changed and not check_mode:
        _stack.carry_out(stack, params["verify"], _progress.callback(params["progress_file"]), _mounts.FSTAB)
    return {
        "changed": change.changed,
        "bundles": [
            {"bundle": bundle.source.path, "file": bundle.file, "signed_by": bundle.signer} for bundle in stack.bundles
        ],
        "references": len(stack.lock.references),
        "mounted": [mount.where for mount in change.missing],
        "unmounted": [*change.broken, *change.stale],
    }


def _unmount(path: str, check_mode: bool) -> dict[str, Any]:
    changed = _stack.is_there(path, _mounts.FSTAB)
    if changed and not check_mode:
        _stack.remove(path, _mounts.FSTAB)
    return {"changed": changed}


if __name__ == "__main__":
    main()

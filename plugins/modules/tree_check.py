#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tree_check
version_added: 0.1.0
short_description: Check that a registry tree or a bundle is whole and undamaged
description:
  - Makes sure that everything is in a tree or a bundle that its references and tags need, and that every blob has the
    bytes that its digest names. Names what is missing or corrupt, and which references are affected.
  - Fails if anything is missing or corrupt. Blobs that nothing needs are named but are no failure.
  - Reads only, unless O(repair) is given. It needs nothing but Python, and can run beside a registry that is serving.
options:
  path:
    description:
      - The folder of the tree, or the file of a bundle, which is not unpacked for that.
    type: path
    required: true
  rehash:
    description:
      - Whether every blob is read and hashed, on all processors. Otherwise only their sizes are compared.
    type: bool
    default: true
  repair:
    description:
      - Folders of other trees and files of bundles from which missing and corrupt blobs are taken, verified, in this
        order. Links and tags that are missing are set as the lock says.
      - What could not be repaired is named, and the module fails.
      - A bundle cannot be repaired.
    type: list
    elements: path
    default: []
  wait:
    description:
      - Seconds that a repair waits for another process that is writing the tree; then the module fails.
    type: int
    default: 0
  progress_file:
    description:
      - File in which the module keeps how far it is, as one line of JSON.
      - Without it, progress is shown while the task runs.
    type: path
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
extends_documentation_fragment:
  - seahub.offline._attributes
author:
  - seahub.offline contributors (!UNKNOWN)
seealso:
  - module: seahub.offline.tree_info
"""

EXAMPLES = r"""
---
- name: Make sure that a disk has brought the tree over undamaged
  seahub.offline.tree_check:
    path: /mnt/usb/seahub/tree

- name: Mend the tree of the registry with what is in the bundle
  seahub.offline.tree_check:
    path: /var/lib/seahub/tree
    repair: [/mnt/usb/seahub/bundle.tar]
"""

RETURN = r"""
ok:
  description: Whether nothing is missing or corrupt; after a repair, whether nothing is any more.
  returned: when there is a tree
  type: bool
missing:
  description: A sentence for each thing that something needs and that is not there.
  returned: when there is a tree
  type: list
  elements: str
corrupt:
  description: The blobs whose bytes are not those that their digests name.
  returned: when there is a tree
  type: list
  elements: dict
  contains:
    digest:
      description: The digest that it should have.
      type: str
    found:
      description: The digest that its bytes have, or why they cannot be read.
      type: str
    used_by:
      description: The names in the tree that need it.
      type: list
      elements: str
unreferenced:
  description: The digests of blobs that no manifest needs.
  returned: when there is a tree
  type: list
  elements: str
unreferenced_bytes:
  description: How much room these take.
  returned: when there is a tree
  type: int
partial:
  description: The digests of blobs that are half-finished. The next run that saves or sends them goes on there.
  returned: when there is a tree
  type: list
  elements: str
blobs:
  description: How many blobs the tree has.
  returned: when there is a tree
  type: int
bytes:
  description: Their size.
  returned: when there is a tree
  type: int
repaired:
  description:
    - What O(repair) has brought back; in check mode, what it could.
  returned: when there is a tree
  type: dict
  contains:
    blobs:
      description: The digests of blobs that came anew.
      type: list
      elements: str
    bytes:
      description: Their size.
      type: int
    links:
      description: How many links and tags were set anew.
      type: int
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils import _check, _lock, _progress, _repair
from ansible_collections.seahub.offline.plugins.module_utils._check import Findings
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError, TreeError
from ansible_collections.seahub.offline.plugins.module_utils._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils._repair import Repair
from ansible_collections.seahub.offline.plugins.module_utils._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils._tree import LAYOUT, Tree


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "rehash": {"type": "bool", "default": True},
            "repair": {"type": "list", "elements": "path", "default": []},
            "wait": {"type": "int", "default": 0},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        done = _check_and_repair(module.params, module.check_mode)
    except SeahubError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{module.params['path']} cannot be read: {error}")
    result = _result(done)
    if not done.findings.ok and not (module.check_mode and done.changed):
        module.fail_json(msg=_summary(module.params["path"], done.findings), **result)
    module.exit_json(**result)


def _check_and_repair(params: dict[str, Any], check_mode: bool) -> Repair:
    path, rehash, report = params["path"], params["rehash"], _progress.callback(params["progress_file"])
    if not params["repair"]:
        return Repair({}, Inventory(), _check_path(path, rehash, report))
    if os.path.isfile(path):
        raise TreeError(
            f"{path} is a bundle, which cannot be repaired: repair the tree it comes from, and pack it again"
        )
    tree = Tree(path)
    sources = [open_source(source) for source in params["repair"]]
    if check_mode:
        return _repair.plan(tree, _check.check(tree, rehash, report), sources)
    with tree.exclusive(params["wait"]):
        return _repair.repair(tree, _check.check(tree, rehash, report), sources, report)


def _check_path(path: str, rehash: bool, report: _progress.Callback) -> Findings:
    if _is_tree(path):
        return _check.check(Tree(path), rehash, report)
    return _check.check_source(open_source(path), rehash, report)


def _is_tree(path: str) -> bool:
    # A tree that has lost its lock can be checked all the same.
    return os.path.isdir(os.path.join(path, LAYOUT)) or os.path.isfile(os.path.join(path, _lock.FILE))


def _result(done: Repair) -> dict[str, Any]:
    findings, links = done.findings, done.links
    return {
        "changed": done.changed,
        "ok": findings.ok,
        "missing": list(findings.missing),
        "corrupt": [
            {"digest": item.digest, "found": item.found, "used_by": list(item.used_by)} for item in findings.corrupt
        ],
        "unreferenced": list(findings.unreferenced),
        "unreferenced_bytes": sum(findings.unreferenced.values()),
        "partial": list(findings.partials),
        "blobs": findings.blobs,
        "bytes": findings.size,
        "repaired": {
            "blobs": sorted(done.blobs),
            "bytes": sum(done.blobs.values()),
            "links": len(links.layers) + len(links.manifests) + len(links.tags),
        },
    }


def _summary(path: str, findings: Findings) -> str:
    lines = [f"{path} is damaged; save or send these references again, or repair it from another tree or bundle:"]
    lines += [f"- {sentence}" for sentence in findings.missing]
    lines += [
        f"- the blob {item.digest} is corrupt ({item.found}); {', '.join(item.used_by) or 'nothing'} needs it"
        for item in findings.corrupt
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

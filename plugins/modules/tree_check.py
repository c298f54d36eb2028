#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tree_check
version_added: 0.1.0
short_description: Check that a registry tree is whole and undamaged
description:
  - Makes sure that everything is in a tree that its references and tags need, and that every blob has the bytes that
    its digest names. Names what is missing or corrupt, and which references are affected.
  - Fails if anything is missing or corrupt. Blobs that nothing needs are named but are no failure.
  - Reads only, in check mode and otherwise. It needs nothing but Python, and can run beside a registry that is serving.
options:
  path:
    description:
      - The folder of the tree.
    type: path
    required: true
  rehash:
    description:
      - Whether every blob is read and hashed, on all processors. Otherwise only their sizes are compared.
    type: bool
    default: true
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
"""

RETURN = r"""
ok:
  description: Whether nothing is missing or corrupt.
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
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils import _check, _progress
from ansible_collections.seahub.offline.plugins.module_utils._check import Findings
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._tree import Tree


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "rehash": {"type": "bool", "default": True},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        findings = _check.check(Tree(params["path"]), params["rehash"], _progress.callback(params["progress_file"]))
    except SeahubError as error:
        module.fail_json(msg=str(error))
    result = _result(findings)
    if not findings.ok:
        module.fail_json(msg=_summary(params["path"], findings), **result)
    module.exit_json(**result)


def _result(findings: Findings) -> dict[str, Any]:
    return {
        "changed": False,
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
    }


def _summary(path: str, findings: Findings) -> str:
    lines = [f"The tree {path} is damaged; save or send these references again:"]
    lines += [f"- {sentence}" for sentence in findings.missing]
    lines += [
        f"- the blob {item.digest} is corrupt ({item.found}); {', '.join(item.used_by) or 'nothing'} needs it"
        for item in findings.corrupt
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tree_prune
version_added: 0.1.0
short_description: Remove from a registry tree what is no longer wanted
description:
  - Removes every reference that O(keep) and O(lock) do not name, and what earlier versions of references have left
    behind. The lock of the tree is rewritten.
  - What belongs to a reference stays with it, namely all platforms of an image, its signatures, attestations and other
    referrers. A blob stays as long as anything that stays needs it.
  - Check mode shows what would go, with C(--diff) by name and size.
  - What is removed is moved aside first, and deleted for good by a later run, after O(quarantine_days).
  - A registry may serve the tree meanwhile. Tags go first and blobs last, so that whatever is there at any moment is
    whole.
options:
  path:
    description:
      - The folder of the tree.
    type: path
    required: true
  keep:
    description:
      - What stays. A reference as it was asked for (V(mysql:8)), as it is called in the tree (V(library/mysql:8)), or
        with its source (V(docker.io/library/mysql:8)); or a shell pattern for any of these (V(team/*)), in which C(*)
        goes beyond slashes.
      - What names nothing in the tree is an error, since it may be misspelt.
    type: list
    elements: str
    default: []
  lock:
    description:
      - Path of the lock file (C(seahub.lock.json)) of another tree. What has its name and tag stays, too.
    type: path
  quarantine_days:
    description:
      - How many days that which is removed stays in C(.seahub/quarantine) of the tree.
      - Each run has a folder of its own there. Copying its content over the tree (C(cp -a)) undoes the run.
    type: int
    default: 7
  purge:
    description:
      - Whether everything is deleted for good at once, with all that lies in quarantine from earlier runs.
    type: bool
    default: false
  wait:
    description:
      - Seconds to wait for another process that is writing the tree; then the module fails.
    type: int
    default: 0
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
extends_documentation_fragment:
  - seahub.offline._attributes
notes:
  - Nobody should push into the registry meanwhile. What has been uploaded and is not part of an image yet would go.
  - The module can be killed at any moment. The next run with the same options finishes what was begun.
author:
  - seahub.offline contributors (!UNKNOWN)
seealso:
  - module: seahub.offline.tree_info
  - module: seahub.offline.tree_check
"""

EXAMPLES = r"""
- name: Show what would go
  seahub.offline.tree_prune:
    path: /var/lib/seahub/tree
    keep: [mysql:8, "team/*"]
  check_mode: true
  diff: true

- name: Leave only what the tree of the build host has
  seahub.offline.tree_prune:
    path: /var/lib/seahub/tree
    lock: /media/usb/seahub.lock.json

- name: Make room at once
  seahub.offline.tree_prune:
    path: /var/lib/seahub/tree
    keep: ["*"]
    purge: true
"""

RETURN = r"""
removed:
  description: The references that go, or would go in check mode.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: What it was called in the tree.
      type: str
      sample: library/mysql:8
    digest:
      description: The digest of its manifest or index.
      type: str
      sample: sha256:7f5c2a2a8d9c0f7d0e7e5ba2e2ab6e4a0e1b3a6f0b8c4d5e6f708192a3b4c5d6
    bytes:
      description: The size of those of its blobs that go with it. A blob that several of them share is in each.
      type: int
      sample: 181403648
kept:
  description: How many references stay.
  returned: success
  type: int
blobs:
  description: How many blobs go, also those that nothing named any more.
  returned: success
  type: int
bytes:
  description: Their size.
  returned: success
  type: int
quarantine:
  description: The folder in which they lie now; empty if they do not.
  returned: success
  type: str
  sample: /var/lib/seahub/tree/.seahub/quarantine/20261121T120000Z-4711
deleted_bytes:
  description: The size of what is deleted for good by this run, from this one and earlier ones.
  returned: success
  type: int
"""

import contextlib
import dataclasses
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _prune, _quarantine
from ansible_collections.seahub.offline.plugins.module_utils.keeping._quarantine import Batch
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._selection import Selection
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree


@dataclasses.dataclass(frozen=True)
class Wish:
    """What is to stay in a tree, and how long the rest is kept aside."""

    path: str
    keep: list[str]
    lock: str | None
    quarantine_days: int
    purge: bool
    wait: int


def prune(wish: Wish, check_mode: bool) -> dict[str, Any]:
    """Prune a tree; in check mode find out what would be done."""
    lock = _read_lock(wish.lock) if wish.lock else None
    tree = Tree(wish.path)
    if not os.path.isdir(tree.root):
        raise TreeError(f"there is no tree at {tree.root}")
    with contextlib.nullcontext() if check_mode else tree.exclusive(wish.wait):
        plan = _prune.plan(tree, Selection(wish.keep, lock))
        batch = Batch(tree, wish.purge)
        old = _quarantine.expired(tree, 0 if wish.purge else wish.quarantine_days)
        if not check_mode:
            _prune.prune(tree, plan, batch)
            own = [batch.path] if wish.purge and os.path.isdir(batch.path) else []
            _quarantine.sweep(tree, [*own, *old])
    return {
        "changed": plan.changed or bool(old),
        "removed": [{"name": item.name, "digest": item.digest, "bytes": item.size} for item in plan.references],
        "kept": plan.staying,
        "blobs": len(plan.going.blobs),
        "bytes": plan.going.size,
        "quarantine": batch.path if plan.changed and not wish.purge else "",
        "deleted_bytes": sum(old.values()) + (plan.going.size if wish.purge else 0),
        "diff": {"before": _listed(plan), "after": ""},
    }


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "keep": {"type": "list", "elements": "str", "default": []},
            "lock": {"type": "path"},
            "quarantine_days": {"type": "int", "default": 7},
            "purge": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    try:
        result = prune(Wish(**module.params), module.check_mode)
    except SeahubError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{module.params['path']} cannot be read: {error}")
    if not module._diff:
        del result["diff"]
    module.exit_json(**result)


def _read_lock(path: str) -> Lock:
    try:
        with open(path, "rb") as file:
            return _lock.load(file.read(), path)
    except OSError as error:
        raise TreeError(f"the lock {path} cannot be read: {error.strerror}") from error


def _listed(plan: _prune.Plan) -> str:
    if not plan.changed:
        return ""
    lines = [f"{item.name} {item.digest} ({item.size} bytes)" for item in plan.references]
    return "\n".join([*lines, f"altogether {len(plan.going.blobs)} blobs ({plan.going.size} bytes)"]) + "\n"


if __name__ == "__main__":
    main()

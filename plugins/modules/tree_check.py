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
  - Reads only, unless a repair is asked for. It needs nothing but Python, unless registries are asked, and can run
    beside a registry that is serving.
options:
  path:
    description:
      - The folder of the tree, or the file of a bundle, which is not unpacked for that; of a bundle in parts, one of
        these or the folder in which they lie.
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
  repair_registry:
    description:
      - A registry from which that is taken which O(repair) does not have. It calls things as the tree does, such as
        V(sea.hub:5000), or with a path before each name, such as V(harbor.example.com/offline).
      - It is asked for what the lock of the tree knows.
    type: str
  repair_upstream:
    description:
      - Whether the registries are asked, in the end, from which the references came, as the lock says.
    type: bool
    default: false
  wait:
    description:
      - Seconds that a repair waits for another process that is writing the tree; then the module fails.
    type: int
    default: 0
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
  - seahub.offline._registries
requirements:
  - requests >= 2.28, for O(repair_registry) and O(repair_upstream)
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

- name: Mend the tree of the build host from where it came from
  seahub.offline.tree_check:
    path: seahub/tree
    repair_upstream: true
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
damaged:
  description:
    - A sentence for each part of a bundle in parts whose checksum does not match.
    - They are compared if O(rehash) is true.
  returned: when there is a tree
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
    - What was brought back; in check mode, what could be, if those who are said to have it do.
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

import contextlib
import os
from typing import Any, Iterator

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check, _donor, _repair
from ansible_collections.seahub.offline.plugins.module_utils.keeping._check import Findings
from ansible_collections.seahub.offline.plugins.module_utils.keeping._repair import Repair
from ansible_collections.seahub.offline.plugins.module_utils.registries import _endpoint
from ansible_collections.seahub.offline.plugins.module_utils.saving import _save_module
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import LAYOUT, Tree


class Module(_save_module.HidesSecrets, AnsibleModule):
    """An AnsibleModule that never shows what 'registries' keeps secret."""


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            **_save_module.REGISTRY_ARGUMENTS,
            "path": {"type": "path", "required": True},
            "rehash": {"type": "bool", "default": True},
            "repair": {"type": "list", "elements": "path", "default": []},
            "repair_registry": {"type": "str"},
            "repair_upstream": {"type": "bool", "default": False},
            "wait": {"type": "int", "default": 0},
        },
        required_together=_save_module.REQUIRED_TOGETHER,
        supports_check_mode=True,
        # Passwords lie deep in 'registries', where the log of invocations would not find them.
        no_log=True,
    )
    if _asks_registries(module.params) and _endpoint.REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=_endpoint.REQUESTS_IMPORT_ERROR)
    try:
        done = _check_and_repair(module.params, module.check_mode)
    except SeahubError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{module.params['path']} cannot be read: {error}")
    result = _result(done)
    if not done.findings.ok and not (module.check_mode and done.changed):
        module.fail_json(msg=_summary(module.params["path"], done), **result)
    module.exit_json(**result)


def _check_and_repair(params: dict[str, Any], check_mode: bool) -> Repair:
    path, rehash, report = params["path"], params["rehash"], _progress.callback(params["progress_file"])
    if not params["repair"] and not _asks_registries(params):
        return Repair({}, Inventory(), _check_path(path, rehash, report))
    if os.path.isfile(path):
        raise TreeError(
            f"{path} is a bundle, which cannot be repaired: repair the tree it comes from, and pack it again"
        )
    tree = Tree(path)
    sources = [open_source(source) for source in params["repair"]]
    with _donor_of(params, tree) as donor:
        if check_mode:
            return _repair.plan(tree, _check.check(tree, rehash, report), sources, donor)
        with tree.exclusive(params["wait"]):
            return _repair.repair(tree, _check.check(tree, rehash, report), sources, report, donor)


def _asks_registries(params: dict[str, Any]) -> bool:
    return bool(params["repair_registry"] or params["repair_upstream"])


def _places(params: dict[str, Any]) -> list[_donor.Place]:
    own = [_donor.under_own_names(params["repair_registry"])] if params["repair_registry"] else []
    return own + [_donor.origin] * params["repair_upstream"]


@contextlib.contextmanager
def _donor_of(params: dict[str, Any], tree: Tree) -> Iterator[_donor.Donor | None]:
    if not _asks_registries(params):
        yield None
        return
    retry = _save_module.retry_policy(params)
    registries = _save_module.make_registries(params, retry)
    try:
        yield _donor.Donor(_lock.read(tree), _places(params), registries, retry, max(1, params["parallel"]))
    finally:
        registries.close()


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
        "damaged": list(findings.damaged),
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


def _summary(path: str, done: Repair) -> str:
    findings = done.findings
    lines = [f"{path} is damaged; save or send these references again, or repair it from another tree or bundle:"]
    lines += [f"- {sentence}" for sentence in (*findings.damaged, *findings.missing)]
    lines += [
        f"- the blob {item.digest} is corrupt ({item.found}); {', '.join(item.used_by) or 'nothing'} needs it"
        for item in findings.corrupt
    ]
    lines += [f"- the blob {digest} was not to be had: {error}" for digest, error in sorted(done.refusals.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tree_push
version_added: 0.1.0
short_description: Push a registry tree or a bundle to a registry
description:
  - Brings a registry, such as Harbor, zot or Quay, the images, charts, signatures and other artifacts of a tree or of a
    bundle, which is not unpacked for that. Digests stay what they are.
  - Sends only what the registry lacks. A blob that another repository of the registry has is mounted from there. A tag
    is set when all that it needs has arrived. A second run asks for the tags and sends nothing.
  - Large blobs go in parts of 64 MiB, smaller ones where a proxy wants that, or all at once where the registry takes no
    parts. When a connection breaks, the upload goes on where the registry has it, as far as it keeps what came of a
    broken request (distribution 3 does, distribution 2 does not).
  - When a run is killed, the next one sends no blob that is there. It goes on with a half-sent one of a tree in the
    same manner, unless the registry has forgotten it; where that was is kept in C(.seahub/uploads) of the tree. Of a
    bundle, half-sent blobs begin anew.
  - One failure does not keep the rest from being pushed. The module fails in the end and names each.
options:
  path:
    description:
      - The folder of a tree, or the file of a bundle.
    type: path
    required: true
  registry:
    description:
      - The host of the registry, with its port where it needs one.
    type: str
    required: true
  references:
    description:
      - What is pushed, by name or shell pattern, as in O(seahub.offline.tree_prune#module:keep). Signatures and other
        companions go with what they belong to. Without any, everything is pushed.
    type: list
    elements: str
    default: []
  rename:
    description:
      - New names for repositories, or for all repositories below a path, by their path in the tree. Of several that fit
        the longest counts. With V(hub) for C(library), C(library/mysql) becomes C(hub/mysql).
    type: dict
    default: {}
  prefix:
    description:
      - A path that goes before each name, such as the project of a Harbor.
    type: str
    default: ""
  aliases:
    description:
      - Whether the further names in the tree are pushed, too, such as C(mysql) for C(library/mysql).
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
  - seahub.offline._registries
requirements:
  - requests >= 2.28
notes:
  - Repositories in ECR, projects in Harbor and organisations in Quay have to be there before.
  - Many registries refuse an index of which only some platforms were saved. Then the one image that there is gets the
    tag, or an index of those that there are, which has another digest. The module warns of it.
author:
  - seahub.offline contributors (!UNKNOWN)
seealso:
  - module: seahub.offline.tree_sync
  - module: seahub.offline.tree_info
"""

EXAMPLES = r"""
- name: Fill the project of a Harbor from a disk
  seahub.offline.tree_push:
    path: /media/usb/bundle.tar
    registry: harbor.example.com
    prefix: offline
    registries:
      harbor.example.com:
        username: robot$offline
        password: "{{ harbor_password }}"
        ca_cert: /etc/pki/harbor.crt

- name: Push only the images of the team, under another name
  seahub.offline.tree_push:
    path: seahub/tree
    registry: registry.example.com:5000
    references: ["team/*"]
    rename:
      team: platform/team
"""

RETURN = r"""
references:
  description: What is in the registry now, or would be in check mode.
  returned: always
  type: list
  elements: dict
  contains:
    reference:
      description: What it is called in the registry.
      type: str
      sample: harbor.example.com/offline/library/mysql:8
    name:
      description: The repository in the tree.
      type: str
      sample: library/mysql
    tag:
      description: Its tag; nothing for what is known by its digest alone.
      type: str
      sample: "8"
    digest:
      description: The digest of its manifest or index in the registry.
      type: str
      sample: sha256:7f5c2a2a8d9c0f7d0e7e5ba2e2ab6e4a0e1b3a6f0b8c4d5e6f708192a3b4c5d6
    present:
      description: Whether it was there before.
      type: bool
failures:
  description: What could not be pushed, and why. If there is any, the module fails, with everything else pushed.
  returned: always
  type: list
  elements: dict
  contains:
    reference:
      description: What it would be called in the registry.
      type: str
    error:
      description: What happened, where, and what to do about it.
      type: str
sent_bytes:
  description: How many bytes of blobs were sent.
  returned: always
  type: int
mounted:
  description: How many blobs were taken over from other repositories of the registry.
  returned: always
  type: int
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.registries import _endpoint
from ansible_collections.seahub.offline.plugins.module_utils.saving import _save_module
from ansible_collections.seahub.offline.plugins.module_utils.saving._save_module import InvalidOption
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _push, _upload
from ansible_collections.seahub.offline.plugins.module_utils.transfer._push import Push, Pusher, Report
from ansible_collections.seahub.offline.plugins.module_utils.trees import _selection
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree


class Module(_save_module.HidesSecrets, AnsibleModule):
    """An AnsibleModule that never shows what 'registries' keeps secret."""


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            **_save_module.REGISTRY_ARGUMENTS,
            "path": {"type": "path", "required": True},
            "registry": {"type": "str", "required": True},
            "references": {"type": "list", "elements": "str", "default": []},
            "rename": {"type": "dict", "default": {}},
            "prefix": {"type": "str", "default": ""},
            "aliases": {"type": "bool", "default": False},
        },
        required_together=_save_module.REQUIRED_TOGETHER,
        supports_check_mode=True,
        # Passwords lie deep in 'registries', where the log of invocations would not find them.
        no_log=True,
    )
    if _endpoint.REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=_endpoint.REQUESTS_IMPORT_ERROR)
    try:
        report = _run(module.params, module.check_mode)
    except SeahubError as error:
        module.fail_json(msg=str(error), references=[], failures=[], sent_bytes=0, mounted=0)
    for item in report.pushed:
        if item.digest != item.push.entry.digest:
            module.warn(
                f"{item.push.shown} has the digest {item.digest} in the registry, not {item.push.entry.digest}:"
                " it takes no index without all of its platforms"
            )
    result = _result(module.params["registry"], report)
    if report.failures:
        lines = [f"- {item['reference']}: {item['error']}" for item in result["failures"]]
        total = len(report.failures) + len(report.pushed)
        module.fail_json(msg="\n".join([f"{len(lines)} of {total} could not be pushed:", *lines]), **result)
    module.exit_json(**result)


def _run(params: dict[str, Any], check_mode: bool) -> Report:
    registry = _reference.canonical_host(params["registry"])
    if not _reference.is_host(registry):
        raise InvalidOption(f"registry: {registry!r} is no host of a registry: write it such as harbor.example.com:443")
    source = _source.open_source(params["path"])
    source.require_complete()
    pushes = _pushes(params, source)
    retry = _save_module.retry_policy(params)
    registries = _save_module.make_registries(params, retry)
    pusher = Pusher(
        source,
        lambda path: registries.destination(registry, path),
        retry,
        max(1, params["parallel"]),
        _progress.callback(params["progress_file"]),
        _memory(source, registry),
    )
    try:
        return pusher.preview(pushes) if check_mode else pusher.push(pushes)
    finally:
        registries.close()


def _memory(source: _source.Source, registry: str) -> _upload.Memory:
    """Return the memory of uploads, which lies in the tree; a bundle may be on a medium that nobody writes."""
    return _upload.Memory(Tree(source.path).private_path("uploads", registry) if source.kind == "tree" else None)


def _pushes(params: dict[str, Any], source: _source.Source) -> list[Push]:
    names = _push.Names(params["prefix"], {str(key): str(value) for key, value in params["rename"].items()})
    return _push.name_all(_selection.choose(source.lock, params["references"]), names.of, params["aliases"])


def _result(registry: str, report: Report) -> dict[str, Any]:
    return {
        "changed": any(not item.present for item in report.pushed) or report.sent > 0 or report.mounted > 0,
        "references": [
            {
                "reference": f"{registry}/{item.push.shown}",
                "name": item.push.entry.name,
                "tag": item.push.entry.tag,
                "digest": item.digest,
                "present": item.present,
            }
            for item in report.pushed
        ],
        "failures": [{"reference": f"{registry}/{shown}", "error": str(error)} for shown, error in report.failures],
        "sent_bytes": report.sent,
        "mounted": report.mounted,
    }


if __name__ == "__main__":
    main()

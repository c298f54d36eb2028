#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tree_info
version_added: 0.1.0
short_description: Tells what is in a registry tree, a bundle or a registry
description:
  - Returns the references of a tree or a bundle, as its lock has them, or those of a registry, and how much they take,
    each alone and together. The same as a table for people to read.
  - With O(receipt) it writes what is there into one small file. With that on the build host,
    M(seahub.offline.bundle_pack) packs only what is lacking.
  - Of a tree or a bundle nothing is hashed and no blob is read. It needs nothing but Python then.
  - A registry is asked for its repositories, their tags, their manifests, which are verified, and for each blob whether
    it is there. Of an index of which it has only some of the platforms, these count. What has no tag cannot be found.
options:
  path:
    description: The folder of a tree, or the file of a bundle, one of its parts, or the folder in which these lie.
    type: path
  registry:
    description:
      - The host of a registry, with its port where it needs one. Either this or O(path) is given.
      - It has to tell which repositories it has. Some large services do not.
    type: str
  receipt:
    description:
      - A file into which a receipt is written, of what is wholly there. Its folder has to exist.
      - It is JSON, compressed as by C(gzip), of about 40 bytes for a blob.
    type: path
  label:
    description: What people call the tree or registry, for the receipt. A delta says it where it is refused.
    type: str
    default: ""
  progress_file:
    description: A file in which the module keeps how far it is with a registry, as one line of JSON.
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
  - seahub.offline._progress
  - seahub.offline._registries
requirements:
  - requests >= 2.28, for O(registry)
author:
  - seahub.offline contributors (!UNKNOWN)
seealso:
  - module: seahub.offline.bundle_pack
  - module: seahub.offline.tree_sync
"""

EXAMPLES = r"""
- name: Look into a bundle
  seahub.offline.tree_info:
    path: /media/usb/bundle.tar
  register: bundle

- name: Write down what a registry host has, for the build host
  seahub.offline.tree_info:
    path: /var/lib/seahub/tree
    receipt: /media/usb/oslo.receipt
    label: oslo

- name: Write down what a Harbor has
  seahub.offline.tree_info:
    registry: harbor.example.com
    registries:
      harbor.example.com:
        username: robot$reader
        password: "{{ harbor_password }}"
    receipt: /media/usb/harbor.receipt

- name: Show what it holds
  ansible.builtin.debug:
    msg: "{{ bundle.table }}"
"""

RETURN = r"""
kind:
  description: What it is, V(tree), V(bundle) or V(registry).
  returned: success
  type: str
  sample: tree
references:
  description: What it holds, sorted by name and tag.
  returned: success
  type: list
  elements: dict
  contains:
    requested:
      description: The reference as it was asked for.
      type: str
      sample: mysql:8
    source:
      description: Where it came from.
      type: str
      sample: docker.io/library/mysql:8
    kind:
      description: What it is, V(image), V(chart) or V(artifact).
      type: str
      sample: image
    name:
      description: The repository in which it lies.
      type: str
      sample: library/mysql
    aliases:
      description: Further repositories in which it can be found.
      type: list
      elements: str
      sample: [mysql]
    tag:
      description: Its tag; null if it is known by its digest only.
      type: str
      sample: "8"
    digest:
      description: The digest of its manifest or index.
      type: str
      sample: sha256:7f5c2a2a8d9c0f7d0e7e5ba2e2ab6e4a0e1b3a6f0b8c4d5e6f708192a3b4c5d6
    media_type:
      description: The media type of its manifest or index.
      type: str
      sample: application/vnd.oci.image.index.v1+json
    platforms:
      description: The platforms that are there.
      type: list
      elements: str
      sample: [linux/amd64]
    size:
      description: Bytes of all its blobs and manifests.
      type: int
      sample: 181403648
    own_bytes:
      description: Bytes of those that no other reference needs, which would go with it.
      type: int
      sample: 103403648
    shared_bytes:
      description: Bytes of those that other references need, too.
      type: int
      sample: 78000000
    blobs:
      description: The size in bytes of each of them, by digest.
      type: dict
    chart:
      description: For a chart, its name, version, and the digests of the archive and its provenance file. Of a registry
        it is not known.
      type: dict
names:
  description: All references as they are called in the tree, as O(seahub.offline.tree_prune#module:keep) takes them.
  returned: success
  type: list
  elements: str
  sample: ["helm-charts/mysql:8.8.25", "library/mysql:8"]
bytes:
  description: Bytes of all blobs that the references need, each counted once.
  returned: success
  type: int
  sample: 1932735283
shared_bytes:
  description: Bytes of those among them that several references need.
  returned: success
  type: int
  sample: 78000000
blobs:
  description: The number of these blobs.
  returned: success
  type: int
  sample: 52
kinds:
  description: How many images, charts and other artifacts there are.
  returned: success
  type: dict
  sample: {image: 12, chart: 3, artifact: 4}
platforms:
  description: All platforms of all images.
  returned: success
  type: list
  elements: str
  sample: [linux/amd64, linux/arm64]
missing:
  description: A sentence for each thing that a reference needs and that is not there.
  returned: success
  type: list
  elements: str
  sample: []
presumes:
  description: What a delta presumes that the tree holds into which it will be put; null for whatever else.
  returned: success
  type: dict
  contains:
    since:
      description: The label and the fingerprint of each tree for which it was packed.
      type: list
      elements: dict
    blobs:
      description: The size in bytes of each blob that its references need and that it does not hold, by digest.
      type: dict
    tags:
      description: Where the tags that it moves pointed before, by C(name:tag).
      type: dict
receipt:
  description: The receipt that was written, or would be in check mode.
  returned: when O(receipt) is given
  type: dict
  contains:
    path:
      description: Where it lies.
      type: str
    size:
      description: Its size in bytes.
      type: int
    fingerprint:
      description: A digest over what it says is there.
      type: str
table:
  description: The lines of a table with the name, kind, platforms, size and own size of each reference.
  returned: success
  type: list
  elements: str
  sample:
    - "reference        kind   platforms         size        own"
    - "library/mysql:8  image  linux/amd64  173.0 MiB   98.6 MiB"
"""

import dataclasses
from typing import Any, Sequence

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _delta
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.registries import _endpoint, _registry_contents
from ansible_collections.seahub.offline.plugins.module_utils.saving import _save_module
from ansible_collections.seahub.offline.plugins.module_utils.saving._save_module import InvalidOption
from ansible_collections.seahub.offline.plugins.module_utils.trees import _contents, _inventory, _receipt
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._presumption import Presumption
from ansible_collections.seahub.offline.plugins.module_utils.trees._receipt import Receipt


class Module(_save_module.HidesSecrets, AnsibleModule):
    """An AnsibleModule that never shows what 'registries' keeps secret."""


@dataclasses.dataclass(frozen=True)
class Described:
    """What was found.

    - missing: a sentence for each thing that a reference needs and that is not there.
    """

    kind: str
    lock: Lock
    inventory: Inventory
    missing: Sequence[str]
    presumption: Presumption | None
    receipt: Receipt


def info(path: str) -> dict[str, Any]:
    """Return what a tree or a bundle holds."""
    return _result(describe_path(path))


def describe_path(path: str, label: str = "") -> Described:
    """Describe a tree or a bundle."""
    source = open_source(path)
    missing = source.gaps() if source.presumption is None else []
    receipt = dataclasses.replace(_delta.of_source(source), label=label)
    return Described(source.kind, source.lock, source.inventory, missing, source.presumption, receipt)


def describe_registry(params: dict[str, Any]) -> Described:
    """Describe the registry that the options name."""
    host = _reference.canonical_host(params["registry"])
    if not _reference.is_host(host):
        raise InvalidOption(f"registry: {host!r} is no host of a registry: write it such as harbor.example.com:443")
    registries = _save_module.make_registries(params, _save_module.retry_policy(params))
    try:
        found = _registry_contents.describe(
            registries, host, max(1, params["parallel"]), _progress.callback(params["progress_file"])
        )
    finally:
        registries.close()
    missing = [*found.failures, *_inventory.gaps(found.inventory, found.lock)]
    receipt = _receipt.of(found.lock, found.inventory, params["label"])
    return Described("registry", found.lock, found.inventory, missing, None, receipt)


def _result(described: Described) -> dict[str, Any]:
    contents = _contents.describe(described.lock)
    return {
        "kind": described.kind,
        "references": [
            {**item.entry.as_dict(), "own_bytes": item.own, "shared_bytes": item.shared} for item in contents.items
        ],
        "names": [item.entry.shown for item in contents.items],
        "bytes": described.inventory.size,
        "shared_bytes": contents.shared,
        "blobs": len(described.inventory.blobs),
        "kinds": contents.kinds,
        "platforms": list(contents.platforms),
        "missing": list(described.missing),
        "presumes": described.presumption.as_dict() if described.presumption is not None else None,
        "table": contents.table(),
    }


def _write(path: str, receipt: Receipt, check_mode: bool) -> dict[str, Any]:
    changed = not _receipt.is_written(path, receipt)
    if changed and not check_mode:
        _receipt.write(path, receipt)
    written = {"path": path, "size": len(receipt.dump()), "fingerprint": receipt.fingerprint}
    return {"changed": changed, "receipt": written}


def main() -> None:
    """Run as a module."""
    module = Module(
        argument_spec={
            **_save_module.REGISTRY_ARGUMENTS,
            "path": {"type": "path"},
            "registry": {"type": "str"},
            "receipt": {"type": "path"},
            "label": {"type": "str", "default": ""},
        },
        mutually_exclusive=[("path", "registry")],
        required_one_of=[("path", "registry")],
        required_together=_save_module.REQUIRED_TOGETHER,
        supports_check_mode=True,
        # Passwords lie deep in 'registries', where the log of invocations would not find them.
        no_log=True,
    )
    params = module.params
    if params["registry"] and _endpoint.REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=_endpoint.REQUESTS_IMPORT_ERROR)
    try:
        _receipt.require_label(params["label"])
        described = describe_registry(params) if params["registry"] else describe_path(params["path"], params["label"])
        result = {"changed": False, **_result(described)}
    except SeahubError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{params['path']} cannot be read: {error}")
    if params["receipt"]:
        try:
            result.update(_write(params["receipt"], described.receipt, module.check_mode))
        except OSError as error:
            module.fail_json(msg=f"the receipt {params['receipt']} cannot be written: {error.strerror}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()

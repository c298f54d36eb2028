#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: tree_info
version_added: 0.1.0
short_description: Tells what is in a registry tree or a bundle
description:
  - Returns the references of a tree or a bundle, as its lock has them, and how much they take, each alone and together.
    The same as a table for people to read.
  - Nothing is hashed and no blob is read.
options:
  path:
    description: The folder of a tree, or the file of a bundle, one of its parts, or the folder in which these lie.
    type: path
    required: true
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
  - module: seahub.offline.bundle_pack
  - module: seahub.offline.tree_sync
"""

EXAMPLES = r"""
- name: Look into a bundle
  seahub.offline.tree_info:
    path: /media/usb/bundle.tar
  register: bundle

- name: Show what it holds
  ansible.builtin.debug:
    msg: "{{ bundle.table }}"
"""

RETURN = r"""
kind:
  description: What lies at the path, V(tree) or V(bundle).
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
      description: For a chart, its name, version, and the digests of the archive and its provenance file.
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
table:
  description: The lines of a table with the name, kind, platforms, size and own size of each reference.
  returned: success
  type: list
  elements: str
  sample:
    - "reference        kind   platforms         size        own"
    - "library/mysql:8  image  linux/amd64  173.0 MiB   98.6 MiB"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils import _contents
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._source import open_source


def info(path: str) -> dict[str, Any]:
    """Return what a tree or a bundle holds."""
    source = open_source(path)
    contents = _contents.describe(source.lock)
    return {
        "kind": source.kind,
        "references": [
            {**item.entry.as_dict(), "own_bytes": item.own, "shared_bytes": item.shared} for item in contents.items
        ],
        "names": [item.entry.shown for item in contents.items],
        "bytes": source.inventory.size,
        "shared_bytes": contents.shared,
        "blobs": len(source.inventory.blobs),
        "kinds": contents.kinds,
        "platforms": list(contents.platforms),
        "table": contents.table(),
    }


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec={"path": {"type": "path", "required": True}}, supports_check_mode=True)
    try:
        result = info(module.params["path"])
    except SeahubError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{module.params['path']} cannot be read: {error}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()

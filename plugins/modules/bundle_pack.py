#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_pack
version_added: 0.1.0
short_description: Packs a registry tree into one file for transport
description:
  - Writes the references of a registry tree, with all that they need, into one ordinary uncompressed tar. Extracted, it
    is a ready tree; M(seahub.offline.tree_sync) sends it to a host without unpacking it first.
  - The same tree gives the same bytes, whoever packs it, wherever.
  - The file appears when it is complete, and a file C(<dest>.sha256) beside it, for C(sha256sum -c).
  - A tree in which something is missing that a reference needs is not packed.
  - A bundle that holds the same as the tree already is left as it is.
options:
  tree:
    description: The folder of the tree, as M(seahub.offline.image_save) and M(seahub.offline.chart_save) make it.
    type: path
    required: true
  dest:
    description: The bundle. Its folder has to exist, with room for a second copy of the tree.
    type: path
    required: true
  progress_file:
    description:
      - A file in which the module keeps how far it is, as one line of JSON.
      - Used by the action plugin that shows the progress while the module runs; no need to set it.
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
  - module: seahub.offline.tree_sync
  - module: seahub.offline.tree_info
"""

EXAMPLES = r"""
- name: Pack the tree
  seahub.offline.bundle_pack:
    tree: "{{ playbook_dir }}/seahub/tree"
    dest: "{{ playbook_dir }}/seahub/bundle.tar"
"""

RETURN = r"""
bundle:
  description: The bundle.
  returned: success
  type: str
  sample: /srv/seahub/bundle.tar
size:
  description: Its size in bytes, or the size that it would have in check mode.
  returned: success
  type: int
  sample: 1932735488
sha256:
  description: Its SHA-256 checksum. Empty in check mode when it would be written.
  returned: success
  type: str
  sample: 6e1a5b7c0d3f4e2a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a
references:
  description: How many references it holds.
  returned: success
  type: int
  sample: 40
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils import _bundle, _progress
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._source import open_source


def pack(tree: str, dest: str, progress_file: str | None, check_mode: bool) -> dict[str, Any]:
    """Pack the tree and return the module's result."""
    source = open_source(tree)
    packed = _bundle.pack(source, dest, _progress.callback(progress_file), dry_run=check_mode)
    return {
        "changed": packed.changed,
        "bundle": dest,
        "size": packed.size,
        "sha256": packed.sha256,
        "references": len(source.lock.references),
    }


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(
        argument_spec={
            "tree": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    try:
        result = pack(**module.params, check_mode=module.check_mode)
    except SeahubError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"{module.params['dest']} cannot be written from {module.params['tree']}: {error}")
    module.exit_json(**result)


if __name__ == "__main__":
    main()

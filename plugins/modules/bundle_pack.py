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
  - Writes the references of a registry tree, with all that they need, into one ordinary uncompressed tar, or into a
    squashfs image. Extracted or mounted, it is a ready tree; M(seahub.offline.tree_sync) sends it to a host without
    unpacking it first.
  - The same tree gives the same bytes, whoever packs it, wherever.
  - With O(part_size) the bundle is written as several files, for media or file systems that do not take it whole.
    M(seahub.offline.bundle_unpack), M(seahub.offline.tree_sync) and M(seahub.offline.tree_info) read them as they are.
  - The files appear when they are complete. Beside them lie C(<dest>.sha256), for C(sha256sum -c), and
    C(<dest>.check.py), which checks the bundle, or any part of it alone, with nothing but Python.
  - A tree in which something is missing that a reference needs is not packed, unless O(allow_partial) says so.
  - A bundle that holds the same as the tree already is left as it is.
options:
  tree:
    description: The folder of the tree, as M(seahub.offline.image_save) and M(seahub.offline.chart_save) make it.
    type: path
    required: true
  dest:
    description:
      - The bundle. Its folder has to exist, with room for a second copy of the tree.
      - With O(part_size) its parts are called like it, with C(.part-001-of-012) and so on at the end.
      - What an earlier bundle with this name consisted of, in other parts perhaps, is removed.
    type: path
    required: true
  part_size:
    description:
      - How large each file of the bundle is but the last, which is smaller. A blob may begin in one and end in another.
      - A number with a unit such as V(25GB) or V(4GiB), perhaps with bytes taken off as in V(4GiB-1).
      - Or a medium, V(cd), V(dvd), V(dvd-dl), V(bd) or V(bd-dl), with room left for its file system; or V(fat32), the
        largest file there.
      - Without it the bundle is one file.
    type: str
  references:
    description:
      - What to pack. Everything, if it is not given.
      - A name is a reference as it was asked for, as it is called in the tree, or where it came from. A pattern is a
        shell pattern for any of these, in which C(*) goes beyond slashes.
      - Signatures, attestations and whatever else belongs to a reference go with it.
      - A name or pattern for which there is nothing is an error.
    type: list
    elements: str
  since:
    description:
      - What the trees hold already that the bundle is for. The bundle is a delta then. It holds what any of them lacks,
        and nothing of the references that all of them have. The same delta is good for each of them.
      - For each tree a receipt of it, as M(seahub.offline.tree_info) writes it; or, where none came back, the lock of
        what was sent there, a file V(seahub.lock.json); or the tree or the bundle that was sent there.
      - Do not list several bundles that were sent to the same tree. Each entry stands for a tree of its own.
      - An empty list means that the bundle is no delta.
      - The delta says what it presumes. M(seahub.offline.bundle_unpack) and M(seahub.offline.tree_sync) take it only
        into a tree that has that, and change nothing in another one.
      - If nothing is lacking, the delta is a bundle without any reference. That is no error.
    type: list
    elements: path
  allow_partial:
    description:
      - Whether to pack what is there although something is missing.
      - The bundle says so of itself. M(seahub.offline.bundle_unpack) and M(seahub.offline.tree_sync) take it only into
        a tree that has the rest.
    type: bool
    default: false
  sign_key:
    description:
      - The file of an SSH key with which the bundle is signed, by C(ssh-keygen -Y sign). The signature is in the file
        C(<dest>.sig). It is for a digest over the lock and the names, digests and sizes of all that the bundle holds.
      - A private key without a passphrase; or a public key or certificate, whose private key is held by the agent.
      - M(seahub.offline.bundle_unpack) verifies it.
    type: path
  format:
    description:
      - V(tar) is an ordinary archive, to be unpacked or sent.
      - V(squashfs) is a file system image, which M(seahub.offline.bundle_mount) mounts and serves as it is. Nothing in
        it is compressed, since layers are already. It is written in one pass, as a tar is, and needs no program for
        that.
      - Either can be unpacked, sent, checked and described without being mounted, in parts as well.
    type: str
    choices: [tar, squashfs]
    default: tar
  include_tools:
    description:
      - Whether the bundle also carries what a controller behind the gap is made of. That is this collection, wheels of
        ansible-core and of the other packages that it needs, and a page that says how to set it up, C(tools/README.md).
      - C(tar -xf bundle.tar tools) extracts them, or C(python3 bundle.tar.check.py --extract-tools .), from parts too.
        They are covered by checksums and signature, and no module puts them into a tree.
      - The wheels are fetched with pip, by the Python with which Ansible runs the module, from the index that pip uses
        there. What was fetched once is kept in O(tools_dir) and taken from there again.
    type: bool
    default: false
  tools_python:
    description:
      - The versions of Python that the controller may have, such as V(3.11). The first is the one in the page.
      - Without it, that of the Python with which Ansible runs the module.
    type: list
    elements: str
  tools_arch:
    description:
      - The processor architectures that the controller may have. It runs Linux with glibc 2.28 or newer.
      - Without it, that of the host.
    type: list
    elements: str
    choices: [amd64, arm64, ppc64le, s390x]
  tools_dir:
    description:
      - The folder in which fetched wheels are kept. Remove it to fetch newer ones.
      - Without it, one beside the tree, called like it with C(.tools) at the end.
    type: path
  tools_collection:
    description:
      - The archive of this collection, as C(ansible-galaxy collection build) makes it.
      - Without it, the action plugin makes one of the collection that is running.
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
author:
  - seahub.offline contributors (!UNKNOWN)
seealso:
  - module: seahub.offline.bundle_mount
  - module: seahub.offline.tree_sync
  - module: seahub.offline.tree_info
"""

EXAMPLES = r"""
- name: Pack the tree
  seahub.offline.bundle_pack:
    tree: "{{ playbook_dir }}/seahub/tree"
    dest: "{{ playbook_dir }}/seahub/bundle.tar"

- name: Pack it for DVDs
  seahub.offline.bundle_pack:
    tree: "{{ playbook_dir }}/seahub/tree"
    dest: "{{ playbook_dir }}/seahub/bundle.tar"
    part_size: dvd

- name: Pack only some of it
  seahub.offline.bundle_pack:
    tree: "{{ playbook_dir }}/seahub/tree"
    dest: "{{ playbook_dir }}/seahub/databases.tar"
    references:
      - mysql:8
      - "helm-charts/*"

- name: Pack only what two sites lack
  seahub.offline.bundle_pack:
    tree: "{{ playbook_dir }}/seahub/tree"
    dest: "{{ playbook_dir }}/seahub/delta.tar"
    since:
      - /media/usb/hamburg.receipt
      - /media/usb/oslo.receipt

- name: Pack and sign it
  seahub.offline.bundle_pack:
    tree: "{{ playbook_dir }}/seahub/tree"
    dest: "{{ playbook_dir }}/seahub/bundle.tar"
    sign_key: ~/.ssh/id_ed25519

- name: Pack it as a file that the registry host mounts
  seahub.offline.bundle_pack:
    tree: "{{ playbook_dir }}/seahub/tree"
    dest: "{{ playbook_dir }}/seahub/bundle.squashfs"
    format: squashfs

- name: Pack it with all that a controller behind the gap needs
  seahub.offline.bundle_pack:
    tree: "{{ playbook_dir }}/seahub/tree"
    dest: "{{ playbook_dir }}/seahub/bundle.tar"
    include_tools: true
    tools_python: ["3.11", "3.12"]
"""

RETURN = r"""
bundle:
  description: The bundle, or what the names of its parts begin with.
  returned: success
  type: str
  sample: /srv/seahub/bundle.tar
size:
  description: Its size in bytes, or the size that it would have in check mode.
  returned: success
  type: int
  sample: 1932735488
sha256:
  description: Its SHA-256 checksum. Empty for a bundle in parts, and in check mode when it would be written.
  returned: success
  type: str
  sample: 6e1a5b7c0d3f4e2a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a
files:
  description: The files of which it consists, the bundle itself or its parts in their order.
  returned: success
  type: list
  elements: dict
  contains:
    path:
      description: Where it lies.
      type: str
      sample: /srv/seahub/bundle.tar.part-001-of-003
    size:
      description: Its size in bytes.
      type: int
      sample: 4680000000
    sha256:
      description: Its SHA-256 checksum. Empty in check mode when it would be written.
      type: str
      sample: 6e1a5b7c0d3f4e2a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6a
references:
  description: How many references it holds.
  returned: success
  type: int
  sample: 40
tools:
  description: The names of what it carries for a controller, because of O(include_tools).
  returned: success
  type: list
  elements: str
  sample: [README.md, requirements.txt, seahub-offline-0.1.0.tar.gz, ansible_core-2.19.14-py3-none-any.whl]
presumes:
  description: What the delta presumes, as in RV(seahub.offline.tree_info#module:presumes).
  returned: when O(since) is given
  type: dict
missing:
  description: A sentence for each thing that is missing in it, because of O(allow_partial).
  returned: success
  type: list
  elements: str
  sample: []
"""

import dataclasses
import os
from typing import Any, Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle, _delta, _part_size, _toolbox
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._excerpt import excerpt
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tools import Tool
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.trees._selection import Selection


def pack(
    tree: str,
    dest: str,
    progress_file: str | None,
    check_mode: bool,
    part_size: str | None = None,
    references: list[str] | None = None,
    allow_partial: bool = False,
    sign_key: str | None = None,
    format: str = _bundle.TAR,  # noqa: A002  the option's name
    since: list[str] | None = None,
    include_tools: bool = False,
    **tools_options: Any,
) -> dict[str, Any]:
    """Pack the tree and return the module's result."""
    packing = Packing(
        part_size=None if part_size is None else _part_size.parse(part_size),
        allow_partial=allow_partial,
        sign_key=sign_key,
        format=format,
    )
    source = open_source(tree)
    if references is not None:
        source = excerpt(source, Selection(references))
    missing = source.gaps()
    if since:
        source = _lacking(source, since, allow_partial)
    source = source.with_tools(_tools(tree, dest, check_mode, **tools_options) if include_tools else ())
    packed = _bundle.pack(source, dest, _progress.callback(progress_file), check_mode, packing)
    return {
        "changed": packed.changed,
        "bundle": dest,
        "size": packed.size,
        "sha256": "" if part_size else packed.files[0].sha256,
        "files": [dataclasses.asdict(file) for file in packed.files],
        "references": len(source.lock.references),
        "tools": [tool.name for tool in source.tools],
        "missing": missing,
        **({"presumes": source.presumption.as_dict()} if source.presumption else {}),
    }


def _lacking(source: Source, since: Sequence[str], allow_partial: bool) -> Source:
    if not allow_partial:
        source.require_complete()
    return _delta.subtract(source, [_delta.read_target(path) for path in since])


def _tools(
    tree: str,
    dest: str,
    check_mode: bool,
    tools_collection: str,
    tools_python: list[str] | None = None,
    tools_arch: list[str] | None = None,
    tools_dir: str | None = None,
) -> tuple[Tool, ...]:
    return _toolbox.gather(
        _toolbox.read_collection(tools_collection),
        _toolbox.controllers(tools_python, tools_arch),
        tools_dir or f"{os.path.abspath(tree)}.tools",
        os.path.basename(dest),
        dry_run=check_mode,
    )


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(
        argument_spec={
            "tree": {"type": "path", "required": True},
            "dest": {"type": "path", "required": True},
            "part_size": {"type": "str"},
            "references": {"type": "list", "elements": "str"},
            "since": {"type": "list", "elements": "path"},
            "allow_partial": {"type": "bool", "default": False},
            # A path. The key itself never comes here.
            "sign_key": {"type": "path", "no_log": False},
            "format": {"type": "str", "choices": list(_bundle.FORMATS), "default": _bundle.TAR},
            "include_tools": {"type": "bool", "default": False},
            "tools_python": {"type": "list", "elements": "str"},
            "tools_arch": {"type": "list", "elements": "str", "choices": list(_toolbox.MACHINES)},
            "tools_dir": {"type": "path"},
            "tools_collection": {"type": "path"},
            "progress_file": {"type": "path"},
        },
        required_if=[("include_tools", True, ("tools_collection",))],
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

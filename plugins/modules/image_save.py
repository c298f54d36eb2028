#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_save
short_description: Save container images from registries into a registry tree
version_added: 0.1.0
description:
  - Saves images, and any other OCI artifact, from registries into a folder that a stock C(registry) container serves.
  - No container engine is needed. Every byte is verified, manifests are kept as they are, and each blob is downloaded
    once, whatever number of images share it; what is in the tree already is not downloaded again.
  - The source host is dropped from the names in the tree, so that C(quay.io/team/app:1) becomes
    C(sea.hub:5000/team/app:1). Official images of Docker Hub answer with and without C(library/).
author: seahub.offline contributors (!UNKNOWN)
extends_documentation_fragment:
  - seahub.offline._attributes
  - seahub.offline._save
options:
  images:
    description:
      - References of images, by docker's rules; V(mysql) is V(docker.io/library/mysql:latest).
      - With a tag and a digest, the digest decides what is saved and the tag is the name it gets.
    type: list
    elements: str
    default: []
  image_list:
    description:
      - Path of a text file with one reference a line. Blank lines and C(#) comments are skipped.
    type: path
  arch:
    description:
      - The processor architecture to save of images for several, such as V(arm64).
      - By default that of the build host. Shorthand for one of the O(platforms) of Linux.
    type: str
  platforms:
    description:
      - The platforms to save of images for several, such as V(linux/amd64) or V(linux/arm/v7); V(all) for every one.
      - An image that lacks one of them is an error that names those it has.
    type: list
    elements: str
seealso:
  - module: seahub.offline.chart_save
  - module: seahub.offline.bundle_pack
  - module: seahub.offline.tree_info
"""

EXAMPLES = r"""
---
- name: Save two images for the architecture of this host
  seahub.offline.image_save:
    dir: /srv/seahub/tree
    images:
      - mysql:8
      - quay.io/prometheus/prometheus:v3.5.0

- name: Save a list of images for two platforms, some from a registry with a private authority and a login
  seahub.offline.image_save:
    dir: /srv/seahub/tree
    image_list: images.txt
    platforms: [linux/amd64, linux/arm64]
    registries:
      registry.example.com:
        username: builder
        password: "{{ vault_registry_password }}"
        ca_cert: /etc/ssl/private-ca.crt
      docker.io:
        mirrors: [mirror.example.com/dockerhub]
"""

RETURN = r"""
references:
  description: What is in the tree now (in check mode, what would be), one for each reference asked for.
  returned: always
  type: list
  elements: dict
  contains:
    reference:
      description: The reference as it was asked for.
      type: str
      sample: mysql:8
    source:
      description: Where it comes from.
      type: str
      sample: docker.io/library/mysql:8
    name:
      description: The repository in the tree.
      type: str
      sample: library/mysql
    tag:
      description: The tag in the tree; nothing for what was asked for by digest alone.
      type: str
      sample: "8"
    aliases:
      description: Further repositories of the tree that show it.
      type: list
      elements: str
      sample: [mysql]
    digest:
      description: The digest of its manifest or index.
      type: str
      sample: sha256:2a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f70819
    kind:
      description: V(image), V(chart) or V(artifact); not known in check mode for what is not in the tree yet.
      type: str
      sample: image
    platforms:
      description: The platforms that are in the tree; none for what has no platform.
      type: list
      elements: str
      sample: [linux/amd64]
    bytes:
      description: The size of all its blobs and manifests; not known in check mode for what is not in the tree yet.
      type: int
      sample: 187031552
    present:
      description: Whether all of it was in the tree before.
      type: bool
failed:
  description: What could not be saved, and why. If there is any, the module fails, with everything else saved.
  returned: always
  type: list
  elements: dict
  contains:
    reference:
      description: The reference, with the file and line that it came from.
      type: str
    error:
      description: What happened, where, and what to do about it.
      type: str
received_bytes:
  description: How many bytes of blobs came from registries.
  returned: always
  type: int
  sample: 187029004
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.seahub.offline.plugins.module_utils import (
    _endpoint,
    _image_list,
    _platform,
    _reference,
    _save_module,
)
from ansible_collections.seahub.offline.plugins.module_utils._image_list import Listed
from ansible_collections.seahub.offline.plugins.module_utils._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils._registry import Registries
from ansible_collections.seahub.offline.plugins.module_utils._save import Wish


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **_save_module.ARGUMENTS,
            "images": {"type": "list", "elements": "str", "default": []},
            "image_list": {"type": "path"},
            "arch": {"type": "str"},
            "platforms": {"type": "list", "elements": "str"},
        },
        mutually_exclusive=[("arch", "platforms")],
        required_together=_save_module.REQUIRED_TOGETHER,
        supports_check_mode=True,
        # Passwords lie deep in 'registries', where the log of invocations would not find them.
        no_log=True,
    )
    if _endpoint.REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=_endpoint.REQUESTS_IMPORT_ERROR)
    _save_module.run(module, lambda registries: _wishes(module.params, registries))


def _wishes(params: dict[str, Any], registries: Registries) -> list[Wish]:
    listed = _save_module.each(params["images"], lambda text: Listed(text, _reference.parse(text), ""))
    if params["image_list"]:
        listed += _image_list.read(params["image_list"])
    _save_module.check_credentials(params, (item.reference.host for item in listed))
    platforms = _platforms(params)
    return [
        Wish(
            requested=item.text,
            where=item.where,
            source=registries.repository(item.reference),
            source_name=str(item.reference),
            version=item.reference.version,
            name=item.reference.path,
            tag=item.reference.tag,
            platforms=platforms,
        )
        for item in listed
    ]


def _platforms(params: dict[str, Any]) -> tuple[Platform, ...]:
    """Return the wanted platforms; none stand for all."""
    if params["platforms"]:
        return () if "all" in params["platforms"] else tuple(_platform.parse(text) for text in params["platforms"])
    return (_platform.parse(params["arch"]) if params["arch"] else _platform.local(),)


if __name__ == "__main__":
    main()

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
  - seahub.offline._progress
  - seahub.offline._registries
  - seahub.offline._save
requirements:
  - requests >= 2.28
options:
  images:
    description:
      - References of images, by docker's rules; V(mysql) is V(docker.io/library/mysql:latest).
      - With a tag and a digest, the digest decides what is saved and the tag is the name it gets.
      - Images in files are named as skopeo names them. V(oci:DIR[:NAME]) is an OCI layout,
        V(oci-archive:FILE[:NAME]) one in a tar, V(docker-archive:FILE[:NAME]) what C(docker save) writes.
      - An entry can be a dictionary. C(image) is the reference, C(as) the name in the tree such as V(team/app:1.0),
        C(platforms) the platforms of this image.
    type: list
    elements: raw
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
      - An image that lacks one of them is an error that names those it has, and so is an image for one platform only
        that is not among them.
    type: list
    elements: str
  platform_missing:
    description:
      - What to do when an image lacks some of the platforms. V(skip) saves it for those that it has; an image without
        any of them is an error all the same.
    type: str
    choices: [fail, skip]
    default: fail
  foreign_layers:
    description:
      - Whether layers are saved, too, that an image says lie outside of its registry, such as base layers of Windows.
    type: bool
    default: false
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
      - image: registry.example.com/mirror/nginx:1.27
        as: web/nginx:stable
      - docker-archive:/mnt/usb/app.tar:team/app:1.0

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
signatures:
  description: The signatures, attestations and the like that were found and saved with them, described alike.
  returned: always
  type: list
  elements: dict
failures:
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

from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.registries import _endpoint
from ansible_collections.seahub.offline.plugins.module_utils.saving import _image_list, _save_module, _wishes
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import Rules
from ansible_collections.seahub.offline.plugins.module_utils.saving._wishes import Choices, WishMaker


class Module(_save_module.HidesSecrets, AnsibleModule):
    """An AnsibleModule that never shows what 'registries' keeps secret."""


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            **_save_module.ARGUMENTS,
            "images": {"type": "list", "elements": "raw", "default": []},
            "image_list": {"type": "path"},
            "arch": {"type": "str"},
            "platforms": {"type": "list", "elements": "str"},
            "platform_missing": {"type": "str", "choices": ["fail", "skip"], "default": "fail"},
            "foreign_layers": {"type": "bool", "default": False},
        },
        mutually_exclusive=[("arch", "platforms")],
        required_together=_save_module.REQUIRED_TOGETHER,
        supports_check_mode=True,
        # Passwords lie deep in 'registries', where the log of invocations would not find them.
        no_log=True,
    )
    if _endpoint.REQUESTS_IMPORT_ERROR:
        module.fail_json(msg=missing_required_lib("requests"), exception=_endpoint.REQUESTS_IMPORT_ERROR)
    params = module.params
    rules = Rules(
        locked=params["locked"],
        skip_missing=params["platform_missing"] == "skip",
        foreign_layers=params["foreign_layers"],
    )
    _save_module.run(module, lambda maker: _read(params, maker), rules)


def _read(params: dict[str, Any], make: Callable[[Choices], WishMaker]) -> _save_module.Outcome:
    maker = make(_save_module.choices(params, platforms=_platforms(params)))
    entries = [(entry, "") for entry in params["images"]]
    if params["image_list"]:
        entries += [(line.text, line.where) for line in _image_list.read(params["image_list"])]
    return _save_module.collect(entries, lambda entry, where: [maker.image(entry, where)])


def _platforms(params: dict[str, Any]) -> tuple[Platform, ...]:
    """Return the wanted platforms; none stand for all."""
    if params["platforms"]:
        return _wishes.parse_platforms(params["platforms"])
    return (_platform.parse(params["arch"]) if params["arch"] else _platform.local(),)


if __name__ == "__main__":
    main()

#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: chart_save
short_description: Save Helm charts into a registry tree
version_added: 0.1.0
description:
  - Saves Helm charts, from packaged files and from registries, into a folder that a stock C(registry) container serves,
    so that C(helm pull) finds them as it finds what C(helm push) stored.
  - A provenance file (C(.prov)) that lies beside a packaged chart is saved with it. Charts in registries are kept as
    they are, those of Helm before 3.7 (C(application/tar+gzip)) included.
author: seahub.offline contributors (!UNKNOWN)
extends_documentation_fragment:
  - seahub.offline._attributes
  - seahub.offline._progress
  - seahub.offline._registries
  - seahub.offline._save
options:
  charts:
    description:
      - The charts. Each is the path of a packaged chart (C(.tgz)), of a folder with packaged charts, or of an unpacked
        chart; or a reference such as V(oci://registry.example.com/charts/mysql:8.8.25), whose version may be a
        constraint such as V(^8.8), or left out for the newest.
      - An entry can be a dictionary. C(chart) is the path or the reference; or C(repo) is the URL of a classic chart
        repository and C(name) the chart in it. C(version) is a version or any constraint that Helm accepts, C(as) the
        name in the tree, C(verify) and C(keyring) take the place of O(verify) and O(keyring).
      - OCI layouts are named V(oci:DIR[:NAME]), such as the chart cache of Helm before 3.7.
    type: list
    elements: raw
    required: true
  repository:
    description:
      - Where charts from files and from classic repositories go in the tree. The chart's own name is appended.
        Charts from registries keep their path.
    type: str
    default: helm-charts
  verify:
    description:
      - Whether charts are refused that have no provenance file, or one that does not hold. It is checked with C(gpgv).
    type: bool
    default: false
  keyring:
    description:
      - Path of a file with the public keys that are trusted to sign charts, as C(gpg --export) writes it.
    type: path
requirements:
  - requests >= 2.28
  - PyYAML
notes:
  - In check mode, charts of classic repositories are downloaded, though not saved. Their digests are those of their
    bytes.
seealso:
  - module: seahub.offline.image_save
  - module: seahub.offline.bundle_pack
"""

EXAMPLES = r"""
---
- name: Save a packaged chart and one from a registry
  seahub.offline.chart_save:
    dir: /srv/seahub/tree
    charts:
      - charts/mysql-8.8.25.tgz
      - oci://registry.example.com/charts/nginx:9.8.0

- name: Save signed charts from a classic repository
  seahub.offline.chart_save:
    dir: /srv/seahub/tree
    verify: true
    keyring: /etc/seahub/charts.gpg
    charts:
      - repo: https://charts.example.com/stable
        name: mysql
        version: ^8.8

# On a run host, later:
#   helm pull oci://sea.hub:5000/helm-charts/mysql --version 8.8.25
#   helm pull oci://sea.hub:5000/charts/nginx --version 9.8.0
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

from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart
from ansible_collections.seahub.offline.plugins.module_utils.registries import _endpoint
from ansible_collections.seahub.offline.plugins.module_utils.saving import _save_module
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import Rules
from ansible_collections.seahub.offline.plugins.module_utils.saving._wishes import Choices, WishMaker


class Module(_save_module.HidesSecrets, AnsibleModule):
    """An AnsibleModule that never shows what 'registries' keeps secret."""


def main() -> None:
    """Run the module."""
    module = Module(
        argument_spec={
            **_save_module.ARGUMENTS,
            "charts": {"type": "list", "elements": "raw", "required": True},
            "repository": {"type": "str", "default": "helm-charts"},
            "verify": {"type": "bool", "default": False},
            "keyring": {"type": "path", "no_log": False},
        },
        required_together=_save_module.REQUIRED_TOGETHER,
        supports_check_mode=True,
        # Passwords lie deep in 'registries', where the log of invocations would not find them.
        no_log=True,
    )
    for library, problem in (("requests", _endpoint.REQUESTS_IMPORT_ERROR), ("PyYAML", _chart.YAML_IMPORT_ERROR)):
        if problem:
            module.fail_json(msg=missing_required_lib(library), exception=problem)
    params = module.params
    _save_module.run(module, lambda maker: _read(params, maker), Rules(locked=params["locked"]))


def _read(params: dict[str, Any], make: Callable[[Choices], WishMaker]) -> _save_module.Outcome:
    chosen = _save_module.choices(
        params, repository=params["repository"], verify=params["verify"], keyring=params["keyring"] or ""
    )
    maker = make(chosen)
    return _save_module.collect([(entry, "") for entry in params["charts"]], lambda entry, _where: maker.charts(entry))


if __name__ == "__main__":
    main()

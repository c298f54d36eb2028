# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds out how the images of a tree are found by their original names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.seahub.offline.plugins.module_utils.clients import _redirects
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock

DOCUMENTATION = r"""
name: redirects
short_description: The original names of what is in a tree
version_added: 0.1.0
author: seahub.offline contributors (!UNKNOWN)
description:
  - Finds out which hosts the images of a tree came from, and under which names the registry has them, for
    M(seahub.offline.runtime_redirect).
options:
  _input:
    description: The references that M(seahub.offline.tree_info) has returned.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
---
- name: Pull from sea.hub whatever the image is called
  seahub.offline.runtime_redirect:
    endpoints: ["sea.hub:5000"]
    redirects: "{{ (tree.references | seahub.offline.redirects).redirects }}"
"""

RETURN = r"""
_value:
  description: The original names.
  type: dict
  contains:
    redirects:
      description: The hosts, each with the prefixes that its images have in the registry.
      type: list
      elements: dict
      sample: [{"host": "quay.io", "prefixes": [""]}]
    short_names:
      description: What the images of Docker Hub are called without a host, and their full names.
      type: dict
      sample: {"mysql": "docker.io/library/mysql"}
    renamed:
      description: A sentence for each image that has another name in the tree, and cannot be found by its original one.
      type: list
      elements: str
"""


def redirects(references: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the original names of these references as plain data.

    :raises AnsibleFilterError: if they are none of a tree.
    """
    try:
        document = {"seahub_lock": _lock.FORMAT, "references": list(references)}
        found = _redirects.find(_lock.load(json.dumps(document).encode(), "what tree_info returned").references)
    except SeahubError as error:
        raise AnsibleFilterError(str(error)) from error
    return {
        "redirects": [{"host": item.host, "prefixes": list(item.prefixes)} for item in found.redirects],
        "short_names": dict(found.short_names),
        "renamed": list(found.renamed),
    }


class FilterModule:
    """Names the filter for Ansible."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by their names."""
        return {"redirects": redirects}

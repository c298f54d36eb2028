# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter takes what tree_info returns, and gives what runtime_redirect takes."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.seahub.offline.plugins.filter.redirects import redirects
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry


def test_it_speaks_plain_data() -> None:
    entry = Entry("redis:7", "docker.io/library/redis:7", "image", "library/redis", "7", "sha256:" + "0" * 64, "")
    assert redirects([entry.as_dict()]) == {
        "redirects": [{"host": "docker.io", "prefixes": [""]}],
        "short_names": {"library/redis": "docker.io/library/redis", "redis": "docker.io/library/redis"},
        "renamed": [],
    }


def test_what_is_no_reference_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="tree_info"):
        redirects([{"name": "x"}])

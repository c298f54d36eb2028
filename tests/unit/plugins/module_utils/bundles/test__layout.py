# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _layout
from ansible_collections.seahub.offline.plugins.module_utils.bundles._layout import Item

HEX = "ab" + 31 * "01"
DIGEST = f"sha256:{HEX}"
V2 = "docker/registry/v2"


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("seahub.lock.json", Item("lock")),
        (_layout.blob(DIGEST), Item("blob", digest=DIGEST)),
        (_layout.layer("library/mysql", DIGEST), Item("layer", "library/mysql", digest=DIGEST)),
        (_layout.manifest("a/b/c", DIGEST), Item("manifest", "a/b/c", digest=DIGEST)),
        (_layout.tag("mysql", "8"), Item("tag", "mysql", "8")),
        (_layout.tag_index("mysql", "8.0-x", DIGEST), Item("tag_index", "mysql", "8.0-x", DIGEST)),
    ],
)
def test_a_name_says_what_the_file_is(name: str, item: Item) -> None:
    assert _layout.parse(name) == item


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/etc/passwd",
        "../seahub.lock.json",
        "./seahub.lock.json",
        "seahub.lock.json/",
        ".seahub/writer",
        f"/{_layout.blob(DIGEST)}",
        f"../{_layout.blob(DIGEST)}",
        f"{V2}/blobs/sha256/cd/{HEX}/data",
        f"{V2}/blobs/sha256/ab/{HEX}/../data",
        f"{V2}/blobs/sha256/ab/{HEX[:-1]}/data",
        f"{V2}/blobs/md5/ab/{HEX}/data",
        f"{V2}/blobs/sha256/ab/{HEX}/data\n",
        f"{V2}/repositories/../../../etc/_layers/sha256/{HEX}/link",
        f"{V2}/repositories/a/../b/_layers/sha256/{HEX}/link",
        f"{V2}/repositories//a/_layers/sha256/{HEX}/link",
        f"{V2}/repositories/a//b/_layers/sha256/{HEX}/link",
        f"{V2}/repositories/A/_layers/sha256/{HEX}/link",
        f"{V2}/repositories/a/_uploads/x/data",
        f"{V2}/repositories/a/_manifests/tags/../current/link",
        f"{V2}/repositories/a/_manifests/tags/.x/current/link",
        f"{V2}/repositories/a/_manifests/tags/{129 * 'x'}/current/link",
        f"{V2}/repositories/{256 * 'a'}/_manifests/tags/x/current/link",
    ],
)
def test_other_names_have_no_place_in_a_tree(name: str) -> None:
    assert _layout.parse(name) is None

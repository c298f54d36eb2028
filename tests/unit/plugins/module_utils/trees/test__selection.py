# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotInTree
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._selection import Selection

DIGEST = "sha256:" + "1" * 64
MYSQL = Entry("mysql", "docker.io/library/mysql:latest", "image", "library/mysql", "latest", DIGEST, "", (), ("mysql",))
CHART = Entry("charts/db-1.tgz", "charts/db-1.tgz", "chart", "helm-charts/db", "1", DIGEST, "")
BARE = Entry(f"a/b@{DIGEST}", f"docker.io/a/b@{DIGEST}", "image", "a/b", None, DIGEST, "")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (MYSQL, "mysql"),
        (MYSQL, "mysql:latest"),
        (MYSQL, "library/mysql:latest"),
        (MYSQL, "docker.io/library/mysql"),
        (MYSQL, "library/*"),
        (MYSQL, "*:latest"),
        (MYSQL, f"mysql@{DIGEST}"),
        (MYSQL, "library/m[xy]sql:*"),
        (CHART, "charts/db-1.tgz"),
        (CHART, "helm-charts/db:1"),
        (CHART, "*.tgz"),
        (BARE, f"a/b@{DIGEST}"),
    ],
)
def test_what_names_an_entry(entry: Entry, text: str) -> None:
    selection = Selection([text])
    assert selection.has_entry(entry)
    selection.require_used()


@pytest.mark.parametrize("text", ["mysq", "mysql:8", "library", "library/mysql:late?", "LIBRARY/*", "quay.io/mysql"])
def test_what_does_not(text: str) -> None:
    selection = Selection([text])
    assert not selection.has_entry(MYSQL)
    with pytest.raises(NotInTree, match="nothing in the tree is called"):
        selection.require_used()


def test_a_lock_names_by_name_and_tag() -> None:
    selection = Selection([], Lock((MYSQL,)))
    assert selection.has_entry(MYSQL)
    assert not selection.has_entry(CHART)
    selection.require_used()


def test_a_name_that_a_lock_has_too_is_used() -> None:
    selection = Selection(["mysql"], Lock((MYSQL,)))
    assert selection.has_entry(MYSQL)
    selection.require_used()


def test_a_tag_that_no_lock_knows() -> None:
    selection = Selection(["pushed/*"])
    assert selection.has_tag("pushed/app", "1")
    assert not selection.has_tag("other/app", "1")

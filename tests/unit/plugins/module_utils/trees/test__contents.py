# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.trees import _contents
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock

ONE, TWO, THREE = ("sha256:" + digit * 64 for digit in "123")
MYSQL = Entry(
    "mysql:8", "", "image", "library/mysql", "8", ONE, "", ("linux/amd64", "linux/arm64"), (), {ONE: 2000, TWO: 70}
)
CHART = Entry("a.tgz", "", "chart", "charts/a", "1", THREE, "", blobs={THREE: 5, TWO: 70})


def test_own_and_shared() -> None:
    found = _contents.describe(Lock((CHART, MYSQL)))
    assert [(item.own, item.shared) for item in found.items] == [(5, 70), (2000, 70)]
    assert found.shared == 70
    assert found.kinds == {"image": 1, "chart": 1, "artifact": 0}
    assert found.platforms == ("linux/amd64", "linux/arm64")


def test_what_one_reference_has_twice_over_is_its_own() -> None:
    (item,) = _contents.describe(Lock((MYSQL,))).items
    assert (item.own, item.shared) == (2070, 0)


def test_the_table() -> None:
    assert _contents.describe(Lock((CHART, MYSQL))).table() == [
        "reference        kind   platforms                   size      own",
        "charts/a:1       chart  -                           75 B      5 B",
        "library/mysql:8  image  linux/amd64,linux/arm64  2.0 KiB  2.0 KiB",
    ]


def test_nothing() -> None:
    found = _contents.describe(Lock())
    assert (found.shared, found.platforms, len(found.table())) == (0, (), 1)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (3 * 1024**3, "3.0 GiB"), (5 * 1024**4, "5.0 TiB")],
)
def test_sizes_for_people(size: int, text: str) -> None:
    assert _contents.human(size) == text

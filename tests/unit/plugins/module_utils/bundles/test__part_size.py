# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _part_size
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GiB-1", 4 * 1024**3 - 1),
        ("4 GiB - 1", 4 * 1024**3 - 1),
        ("25GB", 25_000_000_000),
        ("1.5tb", 1_500_000_000_000),
        ("650MiB", 650 * 1024**2),
        ("65536", 65536),
        ("100000B", 100_000),
        ("dvd", 4_680_000_000),
        (" DVD-DL ", 8_500_000_000),
        ("fat32", 4 * 1024**3 - 1),
    ],
)
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert _part_size.parse(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1", "4GiB-", "4GiB+1", "4 gibi", "floppy", "1e9", "0x10000", "4\n"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(TreeError, match=r"part_size .* is (no size|too small)"):
        _part_size.parse(text)


@pytest.mark.parametrize("text", ["65535", "64KiB-1", "1KiB-2000", "0"])
def test_a_part_has_room_for_more_than_its_header(text: str) -> None:
    with pytest.raises(TreeError, match="too small"):
        _part_size.parse(text)

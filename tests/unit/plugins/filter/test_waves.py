# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host comes in which wave."""

from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.filter.waves import waves


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ("", []),
        ("a", ["a"]),
        ("ab", ["a", "b"]),
        ("abc", ["a", "bc"]),
        ("abcd", ["a", "bc", "d"]),
        ("abcdefghi", ["a", "bc", "defghi"]),
        ("abcdefghij", ["a", "bc", "defghi", "j"]),
    ],
)
def test_each_wave_is_twice_as_large_as_all_before(hosts: str, expected: list[str]) -> None:
    assert waves(list(hosts)) == [list(wave) for wave in expected]

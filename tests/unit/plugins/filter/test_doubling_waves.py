# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which host comes in which wave."""

from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.filter.doubling_waves import doubling_waves


@pytest.mark.parametrize(
    ("hosts", "waves"),
    [
        ("", []),
        ("a", ["a"]),
        ("ab", ["a", "b"]),
        ("abc", ["a", "b", "c"]),
        ("abcd", ["a", "b", "cd"]),
        ("abcdefgh", ["a", "b", "cd", "efgh"]),
        ("abcdefghi", ["a", "b", "cd", "efgh", "i"]),
    ],
)
def test_each_wave_is_as_large_as_all_before(hosts: str, waves: list[str]) -> None:
    assert doubling_waves(list(hosts)) == [list(wave) for wave in waves]

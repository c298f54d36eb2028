# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common import _cpu


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nflags\t\t: fpu sse4_2 aes avx\n\nprocessor\t: 1\nflags\t\t: fpu sse4_2 aes avx\n", True),
        ("processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd aes pmull sha1\n", True),
        ("processor\t: 0\nFeatures\t: fp asimd evtstrm crc32 cpuid\n", False),
        ("processor\t: 0\nflags\t\t: fpu vaes_not\nbugs\t\t: aes\n", False),
        ("", False),
    ],
)
def test_the_kernel_tells(text: str, expected: bool, tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert _cpu.encrypts_aes(str(tmp_path / "cpuinfo")) is expected


def test_where_nothing_is_told_there_is_none(tmp_path: Path) -> None:
    assert not _cpu.encrypts_aes(str(tmp_path / "cpuinfo"))

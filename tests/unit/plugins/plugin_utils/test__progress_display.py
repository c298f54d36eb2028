# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.plugin_utils import _progress_display
from ansible_collections.seahub.offline.plugins.plugin_utils._progress_display import ProgressDisplay

MIB = 1024 * 1024


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (150 * 1024, "150 KiB"),
        (3.4 * 1024 * MIB, "3.4 GiB"),
        (2**41, "2.0 TiB"),
    ],
)
def test_sizes_are_readable(count: float, text: str) -> None:
    assert _progress_display.size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (26, "26 s"), (95, "1 min 35 s"), (3700, "1 h 01 min")])
def test_durations_are_readable(seconds: float, text: str) -> None:
    assert _progress_display.duration(seconds) == text


def test_what_is_not_known_is_left_out() -> None:
    text = _progress_display.text
    assert text(Progress("resolving"), 0) == "resolving"
    assert text(Progress("resolving", 0, 0, 3, 40, "references"), 0) == "resolving: 3/40 references"
    assert text(Progress("saving", 5 * MIB), MIB) == "saving: 5.0 MiB, 1.0 MiB/s"
    everything = text(Progress("saving", 100 * MIB, 400 * MIB, 12, 40, "references"), 10 * MIB)
    assert everything == "saving: 12/40 references, 100 MiB of 400 MiB, 10.0 MiB/s, 30 s left"


def test_lines_come_every_few_seconds_or_percent() -> None:
    clock = Clock()
    lines: list[str] = []
    show = ProgressDisplay("build1", lines.append, clock)
    # A slow one: 0.5 % each second.
    for second in range(21):
        clock.now = second
        show(Progress("saving", second * 5, 1000))
    assert len(lines) == 4
    assert lines[0] == "[build1] saving: 25 B of 1000 B, 5 B/s, 3 min 15 s left"
    # And now a fast one: 4 % each second.
    for second in range(21, 41):
        clock.now = second
        show(Progress("saving", 100 + (second - 20) * 40, 1000))
    assert len(lines) == 4 + 6


def test_quick_work_is_silent() -> None:
    clock = Clock()
    lines: list[str] = []
    show = ProgressDisplay("build1", lines.append, clock)
    for step in range(11):
        clock.now = step * 0.4
        show(Progress("saving", step, 10))
    assert lines == []


def test_the_same_is_not_said_twice() -> None:
    clock = Clock()
    lines: list[str] = []
    show = ProgressDisplay("build1", lines.append, clock)
    for second in range(0, 60, 6):
        clock.now = second
        show(Progress("saving", 1, 10))
    assert len(lines) == 1

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Progress as lines on the screen of the person who runs the playbook.

Whole lines, no moving bars: they stand between the lines of other hosts, and in log files.
"""

# Note that this plugin util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import time
from collections.abc import Callable

from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress

STEP_SECONDS = 5.0
STEP_FRACTION = 0.1
SMALLEST_GAP = 1.0
"""Seconds between two lines at least, however fast the work is."""


def size(count: float) -> str:
    """Write a number of bytes as a person reads it."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def duration(seconds: float) -> str:
    """Write a time span as a person reads it."""
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def text(progress: Progress, rate: float) -> str:
    """Write a progress as part of a line; what is not known is left out."""
    parts = []
    if progress.total_items:
        parts.append(f"{progress.done_items}/{progress.total_items} {progress.label}".rstrip())
    if progress.total_bytes:
        parts.append(f"{size(progress.done_bytes)} of {size(progress.total_bytes)}")
    elif progress.done_bytes:
        parts.append(size(progress.done_bytes))
    if rate > 0:
        parts.append(f"{size(rate)}/s")
        if progress.total_bytes:
            parts.append(f"{duration((progress.total_bytes - progress.done_bytes) / rate)} left")
    return f"{progress.phase}: {', '.join(parts)}" if parts else progress.phase


class ProgressDisplay:
    """Shows some of the progress it is told of: a line about every 5 seconds or every 10 %.

    Work that is done within the first 5 seconds shows nothing.
    """

    def __init__(self, host: str, show: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._show = show
        self._clock = clock
        self._last: Progress | None = None
        self._shown: Progress | None = None
        self._begin = self._last_shown = clock()
        self._first_bytes = 0

    def __call__(self, progress: Progress) -> None:
        now = self._clock()
        if self._last is None or progress.phase != self._last.phase:
            self._begin, self._first_bytes = now, progress.done_bytes
        self._last = progress
        if progress != self._shown and self._is_due(progress, now):
            self._shown, self._last_shown = progress, now
            self._show(f"[{self._host}] {text(progress, self._rate(progress, now))}")

    def _is_due(self, progress: Progress, now: float) -> bool:
        waited = now - self._last_shown
        if self._shown is None or waited < SMALLEST_GAP:
            return waited >= STEP_SECONDS
        return waited >= STEP_SECONDS or _fraction(progress) - _fraction(self._shown) >= STEP_FRACTION

    def _rate(self, progress: Progress, now: float) -> float:
        elapsed = now - self._begin
        return (progress.done_bytes - self._first_bytes) / elapsed if elapsed >= SMALLEST_GAP else 0.0


def _fraction(progress: Progress) -> float:
    if progress.total_bytes:
        return progress.done_bytes / progress.total_bytes
    return progress.done_items / progress.total_items if progress.total_items else 0.0

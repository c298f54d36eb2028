# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many requests a host gets at once: more while that brings more, half as many when it is too much.

No fixed number is right: what one registry answers with 429, or a thin line with broken connections, leaves another one
idle. The number is found as TCP finds its window, by what the host shows.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import threading
import time
from types import TracebackType

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import Unavailable
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy

_START = 8
# What a request costs beside its bytes, in bytes: many small answers are as much work as few large ones.
_REQUEST_WORTH = 64 * 1024
# Bytes that a long transfer may bring before they are counted.
_PORTION = 1024 * 1024
# Seconds of work that are compared with those before, and how much more they have to bring to go on growing.
_PERIOD = 0.25
_GAIN = 1.1
# Seconds for which a number stays that turned out to be the best, or followed a refusal.
_REST = 5.0
_RECOVERY = 1.0
# Seconds after which whoever waits for a place looks whether there is time left for that.
_LOOK = 1.0


class Throttle:
    """The places for requests to one host. Used by several threads at once.

    :param most: how many places there are at most.
    :param retry: says how long a host that asks to be left alone is left alone, and when the time for a run is over.
    """

    def __init__(self, most: int = 32, retry: RetryPolicy | None = None) -> None:
        self.limit = min(_START, most)
        """How many requests may be under way now."""
        self._most = most
        self._retry = retry or RetryPolicy()
        self._active = 0
        self._condition = threading.Condition()
        self._closed_until = 0.0
        self._halved_at = 0.0
        # What the present period has brought, and what the one before it brought with how many places.
        self._since = time.monotonic()
        self._work = 0
        self._crowded = False
        self._earlier = (0.0, self.limit)
        self._grow_from = 0.0

    def enter(self) -> Place:
        """Wait for a place, and for the host to be willing, and take it.

        :raises Unavailable: if the time for the run is over before.
        """
        with self._condition:
            while True:
                self._retry.check()
                pause = self._closed_until - time.monotonic()
                if pause <= 0 and self._active < self.limit:
                    self._active += 1
                    return Place(self, time.monotonic())
                self._crowded = self._crowded or pause <= 0
                self._condition.wait(min(pause, _LOOK) if pause > 0 else _LOOK)

    def count(self, work: int) -> None:
        """Take note of work done, and fit the number of places to it."""
        with self._condition:
            self._work += work
            now = time.monotonic()
            if now - self._since >= _PERIOD:
                self._fit(now)

    def leave(self) -> None:
        """Give a place back."""
        with self._condition:
            self._active -= 1
            self._condition.notify()

    def refuse(self, started: float, error: Unavailable) -> None:
        """Halve the places because a request failed, but once only for all that were under way together.

        :param started: when the request began.
        """
        with self._condition:
            now = time.monotonic()
            self._closed_until = max(self._closed_until, now + min(error.retry_after, self._retry.patience))
            if started <= self._halved_at:
                return
            self.limit = max(1, self.limit // 2)
            self._halved_at = now
            self._begin(now, (0.0, self.limit), rest=_RECOVERY if error.retry_after else 0.0)

    def _fit(self, now: float) -> None:
        rate = self._work / (now - self._since)
        before, places = self._earlier
        # Unless requests had to wait for a place, more places would change nothing.
        if not self._crowded or now < self._grow_from:
            self._begin(now, self._earlier)
        elif self.limit <= places or rate > before * _GAIN:
            self._begin(now, (rate, self.limit))
            self.limit = min(self._most, self.limit + max(1, self.limit // 2))
            self._condition.notify_all()
        else:
            self.limit = places
            self._begin(now, (before, places), rest=_REST)

    def _begin(self, now: float, earlier: tuple[float, int], rest: float = 0.0) -> None:
        self._since, self._work, self._crowded, self._earlier = now, 0, False, earlier
        if rest:
            self._grow_from = now + rest


class Place:
    """The right to have one request under way, as long as the context lasts."""

    def __init__(self, throttle: Throttle, started: float) -> None:
        self._throttle = throttle
        self._started = started
        self._uncounted = _REQUEST_WORTH

    def __enter__(self) -> Place:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Unavailable):
            self._throttle.refuse(self._started, error)
        else:
            self._throttle.count(self._uncounted)
        self._throttle.leave()

    def moved(self, count: int) -> None:
        """Take note of bytes that arrived."""
        self._uncounted += count
        if self._uncounted >= _PORTION:
            self._throttle.count(self._uncounted)
            self._uncounted = 0

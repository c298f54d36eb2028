# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many requests a host gets: the clock is the test's own, the threads are real."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from types import SimpleNamespace

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import Unavailable
from ansible_collections.seahub.offline.plugins.module_utils.registries import _throttle
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.registries._throttle import Throttle

MIB = 1024 * 1024
PERIOD = 0.3


class Clock:
    """A time that passes when it is told to."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="clock")
def fixture_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_throttle, "time", SimpleNamespace(monotonic=clock))
    return clock


def work(throttle: Throttle, clock: Clock, speed: Callable[[int], float], periods: int, wanted: int = 99) -> list[int]:
    """Use all places for some periods, with more requests waiting; return how many places there were in each.

    :param speed: MiB in a second that the host gives to so many requests together.
    :param wanted: how many requests there are at once.
    """
    places = []
    for _period in range(periods):
        used = min(throttle.limit, wanted)
        places.append(throttle.limit)
        with ExitStack() as stack:
            entered = [stack.enter_context(throttle.enter()) for _place in range(used)]
            if wanted > used:
                begin_to_wait(throttle)
            clock.now += PERIOD
            entered[0].moved(int(speed(used) * PERIOD * MIB))
    return places


def begin_to_wait(throttle: Throttle) -> None:
    """Let one more request wait for a place."""

    def wait() -> None:
        with throttle.enter():
            pass

    threading.Thread(target=wait).start()
    time.sleep(0.01)


def test_places_grow_while_that_brings_more(clock: Clock) -> None:
    places = work(Throttle(most=40), clock, lambda used: 10.0 * used, 6)
    assert places == [8, 12, 18, 27, 40, 40]


def test_places_go_back_to_what_brought_as_much(clock: Clock) -> None:
    places = work(Throttle(), clock, lambda used: 10.0 * min(used, 12), 12)
    assert places[:4] == [8, 12, 18, 12]
    assert set(places[4:]) == {12}


def test_it_is_tried_again_after_a_rest(clock: Clock) -> None:
    throttle = Throttle()
    work(throttle, clock, lambda _used: 100.0, 4)
    assert throttle.limit == 8
    clock.now += 10
    assert max(work(throttle, clock, lambda used: 100.0 * used, 4)) > 12


def test_places_that_nobody_waits_for_do_not_grow(clock: Clock) -> None:
    assert work(Throttle(), clock, lambda used: 10.0 * used, 5, wanted=6) == [8] * 5


@pytest.mark.parametrize("most", [1, 3])
def test_never_more_than_allowed(clock: Clock, most: int) -> None:
    assert work(Throttle(most), clock, lambda used: 10.0 * used, 4) == [most] * 4


def refuse(throttle: Throttle, retry_after: float = 0) -> None:
    """Let a request fail."""
    with pytest.raises(Unavailable), throttle.enter():
        raise Unavailable("no", retry_after)


def test_a_refusal_halves_the_places(clock: Clock) -> None:
    throttle = Throttle()
    for expected in (4, 2, 1, 1):
        clock.now += 1
        refuse(throttle)
        assert throttle.limit == expected


def test_refusals_of_requests_that_began_together_count_once(clock: Clock) -> None:
    throttle = Throttle()
    places = [throttle.enter() for _place in range(8)]
    clock.now += 1
    for place in places:
        place.__exit__(Unavailable, Unavailable("no"), None)
    assert throttle.limit == 4


def test_a_host_that_asks_for_it_is_left_alone() -> None:
    throttle = Throttle(retry=RetryPolicy(patience=0.2))
    refuse(throttle, retry_after=60)
    before = time.monotonic()
    with throttle.enter():
        assert 0.15 < time.monotonic() - before < 5


def test_nobody_waits_longer_than_the_time_for_the_run() -> None:
    throttle = Throttle(retry=RetryPolicy(deadline=time.monotonic() + 0.3))
    refuse(throttle, retry_after=60)
    with pytest.raises(Unavailable, match="time allowed for this run is over"):
        throttle.enter()


def test_no_more_requests_than_places() -> None:
    throttle = Throttle(most=3)
    running, highest, lock = 0, 0, threading.Lock()

    def request() -> None:
        nonlocal running, highest
        for _time in range(5):
            with throttle.enter():
                with lock:
                    running += 1
                    highest = max(highest, running)
                time.sleep(0.001)
                with lock:
                    running -= 1

    threads = [threading.Thread(target=request) for _thread in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert highest == 3

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trying again."""

from __future__ import annotations

import time

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    SeahubError,
    Unavailable,
)
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy


@pytest.mark.parametrize(("failures", "longest"), [(1, 0.5), (2, 1), (3, 2), (5, 8), (9, 30), (50, 30)])
def test_waits_grow_up_to_a_ceiling_and_differ(failures: int, longest: float) -> None:
    policy = RetryPolicy(attempts=100)
    waits = {policy.delay(failures, Unavailable("")) for _try in range(50)}
    assert len(waits) > 10
    assert longest / 2 <= min(waits) <= max(waits) <= longest


@pytest.mark.parametrize(
    ("asked", "granted"), [(0, 0.01), (7.5, 7.5), (300, 300), (86400, 300)], ids=["nothing", "some", "much", "too much"]
)
def test_a_registry_that_asks_for_time_gets_it_within_reason(asked: float, granted: float) -> None:
    assert RetryPolicy(base=0.01).delay(1, Unavailable("", retry_after=asked)) == pytest.approx(granted, rel=0.5)


def test_the_last_attempt_ends_with_its_own_error() -> None:
    error = Unavailable("no")
    with pytest.raises(Unavailable) as raised:
        RetryPolicy(attempts=3).delay(3, error)
    assert raised.value is error


def test_no_wait_goes_past_the_deadline() -> None:
    policy = RetryPolicy(deadline=time.monotonic() + 5)
    policy.check()
    assert policy.delay(1, Unavailable("")) < 1
    with pytest.raises(Unavailable, match="busy"):
        policy.delay(1, Unavailable("busy", retry_after=60))


def test_nothing_begins_after_the_deadline() -> None:
    policy = RetryPolicy(deadline=time.monotonic() - 1)
    with pytest.raises(Unavailable, match="time allowed for this run is over"):
        policy.run(lambda: "something")


@pytest.mark.parametrize(
    ("errors", "calls"),
    [([], 1), ([Unavailable("")], 2), ([Unavailable("")] * 2, 3)],
    ids=["at once", "then", "at last"],
)
def test_what_fails_for_now_is_tried_again(errors: list[SeahubError], calls: int) -> None:
    waiting, called = list(errors), []

    def action() -> str:
        called.append(1)
        if waiting:
            raise waiting.pop()
        return "done"

    assert RetryPolicy(attempts=3, base=0.001).run(action) == "done"
    assert len(called) == calls


def test_what_fails_for_good_is_not() -> None:
    called = []

    def action() -> None:
        called.append(1)
        raise AccessDenied("no")

    with pytest.raises(AccessDenied):
        RetryPolicy(base=0.001).run(action)
    assert len(called) == 1

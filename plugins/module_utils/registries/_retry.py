# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Trying again: which errors are worth it, how long to wait, and when to give up."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import random
import time
from typing import Callable, TypeVar

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import Unavailable

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class RetryPolicy:
    """How often and how long something is tried.

    - attempts: how many times in a row without any progress.
    - base, ceiling: seconds; the wait grows from the one to the other, each a random part of it, so that many
      transfers that failed together do not come back together.
    - patience: the longest wait in seconds that a registry's `Retry-After` is granted.
    - deadline: the moment (of `time.monotonic`) after which nothing is begun or goes on; None for no such moment.
    """

    attempts: int = 6
    base: float = 0.5
    ceiling: float = 30.0
    patience: float = 300.0
    deadline: float | None = None

    def check(self) -> None:
        """Make sure that there is time left.

        :raises Unavailable: if the deadline has passed.
        """
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise Unavailable("the time allowed for this run is over: run it again, it goes on where it stopped")

    def delay(self, failures: int, error: Unavailable) -> float:
        """Return how many seconds to wait after so many failures in a row.

        :raises Unavailable: the given error, if it is not worth trying again.
        """
        wait = min(self.ceiling, self.base * 2.0 ** (failures - 1)) * random.uniform(0.5, 1.0)
        wait = max(wait, min(error.retry_after, self.patience))
        if failures >= self.attempts:
            raise error
        if self.deadline is not None and time.monotonic() + wait > self.deadline:
            raise error
        return wait

    def run(self, action: Callable[[], Result]) -> Result:
        """Call `action` until it succeeds; only Unavailable is a reason to try again.

        :raises Unavailable: its last error, when the policy gives up.
        """
        failures = 0
        while True:
            try:
                self.check()
                return action()
            except Unavailable as error:
                failures += 1
                time.sleep(self.delay(failures, error))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The signals that end Ansible, for action plugins that have something to clean up on the far side."""

# Note that this plugin util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from types import FrameType

from ansible.utils.display import Display

from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress

display = Display()


class Interrupted(BaseException):
    """A signal came that ends Ansible."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGINT and SIGTERM become an exception, and end Ansible's worker as they would have when that has passed.

    Without it the worker dies on the spot: no `finally` is run.
    """

    def ignore(number: int, frame: FrameType | None) -> None:
        """Ansible sends SIGTERM right after SIGINT: nothing may interrupt the cleaning up."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, ignore)
        # The process that owns the screen may be gone already: writing to it would fail.
        display.verbosity = 0
        raise Interrupted(number)

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except Interrupted as interrupted:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.raise_signal(interrupted.number)
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def while_ansible_runs(tell: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Return a callback for long work that ends it when Ansible has been killed.

    Workers are in a session of their own: they would go on, and the next run would find them at work.
    """
    parent = os.getppid()

    def told(progress: Progress) -> None:
        if os.getppid() != parent:
            raise Interrupted(signal.SIGTERM)
        tell(progress)

    return told

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed at any moment, and somebody who looks at the tags of a tree all the while."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.project import ROOT
from tests.registry.closure import LAYOUT, broken_tags


class Runner:
    """Begins runs and kills them.

    :param module: is run as a program that reads a line for each run; for each it begins a process, says its id, and
        then how it ended. What takes long to import is imported once.
    """

    def __init__(self, module: str) -> None:
        path = os.pathsep.join([str(ROOT), str(ROOT / "collections")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def begin(self, *words: object) -> int:
        """Begin a run; return the id of its process."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(map(str, words)) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def end(self) -> int:
        """Wait for the run; return its status, which is negative if it was killed."""
        return int(self._line())

    def kill(self, process: int) -> bool:
        """Kill the run; return whether that came before its end.

        Raises: AssertionError if it failed.
        """
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        status = self.end()
        assert status in (0, -signal.SIGKILL)
        return status != 0

    def close(self) -> None:
        """End the runner."""
        self._process.communicate(timeout=60)

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


class Watcher:
    """Looks at the tags of a tree again and again, from another thread.

    `in_place` says that a registry writes it (see `broken_tags`).
    """

    def __init__(self) -> None:
        self.root: Path | None = None
        self.in_place = False
        self.looks = 0
        self.problems: list[str] = []
        self._looking = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def leave(self) -> None:
        """Look at nothing until another `root` is given: this one may be removed."""
        with self._looking:
            self.root = None

    def close(self) -> None:
        """Stop looking."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            with self._looking:
                if self.root is not None and self.root.is_dir():
                    self._look(self.root)

    def _look(self, root: Path) -> None:
        try:
            found = broken_tags(root, hashed=False, in_place=self.in_place)
        except FileNotFoundError:
            # Removed between two looks at it.
            return
        # What goes with its tag is missed by nobody.
        repositories = root / LAYOUT / "repositories"
        self.problems += [problem for problem in found if (repositories / problem.split(": ")[0]).exists()]
        self.looks += 1

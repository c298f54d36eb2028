# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that the lab starts, and the only ones that it ends.

A process is known by its id and the time it started: ids are used again, the pair is not.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from .commands import LabError


@dataclass(frozen=True)
class Process:
    """A process as it was started."""

    pid: int
    start_time: int


@dataclass(frozen=True)
class Daemon:
    """A process that outlives the command that starts it; `record` says which one it is."""

    name: str
    record: Path
    log: Path

    def start(self, command: Sequence[str | Path]) -> None:
        """Start the command in a session of its own; what it says goes to the log."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.record.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log, open(os.devnull, "rb") as nothing:
            # Not subprocess.Popen, which is for a process that one waits for, and says so when it is forgotten.
            pid = os.posix_spawnp(
                command[0],
                [str(part) for part in command],
                os.environ,
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
                ],
                setsid=True,
            )
        started = _start_time(pid)
        if started is None:
            raise LabError(f"{self.name} ended at once; see {self.log}")
        self.record.write_text(json.dumps(asdict(Process(pid, started))))

    def running(self) -> bool:
        """Whether the very process that was started still runs."""
        process = self._recorded()
        return process is not None and _start_time(process.pid) == process.start_time

    def stop(self, patience: float = 30.0) -> None:
        """End it if it runs: first asked, then killed."""
        process = self._recorded()
        for what, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            if process is None or not self.running():
                break
            os.kill(process.pid, what)
            self._wait_for_end(seconds)
        self.record.unlink(missing_ok=True)

    def require(self) -> None:
        """Raises: LabError with the end of its log when it does not run."""
        if not self.running():
            said = "\n".join(self.log.read_text(errors="replace").splitlines()[-15:]) if self.log.exists() else ""
            raise LabError(f"{self.name} ended; its log {self.log} ends with:\n{said}")

    def _recorded(self) -> Process | None:
        try:
            return Process(**json.loads(self.record.read_text()))
        except FileNotFoundError:
            return None

    def _wait_for_end(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.1)


def _start_time(pid: int) -> int | None:
    """When a living process started, in ticks since boot (field 22 of proc_pid_stat(5)); None if there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] == "Z":
        _reap(pid)
        return None
    return int(fields[19])


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):  # the child of an earlier command is not ours to wait for
        os.waitpid(pid, os.WNOHANG)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a command takes, and how much memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Seconds in which a disk comes to rest.
_SETTLING = 3


@dataclass(frozen=True)
class Measured:
    """Wall time in seconds, and the largest resident size in MiB of any process of the command."""

    seconds: float
    mebibytes: float


def run(command: Sequence[str | Path], cwd: Path | None = None, env: dict[str, str] | None = None) -> Measured:
    """Run a command to its end.

    Raises: RuntimeError with its output when it fails.
    """
    # What the one before has left to the disk would else be written, and what was removed be given back to it, in this
    # one's time.
    os.sync()
    time.sleep(_SETTLING)
    started = time.monotonic()
    with subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env={**os.environ, **(env or {})},
    ) as process:
        assert process.stdout is not None
        output = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - started
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} failed ({process.returncode}):\n{output.decode(errors='replace')[-3000:]}")
    return Measured(seconds, usage.ru_maxrss / 1024)


def spread(values: Sequence[float]) -> str:
    """Return the median, and the range around it."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def show(title: str, measured: dict[str, list[Measured]]) -> None:
    """Print what was measured of each."""
    print(title)
    for name, values in measured.items():
        seconds, mebibytes = [item.seconds for item in values], [item.mebibytes for item in values]
        print(f"  {name:18} {spread(seconds)} s, {max(mebibytes):.0f} MiB at most")


def ratio(name: str, ones: Iterable[Measured], others: Iterable[Measured]) -> None:
    """Print how the times of ones compare with those of others in the same round."""
    ratios = [one.seconds / other.seconds for one, other in zip(ones, others, strict=True)]
    print(f"  {name}: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")

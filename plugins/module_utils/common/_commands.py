# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the host: found where a task would not look, and run to their end."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import shutil
import subprocess
from typing import Mapping, Sequence

# What a task finds in its PATH is often less than what a person at a terminal finds.
_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin:/opt/rke2/bin:/opt/bin"


def find(program: str) -> str | None:
    """Return the path of a program, from PATH or from where packages put it; None if it is not on this host."""
    return shutil.which(program) or shutil.which(program, path=_FOLDERS)


def run(
    command: Sequence[str], timeout: float | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program without input, however it ends, and return its status and what it has printed.

    :param timeout: seconds after which it is killed.
    :param environment: its whole environment; without it, that of this process.
    :raises OSError: if it cannot be run.
    :raises subprocess.TimeoutExpired: if it was killed.
    """
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
        env=environment,
        check=False,
    )

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running commands, and keeping expensive results."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


class LabError(Exception):
    """The lab cannot do what was asked; the message says what happened and what to do."""


def say(message: str) -> None:
    """Progress for whoever waits."""
    print(f"lab: {message}", flush=True)


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    text: str | None = None,
) -> str:
    """Run a command, give its standard output.

    Raises: LabError with what the command said, when it fails or does not exist.
    """
    try:
        done = subprocess.run(
            [str(part) for part in command], env=env, cwd=cwd, input=text, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise LabError(f"{command[0]} is not installed") from error
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-20:])
        raise LabError(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{said}")
    return done.stdout


def succeeds(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None) -> bool:
    """Whether a command exists and ends well."""
    try:
        run(command, env=env)
    except LabError:
        return False
    return True


def kept(target: Path, make: Callable[[Path], None]) -> Path:
    """`target`, made by `make` unless it is there.

    `make` gets another path, in the same directory, that becomes `target` only when it is complete: a run that was
    killed leaves nothing that looks finished. One that another one makes already is waited for.
    """
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f".{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".making-") as scratch:
                unfinished = Path(scratch) / target.name
                make(unfinished)
                unfinished.rename(target)
    return target


def remove(path: Path) -> None:
    """Remove a file or a directory if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long work says how far it is.

The library calls a `Callback` with a `Progress` whenever it likes: calls are cheap. An edge that wants others to see
it passes a `ProgressFile`, which keeps the last state in a small file that another process can read at any time.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from typing import Callable


@dataclass(frozen=True)
class Progress:
    """How far the work is. A total of 0 means that it is not known yet."""

    phase: str
    done_bytes: int = 0
    total_bytes: int = 0
    done_items: int = 0
    total_items: int = 0
    label: str = ""
    """What is counted, in the plural: `references`, `blobs`."""


Callback = Callable[[Progress], None]


def ignore(progress: Progress) -> None:
    """The callback of someone who does not want to know."""


class ProgressFile:
    """A callback that keeps the latest progress in a file, as one line of JSON.

    The file is replaced as a whole, so that a reader never sees half a line, and at most `interval` apart, so that the
    work may report each chunk.
    """

    def __init__(self, path: str, interval: float = 0.3) -> None:
        self._path = path
        self._interval = interval
        self._next = 0.0
        self._phase: str | None = None

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if now < self._next and progress.phase == self._phase:
            return
        self._next = now + self._interval
        self._phase = progress.phase
        temporary = f"{self._path}.{os.getpid()}"
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(dict(asdict(progress), pid=os.getpid()), file)
            file.write("\n")
        os.replace(temporary, self._path)


def callback(path: str | None) -> Callback:
    """Return the callback for a module's `progress_file` option, which may be unset.

    The file is written at once: whoever reads it learns which process works, and can stop it.
    """
    if not path:
        return ignore
    file = ProgressFile(path)
    file(Progress("starting"))
    return file


def process(line: str) -> int | None:
    """Return the id of the process that wrote what a `ProgressFile` wrote."""
    try:
        return int(json.loads(line)["pid"])
    except (ValueError, TypeError, KeyError):
        return None


def parse(line: str) -> Progress | None:
    """Read what a `ProgressFile` wrote.

    :returns: nothing when there is nothing to read yet, or it is something else.
    """
    try:
        values = json.loads(line)
        return Progress(
            phase=str(values["phase"]),
            done_bytes=int(values["done_bytes"]),
            total_bytes=int(values["total_bytes"]),
            done_items=int(values["done_items"]),
            total_items=int(values["total_items"]),
            label=str(values["label"]),
        )
    except (ValueError, TypeError, KeyError):
        return None

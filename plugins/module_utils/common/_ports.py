# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who listens on a port of this host, as the kernel tells: no program for that need be installed."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import glob
import os
from typing import Iterator

# https://www.kernel.org/doc/html/latest/networking/proc_net_tcp.html
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_LISTEN = "0A"


def listeners(port: int) -> list[str]:
    """Return the programs that listen on a TCP port, sorted, each with its process ID.

    One whose process cannot be seen, because it is another user's or in another container, is called so.
    """
    sockets = {inode for table in _TABLES for inode in _listening(table, port)}
    if not sockets:
        return []
    found = {f"{_command(pid)} (process {pid})" for pid, inode in _open_sockets() if inode in sockets}
    return sorted(found) or ["a program that cannot be seen from here"]


def _listening(table: str, port: int) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError), open(table, encoding="ascii") as file:
        for line in list(file)[1:]:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                yield fields[9]


def _open_sockets() -> Iterator[tuple[str, str]]:
    for path in glob.glob("/proc/[0-9]*/fd/*"):
        # Processes end, and those of others are not shown.
        with contextlib.suppress(OSError):
            target = os.readlink(path)
            if target.startswith("socket:["):
                yield path.split("/")[2], target[len("socket:[") : -1]


def _command(pid: str) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return "a program"

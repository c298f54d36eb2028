# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stream into a command on the other side of Ansible's ssh connection.

Ansible hands a command its input in one piece, from memory. Here the same command line, the same login and the same
becoming of another user end in a pipe that is written bit by bit: everything that can be set for the connection counts,
because Ansible itself does it. Only the compression is taken out.
"""

# Note that this plugin util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import fcntl
import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO

from ansible.utils.display import Display

# Short options of ssh(1) that take no value, and can stand together behind one hyphen.
_FLAGS_WITH_COMPRESSION = re.compile(rb"-[46AaCfGgKkMNnqsTtVvXxYy]*C[46AaCfGgKkMNnqsTtVvXxYy]*")
# A connection that others have opened may be compressed: then it has to be one of its own.
_UNCOMPRESSED = (b"-o", b"Compression=no", b"-o", b"ControlMaster=no", b"-o", b"ControlPath=none")
_PIPE_SIZE = 1024 * 1024
_SECONDS = 30

display = Display()


class Input:
    """What is given to a command on its standard input.

    - started: whether the command took any of it: it runs, as the user it was to run as.
    """

    def __init__(self, write: Callable[[BinaryIO], None]) -> None:
        self._write = write
        self.started = False

    def send(self, pipe: BinaryIO, _data: object, _process: object) -> None:
        """Write it all, or as much as the command takes: why it takes no more, it says itself."""
        self.started = True
        with contextlib.suppress(BrokenPipeError), pipe:
            # It saves time where it can be had: on Linux, up to a limit for each user.
            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
            self._write(pipe)


def obstacle(connection: Any) -> str | None:
    """Tell why nothing can be streamed over a connection, or None if it can be tried."""
    if type(connection).__module__ != "ansible.plugins.connection.ssh":
        return f"the connection is {connection.transport}, not ssh"
    if not all(callable(getattr(connection, name, None)) for name in ("_build_command", "_send_initial_data")):
        return "the ssh connection of this version of Ansible works in another way"
    if connection.become and connection.become.require_tty:
        return f"{connection.become.name} needs a terminal"
    return None


def retries(connection: Any) -> int:
    """Return how often a connection is to be tried again when it is lost."""
    return int(connection.get_option("reconnection_retries"))


@contextlib.contextmanager
def streaming(connection: Any, data: Input) -> Iterator[None]:
    """Let a connection stream its input, given as an `Input`, to the one command that it executes meanwhile."""
    build = connection._build_command

    def build_command(binary: str, subsystem: str, *arguments: str) -> list[bytes]:
        return uncompressed(build(binary, subsystem, *arguments), binary.encode(), len(arguments))

    set_retries = connection.get_option("reconnection_retries")
    # It would send from the beginning again. Whoever sends knows what has arrived.
    connection.set_option("reconnection_retries", 0)
    connection._build_command, connection._send_initial_data = build_command, data.send
    try:
        yield
    finally:
        # What hides the methods of the class, nothing else.
        del connection._build_command, connection._send_initial_data
        connection.set_option("reconnection_retries", set_retries)


def uncompressed(command: Sequence[bytes], binary: bytes, arguments: int) -> list[bytes]:
    """Return a command line of ssh without compression; the same if it has none.

    :param binary: ssh, behind which its options begin.
    :param arguments: how many come last that are no options: the host first.
    """
    begin, end = command.index(binary) + 1, len(command) - arguments
    options = command[begin:end]
    if _is_uncompressed([binary, b"-G", *options, command[end]]):
        return list(command)
    display.vv("tree_sync: ssh is set to compress; the tree goes over a connection of its own, without")
    kept = [option for option in options if not _FLAGS_WITH_COMPRESSION.fullmatch(option)]
    return [*command[:begin], *_UNCOMPRESSED, *kept, *command[end:]]


def _is_uncompressed(question: list[bytes]) -> bool:
    # ssh itself knows best what its files and options come to: https://man.openbsd.org/ssh#G
    done = subprocess.run(question, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    return done.returncode == 0 and b"compression no" in done.stdout.splitlines()

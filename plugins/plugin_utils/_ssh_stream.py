# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stream into a command on the other side of Ansible's ssh connection.

Ansible hands a command its input in one piece, from memory. Here the same command line, the same login and the same
becoming of another user end in a pipe that is written bit by bit: everything that can be set for the connection counts,
because Ansible itself does it. Only the compression is taken out, and of the ciphers that both sides allow, the
fastest can come first.
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
_UNCOMPRESSED = (b"-o", b"Compression=no")
# One that others have opened is compressed and encrypted as they wanted it.
_OWN_CONNECTION = (b"-o", b"ControlMaster=no", b"-o", b"ControlPath=none")
_AES_CIPHERS = frozenset((b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com"))
_PIPE_SIZE = 1024 * 1024
_SECONDS = 30

display = Display()


class Input:
    """What is given to a command on its standard input.

    :param produce: writes all of it to this object.
    """

    def __init__(self, produce: Callable[[Input], None]) -> None:
        self._produce = produce
        self._pipe: BinaryIO | None = None
        self._written = 0
        self._finished = False

    @property
    def started(self) -> bool:
        """Whether the command took any of it: it runs, as the user it was to run as.

        ssh reads nothing before it is logged in: what was written until then stands in the pipe. Where all of it has
        room there, it is taken for granted.
        """
        return self._finished or self._written > _PIPE_SIZE

    def write(self, data: bytes) -> None:
        """Write some of it, as soon as the command takes what came before."""
        if self._pipe is None:
            raise ValueError("there is no command yet")
        self._pipe.write(data)
        self._written += len(data)

    def send(self, pipe: BinaryIO, _data: object, _process: object) -> None:
        """Write it all, or as much as the command takes: why it takes no more, it says itself."""
        self._pipe = pipe
        with contextlib.suppress(BrokenPipeError), pipe:
            # It saves time where it can be had: on Linux, up to a limit for each user.
            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
            self._produce(self)
            self._finished = True


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
def streaming(connection: Any, data: Input, prefer_aes: bool) -> Iterator[None]:
    """Let a connection stream its input, given as an `Input`, to the one command that it executes meanwhile.

    :param prefer_aes: as in `for_stream`.
    """
    build = connection._build_command

    def build_command(binary: str, subsystem: str, *arguments: str) -> list[bytes]:
        return for_stream(build(binary, subsystem, *arguments), binary.encode(), len(arguments), prefer_aes)

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


def for_stream(command: Sequence[bytes], binary: bytes, arguments: int, prefer_aes: bool) -> list[bytes]:
    """Return a command line of ssh that suits a stream of gigabytes; the same if it does so already.

    It does not compress. If anything has to be changed, it opens a connection of its own.

    :param binary: ssh, behind which its options begin.
    :param arguments: how many come last that are no options: the host first.
    :param prefer_aes: let AES in Galois/Counter Mode come first, if it is among the ciphers that are set.
    """
    begin, end = command.index(binary) + 1, len(command) - arguments
    options = command[begin:end]
    settings = _settings([binary, b"-G", *options, command[end]])
    changes: list[bytes] = []
    if settings.get(b"compression") != b"no":
        display.vv("tree_sync: ssh is set to compress; the tree goes over a connection of its own, without")
        changes += _UNCOMPRESSED
        options = [option for option in options if not _FLAGS_WITH_COMPRESSION.fullmatch(option)]
    ciphers = settings.get(b"ciphers", b"").split(b",")
    if prefer_aes and ciphers[0] not in _AES_CIPHERS and _AES_CIPHERS.intersection(ciphers):
        display.vv("tree_sync: the tree goes over a connection of its own, which prefers AES: both processors have it")
        first = sorted(ciphers, key=lambda cipher: cipher not in _AES_CIPHERS)
        changes += (b"-o", b"Ciphers=" + b",".join(first))
    if not changes:
        return list(command)
    return [*command[:begin], *changes, *_OWN_CONNECTION, *options, *command[end:]]


def _settings(question: list[bytes]) -> dict[bytes, bytes]:
    # ssh itself knows best what its files and options come to: https://man.openbsd.org/ssh#G
    done = subprocess.run(question, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        return {}
    pairs = (line.partition(b" ") for line in done.stdout.splitlines())
    return {name: value for name, _space, value in pairs}

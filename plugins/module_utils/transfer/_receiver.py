# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The far side of a stream: a program that takes an archive from its standard input into a tree.

It comes down the stream itself: `BOOTSTRAP`, on the command line, reads as many bytes of a zip file as it is told and
runs `main` out of it. Then follows a line that says what to do, and the archive. It answers on its standard output, in
lines that begin with `MARK`; whatever else stands there was written by the host's login.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import fcntl
import json
import sys
from typing import Any, BinaryIO, Callable

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _archive
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

# The zip file is kept in memory: nothing is left behind on the host, whenever this ends. Nothing is read ahead: what
# was read and is not on the disk when this is killed would have to be sent again.
BOOTSTRAP = """
import os, sys
stream, left = open(0, "rb", buffering=0, closefd=False), int(sys.argv[1])
code = os.memfd_create("seahub")
with open(code, "wb", closefd=False) as file:
    while left:
        data = stream.read(left)
        left -= len(data) or sys.exit("the program ends in its middle")
        file.write(data)
sys.dont_write_bytecode = True
sys.path.insert(0, "/proc/self/fd/%d" % code)
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _receiver
_receiver.main(stream)
"""

MARK = "seahub.offline.tree_sync "
"""How a line of its answers begins."""

_WAIT_FOR_WRITER = 30
# https://man7.org/linux/man-pages/man2/F_GETPIPE_SZ.2const.html; Python has the name since 3.10.
_F_SETPIPE_SZ = 1031
# Four times what a pipe has by itself: sshd decrypts while a blob is hashed. What is in it at a kill comes again.
_PIPE_SIZE = 256 * 1024


def order(dest: str) -> bytes:
    """Return the line that says what to do.

    :param dest: the folder of the tree.
    """
    return json.dumps({"dest": dest}).encode() + b"\n"


def answers(output: str) -> list[dict[str, Any]]:
    """Return what a receiver has answered: that it is ready, and what came of it, as far as it got.

    :param output: all that was on its standard output.
    """
    return [json.loads(line[len(MARK) :]) for line in output.splitlines() if line.startswith(MARK)]


def serve(stream: BinaryIO, answer: Callable[[dict[str, Any]], None]) -> None:
    """Do what the order in a stream says.

    :param answer: told that the archive can come, then what came of it.
    """
    dest = json.loads(stream.readline())["dest"]
    tree = Tree(dest)
    answer({"ready": True})
    try:
        with tree.exclusive(wait=_WAIT_FOR_WRITER):
            received = _archive.receive(stream, tree)
    except SeahubError as error:
        answer({"error": str(error)})
    except OSError as error:
        answer({"error": f"{dest} on the host cannot be used: {error}"})
    else:
        answer({"blobs": received.blobs, "size": received.size})


def main(stream: BinaryIO) -> None:
    """Serve what comes on the standard input."""
    # It saves time where it can be had: on Linux, if it is a pipe, up to a limit for each user.
    with contextlib.suppress(OSError):
        fcntl.fcntl(stream, _F_SETPIPE_SZ, _PIPE_SIZE)

    def answer(what: dict[str, Any]) -> None:
        sys.stdout.write(f"{MARK}{json.dumps(what)}\n")
        sys.stdout.flush()

    serve(stream, answer)

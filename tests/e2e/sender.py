# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.e2e.sender SOURCE DEST COUNTER`: sends a tree to a receiver, as over a line, without Ansible.

It writes the id of the receiver's process on its standard output, and into COUNTER how many bytes it has sent.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import subprocess
import sys
import termios
import time
from typing import IO

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import ignore
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _receiver, _sync
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.plugin_utils import _far_side

# Bytes a second: slower than the receiver, as lines are.
LINE = 6 * 1024 * 1024
PIECE = 4096


class Line:
    """What takes its time to carry bytes, and counts them."""

    def __init__(self, out: IO[bytes], counter: str) -> None:
        self._out = out
        self._counter = os.open(counter, os.O_WRONLY | os.O_CREAT)
        self._sent = 0
        self._begin = time.monotonic()

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            self._out.write(piece)
            self._out.flush()
            self._wait_until_taken()
            self._sent += len(piece)
            os.pwrite(self._counter, b"%d" % self._sent, 0)
            time.sleep(max(0.0, self._begin + self._sent / LINE - time.monotonic()))

    def _wait_until_taken(self) -> None:
        """Let one piece be on its way at most: what a receiver that is killed has not read has to come again."""
        closed = select.poll()
        closed.register(self._out, 0)
        while array.array("i", fcntl.ioctl(self._out, termios.FIONREAD, bytes(4)))[0] and not closed.poll(0):
            time.sleep(0.0002)


def main(path: str, dest: str, counter: str) -> int:
    """Do what the action plugin does, once; return the receiver's status."""
    source, target = open_source(path), _sync.describe(Tree(dest), None)
    plan = _sync.compare(source, target)
    code = _far_side.packed("transfer._receiver")
    command = [sys.executable, "-c", _receiver.BOOTSTRAP, str(len(code))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as receiver:
        assert receiver.stdin is not None
        assert receiver.stdout is not None
        sys.stdout.write(f"{receiver.pid}\n")
        sys.stdout.flush()
        receiver.stdin.write(code + _receiver.order(dest))
        receiver.stdin.flush()
        _sync.write_all(source, plan, Line(receiver.stdin, counter), ignore)
        receiver.stdin.close()
        answers = _receiver.answers(receiver.stdout.read().decode())
    return 0 if answers and "blobs" in answers[-1] else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

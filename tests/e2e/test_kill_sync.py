# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sendings whose one side or the other is killed at any moment: nothing is lost, and nothing comes twice."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.project import ROOT
from tests.registry.closure import broken_tags
from tests.unit.trees import files, layer_bytes, make_tree

KILLS = 20
LAYERS = [layer_bytes(number, 2 * 1024 * 1024) for number in range(5)]
# In bytes sent.
LONGEST = 2.5 * 1024 * 1024


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: on a disk each run waits for what others are writing to it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


class Sending:
    """One run of both sides."""

    def __init__(self, folder: Path, root: Path) -> None:
        self._counter = folder / "sent"
        self._counter.unlink(missing_ok=True)
        path = os.pathsep.join([str(ROOT), str(ROOT / "collections")])
        self.sender = subprocess.Popen(
            [sys.executable, "-m", "tests.e2e.sender", folder / "source", root, self._counter],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.sender.stdout is not None
        self.receiver = int(self.sender.stdout.readline())

    def kill(self, side: str, after: float) -> None:
        """Kill one side after so many bytes, unless it has ended before."""
        while self.sender.poll() is None and self.sent < after:
            time.sleep(0.002)
        process = self.sender.pid if side == "sender" else self.receiver
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)

    def end(self) -> bool:
        """Wait for both sides; return whether all has arrived."""
        assert self.sender.stdout is not None
        with self.sender.stdout:
            status = self.sender.wait()
        while self._receives():
            time.sleep(0.01)
        return status == 0

    @property
    def sent(self) -> int:
        """How many bytes went over the line."""
        return int(self._counter.read_text() or 0) if self._counter.exists() else 0

    def _receives(self) -> bool:
        with contextlib.suppress(OSError):
            # Nobody may wait for a process whose parent was killed: then it stays as a zombie (Z).
            return Path(f"/proc/{self.receiver}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        return False


def lacking(root: Path) -> int:
    """Return how many bytes of blobs have to be sent yet, or a little less."""
    tree = Tree(str(root))
    return sum(map(len, LAYERS)) - sum(size for _digest, size in (*tree.blobs(), *tree.partials()))


def test_kill_either_side(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_tree(folder / "source", {"library/mysql:8": LAYERS[:3], "nginx:1": LAYERS[2:]})
    undisturbed = Sending(folder, folder / "undisturbed")
    assert undisturbed.end()
    once = undisturbed.sent
    assert files(folder / "undisturbed") == files(folder / "source")

    moments = random.Random(2026)
    killed, trees, sent = {"sender": 0, "receiver": 0}, 0, 0
    while sum(killed.values()) < KILLS:
        root = folder / f"tree{trees}"
        trees += 1
        finished = False
        while not finished:
            sending = Sending(folder, root)
            side = moments.choice(list(killed))
            if sum(killed.values()) < KILLS:
                # Now and then when all blobs have been sent: links and tags come then.
                rest = lacking(root)
                sending.kill(side, rest if moments.random() < 0.2 else moments.uniform(0, LONGEST))
            finished = sending.end()
            killed[side] += not finished
            sent += sending.sent
            assert broken_tags(root) == []
            _lock.read(Tree(str(root)))
        assert files(root) == files(folder / "source")
        assert list(Tree(str(root)).partials()) == []

    more = sent / (once * trees) - 1
    with capsys.disabled():
        sys.stderr.write(
            f"\nkilled {killed['sender']} senders and {killed['receiver']} receivers on {trees} trees, "
            f"{100 * more:.2f} % more bytes than undisturbed\n"
        )
    assert more < 0.02

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs that are killed at any moment: nothing is lost, nothing comes twice, and no tag ever lacks anything."""

from __future__ import annotations

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.registry import content, faults
from tests.registry.closure import broken_tags
from tests.registry.faults import BLOBS, Fault
from tests.registry.kills import Runner, Watcher
from tests.registry.server import Registry
from tests.unit.trees import files

KILLS = 100
LAYER = 2 * 1024 * 1024
# What the line gives each connection, in bytes a second: a run takes about a second.
LINE = 3 * 1024 * 1024
LONGEST = 0.4


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: on a disk each run waits for what others are writing to it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(name="registry")
def fixture_registry(folder: Path) -> Iterator[Registry]:
    """A registry on a line that is slower than this machine: what is on its way to a killed run is little."""
    content.make(folder / "upstream", LAYER)
    with Registry(folder / "upstream", [Fault(faults.paced(LINE, piece=4096), BLOBS, times=None)]) as registry:
        yield registry


@pytest.fixture(name="runner")
def fixture_runner() -> Iterator[Runner]:
    runner = Runner("tests.registry.runner")
    yield runner
    runner.close()


@pytest.fixture(name="watcher")
def fixture_watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    yield watcher
    watcher.close()


def wait_for_the_last_blob(root: Path, process: int) -> None:
    """Wait until a run has all blobs: links and tags come now. It may have ended before."""
    tree = Tree(str(root))
    while os.path.exists(f"/proc/{process}") and (sum(size for _digest, size in tree.blobs()) < 5 * LAYER):
        time.sleep(0.002)


def test_kill(
    folder: Path,
    registry: Registry,
    runner: Runner,
    watcher: Watcher,
    capsys: pytest.CaptureFixture[str],
) -> None:
    runner.begin(folder / "undisturbed", registry.host)
    assert runner.end() == 0
    undisturbed, once = files(folder / "undisturbed"), registry.sent()
    registry.forget()

    moments = random.Random(2026)
    killed = trees = 0
    while killed < KILLS:
        root = folder / f"tree{trees}"
        trees += 1
        watcher.root = root
        finished = False
        while not finished:
            # The last run on each tree may finish; so do those that are faster than their killer.
            process = runner.begin(root, registry.host)
            if moments.random() < 0.2:
                wait_for_the_last_blob(root, process)
                time.sleep(moments.uniform(0, 0.05))
            else:
                time.sleep(moments.uniform(0, LONGEST))
            finished = not runner.kill(process) if killed < KILLS else runner.end() == 0
            killed += not finished
            assert broken_tags(root) == []
            _lock.read(Tree(str(root)))
        assert files(root) == undisturbed
        assert list(Tree(str(root)).partials()) == []

    more = registry.sent() / (once * trees) - 1
    with capsys.disabled():
        sys.stderr.write(
            f"\n{killed} runs killed on {trees} trees, {watcher.looks} looks at their tags, "
            f"{100 * more:.2f} % more bytes than undisturbed\n"
        )
    assert watcher.problems == []
    assert watcher.looks > KILLS
    assert more < 0.02

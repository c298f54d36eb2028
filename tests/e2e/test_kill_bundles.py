# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packing, unpacking, pruning and pushing, each killed a hundred times: nothing is lost, and the next run finishes."""

from __future__ import annotations

import os
import random
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.bench import servers
from tests.registry.closure import broken_tags
from tests.registry.kills import Runner, Watcher
from tests.unit.trees import files, layer_bytes, make_tree

KILLS = 100
SEED = int(os.environ.get("SEAHUB_SEED") or secrets.randbelow(1_000_000))
SHARED = layer_bytes(99, 4000)
IMAGES = {f"team/app{number}:{tag}": [SHARED, layer_bytes(number, 40_000)] for number in range(6) for tag in (1, 2)}
PART = 50_000


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: on a disk each run waits for what others are writing to it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(name="watcher")
def fixture_watcher() -> Iterator[Watcher]:
    watcher = Watcher()
    yield watcher
    watcher.close()
    assert watcher.problems == []
    assert watcher.looks > KILLS


@pytest.fixture(name="killer")
def fixture_killer(capsys: pytest.CaptureFixture[str]) -> Iterator[Killer]:
    killer = Killer()
    yield killer
    killer.close()
    with capsys.disabled():
        sys.stderr.write(f"\n{killer.killed} of {killer.runs} runs killed, SEAHUB_SEED={SEED}\n")


class Killer:
    """Kills runs at random moments, until there were enough."""

    def __init__(self) -> None:
        self.killed = self.runs = 0
        self._runner = Runner("tests.registry.works")
        self._random = random.Random(SEED)
        self._longest: dict[object, float] = {}

    @property
    def wants_more(self) -> bool:
        """Whether there were too few yet; if hardly any run can be killed in time, that is an error."""
        assert self.runs < 10 * KILLS
        return self.killed < KILLS

    def undisturbed(self, *work: object) -> None:
        """Let a run finish."""
        begun = time.monotonic()
        self._runner.begin(*work)
        assert self._runner.end() == 0
        # The first of a kind has all to do.
        self._longest.setdefault(work[0], time.monotonic() - begun)

    def kill(self, *work: object) -> bool:
        """Begin a run and kill it; return whether that came before its end."""
        process = self._runner.begin(*work)
        time.sleep(self._random.uniform(0, self._longest[work[0]]))
        killed = self._runner.kill(process)
        self.killed += killed
        # Runs that only finish what others have begun are shorter, and machines are busier at times.
        self._longest[work[0]] *= 1.05 if killed else 0.9
        self.runs += 1
        return killed

    def chance(self) -> bool:
        """Toss a coin."""
        return self._random.random() < 0.5

    def close(self) -> None:
        """End its runner."""
        self._runner.close()


def test_pack(folder: Path, killer: Killer) -> None:
    old = make_tree(folder / "old", IMAGES)
    new = make_tree(folder / "new", {**IMAGES, "team/more:1": [b"more"]})
    before = files(folder / "old"), files(folder / "new")
    works: list[tuple[str, ...]] = [(old.root,), (new.root, str(PART)), (new.root,), (old.root, str(PART))]
    wanted = []
    for number, (tree, *size) in enumerate(works):
        (folder / f"wanted{number}").mkdir()
        killer.undisturbed("pack", tree, folder / f"wanted{number}" / "bundle.tar", *size)
        wanted.append(contents(folder / f"wanted{number}"))
    identities = {open_source(tree.root).identity for tree in (old, new)}
    (folder / "dest").mkdir()
    bundle = folder / "dest" / "bundle.tar"
    number = 0
    while killer.wants_more:
        tree, *size = works[number]
        if killer.kill("pack", tree, bundle, *size):
            require_whole_or_none(bundle, identities)
        if killer.chance():
            killer.undisturbed("pack", tree, bundle, *size)
            assert contents(folder / "dest") == wanted[number]
            number = (number + 1) % len(works)
    assert (files(folder / "old"), files(folder / "new")) == before


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file of a folder with its content."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def require_whole_or_none(bundle: Path, identities: set[bytes]) -> None:
    """Make sure that what can be read as a bundle is one of those that were packed, as a whole."""
    try:
        source = open_source(str(bundle))
        source.verify_parts(_progress.ignore)
    except SeahubError:
        return
    assert source.identity in identities
    assert _check.check_source(source).ok


def test_unpack_into_a_living_tree(folder: Path, killer: Killer, watcher: Watcher) -> None:
    living = make_tree(folder / "living", {"team/living:1": [layer_bytes(50, 40_000)]})
    killer.undisturbed("pack", make_tree(folder / "tree", IMAGES).root, folder / "bundle.tar", PART)
    wanted = Path(shutil.copytree(living.root, folder / "wanted"))
    killer.undisturbed("unpack", folder / "bundle.tar", wanted)
    number = 0
    while killer.wants_more:
        root = Path(shutil.copytree(living.root, folder / f"tree{number}"))
        number += 1
        watcher.root = root
        while killer.wants_more and killer.kill("unpack", folder / "bundle.tar", root):
            assert broken_tags(root) == []
            assert Tree(str(root)).tags("team/living") == ["1"]
            _lock.read(Tree(str(root)))
        killer.undisturbed("unpack", folder / "bundle.tar", root)
        assert files(root) == files(wanted)
        assert list(Tree(str(root)).partials()) == []
        watcher.leave()
        shutil.rmtree(root)


def test_prune_a_living_tree(folder: Path, killer: Killer, watcher: Watcher) -> None:
    master = make_tree(folder / "master", IMAGES)
    keep = [f"team/app{number}:1" for number in range(0, 6, 2)]
    wanted = Tree(str(shutil.copytree(master.root, folder / "wanted")))
    killer.undisturbed("prune", wanted.root, *keep)
    after = files(Path(wanted.root))
    number = 0
    while killer.wants_more:
        tree = Tree(str(shutil.copytree(master.root, folder / f"tree{number}")))
        number += 1
        watcher.root = Path(tree.root)
        while killer.wants_more and killer.kill("prune", tree.root, *keep):
            assert broken_tags(Path(tree.root)) == []
            assert _check.check(tree, rehash=False).missing == ()
            assert set(after) <= set(files(Path(tree.root)))
        killer.undisturbed("prune", tree.root, *keep)
        assert files(Path(tree.root)) == after
        assert [*tree.repositories()] == [*wanted.repositories()]
        watcher.leave()
        shutil.rmtree(tree.root)


def test_push_to_a_living_registry(folder: Path, killer: Killer, watcher: Watcher) -> None:
    # Few: the registry takes its time for each.
    tree = make_tree(folder / "tree", dict(list(IMAGES.items())[:4]))
    storage = folder / "storage"
    storage.mkdir()
    watcher.in_place = True
    with servers.registry(storage, folder) as host:
        killer.undisturbed("push", tree.root, host)
        while killer.wants_more:
            watcher.leave()
            for entry in storage.iterdir():
                shutil.rmtree(entry)
            watcher.root = storage
            while killer.wants_more and killer.kill("push", tree.root, host):
                assert broken_tags(storage, in_place=True) == []
            killer.undisturbed("push", tree.root, host)
            assert tags(Tree(str(storage))) == tags(tree)
            assert broken_tags(storage) == []
            assert not Path(tree.private_path("uploads")).exists()


def tags(tree: Tree) -> dict[str, str | None]:
    """Return to what each tag of a tree leads."""
    return {f"{name}:{tag}": tree.tag(name, tag) for name in tree.repositories() for tag in tree.tags(name)}

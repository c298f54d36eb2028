# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles are mounted for real, which needs root; only fstab is another file than the machine's."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle, _delta
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    NotSigned,
    TreeBusy,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.mounting import _mounts, _stack
from ansible_collections.seahub.offline.plugins.module_utils.mounting._mounts import MountError
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.ssh_keys import allow, make_key
from tests.unit.trees import files, layer_bytes, make_tree

JANUARY = {"mysql:8": [layer_bytes(1, 300_000), b"shared"], "nginx:1": [b"shared"]}
FEBRUARY = {"mysql:8": [layer_bytes(2, 300_000), b"shared"], "redis:7": [b"shared"]}
OTHERS = "UUID=1 / ext4 defaults 0 1\n"


@dataclasses.dataclass(frozen=True)
class Site:
    """A folder with bundles, and one in which they are mounted."""

    root: Path

    @property
    def folder(self) -> Path:
        return self.root / "mounted"

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def fstab(self) -> Path:
        return self.root / "fstab"

    def pack(self, name: str, images: dict[str, list[bytes]], packing: Packing | None = None) -> str:
        tree = make_tree(self.root / f"{name}.tree", images)
        path = str(self.root / name)
        packing = dataclasses.replace(packing or Packing(), format=_bundle.SQUASHFS)
        _bundle.pack(open_source(tree.root), path, _progress.ignore, False, packing)
        return path

    def mount(self, *bundles: str, verify: bool = False, signers: str | None = None) -> bool:
        """Mount bundles; tell whether anything was changed."""
        stack = _stack.describe(bundles, str(self.folder), signers)
        changed = _stack.compare(stack, str(self.fstab)).changed
        _stack.carry_out(stack, verify, _progress.ignore, str(self.fstab))
        assert not _stack.compare(stack, str(self.fstab)).changed
        return changed

    def tags(self) -> list[str]:
        """The tags that a registry would serve, with the lock's agreement."""
        tree = Tree(str(self.tree))
        inventory = _inventory.scan(tree)
        lock = _lock.read(tree)
        assert _inventory.gaps(inventory, lock) == []
        assert {entry.key for entry in lock.references} == set(inventory.tags)
        return sorted(":".join(name) for name in inventory.tags)

    def persisted(self) -> list[str]:
        return [line.split()[1] for line in _mounts.persisted_below(str(self.folder), str(self.fstab))]

    def mounted(self) -> list[str]:
        return _mounts.mounted_below(str(self.folder))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    site.fstab.write_text(OTHERS)
    yield site
    _stack.remove(str(site.folder), str(site.fstab))
    assert (site.mounted(), site.folder.exists(), site.fstab.read_text()) == ([], False, OTHERS)


@pytest.fixture(name="january")
def fixture_january(site: Site) -> str:
    return site.pack("january", JANUARY)


@pytest.fixture(name="february")
def fixture_february(site: Site) -> str:
    return site.pack("february", FEBRUARY)


def test_a_mounted_bundle_is_its_tree(site: Site, january: str) -> None:
    assert site.mount(january)
    assert files(site.tree) == files(site.root / "january.tree")
    assert site.persisted() == site.mounted() == [str(site.tree.resolve())]
    assert not site.mount(january)


def test_an_update_is_another_mount_and_a_roll_back_an_unmount(site: Site, january: str, february: str) -> None:
    site.mount(january)
    assert site.mount(january, february)
    assert site.tags() == ["mysql:8", "nginx:1", "redis:7"]
    # The newest wins.
    new = Tree(str(site.root / "february.tree")).tag("mysql", "8")
    assert Tree(str(site.tree)).tag("mysql", "8") == new
    assert sorted(site.persisted()) == sorted(site.mounted())
    assert len(site.mounted()) == 3
    assert not site.mount(january, february)
    assert site.mount(january)
    assert site.tags() == ["mysql:8", "nginx:1"]
    assert len(site.mounted()) == 1


def test_a_delta_stands_on_what_it_presumes(site: Site, january: str) -> None:
    make_tree(site.root / "both.tree", {**JANUARY, **FEBRUARY})
    whole = open_source(str(site.root / "both.tree"))
    delta = _delta.subtract(whole, [_delta.read_target(january)])
    path = str(site.root / "delta")
    _bundle.pack(delta, path, _progress.ignore, False, Packing(format=_bundle.SQUASHFS))
    with pytest.raises(TreeError, match="not complete, nothing was changed"):
        site.mount(path)
    assert not site.folder.exists()
    site.mount(january, path)
    assert site.tags() == ["mysql:8", "nginx:1", "redis:7"]


def test_whoever_reads_while_the_stack_changes_reads_on(site: Site, january: str, february: str) -> None:
    site.mount(january, february)
    blob = max(dict(Tree(str(site.tree)).blobs()).items(), key=lambda item: item[1])[0]
    with open(Tree(str(site.tree)).blob_path(blob), "rb") as file:
        beginning = file.read(100)
        site.mount(january)
        rest = file.read()
    assert beginning + rest in (JANUARY["mysql:8"][0], FEBRUARY["mysql:8"][0])


def test_parts_are_joined_into_one_file(site: Site) -> None:
    path = site.pack("parts", JANUARY, Packing(part_size=100_000))
    assert site.mount(path)
    assert site.tags() == ["mysql:8", "nginx:1"]
    assert len(list((site.folder / "files").iterdir())) == 1
    assert not site.mount(path)


def test_a_damaged_part_changes_nothing(site: Site, january: str) -> None:
    site.mount(january)
    before, fstab = site.mounted(), site.fstab.read_text()
    path = site.pack("parts", FEBRUARY, Packing(part_size=100_000))
    part = Path(f"{path}.part-002-of-004")
    part.write_bytes(part.read_bytes()[:5000] + b"?" + part.read_bytes()[5001:])
    with pytest.raises(TreeError, match="part-002-of-004 is damaged"):
        site.mount(january, path)
    assert (site.mounted(), site.fstab.read_text(), site.tags()) == (before, fstab, ["mysql:8", "nginx:1"])


def test_what_nobody_has_signed_is_not_mounted(site: Site, january: str) -> None:
    key = make_key(site.root / "key")
    signers = str(allow(site.root / "signers", builder=key))
    with pytest.raises(NotSigned):
        site.mount(january, signers=signers)
    assert not site.folder.exists()
    signed = site.pack("signed", JANUARY, Packing(sign_key=str(key)))
    stack = _stack.describe([signed], str(site.folder), signers)
    assert [bundle.signer for bundle in stack.bundles] == ["builder"]


def test_a_damaged_blob_is_found_when_asked_for(site: Site, january: str) -> None:
    data = Path(january).read_bytes()
    Path(january).write_bytes(data[:150_000] + bytes([data[150_000] ^ 1]) + data[150_001:])
    with pytest.raises(DigestMismatch, match=r"in .*january is damaged, nothing was changed"):
        site.mount(january, verify=True)
    assert site.mounted() == []


@pytest.mark.parametrize("path", ["tree", "tar"])
def test_what_is_no_squashfs_bundle_is_refused(site: Site, path: str) -> None:
    tree = make_tree(site.root / "tree", JANUARY)
    _bundle.pack(open_source(tree.root), str(site.root / "tar"), _progress.ignore)
    with pytest.raises(TreeError, match="cannot be mounted: pack it with format: squashfs"):
        site.mount(str(site.root / path))


def test_the_same_bundle_twice_is_refused(site: Site, january: str) -> None:
    with pytest.raises(TreeError, match="the same bundle"):
        site.mount(january, january)


@pytest.mark.parametrize("folder", ["relative", "/with space", "/with:colon", "/with,comma", "/"])
def test_a_folder_that_cannot_stand_in_options_is_refused(january: str, folder: str) -> None:
    with pytest.raises(TreeError, match="cannot be mounted in"):
        _stack.describe([january], folder, None)


def test_another_process_is_not_disturbed(site: Site, january: str) -> None:
    site.mount(january)
    with (site.folder / ".lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(TreeBusy):
            site.mount(january)


# What was interrupted, or came between

STEPS = ["_mounts.persist", "_mounts.mount", "_mounts.unmount", "_relink", "_write_lock", "_clean", "_prepare"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("forward", [False, True], ids=["back", "forward"])
def test_a_tree_is_served_whole_wherever_a_run_ends_and_the_next_one_finishes(
    site: Site, january: str, february: str, monkeypatch: pytest.MonkeyPatch, step: str, after: bool, forward: bool
) -> None:
    lists = [(january,), (january, february)]
    old, new = lists if forward else lists[::-1]
    site.mount(*old)
    tags = {old: site.tags()}
    with monkeypatch.context() as patch:
        _kill_at(patch, step, after)
        with contextlib.suppress(KeyboardInterrupt):
            site.mount(*new)
    # Also when the host was started anew: what the link leads to is mounted at boot.
    assert str(site.tree.resolve()) in site.persisted()
    seen = site.tags()
    site.mount(*new)
    tags[new] = site.tags()
    assert seen in tags.values()
    assert sorted(site.persisted()) == sorted(site.mounted())


def _kill_at(patch: pytest.MonkeyPatch, step: str, after: bool) -> None:
    place = _mounts if step.startswith("_mounts.") else _stack
    name = step.rpartition(".")[2]
    real = getattr(place, name)

    def killed(*arguments: object) -> None:
        if after:
            real(*arguments)
        raise KeyboardInterrupt

    patch.setattr(place, name, killed)


def test_what_was_unmounted_by_hand_is_mounted_again(site: Site, january: str, february: str) -> None:
    site.mount(january, february)
    for place in reversed(site.mounted()):
        _mounts.unmount(place)
    assert site.mount(january, february)
    assert site.tags() == ["mysql:8", "nginx:1", "redis:7"]


def test_what_hides_a_bundle_is_unmounted(site: Site, january: str) -> None:
    site.mount(january)
    _mounts.mount(_mounts.Mount("tmpfs", str(site.tree.resolve()), "tmpfs", ("ro",)))
    assert site.mount(january)
    assert site.tags() == ["mysql:8", "nginx:1"]
    assert len(site.mounted()) == 1


def test_what_cannot_be_mounted_leaves_what_is_served(
    site: Site, january: str, february: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.mount(january)

    def fail(wanted: _mounts.Mount) -> None:
        raise MountError(wanted.where)

    with monkeypatch.context() as patch:
        patch.setattr(_mounts, "mount", fail)
        with pytest.raises(MountError):
            site.mount(january, february)
    assert site.tags() == ["mysql:8", "nginx:1"]
    assert site.mount(january, february)


def test_nothing_is_left_of_what_is_removed(site: Site, january: str, february: str) -> None:
    site.mount(january, february)
    assert _stack.is_there(str(site.folder), str(site.fstab))
    _stack.remove(str(site.folder), str(site.fstab))
    assert not _stack.is_there(str(site.folder), str(site.fstab))
    assert os.path.exists(january)

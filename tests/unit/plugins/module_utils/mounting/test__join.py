# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle, _bundle_parts
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import InvalidArchive
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.module_utils.mounting import _join
from tests.unit.trees import layer_bytes, make_tree

PART = 600_000


class Killed(BaseException):
    """Stands for a signal."""


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    """Returns a bundle, the parts of which lie in the same folder."""
    tree = make_tree(tmp_path / "tree", {"mysql:8": [layer_bytes(1, 2_000_000)]})
    for path, part_size in (("whole", None), ("bundle", PART)):
        packing = Packing(part_size=part_size, format=_bundle.SQUASHFS)
        _bundle.pack(open_source(tree.root), str(tmp_path / path), _progress.ignore, False, packing)
    return (tmp_path / "whole").read_bytes()


def parts(folder: Path) -> list[str]:
    return _bundle_parts.find(str(folder / "bundle"))


def test_joined_parts_are_the_bundle(tmp_path: Path, whole: bytes) -> None:
    _join.join(parts(tmp_path), str(tmp_path / "joined"), _progress.ignore)
    assert (tmp_path / "joined").read_bytes() == whole
    assert list(tmp_path.glob("*.partial")) == []


@pytest.mark.parametrize("kill_at", [0, PART // 2, PART + 1, 3 * PART])
def test_an_interrupted_copy_is_gone_on_with(tmp_path: Path, whole: bytes, kill_at: int) -> None:
    def kill(progress: Progress) -> None:
        if progress.done_bytes > kill_at:
            raise Killed

    with pytest.raises(Killed):
        _join.join(parts(tmp_path), str(tmp_path / "joined"), kill)
    assert not (tmp_path / "joined").exists()
    read: list[int] = []
    _join.join(parts(tmp_path), str(tmp_path / "joined"), lambda progress: read.append(progress.done_bytes))
    assert (tmp_path / "joined").read_bytes() == whole
    # Only the part in which it was is read again.
    assert read[0] > kill_at - 2 * PART


@pytest.mark.parametrize("number", [0, 2, -1])
def test_a_damaged_part_is_named(tmp_path: Path, whole: bytes, number: int) -> None:
    path = Path(parts(tmp_path)[number])
    good = path.read_bytes()
    path.write_bytes(good[:2000] + bytes([good[2000] ^ 1]) + good[2001:])
    with pytest.raises(InvalidArchive, match=f"{path.name} is damaged: .* copy it again. Nothing was changed"):
        _join.join(parts(tmp_path), str(tmp_path / "joined"), _progress.ignore)
    assert not (tmp_path / "joined").exists()
    path.write_bytes(good)
    _join.join(parts(tmp_path), str(tmp_path / "joined"), _progress.ignore)
    assert (tmp_path / "joined").read_bytes() == whole


def test_a_missing_part_is_named(tmp_path: Path, whole: bytes) -> None:
    Path(parts(tmp_path)[1]).unlink()
    with pytest.raises(_bundle_parts.BundleError, match="missing: 2"):
        _join.join(parts(tmp_path), str(tmp_path / "joined"), _progress.ignore)
    assert whole
    assert not (tmp_path / "joined").exists()

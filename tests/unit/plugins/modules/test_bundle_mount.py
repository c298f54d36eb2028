# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module tells. What it does is tested with the library below it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.mounting import _mounts
from ansible_collections.seahub.offline.plugins.modules import bundle_mount, bundle_pack
from tests.unit.modules import Outcome, run
from tests.unit.trees import make_tree

IMAGES = {"january": {"mysql:8": [b"eight"]}, "february": {"mysql:9": [b"nine"]}}


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for mounts, which are not written into the machine's own fstab."""
    monkeypatch.setattr(_mounts, "FSTAB", str(tmp_path / "fstab"))
    yield tmp_path / "mounted"
    assert not call(tmp_path / "mounted", state="absent").failed
    assert (tmp_path / "fstab").read_text() == ""


@pytest.fixture(name="bundles")
def fixture_bundles(tmp_path: Path) -> list[str]:
    paths = []
    for name, images in IMAGES.items():
        tree = make_tree(tmp_path / f"{name}.tree", images)
        options = {"tree": tree.root, "dest": str(tmp_path / name), "format": "squashfs"}
        assert run(bundle_pack.main, options).result["changed"]
        paths.append(str(tmp_path / name))
    return paths


def call(folder: Path, check: bool = False, **options: Any) -> Outcome:
    return run(bundle_mount.main, {"path": str(folder), **options}, check=check)


def test_it_tells_what_it_has_mounted(folder: Path, bundles: list[str]) -> None:
    planned = call(folder, check=True, bundle=bundles).result
    assert not folder.exists()
    done = call(folder, bundle=bundles).result
    assert {**planned, "changed": True} == done
    assert (done["changed"], done["tree"], done["references"]) == (True, str(folder / "tree"), 2)
    assert [(bundle["bundle"], bundle["signed_by"]) for bundle in done["bundles"]] == [(path, None) for path in bundles]
    assert sorted(done["mounted"]) == sorted(_mounts.mounted_below(str(folder)))
    again = call(folder, bundle=bundles).result
    assert (again["changed"], again["mounted"], again["unmounted"]) == (False, [], [])


def test_it_tells_what_it_has_unmounted(folder: Path, bundles: list[str]) -> None:
    mounted = call(folder, bundle=bundles).result["mounted"]
    back = call(folder, bundle=bundles[:1]).result
    assert sorted(back["unmounted"]) == sorted(set(mounted) - set(_mounts.mounted_below(str(folder))))
    assert call(folder, check=True, state="absent").result["changed"]
    assert call(folder, state="absent").result["changed"]
    assert not call(folder, state="absent").result["changed"]


def test_nothing_to_mount_is_an_error(tmp_path: Path) -> None:
    assert "nothing to mount" in call(tmp_path / "mounted").message


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "no bundle").write_bytes(b"hsqs" + bytes(4096))
    done = call(tmp_path / "mounted", bundle=[str(tmp_path / "no bundle")])
    assert "was not written by bundle_pack" in done.message
    assert not (tmp_path / "mounted").exists()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images are read by others than their maker: by the kernel, and by unsquashfs."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _squashfs
from tests.unit.mounting import mounted

BLOCK = 128 * 1024
SIZES = [0, 1, 71, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 1_000_000]


def many() -> dict[str, bytes]:
    """Returns files whose tables take many blocks: long folders, deep folders, and many sizes."""
    dice = random.Random(5)
    files = {f"sizes/{size}/data": dice.randbytes(size) for size in SIZES}
    files |= {f"long/{number:04}/link": f"{number}".encode() for number in range(1500)}
    files |= {f"names/{'n' * length}": b"name" for length in range(1, 256)}
    files["/".join(["deep"] * 40)] = b"bottom"
    files["top"] = b"at the top"
    return files


def write(path: Path, files: dict[str, bytes]) -> None:
    layout = _squashfs.lay_out((name, len(data)) for name, data in files.items())
    path.write_bytes(layout.head + b"".join(files.values()) + layout.tables)
    assert path.stat().st_size == layout.size
    data = path.read_bytes()
    assert all(data[start:].startswith(files[name]) for name, start in layout.positions.items())


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("files", [{}, {"one": b"1"}, many()], ids=["nothing", "one file", "many files"])
def test_the_kernel_reads_what_was_written(tmp_path: Path, files: dict[str, bytes]) -> None:
    write(tmp_path / "image", files)
    with mounted(tmp_path / "image") as folder:
        assert content(folder) == files
        modes = {path.stat().st_mode & 0o7777 for path in folder.rglob("*") if path.is_file()}
        assert modes <= {0o644}
        assert {(path.stat().st_uid, path.stat().st_mtime) for path in (folder, *folder.rglob("*"))} == {(0, 0.0)}


def test_unsquashfs_reads_what_was_written(tmp_path: Path) -> None:
    write(tmp_path / "image", many())
    subprocess.run(["unsquashfs", "-quiet", "-no-progress", "-d", tmp_path / "out", tmp_path / "image"], check=True)
    assert content(tmp_path / "out") == many()


def test_files_beyond_four_gigabytes_are_found(tmp_path: Path) -> None:
    big = 5 * 1024**3 + 1
    layout = _squashfs.lay_out([("big", big), ("after", 5)])
    with (tmp_path / "image").open("wb") as file:
        file.write(layout.head)
        file.seek(layout.positions["after"] - 3)
        file.write(b"endafter" + layout.tables)
    assert (tmp_path / "image").stat().st_size == layout.size
    with mounted(tmp_path / "image") as folder:
        assert (folder / "after").read_bytes() == b"after"
        with (folder / "big").open("rb") as file:
            file.seek(big - 4)
            assert file.read() == b"\0end"


def test_links_count_folders(tmp_path: Path) -> None:
    write(tmp_path / "image", {"a/b/1": b"", "a/c/2": b"", "a/3": b""})
    with mounted(tmp_path / "image") as folder:
        assert [path.stat().st_nlink for path in (folder, folder / "a", folder / "a/b", folder / "a/3")] == [3, 4, 2, 1]


@pytest.mark.parametrize("names", [["a", "a/b"], ["a/b", "a"], ["a", "a"]])
def test_two_files_that_cannot_be_together_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="a"):
        _squashfs.lay_out([(name, 1) for name in names])

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle, _bundle_parts, _tar
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packed, Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle_parts import HEADER, BundleError, PartsFile
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _unpack
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests import pythons
from tests.unit.trees import add_image, files, layer_bytes, make_tree

PART_SIZE = 100_000
IMAGES = {"mysql:8": [layer_bytes(1, 250_000), layer_bytes(2, 130_000)], "a/nginx:1": [b"two"]}
PLAIN_PYTHON = ["python3", "-I", "-S"]


def pack(tree: Tree, dest: Path, part_size: int | None = PART_SIZE, dry_run: bool = False) -> Packed:
    return _bundle.pack(open_source(tree.root), str(dest), _progress.ignore, dry_run, Packing(part_size))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", IMAGES)


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "bundle.tar"


@pytest.fixture
def parts(tree: Tree, dest: Path) -> list[Path]:
    return [Path(file.path) for file in pack(tree, dest).files]


@pytest.fixture
def foreign(tree: Tree, tmp_path: Path) -> list[Path]:
    """The parts of another bundle, as many."""
    other = make_tree(tmp_path / "other", {**IMAGES, "a/nginx:1": [b"owt"]})
    (tmp_path / "foreign").mkdir()
    return [Path(file.path) for file in pack(other, tmp_path / "foreign" / "bundle.tar").files]


def test_parts_have_exactly_that_size_and_make_up_the_bundle(tree: Tree, dest: Path, tmp_path: Path) -> None:
    packed = pack(tree, dest)
    sizes = [os.path.getsize(file.path) for file in packed.files]
    assert sizes[:-1] == [PART_SIZE] * (len(sizes) - 1)
    assert 0 < sizes[-1] <= PART_SIZE
    assert [file.size for file in packed.files] == sizes
    pack(tree, tmp_path / "whole.tar", part_size=None)
    paths = [file.path for file in packed.files]
    with PartsFile(paths, _bundle_parts.examine(paths)) as file:
        assert file.read() == (tmp_path / "whole.tar").read_bytes()


def test_their_names_say_which_they_are_and_nothing_else_is_left(parts: list[Path], dest: Path) -> None:
    assert sorted(path.name for path in dest.parent.iterdir()) == [
        "bundle.tar.check.py",
        *(f"bundle.tar.part-00{number}-of-005" for number in range(1, 6)),
        "bundle.tar.sha256",
    ]
    assert [_bundle_parts.read_header(str(path)).number for path in parts] == [1, 2, 3, 4, 5]
    assert {path.stat().st_mode & 0o777 for path in parts} == {0o644}


def test_sha256sum_checks_them(parts: list[Path], dest: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", "bundle.tar.sha256"], cwd=dest.parent, check=True, capture_output=True)
    assert done.stdout.count(b": OK\n") == 5


def test_the_same_again_writes_nothing(tree: Tree, dest: Path) -> None:
    planned = pack(tree, dest, dry_run=True)
    assert list(dest.parent.iterdir()) == []
    first = pack(tree, dest)
    before = {path: path.stat() for path in dest.parent.iterdir()}
    assert pack(tree, dest) == Packed(False, first.files)
    assert {path: path.stat() for path in dest.parent.iterdir()} == before
    assert (planned.changed, planned.size) == (True, first.size)


@pytest.mark.parametrize("part_size", [200_000, None])
def test_another_size_replaces_them(tree: Tree, dest: Path, parts: list[Path], part_size: int | None) -> None:
    packed = pack(tree, dest, part_size)
    assert packed.changed
    expected = {f"{dest}.sha256", f"{dest}.check.py", *(file.path for file in packed.files)}
    assert {str(path) for path in dest.parent.iterdir()} == expected
    assert pack(tree, dest).changed
    assert sorted(dest.parent.glob("*.part-*")) == parts
    assert not dest.exists()


def test_a_failure_leaves_the_old_parts(tree: Tree, dest: Path, parts: list[Path]) -> None:
    before = files(dest.parent)
    add_image(tree, "mysql:9", [b"new"])

    def fail(progress: _progress.Progress) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        _bundle.pack(open_source(tree.root), str(dest), fail, packing=Packing(PART_SIZE))
    assert files(dest.parent) == before


def test_what_a_killed_run_left_is_removed(tree: Tree, dest: Path) -> None:
    (dest.parent / ".bundle.tar.part-001-of-900.new").write_bytes(b"x")
    pack(tree, dest)
    assert not list(dest.parent.glob(".*"))


def test_too_many_parts_are_refused(tree: Tree, dest: Path) -> None:
    with pytest.raises(TreeError, match="choose a larger part_size"):
        pack(tree, dest, _bundle_parts.OVERHEAD + 10)


@pytest.mark.parametrize("given", ["", "bundle.tar", "bundle.tar.part-001-of-005", "bundle.tar.part-004-of-005"])
def test_a_bundle_is_read_straight_from_parts(
    tree: Tree, dest: Path, parts: list[Path], given: str, tmp_path: Path
) -> None:
    source = open_source(str(dest.parent / given))
    assert (source.kind, len(source.parts)) == ("bundle", 5)
    _unpack.unpack(source, Tree(str(tmp_path / "unpacked")), "error", _progress.ignore)
    assert files(tmp_path / "unpacked") == files(Path(tree.root))


@pytest.fixture(name="media")
def fixture_media(parts: list[Path], tmp_path: Path) -> Path:
    """Each part on a medium of its own; the first medium has a folder with something else, too."""
    for number, part in enumerate(parts):
        folder = tmp_path / "media" / f"dvd{number}"
        folder.mkdir(parents=True)
        part.rename(folder / part.name)
    (tmp_path / "media" / "dvd0" / "README").write_text("the first")
    return tmp_path / "media"


@pytest.mark.parametrize("pattern", ["dvd*", "dvd?", "dvd*/bundle.tar.part-*", "*"])
def test_parts_may_lie_on_several_media(media: Path, tree: Tree, pattern: str, tmp_path: Path) -> None:
    source = open_source(str(media / pattern))
    assert [Path(part).parent.name for part in source.parts] == ["dvd0", "dvd1", "dvd2", "dvd3", "dvd4"]
    _unpack.unpack(source, Tree(str(tmp_path / "unpacked")), "error", _progress.ignore)
    assert files(tmp_path / "unpacked") == files(Path(tree.root))


def test_a_medium_that_is_not_there_is_a_missing_part(media: Path) -> None:
    shutil.rmtree(media / "dvd3")
    with pytest.raises(_tar.InvalidArchive, match=r"of the 5 parts of .* these are missing: 4"):
        open_source(str(media / "dvd*"))


def test_a_part_on_two_media_is_named(media: Path) -> None:
    shutil.copytree(media / "dvd1", media / "dvd9")
    with pytest.raises(_tar.InvalidArchive, match=r"dvd1/bundle.tar.part-002-of-005 and .*dvd9/.* are the same part"):
        open_source(str(media / "dvd*"))


def test_brackets_in_a_name_are_no_pattern(parts: list[Path], tmp_path: Path) -> None:
    folder = parts[0].parent.rename(tmp_path / "usb[1]")
    assert len(open_source(str(folder / "bundle.tar")).parts) == 5


def missing(parts: list[Path], _foreign: list[Path]) -> str:
    parts[2].unlink()
    return "of the 5 parts of .*/bundle.tar these are missing: 3"


def missing_first_and_last(parts: list[Path], _foreign: list[Path]) -> str:
    parts[0].unlink()
    parts[4].unlink()
    return "these are missing: 1, 5"


def swapped(parts: list[Path], _foreign: list[Path]) -> str:
    parts[1].rename(parts[1].with_name("x"))
    parts[2].rename(parts[1])
    parts[1].with_name("x").rename(parts[2])
    return "part-002-of-005 is swapped: its content is part 3 of 5; .*part-003-of-005 is swapped: its content is part 2"


def from_another_bundle(parts: list[Path], foreign: list[Path]) -> str:
    shutil.copy(foreign[0], parts[0])
    return "part-001-of-005 is foreign"


def shorter(parts: list[Path], _foreign: list[Path]) -> str:
    os.truncate(parts[3], 5000)
    return "part-004-of-005 is damaged: it has 5000 bytes instead of 100000"


def empty(parts: list[Path], _foreign: list[Path]) -> str:
    os.truncate(parts[3], 0)
    return "part-004-of-005 is no part of a bundle, or its header is damaged"


def header(parts: list[Path], _foreign: list[Path]) -> str:
    flip(parts[1], 100)
    return "part-002-of-005 is (no part of a bundle|foreign)"


def content(parts: list[Path], _foreign: list[Path]) -> str:
    flip(parts[1], HEADER + 50_000)
    return "part-002-of-005 is damaged: its checksum does not match"


def checksum(parts: list[Path], _foreign: list[Path]) -> str:
    flip(parts[4], parts[4].stat().st_size - 10)
    return "part-005-of-005 is damaged: its checksum does not match"


def flip(path: Path, position: int) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


HARMS: list[Callable[[list[Path], list[Path]], str]] = [
    missing,
    missing_first_and_last,
    swapped,
    from_another_bundle,
    shorter,
    empty,
    header,
    content,
    checksum,
]


@pytest.mark.parametrize("harm", HARMS)
def test_what_is_wrong_is_named_before_anything_is_changed(
    dest: Path, parts: list[Path], foreign: list[Path], harm: Callable[[list[Path], list[Path]], str], tmp_path: Path
) -> None:
    message = harm(parts, foreign)
    with pytest.raises(_tar.InvalidArchive, match=message):
        _unpack.unpack(open_source(str(dest.parent)), Tree(str(tmp_path / "unpacked")), "error", _progress.ignore)
    assert not (tmp_path / "unpacked").exists()


def test_parts_of_several_bundles_in_one_folder(parts: list[Path], foreign: list[Path], tmp_path: Path) -> None:
    for path in foreign:
        path.rename(parts[0].with_name(path.name.replace("bundle", "other")))
    with pytest.raises(_tar.InvalidArchive, match=r"several bundles \(bundle.tar, other.tar\): give one part instead"):
        open_source(str(parts[0].parent))
    assert len(open_source(str(parts[0])).parts) == 5


def script(dest: Path, *arguments: Path) -> subprocess.CompletedProcess[str]:
    command = [*PLAIN_PYTHON, f"{dest}.check.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("harm", HARMS)
def test_the_script_beside_the_bundle_names_the_same(
    dest: Path, parts: list[Path], foreign: list[Path], harm: Callable[[list[Path], list[Path]], str]
) -> None:
    assert script(dest).returncode == 0
    message = harm(parts, foreign)
    done = script(dest)
    assert done.returncode == 1
    with pytest.raises(BundleError, match=message):
        raise BundleError(done.stderr.splitlines())


def test_the_script_checks_any_part_alone(dest: Path, parts: list[Path], tmp_path: Path) -> None:
    alone = Path(shutil.copy(parts[2], tmp_path))
    assert script(dest, alone).stdout == f"{alone}: part 3 of 5 is right\n"
    flip(alone, HEADER + 5)
    assert "is damaged: its checksum does not match" in script(dest, alone).stderr


def test_the_script_checks_a_bundle_of_one_file(tree: Tree, dest: Path) -> None:
    pack(tree, dest, part_size=None)
    assert script(dest).stdout == f"{dest}: right\n"
    flip(dest, 200_000)
    done = script(dest)
    assert done.returncode == 1
    assert "is damaged: its checksum is not the one in" in done.stderr
    assert done.stderr.count("the blob sha256:") == 1
    dest.unlink()
    assert script(dest).stderr == f"{dest} cannot be read: No such file or directory\n"


@pytest.mark.parametrize("python", pythons.find().values(), ids=lambda path: path.name)
def test_the_script_runs_on_every_python(dest: Path, parts: list[Path], python: Path) -> None:
    done = subprocess.run([python, "-I", "-S", f"{dest}.check.py"], check=True, capture_output=True, text=True)
    assert done.stdout.count("is right") == len(parts)


@pytest.mark.parametrize("position", [0, 1, 97_000, 98_928, 99_000, 250_000, 10_000_000])
@pytest.mark.parametrize("length", [1, 4096, 200_000])
def test_the_file_of_parts_reads_like_the_whole(
    tree: Tree, parts: list[Path], tmp_path: Path, position: int, length: int
) -> None:
    whole = tmp_path / "whole.tar"
    pack(tree, whole, part_size=None)
    paths = [str(path) for path in parts]
    with PartsFile(paths, _bundle_parts.examine(paths)) as file:
        file.seek(position)
        assert file.read(length) == whole.read_bytes()[position : position + length]
        assert file.seek(-5, os.SEEK_END) == whole.stat().st_size - 5

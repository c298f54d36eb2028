# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle with something beside its tree: how it gets in, how it comes out, and that it goes nowhere else."""

from __future__ import annotations

import functools
import hashlib
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _archive, _bundle, _layout, _tar, _tools
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packed, Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tools import Tool
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _unpack
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import files, layer_bytes, make_tree

CONTENT = {"README.md": b"# Read me\n", "a_b-1.0+x-py3-none-any.whl": layer_bytes(7, 100_000), "empty": b""}
TOOLS = tuple(_tools.of_bytes(name, data) for name, data in CONTENT.items())
PART_SIZE = 65536


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", {"mysql:8": [layer_bytes(1, 200_000)], "a/nginx:1": [b"two"]})


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "medium").mkdir()
    return tmp_path / "medium" / "bundle.tar"


def pack(tree: Tree, dest: Path, tools: Sequence[Tool] = TOOLS, part_size: int | None = None) -> Packed:
    source = open_source(tree.root).with_tools(tools)
    return _bundle.pack(source, str(dest), _progress.ignore, packing=Packing(part_size))


def content(tools: Sequence[Tool]) -> dict[str, bytes]:
    found = {}
    for tool in tools:
        with tool.open() as file:
            found[tool.name] = file.read(tool.size)
    return found


def test_a_file_and_its_bytes_are_the_same_tool(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"text")
    tool = _tools.of_file(str(tmp_path / "README.md"))
    assert tool == _tools.of_bytes("README.md", b"text")
    assert tool.sha256 == hashlib.sha256(b"text").hexdigest()
    assert content([tool]) == {"README.md": b"text"}
    with pytest.raises(TreeError, match=r"README.md ends too early"):
        _tools.read("README.md", 5, functools.partial(io.BytesIO, b"text"))


@pytest.mark.parametrize("part_size", [None, PART_SIZE])
def test_what_is_packed_is_found_in_the_bundle(tree: Tree, dest: Path, part_size: int | None) -> None:
    pack(tree, dest, part_size=part_size)
    source = open_source(str(dest.parent if part_size else dest))
    assert source.tools == TOOLS
    assert content(source.tools) == CONTENT
    assert source.identity == open_source(tree.root).with_tools(TOOLS).identity


def test_it_stands_before_the_blobs(tree: Tree, dest: Path) -> None:
    pack(tree, dest)
    with dest.open("rb") as file:
        kinds = [_archive.item_of(member).kind for member in _tar.Reader(file)]
    assert kinds[:5] == ["lock", "tool", "tool", "tool", "blob"]


def test_tar_extracts_it(tree: Tree, dest: Path, tmp_path: Path) -> None:
    pack(tree, dest)
    subprocess.run(["tar", "-C", str(tmp_path), "-xf", str(dest), "tools"], check=True)
    assert files(tmp_path / "tools") == CONTENT


@pytest.mark.parametrize("part_size", [None, PART_SIZE])
def test_the_script_extracts_it(tree: Tree, dest: Path, tmp_path: Path, part_size: int | None) -> None:
    pack(tree, dest, part_size=part_size)
    command = [sys.executable, "-I", "-S", f"{dest}.check.py", "--extract-tools", str(tmp_path / "new")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == [f"{tmp_path}/new/tools/{name}: written" for name in CONTENT]
    assert files(tmp_path / "new" / "tools") == CONTENT


def test_the_script_says_that_there_is_nothing_to_extract(tree: Tree, dest: Path, tmp_path: Path) -> None:
    pack(tree, dest, tools=())
    command = [sys.executable, f"{dest}.check.py", "--extract-tools", str(tmp_path / "new")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, f"{dest} carries no tools: pack it with include_tools\n")
    assert not (tmp_path / "new").exists()


def test_the_script_says_how_to_get_it_out_of_an_image(tree: Tree, dest: Path, tmp_path: Path) -> None:
    source = open_source(tree.root).with_tools(TOOLS)
    _bundle.pack(source, str(dest), _progress.ignore, packing=Packing(PART_SIZE, format=_bundle.SQUASHFS))
    command = [sys.executable, f"{dest}.check.py", "--extract-tools", str(tmp_path / "new")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is a squashfs image: mount it" in done.stderr
    assert open_source(str(dest)).tools == TOOLS


def test_the_same_gives_the_same_bytes_and_stays(tree: Tree, dest: Path) -> None:
    first = pack(tree, dest)
    data = dest.read_bytes()
    assert pack(tree, dest) == Packed(False, first.files)
    dest.unlink()
    pack(tree, dest)
    assert dest.read_bytes() == data


@pytest.mark.parametrize(
    "tools",
    [(), TOOLS[:2], TOOLS[::-1], (*TOOLS[1:], _tools.of_bytes("README.md", b"# Read ne\n"))],
    ids=["none", "less", "another order", "other bytes"],
)
def test_other_tools_make_another_bundle(tree: Tree, dest: Path, tools: tuple[Tool, ...]) -> None:
    pack(tree, dest)
    assert open_source(str(dest)).identity != open_source(tree.root).with_tools(tools).identity
    assert pack(tree, dest, tools=tools).changed


def test_damage_in_a_tool_is_damage_to_what_was_signed(tree: Tree, dest: Path) -> None:
    pack(tree, dest)
    before = open_source(str(dest)).identity
    dest.write_bytes(dest.read_bytes().replace(b"# Read me\n", b"# Rm -rf!\n"))
    assert open_source(str(dest)).identity != before


def test_it_does_not_get_into_the_tree(tree: Tree, dest: Path, tmp_path: Path) -> None:
    pack(tree, dest)
    _unpack.unpack(open_source(str(dest)), Tree(str(tmp_path / "unpacked")), "error", _progress.ignore)
    with dest.open("rb") as stream:
        _archive.receive(stream, Tree(str(tmp_path / "received")))
    assert files(tmp_path / "unpacked") == files(tmp_path / "received") == files(Path(tree.root))


def test_it_does_not_get_into_a_bundle_made_of_the_bundle(tree: Tree, dest: Path, tmp_path: Path) -> None:
    pack(tree, dest)
    plain, again = tmp_path / "plain.tar", tmp_path / "again.tar"
    pack(tree, plain, tools=())
    _bundle.pack(open_source(str(dest)).with_tools(()), str(again), _progress.ignore)
    assert again.read_bytes() == plain.read_bytes()


def member(name: str, data: bytes) -> bytes:
    return _tar.header(name, len(data)) + data + _tar.padding(len(data))


@pytest.mark.parametrize(
    ("added", "why"),
    [
        (member("tools/../x", b""), "no file of a tree"),
        (member("tools/.hidden", b""), "no file of a tree"),
        (member("tools/a/b", b""), "no file of a tree"),
        (member("tools/-rf", b""), "no file of a tree"),
        (member("tools/" + 201 * "a", b""), "no file of a tree"),
        (member("tools/a b", b""), "no file of a tree"),
        (member("tools/README.md", b""), "twice"),
        (_tar.header("tools/large", 2**40), "too large"),
        (_tar.header("tools/part", 1, _tar.Range(1, 3)) + b"x" + _tar.padding(1), "only a part"),
    ],
)
def test_what_is_hostile_is_refused(tree: Tree, dest: Path, tmp_path: Path, added: bytes, why: str) -> None:
    pack(tree, dest)
    dest.write_bytes(dest.read_bytes()[: -len(_tar.END)] + added + _tar.END)
    with pytest.raises(_tar.InvalidArchive, match=why):
        _unpack.unpack(open_source(str(dest)), Tree(str(tmp_path / "unpacked")), "error", _progress.ignore)
    assert not (tmp_path / "unpacked").exists()


def test_names_go_there_and_back() -> None:
    for name in CONTENT:
        assert _layout.parse(_layout.tool(name)) == _layout.Item("tool", name=name)

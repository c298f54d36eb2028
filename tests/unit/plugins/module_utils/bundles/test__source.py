# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle, _tar
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tar import InvalidArchive
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    InvalidLock,
    NotInTree,
    SeahubError,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from tests.unit.trees import add_image, layer_bytes, make_tree

IMAGES = {"mysql:8": [layer_bytes(1, 10_000), b"two"], "a/nginx:1": [b"two"]}


@pytest.fixture(params=["tree", "bundle"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    tree = make_tree(tmp_path / "tree", IMAGES)
    if request.param == "tree":
        return open_source(tree.root)
    _bundle.pack(open_source(tree.root), str(tmp_path / "bundle.tar"), _progress.ignore)
    return open_source(str(tmp_path / "bundle.tar"))


def test_a_folder_and_a_bundle_say_the_same(source: Source, tmp_path: Path) -> None:
    assert source.kind in source.path
    assert [entry.key for entry in source.lock.references] == [("a/nginx", "1"), ("mysql", "8")]
    assert source.inventory == _inventory.scan(make_tree(tmp_path / "other", IMAGES))
    source.require_complete()


def test_they_give_the_bytes_of_a_blob_from_anywhere_in_it(source: Source) -> None:
    data = layer_bytes(1, 10_000)
    (digest,) = (digest for digest, size in source.inventory.blobs.items() if size == len(data))
    for offset in (0, 1, 9_999, 10_000):
        with source.open_blob(digest, offset) as file:
            assert file.read(len(data) - offset) == data[offset:]


def test_a_blob_that_is_not_there(source: Source) -> None:
    with pytest.raises(NotInTree):
        source.open_blob("sha256:" + 64 * "0")


def test_what_earlier_saves_left_behind_is_no_part_of_it(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"mysql:8": [b"old"]})
    add_image(tree, "mysql:8", [b"new"])
    assert len(list(tree.blobs())) == 3 + 2
    assert len(open_source(tree.root).inventory.blobs) == 3


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"mysql:8": [b"one"]})
    digest = next(digest for digest, size in tree.blobs() if size == 3)
    os.unlink(tree.blob_path(digest))
    with pytest.raises(TreeError, match=f"{tmp_path} is not complete; .*mysql:8 needs the blob {digest}"):
        open_source(tree.root).require_complete()


def bundle(tmp_path: Path) -> bytes:
    _bundle.pack(open_source(make_tree(tmp_path / "tree", IMAGES).root), str(tmp_path / "b.tar"), _progress.ignore)
    return (tmp_path / "b.tar").read_bytes()


def test_a_bundle_that_was_cut_is_refused(tmp_path: Path) -> None:
    data = bundle(tmp_path)
    for size in (0, 100, 1000, 5000, len(data) // 2, len(data) - 1024, len(data) - 513):
        (tmp_path / "cut.tar").write_bytes(data[:size])
        with pytest.raises(InvalidArchive, match=r"cut\.tar is no bundle"):
            open_source(str(tmp_path / "cut.tar"))


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("nothing", None, TreeError, "neither a tree nor a bundle at .*nothing"),
        ("text", b"text" * 1000, InvalidArchive, "text is no bundle"),
        ("folder/file", b"", TreeError, "folder is no tree: it has no seahub.lock.json"),
        ("folder/seahub.lock.json", b"{}", InvalidLock, "seahub.lock.json is no lock"),
    ],
)
def test_anything_else_is_refused(
    tmp_path: Path, name: str, content: bytes | None, error: type[SeahubError], message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    with pytest.raises(error, match=message):
        open_source(str(path.parent if "/" in name else path))


def test_a_tar_without_a_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").write_bytes(_tar.END)
    with pytest.raises(InvalidArchive, match=r"it has no seahub\.lock\.json"):
        open_source(str(tmp_path / "empty.tar"))


def test_an_empty_lock_is_an_empty_tree(tmp_path: Path) -> None:
    make_tree(tmp_path, {})
    assert open_source(str(tmp_path)).lock == _lock.Lock()

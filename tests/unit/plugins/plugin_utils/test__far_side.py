# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import ignore
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _receiver, _sync
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.plugin_utils import _far_side
from tests.unit.trees import files, make_tree


def run(data: bytes, folder: Path) -> list[dict[str, object]]:
    """Run the receiver with nothing but a Python and its standard library."""
    code = _far_side.packed("transfer._receiver")
    command = [sys.executable, "-I", "-S", "-c", _receiver.BOOTSTRAP, str(len(code))]
    done = subprocess.run(command, input=code + data, stdout=subprocess.PIPE, check=True, cwd=folder)
    return _receiver.answers(done.stdout.decode())


def archive(source: Source, target: Tree) -> bytes:
    out = io.BytesIO()
    plan = _sync.compare(source, _sync.load_target(_sync.describe(target, None).dump()))
    _sync.write_all(source, plan, out, ignore)
    return out.getvalue()


@pytest.fixture
def source(tmp_path: Path) -> Source:
    return open_source(make_tree(tmp_path / "tree", {"nginx:1": [b"one" * 1000, b"two"]}).root)


def test_only_what_is_needed_is_packed() -> None:
    with zipfile.ZipFile(io.BytesIO(_far_side.packed("transfer._receiver"))) as packed:
        names = {Path(name).stem for name in packed.namelist()}
    assert {"_receiver", "_archive", "_tree", "_lock", "_disk"} <= names
    assert not {"_registry", "_transport", "_chart"} & names


def test_a_receiver_takes_a_tree_with_its_standard_library_alone(source: Source, tmp_path: Path) -> None:
    target = Tree(str(tmp_path / "target"))
    answers = run(_receiver.order(target.root) + archive(source, target), tmp_path)
    assert answers == [{"ready": True}, {"blobs": 4, "size": source.inventory.size}]
    assert files(Path(target.root)) == files(Path(source.path))


def test_what_ends_too_early_goes_on(source: Source, tmp_path: Path) -> None:
    target = Tree(str(tmp_path / "target"))
    _ready, outcome = run(_receiver.order(target.root) + archive(source, target)[:2500], tmp_path)
    assert "it did not arrive whole" in str(outcome["error"])
    assert _inventory.scan(target).tags == {}
    run(_receiver.order(target.root) + archive(source, target), tmp_path)
    assert files(Path(target.root)) == files(Path(source.path))


def test_a_disk_that_takes_nothing_is_an_error(source: Source, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    target = str(tmp_path / "file" / "tree")
    assert "error" in run(_receiver.order(target) + archive(source, Tree(str(tmp_path / "target"))), tmp_path)[-1]


def test_what_a_login_writes_is_no_answer() -> None:
    assert _receiver.answers(f"Welcome!\n{_receiver.MARK}{{}}\n{{}}\n") == [{}]


def test_nothing_is_left_in_memory_files() -> None:
    assert not [name for name in os.listdir("/proc/self/fd") if "seahub" in os.path.realpath(f"/proc/self/fd/{name}")]

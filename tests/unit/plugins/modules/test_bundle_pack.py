# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.modules import bundle_pack
from ansible_collections.seahub.offline.plugins.modules.bundle_pack import pack
from tests.unit import modules
from tests.unit.trees import make_tree


def test_the_result_and_the_progress(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", {"mysql:8": [b"one"], "a/nginx:1": [b"two"]})
    dest, state = tmp_path / "bundle.tar", tmp_path / "progress"
    planned = pack(str(tmp_path / "tree"), str(dest), str(state), check_mode=True)
    done = pack(str(tmp_path / "tree"), str(dest), str(state), check_mode=False)
    again = pack(str(tmp_path / "tree"), str(dest), None, check_mode=False)
    sha256 = (tmp_path / "bundle.tar.sha256").read_text().split()[0]
    assert done == {
        "changed": True,
        "bundle": str(dest),
        "size": dest.stat().st_size,
        "sha256": sha256,
        "files": [{"path": str(dest), "size": dest.stat().st_size, "sha256": sha256}],
        "references": 2,
        "tools": [],
        "missing": [],
    }
    assert planned == {**done, "sha256": "", "files": [{**done["files"][0], "sha256": ""}]}
    assert again == {**done, "changed": False}
    progress = _progress.parse(state.read_text())
    assert progress is not None
    assert progress.phase == "packing"


def test_a_selection_without_what_is_missing(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"mysql:8": [b"one"], "a/nginx:1": [b"two"]})
    Path(tree.blob_path(_digest.hash_bytes(b"two"))).unlink()
    arguments: dict[str, Any] = {"tree": tree.root, "dest": str(tmp_path / "bundle.tar")}
    assert "a/nginx:1 needs the blob" in modules.run(bundle_pack.main, arguments).message
    chosen = modules.run(bundle_pack.main, {**arguments, "references": ["mysql:*"]}).result
    assert (chosen["references"], chosen["missing"]) == (1, [])
    partial = modules.run(bundle_pack.main, {**arguments, "allow_partial": True}).result
    assert partial["references"] == 2
    assert "a/nginx:1 needs the blob" in partial["missing"][0]
    parts = modules.run(bundle_pack.main, {**arguments, "references": ["mysql:8"], "part_size": "64KiB"}).result
    assert (parts["sha256"], len(parts["files"])) == ("", 1)


def test_a_size_that_is_none_is_refused(tmp_path: Path) -> None:
    arguments = {"tree": str(tmp_path), "dest": str(tmp_path / "bundle.tar"), "part_size": "large"}
    assert "part_size 'large' is no size" in modules.run(bundle_pack.main, arguments).message

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils import _progress
from ansible_collections.seahub.offline.plugins.modules.bundle_pack import pack
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
    }
    assert planned == {**done, "sha256": "", "files": [{**done["files"][0], "sha256": ""}]}
    assert again == {**done, "changed": False}
    progress = _progress.parse(state.read_text())
    assert progress is not None
    assert progress.phase == "packing"

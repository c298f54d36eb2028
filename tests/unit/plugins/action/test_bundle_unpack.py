# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle in parts, packed, looked into, unpacked and sent as a playbook does it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from tests.unit import playbook
from tests.unit.trees import files, layer_bytes, make_tree


def test_parts_through_a_playbook(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", {"library/mysql:8": [layer_bytes(1, 350_000)], "nginx:1": [b"two"]})
    medium = tmp_path / "medium"
    medium.mkdir()
    process = playbook.run(tmp_path / "home", Path(__file__).with_name("bundle_unpack.yml"), folder=tmp_path)
    assert process.returncode == 0, process.stdout + process.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert [Path(file["path"]).name for file in results["packed"]["files"]] == [
        f"bundle.tar.part-00{number}-of-004" for number in range(1, 5)
    ]
    assert [entry["name"] for entry in results["info"]["references"]] == ["library/mysql", "nginx"]
    assert results["unpacked"]["tags"] == ["library/mysql:8", "nginx:1"]
    assert results["sent"]["sent_blobs"] == results["unpacked"]["written_blobs"] == 6
    assert files(tmp_path / "unpacked") == files(tmp_path / "sent") == files(tmp_path / "tree")
    assert "part-002-of-004 is no part of a bundle" in results["damaged"]["msg"]
    assert not (tmp_path / "never").exists()
    checked = subprocess.run(["python3", medium / "bundle.tar.check.py"], capture_output=True, text=True, check=False)
    assert checked.returncode == 1
    assert checked.stderr.count("\n") == 1

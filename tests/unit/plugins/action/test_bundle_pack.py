# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection gets into a bundle when the module runs elsewhere, in the background, and in check mode."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from tests.unit import playbook
from tests.unit.trees import make_tree
from tests.unit.wheels import CONTROLLER, make_wheels, only_from

# Whoever becomes somebody is not on this host as this user any more: the module runs as a job, as it does elsewhere.
# Only root becomes root without a password.
WAY: dict[str, Any] = (
    {"ansible_become": True, "ansible_become_method": "ansible.builtin.su"} if os.geteuid() == 0 else {}
)


def test_the_collection_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_tree(tmp_path / "tree", {"mysql:8": [b"one"]})
    for name, value in only_from(make_wheels(tmp_path / "index")).items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    process = playbook.run(home, Path(__file__).with_name("bundle_pack.yml"), folder=tmp_path, **WAY)
    assert process.returncode == 0, process.stdout + process.stderr
    results = json.loads((tmp_path / "results.json").read_text())
    assert [results[name]["changed"] for name in ("packed", "again", "planned")] == [True, False, False]
    tools = ["README.md", "requirements.txt", "seahub-offline-0.1.0.tar.gz", *(f"{name}.whl" for name in CONTROLLER)]
    assert results["packed"]["tools"] == results["again"]["tools"] == results["planned"]["tools"] == tools
    assert [tool.name for tool in open_source(str(tmp_path / "bundle.tar")).tools] == tools
    # The wrapper of a job takes its own folder away, at its own end.
    deadline = time.monotonic() + 10
    while playbook.leftovers(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert playbook.leftovers(home) == []

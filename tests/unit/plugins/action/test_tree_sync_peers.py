# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`tree_sync` with `fetch_from`, as a playbook runs it, beside a real registry and one that is not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench.servers import free_port, registry_over_tls
from tests.unit import playbook
from tests.unit.https_server import make_certificate
from tests.unit.trees import files, layer_bytes, make_tree

# A tree from before: it lacks what has come since.
BEFORE = {"library/mysql:8": [layer_bytes(1, 100_000), b"two"]}
IMAGES = {**BEFORE, "nginx:1": [b"new"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("peers")
    make_tree(folder / "tree", IMAGES)
    certificate, port = make_certificate(folder / "pki"), free_port()
    before = make_tree(folder / "before", BEFORE)
    with registry_over_tls(Path(before.root), folder, f"127.0.0.2:{port}", certificate):
        play = Path(__file__).with_name("tree_sync_peers.yml")
        process = playbook.run(folder / "home", play, folder=folder, port=port)
    assert process.returncode == 0, process.stdout + process.stderr
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "results.json").read_text())
    return found


def test_check_mode_fetches_nothing(folder: Path, results: dict[str, Any]) -> None:
    checked = results["checked"]
    assert (checked["changed"], checked["sent_blobs"], checked["fetched_blobs"]) == (True, 7, 0)
    assert checked["msg"].startswith("would fetch from 127.0.0.2, 127.0.0.3 or send 7 blobs (")
    assert not (folder / "checked").exists()


def test_what_others_have_is_fetched_and_the_rest_is_sent(folder: Path, results: dict[str, Any]) -> None:
    first = results["first"]
    assert (first["fetched_blobs"], first["sent_blobs"]) == (4, 3)
    assert first["fetched_bytes"] > 100_000 > first["sent_bytes"]
    assert first["tags"] == ["library/mysql:8", "nginx:1"]
    assert files(folder / "target") == files(folder / "tree")


def test_it_says_who_was_left_out(results: dict[str, Any]) -> None:
    assert list(results["first"]["left_out"]) == ["127.0.0.3"]
    assert "127.0.0.3" in results["first"]["warnings"][0]


def test_a_second_time_nobody_is_asked(results: dict[str, Any]) -> None:
    second = results["second"]
    assert (second["changed"], second["fetched_blobs"], second["left_out"]) == (False, 0, {})


def test_without_others_all_is_sent(folder: Path, results: dict[str, Any]) -> None:
    assert (results["alone"]["fetched_blobs"], results["alone"]["sent_blobs"]) == (0, 7)
    assert files(folder / "alone") == files(folder / "tree")

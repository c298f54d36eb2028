# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stream of `tree_sync` through Ansible's own ssh connection, with a program in the place of ssh."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.action import tree_sync
from ansible_collections.seahub.offline.plugins.module_utils.common import _cpu
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit import playbook
from tests.unit.trees import files, layer_bytes, make_tree

LARGE = layer_bytes(1, 3_000_000)
BREAK = 2_000_000

# It knows ssh's question what its options come to, and writes down with which it was called for a stream.
SSH = """#!/bin/sh
case " $* " in
*" -G "*"-C "*) echo compression yes; exit ;;
*" -G "*) printf 'compression no\\nciphers chacha20-poly1305@openssh.com,aes128-gcm@openssh.com\\n'; exit ;;
esac
for command; do :; done
case "$command" in
*memfd_create*) echo "$0 $*" | head -n 1 >> "$(dirname "$0")/streams"; {stream} ;;
*) exec sh -c "$command" ;;
esac
"""
PROGRAMS = {
    "ssh": 'exec sh -c "$command"',
    "breaking": f'head -c {BREAK} | sh -c "$command"; exit 255',
    "losing": f'mkdir "$0.once" || exec sh -c "$command"; head -c {BREAK} | sh -c "$command"; exit 255',
    "ending": 'sh -c "$command" 2> /dev/null | head -n 1; exit 137',
    "refusing": "echo no such interpreter >&2; exit 127",
    "single": 'case "$*" in *ControlPath=none*) echo only one login >&2; exit 255 ;; esac; exec sh -c "$command"',
}


@dataclass
class Outcome:
    folder: Path
    output: str
    results: dict[str, Any]

    def streams(self, program: str) -> list[str]:
        lines = (self.folder / "streams").read_text().splitlines()
        return [line for line in lines if line.startswith(f"{self.folder}/{program} ")]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("ssh")
    make_tree(folder / "tree", {"library/mysql:8": [LARGE, b"two"], "nginx:1": [b"two"]})
    make_tree(folder / "large", {"nginx:1": [bytes(tree_sync.OWN_CONNECTION_BYTES)]})
    damaged = make_tree(folder / "damaged", {"nginx:1": [b"two"]})
    (two,) = (digest for digest, size in damaged.blobs() if size == 3)
    Path(damaged.blob_path(two)).write_bytes(b"twx")
    for name, stream in PROGRAMS.items():
        (folder / name).write_text(SSH.format(stream=stream))
        (folder / name).chmod(0o755)
    process = playbook.run(
        folder / "home",
        Path(__file__).with_name("tree_sync_ssh.yml"),
        "-v",
        folder=folder,
        ansible_connection="ssh",
        ansible_pipelining="true",
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return Outcome(folder, process.stdout, json.loads((folder / "results.json").read_text()))


def same(outcome: Outcome, name: str) -> bool:
    return files(outcome.folder / name) == files(outcome.folder / "tree")


def test_all_goes_down_one_stream(outcome: Outcome) -> None:
    assert outcome.results["plain"]["sent_blobs"] == 6
    assert same(outcome, "plain")
    assert [len(outcome.streams(name)) for name in PROGRAMS if name != "single"] == [4, 1, 2, 1, 1]


def test_nothing_is_compressed(outcome: Outcome) -> None:
    assert same(outcome, "compressed")
    plain, compressed = outcome.streams("ssh")[:2]
    assert "Compression" not in plain
    assert compressed.startswith(f"{outcome.folder}/ssh -o Compression=no -o ControlMaster=no -o ControlPath=none ")
    assert " -C " not in compressed


@pytest.mark.skipif(not _cpu.encrypts_aes(), reason="this processor has no instructions for AES")
def test_a_large_tree_prefers_aes_where_a_connection_of_its_own_can_be_had(outcome: Outcome) -> None:
    assert outcome.results["single"]["sent_bytes"] > tree_sync.OWN_CONNECTION_BYTES
    own, kept = outcome.streams("single")
    assert "-o Ciphers=aes128-gcm@openssh.com,chacha20-poly1305@openssh.com -o ControlMaster=no" in own
    assert "Ciphers" not in kept
    assert files(outcome.folder / "once") == files(outcome.folder / "large")


def test_after_a_broken_line_only_the_rest_is_sent(outcome: Outcome) -> None:
    broken, mended = outcome.results["broken"], outcome.results["mended"]
    assert broken["failed"]
    assert "the connection was lost, or the receiver was ended: run it again, it goes on" in broken["msg"]
    assert 0 < mended["sent_bytes"] < broken_at_most()
    assert same(outcome, "broken")


def test_a_lost_connection_is_replaced(outcome: Outcome) -> None:
    assert outcome.results["lost"]["changed"]
    assert outcome.output.count("tree_sync: goes on over another connection") == 1
    assert same(outcome, "lost")


def broken_at_most() -> int:
    # What arrived before the break was the program and most of the rest: the program has less than 100 kB.
    return len(LARGE) - BREAK + 100_000


def test_a_receiver_that_was_ended_is_an_error_and_no_reason_for_portions(outcome: Outcome) -> None:
    ended = outcome.results["ended"]
    assert ended["failed"]
    assert "the receiver was ended (status 137): run it again, it goes on" in ended["msg"]


def test_without_a_receiver_it_says_so_and_sends_portions(outcome: Outcome) -> None:
    assert same(outcome, "portions")
    assert outcome.output.count("tree_sync: sends in portions") == 1
    assert "since the receiver does not run there: no such interpreter" in " ".join(outcome.output.split())


def test_a_damaged_blob_is_named_and_leaves_no_tag(outcome: Outcome) -> None:
    damaged = outcome.results["damaged"]
    assert damaged["failed"]
    assert f"{outcome.folder}/damaged -> {outcome.folder}/never: the bytes that arrived for sha256:" in damaged["msg"]
    assert list(Tree(str(outcome.folder / "never")).repositories()) == []


def test_nothing_temporary_is_left(outcome: Outcome) -> None:
    assert playbook.leftovers(outcome.folder / "home") == []
    assert subprocess.run(["pgrep", "-f", f"{outcome.folder}/tree"], check=False).returncode == 1

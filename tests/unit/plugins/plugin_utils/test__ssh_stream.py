# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.plugin_utils import _ssh_stream

OWN = ["-o", "Compression=no", "-o", "ControlMaster=no", "-o", "ControlPath=none"]


def uncompressed(command: list[str], binary: str = "ssh") -> list[str]:
    encoded = [part.encode() for part in command]
    return [part.decode() for part in _ssh_stream.uncompressed(encoded, binary.encode(), 2)]


@pytest.mark.parametrize(
    "options",
    [[], ["-o", "Compression=no"], ["-o", "ControlMaster=auto", "-v"], ["-o", "Compression=no", "-F/dev/null"]],
)
def test_what_does_not_compress_stays_as_it_is(options: list[str]) -> None:
    command = ["ssh", "-F", "/dev/null", *options, "host", "cat -C"]
    assert uncompressed(command) == command


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        (["-C"], []),
        (["-4Cv"], []),
        (["-o", "Compression=yes"], ["-o", "Compression=yes"]),
        (["-C", "-p", "22", "-o", "User=C"], ["-p", "22", "-o", "User=C"]),
    ],
)
def test_compression_is_taken_out(options: list[str], kept: list[str]) -> None:
    found = uncompressed(["sshpass", "-d7", "ssh", "-F", "/dev/null", *options, "host", "cat -C"])
    assert found == ["sshpass", "-d7", "ssh", *OWN, "-F", "/dev/null", *kept, "host", "cat -C"]


def test_compression_in_a_file_of_ssh_counts(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host host\n Compression yes\n")
    command = ["ssh", "-F", str(tmp_path / "config"), "host", "true"]
    assert uncompressed(command) == ["ssh", *OWN, *command[1:]]


def test_a_program_that_does_not_answer_gets_a_connection_of_its_own() -> None:
    assert uncompressed(["false", "host", "true"], "false") == ["false", *OWN, "host", "true"]

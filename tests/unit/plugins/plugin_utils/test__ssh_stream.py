# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.plugin_utils import _ssh_stream

OWN = ["-o", "ControlMaster=no", "-o", "ControlPath=none"]
UNCOMPRESSED = ["-o", "Compression=no", *OWN]
CHACHA, GCM, CTR = "chacha20-poly1305@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr"


def for_stream(command: list[str], binary: str = "ssh", prefer_aes: bool = False) -> list[str]:
    encoded = [part.encode() for part in command]
    return [part.decode() for part in _ssh_stream.for_stream(encoded, binary.encode(), 2, prefer_aes)]


@pytest.mark.parametrize(
    "options",
    [[], ["-o", "Compression=no"], ["-o", "ControlMaster=auto", "-v"], ["-o", "Compression=no", "-F/dev/null"]],
)
def test_what_does_not_compress_stays_as_it_is(options: list[str]) -> None:
    command = ["ssh", "-F", "/dev/null", *options, "host", "cat -C"]
    assert for_stream(command) == command


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
    found = for_stream(["sshpass", "-d7", "ssh", "-F", "/dev/null", *options, "host", "cat -C"])
    assert found == ["sshpass", "-d7", "ssh", *UNCOMPRESSED, "-F", "/dev/null", *kept, "host", "cat -C"]


def test_compression_in_a_file_of_ssh_counts(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("Host host\n Compression yes\n")
    command = ["ssh", "-F", str(tmp_path / "config"), "host", "true"]
    assert for_stream(command) == ["ssh", *UNCOMPRESSED, *command[1:]]


def test_a_program_that_does_not_answer_gets_a_connection_of_its_own() -> None:
    assert for_stream(["false", "host", "true"], "false", True) == ["false", *UNCOMPRESSED, "host", "true"]


@pytest.mark.parametrize(
    ("given", "first"),
    [
        (f"{CHACHA},{CTR},{GCM}", f"{GCM},{CHACHA},{CTR}"),
        (f"{GCM},{CHACHA}", None),
        (f"{CHACHA},{CTR}", None),
    ],
    ids=["set but not first", "first", "not set"],
)
def test_aes_comes_first_where_it_is_set(given: str, first: str | None) -> None:
    command = ["ssh", "-F", "/dev/null", "-o", f"Ciphers={given}", "host", "true"]
    changes = [] if first is None else ["-o", f"Ciphers={first}", *OWN]
    assert for_stream(command, prefer_aes=True) == ["ssh", *changes, *command[1:]]


def test_ssh_itself_takes_the_new_order_and_no_other_cipher() -> None:
    command = for_stream(["ssh", "-F", "/dev/null", "host", "true"], prefer_aes=True)
    before, after = (ciphers(line) for line in (["ssh", "-F", "/dev/null", "host"], command[:-1]))
    assert after[0].endswith("-gcm@openssh.com")
    assert sorted(after) == sorted(before)


def ciphers(command: list[str]) -> list[str]:
    said = subprocess.run([command[0], "-G", *command[1:]], capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)["ciphers"].split(",")

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _preflight
from ansible_collections.seahub.offline.plugins.module_utils.clients._preflight import Finding

HOUR = 3600.0


def checks(findings: list[Finding]) -> list[str]:
    assert all(finding.problem and finding.cure for finding in findings)
    return [finding.check for finding in findings]


def program(folder: Path, name: str, script: str) -> str:
    """Make a program that stands for a client."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(
    ("version", "found"), [((3, 6, 8), ["python"]), ((3, 7, 0), ["python"]), ((3, 8, 0), []), ((4, 0, 0), [])]
)
def test_python(version: tuple[int, ...], found: list[str]) -> None:
    assert checks(_preflight.python(version)) == found


def test_space_counts_what_is_there(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    free = disk.f_bavail * disk.f_frsize
    folder = tmp_path / "not" / "yet"
    assert checks(_preflight.space(str(folder), free // 2, 10)) == []
    assert checks(_preflight.space(str(folder), free * 2, 10)) == ["space"]
    folder.mkdir(parents=True)
    with (folder / "data").open("wb") as file:
        # A file of this length, but without content: it takes no room.
        file.truncate(free * 2)
    assert checks(_preflight.space(str(folder), free * 2, 10)) == []


def test_space_has_inodes_too(tmp_path: Path) -> None:
    free = os.statvfs(tmp_path).f_favail
    if not free:
        pytest.skip("this filesystem has no fixed number of inodes")
    assert checks(_preflight.space(str(tmp_path), 0, free)) == ["space"]


def test_a_port_in_use_names_the_program() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        (finding,) = _preflight.port(number, "sea.hub", "/nonexistent")
    assert f"process {os.getpid()}" in finding.problem
    assert _preflight.port(number, "sea.hub", "/nonexistent") == []


@pytest.mark.parametrize(
    ("here", "found"), [(0.0, []), (600.0, []), (-600.0, []), (601.0, ["clock"]), (-HOUR, ["clock"])]
)
def test_drift(here: float, found: list[str]) -> None:
    now = time.time()
    assert checks(_preflight.drift(now + here, now, 600)) == found


@pytest.mark.parametrize(("here", "said"), [(5.0, ""), (1.0, "has not begun"), (11.0, "has ended")])
def test_validity(here: float, said: str) -> None:
    findings = _preflight.validity(here, 2.0, 10.0)
    assert checks(findings) == (["clock"] if said else [])
    assert all(said in finding.problem for finding in findings)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("hosts: files dns", []),
        ("hosts:dns", ["name"]),
        ("hosts: dns # files", ["name"]),
        ("passwd: files", []),
        ("", []),
    ],
)
def test_name(tmp_path: Path, line: str, found: list[str]) -> None:
    path = tmp_path / "nsswitch.conf"
    path.write_text(f"# comment\n{line}\n")
    assert checks(_preflight.name("localhost", str(path))) == found


def test_name_without_a_configuration(tmp_path: Path) -> None:
    assert _preflight.name("localhost", str(tmp_path / "none")) == []


def test_a_slow_lookup_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preflight, "_SLOW_LOOKUP", -1.0)
    assert checks(_preflight.name("localhost", str(tmp_path / "none"))) == ["name"]


def test_a_way_is_there_when_nothing_listens_yet() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        number = server.getsockname()[1]
        assert _preflight.way(["127.0.0.1"], number) == []
    assert _preflight.way(["127.0.0.1"], number) == []
    assert checks(_preflight.way(["no address", "127.0.0.1"], number)) == ["way"]


@pytest.mark.parametrize(
    ("name", "script", "problem"),
    [
        ("helm", "echo v3.19.0+g3d8990f", ""),
        ("helm4", "echo v4.2.3", ""),
        ("helm", "echo v3.5.4+g1b5edb6", "is v3.5.4"),
        ("docker", "echo 20.10.24", ""),
        ("docker", "echo Cannot connect >&2; exit 1", "does not run: it says Cannot connect"),
        ("ctr", "echo Client: 1.6.20", ""),
        ("ctr", "echo Client: 1.4.13", "is 1.4.13"),
        ("podman", "exit 3", "does not run: it says nothing"),
    ],
)
def test_clients(tmp_path: Path, name: str, script: str, problem: str) -> None:
    findings = _preflight.client(program(tmp_path, name, script))
    assert checks(findings) == (["client"] if problem else [])
    assert all(problem in finding.problem for finding in findings)


def test_one_client_for_images_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    for name in ("docker", "podman", "ctr"):
        program(tmp_path, name, "echo it is not running >&2; exit 1")
    (finding,) = _preflight.client("auto")
    assert finding.problem.startswith(
        "no client pulls images here: docker does not run: it says it is not running; podman"
    )
    program(tmp_path, "podman", "echo 4.3.1")
    assert _preflight.client("auto") == []


def test_a_client_that_is_not_there() -> None:
    assert checks(_preflight.client("no-such-client")) == ["client"]


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, ""),
        ({"HTTP_PROXY": "http://p:1"}, ""),
        ({"HTTPS_PROXY": "http://p:1"}, "p:1"),
        ({"https_proxy": "http://user:secret@p:1"}, "p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost, sea.hub"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "hub"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".hub"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*.hub"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "sea.hub:5000"}, ""),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "sea.hub:443"}, "p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "a.sea.hub,ea.hub,10.0.0.0/8"}, "p:1"),
        ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".sea.hub,*.sea.hub,,"}, "p:1"),
    ],
)
def test_proxies(environment: dict[str, str], proxy: str) -> None:
    assert _preflight.proxy_for("sea.hub", 5000, environment).rpartition("/")[2] == proxy


@pytest.mark.parametrize(("exempt", "proxy"), [("10.0.0.0/8", ""), ("10.0.0.5", ""), ("192.168.0.0/16", "http://p:1")])
def test_addresses_are_exempt_by_networks(exempt: str, proxy: str) -> None:
    assert _preflight.proxy_for("10.0.0.5", 5000, {"HTTPS_PROXY": "http://p:1", "NO_PROXY": exempt}) == proxy


def test_the_environment_of_the_task_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://p:1")
    monkeypatch.setenv("NO_PROXY", "")
    assert "proxy" in checks(_preflight.proxies("sea.hub", 5000))


def test_times_are_read_as_certificates_say_them() -> None:
    assert _preflight.seconds("1970-01-02T00:00:01Z") == 86401.0
    with pytest.raises(ValueError, match="does not match"):
        _preflight.seconds("tomorrow")

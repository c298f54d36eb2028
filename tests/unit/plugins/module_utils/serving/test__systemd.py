# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of systemd: what a unit says, and what is made of its state. Units run for real in the end-to-end tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.serving import _systemd
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import (
    Container,
    EngineError,
    Mount,
    Program,
    Spec,
)
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine_bare import Bare
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine_podman import Podman
from ansible_collections.seahub.offline.plugins.module_utils.serving._systemd import Systemd

SPEC = Spec(
    name="reg",
    image="/usr/local/bin/reg-1",
    command=("serve", "/run/reg/config.yml"),
    environment=(("A", "b"),),
    files=(Mount("/etc/100%/config.yml", "/run/reg/config.yml"),),
    folders=(Mount("/srv/my tree", "/srv/my tree"),),
    network="host",
    port=443,
)
SHOWN = "ActiveState={}\\nSubState={}\\nUnitFileState={}\\nNRestarts={}\\nExecMainStatus={}\\n"


@pytest.fixture(name="systemd")
def fixture_systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Systemd:
    """A service manager that writes down what it is told, and answers with what is in the file `shown`."""
    monkeypatch.setattr(_systemd, "_BOOTED", str(tmp_path))
    program = tmp_path / "systemctl"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n[ $1 = show ] && cat {tmp_path}/shown\nexit 0\n')
    program.chmod(0o755)
    return Systemd(Program("systemctl", str(program)), str(tmp_path / "units"))


def unit_of(systemd: Systemd, tmp_path: Path, spec: Spec = SPEC) -> str:
    Bare(systemd).run(spec, {"a": "b"})
    return (tmp_path / "units/reg.service").read_text()


def test_a_service_is_started_now_and_at_each_boot(systemd: Systemd, tmp_path: Path) -> None:
    unit_of(systemd, tmp_path)
    calls = (tmp_path / "calls").read_text().split("\n")[:-1]
    assert calls == ["daemon-reload", "enable reg.service", "reset-failed reg.service", "restart reg.service"]


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (("active", "running", "enabled", 0, 0), Container("running", 0, 0, {"a": "b"})),
        (("active", "running", "disabled", 0, 0), Container("not enabled", 0, 0, {"a": "b"})),
        (("activating", "auto-restart", "enabled", 4, 1), Container("restarting", 4, 1, {"a": "b"})),
        (("failed", "failed", "enabled", 0, 2), Container("exited", 0, 2, {"a": "b"})),
        (("inactive", "dead", "enabled", 0, 0), Container("exited", 0, 0, {"a": "b"})),
    ],
)
def test_a_service_is_read(
    systemd: Systemd, tmp_path: Path, shown: tuple[str, str, str, int, int], expected: Container
) -> None:
    unit_of(systemd, tmp_path)
    (tmp_path / "shown").write_text(SHOWN.replace("\\n", "\n").format(*shown))
    assert systemd.service("reg") == expected


def test_a_service_that_is_not_there_and_one_of_someone_else(systemd: Systemd, tmp_path: Path) -> None:
    assert systemd.service("reg") is None
    (tmp_path / "units").mkdir()
    (tmp_path / "units/reg.service").write_text("[Service]\nExecStart=/bin/true\n")
    (tmp_path / "shown").write_text(SHOWN.replace("\\n", "\n").format("active", "running", "enabled", 0, 0))
    found = systemd.service("reg")
    assert found is not None
    assert found.labels == {}


def test_the_program_has_a_sandbox_and_copies_of_its_files(systemd: Systemd, tmp_path: Path) -> None:
    lines = unit_of(systemd, tmp_path).splitlines()
    for line in (
        "DynamicUser=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=CAP_NET_BIND_SERVICE",
        'BindReadOnlyPaths="/srv/my tree"',
        "Environment=A=b",
        "ExecStart=/usr/local/bin/reg-1 serve /run/reg/config.yml",
        "Restart=always",
        "WantedBy=multi-user.target",
    ):
        assert line in lines
    copy = next(line for line in lines if line.startswith("ExecStartPre=+"))
    assert copy.endswith('install -m 0400 "/etc/100%%/config.yml" /run/reg/config.yml')


def test_who_has_to_write_is_the_owner_of_the_tree(systemd: Systemd, tmp_path: Path) -> None:
    folders = (Mount("/srv/tree", "/srv/tree", writable=True),)
    spec = Spec(SPEC.name, SPEC.image, SPEC.command, (), SPEC.files, folders, SPEC.network, 5000)
    lines = unit_of(systemd, tmp_path, spec).splitlines()
    assert "User=root" in lines
    assert "BindPaths=/srv/tree" in lines
    assert "CapabilityBoundingSet=" in lines


def test_podmans_container_is_one_of_a_unit(systemd: Systemd, tmp_path: Path) -> None:
    Podman(Program("podman", "/usr/bin/podman"), systemd).run(SPEC, {"a": "b"})
    lines = (tmp_path / "units/reg.service").read_text().splitlines()
    assert "Type=notify" in lines
    start = next(line for line in lines if line.startswith("ExecStart="))
    for option in ("--name reg", "--replace --rm --detach", "--sdnotify conmon", "--label a=b", "--cap-drop ALL"):
        assert option in start
    assert start.endswith("/usr/local/bin/reg-1 serve /run/reg/config.yml")


def test_a_host_without_systemd_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_systemd, "_BOOTED", "/nowhere")
    with pytest.raises(EngineError, match="systemd does not run this host"):
        Systemd().require()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("a", "b"), "a b"),
        (("a b",), '"a b"'),
        (("$HOME", "50%"), '$$HOME "50%%"'),
        (('say "x"',), '"say \\"x\\""'),
        (("",), '""'),
    ],
)
def test_words_reach_a_program_as_they_are(words: tuple[str, ...], expected: str) -> None:
    assert _systemd.command(*words) == expected

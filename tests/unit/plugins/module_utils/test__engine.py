# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker as an engine: what its client is told, and how its answers are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils._engine import (
    Docker,
    EngineError,
    Mount,
    PortInUse,
    Spec,
)
from ansible_collections.seahub.offline.plugins.module_utils._platform import Platform

SPEC = Spec("reg", "reg:1", ("serve", "/c"), (Mount("/srv/tree", "/var/lib/registry"),), 443, 5000)
Script = Callable[[str], Docker]


@pytest.fixture(name="docker")
def fixture_docker(tmp_path: Path) -> Script:
    """Make a docker client that writes down how it was called and then does what a shell script does."""

    def make(script: str) -> Docker:
        program = tmp_path / "docker"
        program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{script}\n')
        program.chmod(0o755)
        return Docker(str(program))

    return make


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_the_platform_is_the_daemons(docker: Script) -> None:
    assert docker("echo linux aarch64").platform() == Platform("linux", "arm64")


def test_a_daemon_that_does_not_run_is_an_error_with_its_cure(docker: Script) -> None:
    with pytest.raises(EngineError, match=r"Cannot connect.*systemctl start docker"):
        docker("echo Cannot connect >&2; exit 1").platform()


def test_a_missing_client_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(Docker, "_FOLDERS", str(tmp_path))
    with pytest.raises(EngineError, match="docker is not on this host"):
        Docker()


def test_the_archive_reaches_the_engine(docker: Script, tmp_path: Path) -> None:
    docker(f"cat > {tmp_path}/archive").load(iter([b"one", b"two"]))
    assert (tmp_path / "archive").read_bytes() == b"onetwo"


def test_an_engine_that_refuses_the_archive_is_an_error_with_its_words(docker: Script) -> None:
    with pytest.raises(EngineError, match="no space left"):
        docker("echo no space left; exit 1").load(iter([b"x" * 10_000_000]))


def test_an_archive_that_breaks_off_is_never_finished(docker: Script, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("damaged")

    with pytest.raises(ValueError, match="damaged"):
        docker(f"cat > /dev/null; touch {tmp_path}/loaded").load(broken())
    assert not (tmp_path / "loaded").exists()


def test_the_container_may_do_nothing_but_read(docker: Script, tmp_path: Path) -> None:
    docker("").run(SPEC, {"a": "b"})
    (call,) = calls(tmp_path)
    for option in (
        "--name reg",
        "--restart always",
        "--publish 443:5000",
        "--read-only",
        "--cap-drop ALL",
        "--mount type=bind,source=/srv/tree,target=/var/lib/registry,readonly",
        "--label a=b",
    ):
        assert option in call
    assert call.endswith("reg:1 serve /c")


def test_a_port_in_use_is_an_error_that_names_who_uses_it(docker: Script, tmp_path: Path) -> None:
    engine = docker('case $1 in run) echo "port is already allocated" >&2; exit 125;; ps) echo other;; esac')
    with pytest.raises(PortInUse, match=r"port 443 .* the container other: port is already allocated"):
        engine.run(SPEC, {})
    assert "container rm --force reg" in calls(tmp_path)


def test_a_container_is_read(docker: Script) -> None:
    answer = '[{"Id": "x", "RestartCount": 3, "State": {"Status": "restarting", "ExitCode": 1}, "Config": {}}]'
    found = docker(f"echo '{answer}'").container("reg")
    assert found is not None
    assert (found.status, found.exit_code, found.labels, found.failed) == ("restarting", 1, {}, True)


def test_no_container_is_no_error_but_no_answer_is(docker: Script) -> None:
    assert docker('echo "Error: No such container: reg" >&2; exit 1').container("reg") is None
    with pytest.raises(EngineError, match="permission denied"):
        docker('echo "permission denied" >&2; exit 1').container("reg")


def test_images_without_a_tag_are_no_names(docker: Script) -> None:
    assert docker("printf 'reg:1\\nreg:<none>\\n'").images("reg") == ["reg:1"]

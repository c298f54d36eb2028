# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engines with a client like docker's: what it is told, and how its answers are read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common import _commands
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import DigestMismatch
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _image_archive
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import (
    EngineError,
    Mount,
    PortInUse,
    Program,
    Spec,
)
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine_command import Docker, Nerdctl
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import layer_bytes, make_tree

SPEC = Spec(
    name="reg",
    image="reg:1",
    command=("serve", "/run/reg/config.yml"),
    environment=(("A", "b"),),
    files=(Mount("/etc/config.yml", "/run/reg/config.yml"),),
    folders=(Mount("/srv/tree", "/srv/tree"),),
    network="bridge",
    port=443,
)
Script = Callable[..., Docker]


@pytest.fixture(name="docker")
def fixture_docker(tmp_path: Path) -> Script:
    """Make a docker client that writes down how it was called and then does what a shell script does."""

    def make(script: str, kind: type[Docker] = Docker) -> Docker:
        program = tmp_path / kind.name
        program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{script}\n')
        program.chmod(0o755)
        return kind(Program(kind.name, str(program)))

    return make


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    make_tree(tmp_path / "tree", {"library/registry:2": [layer_bytes(1, 200_000)]})
    return Tree(str(tmp_path / "tree"))


def image_of(tree: Tree) -> Image:
    return _image_archive.find(tree, "registry:2", Platform("linux", "amd64"))


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_the_platform_is_the_daemons(docker: Script) -> None:
    assert docker("echo linux aarch64").platform() == Platform("linux", "arm64")
    assert docker("[ $1 = info ] && echo linux x86_64", Nerdctl).platform() == Platform("linux", "amd64")


@pytest.mark.parametrize("kind", [Docker, Nerdctl])
def test_a_daemon_that_does_not_run_is_an_error_with_its_cure(docker: Script, kind: type[Docker]) -> None:
    with pytest.raises(EngineError, match=r"Cannot connect.*systemctl start (docker|containerd)"):
        docker("echo Cannot connect >&2; exit 1", kind).platform()


def test_a_missing_client_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_commands, "_FOLDERS", str(tmp_path))
    with pytest.raises(EngineError, match="docker is not on this host"):
        Docker()


def test_the_archive_reaches_the_engine(docker: Script, tree: Tree, tmp_path: Path) -> None:
    docker(f"cat > {tmp_path}/archive").load(tree, image_of(tree), "reg:1")
    assert (tmp_path / "archive").read_bytes() == b"".join(_image_archive.archive(tree, image_of(tree), "reg:1"))


def test_an_engine_that_refuses_the_archive_is_an_error_with_its_words(docker: Script, tree: Tree) -> None:
    with pytest.raises(EngineError, match="no space left"):
        docker("echo no space left; exit 1").load(tree, image_of(tree), "reg:1")


def test_an_archive_that_breaks_off_is_never_finished(docker: Script, tree: Tree, tmp_path: Path) -> None:
    image = image_of(tree)
    Path(tree.blob_path(image.manifest.layers[0].digest)).write_bytes(b"damaged")
    with pytest.raises(DigestMismatch):
        docker(f"cat > /dev/null; touch {tmp_path}/loaded").load(tree, image, "reg:1")
    assert not (tmp_path / "loaded").exists()


@pytest.mark.parametrize("kind", [Docker, Nerdctl])
def test_the_container_may_do_nothing_but_read(docker: Script, tmp_path: Path, kind: type[Docker]) -> None:
    docker("[ $2 = inspect ] && { echo no such container >&2; exit 1; }; exit 0", kind).run(SPEC, {"a": "b"})
    (call,) = (line for line in calls(tmp_path) if line.startswith("create"))
    for option in (
        "--name reg-next",
        "--restart always",
        "--publish 443:443",
        "--read-only",
        "--cap-drop ALL",
        "--cap-add NET_BIND_SERVICE",
        "--mount type=bind,source=/srv/tree,target=/srv/tree,readonly",
        "--mount type=bind,source=/etc/config.yml,target=/run/reg/config.yml,readonly",
        "--env A=b",
        "--label a=b",
    ):
        assert option in call
    assert call.endswith("reg:1 serve /run/reg/config.yml")


def test_a_container_in_the_network_of_the_host_publishes_nothing(docker: Script, tmp_path: Path) -> None:
    docker("[ $2 = inspect ] && { echo no such container >&2; exit 1; }; exit 0").run(
        dataclasses.replace(SPEC, network="host", port=5000), {}
    )
    call = next(line for line in calls(tmp_path) if line.startswith("create"))
    assert "--network host" in call
    assert "--publish" not in call
    assert "--cap-add" not in call


FOUND = '[{"Id": "x", "RestartCount": 3, "State": {"Status": "restarting", "ExitCode": 1}, "Config": {}}]'


def test_the_new_container_is_ready_before_the_old_one_ends(docker: Script, tmp_path: Path) -> None:
    docker(f"[ $2 = inspect ] && echo '{FOUND}'; exit 0").run(SPEC, {})
    done = [" ".join(line.split()[:2]) for line in calls(tmp_path) if "inspect" not in line]
    assert done == [
        "container rm",
        "create --name",
        "kill reg",
        "start reg-next",
        "container rm",
        "rename reg-next",
    ]


def test_where_the_new_container_does_not_start_the_old_one_goes_on(docker: Script, tmp_path: Path) -> None:
    script = f"[ $2 = inspect ] && echo '{FOUND}'; [ $2 = reg-next ] && {{ echo no >&2; exit 1; }}; exit 0"
    with pytest.raises(EngineError, match="cannot start the container reg: no"):
        docker(script).run(SPEC, {})
    assert calls(tmp_path)[-2:] == ["container rm --force --volumes reg-next", "start reg"]


def test_a_port_in_use_is_an_error_that_names_who_uses_it(docker: Script, tmp_path: Path) -> None:
    engine = docker(
        "case $1 in start) echo port is already allocated >&2; exit 125;; ps) echo other;; "
        "container) echo no such container >&2; exit 1;; esac"
    )
    with pytest.raises(PortInUse, match=r"port 443 .* the container other: port is already allocated"):
        engine.run(SPEC, {})
    assert "container rm --force --volumes reg-next" in calls(tmp_path)


def test_a_container_is_read(docker: Script) -> None:
    found = docker(f"echo '{FOUND}'").container("reg")
    assert found is not None
    assert (found.status, found.exit_code, found.labels, found.failed) == ("restarting", 1, {}, True)


@pytest.mark.parametrize(("asked", "left"), [("reg", "reg-next"), ("other", None)])
def test_what_a_start_that_was_cut_off_has_left_is_found(docker: Script, asked: str, left: str | None) -> None:
    engine = docker(f"[ $3 = reg-next ] && echo '{FOUND}' || {{ echo no such container >&2; exit 1; }}")
    assert engine.unfinished(asked) == left


def test_no_container_is_no_error_but_no_answer_is(docker: Script) -> None:
    assert docker('echo "Error: No such container: reg" >&2; exit 1').container("reg") is None
    with pytest.raises(EngineError, match="permission denied"):
        docker('echo "permission denied" >&2; exit 1').container("reg")


def test_only_images_of_the_repository_with_a_tag_are_named(docker: Script) -> None:
    assert docker("printf 'reg:1\\nreg:<none>\\nregister:1\\n'").images("reg") == ["reg:1"]

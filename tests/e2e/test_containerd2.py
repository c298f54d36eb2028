# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A containerd of the second generation sees what is written for it, and pulls images by their original names.

It runs on this machine, with folders of its own: the run hosts have Debian's containerd, which is of the first one.
"""

from __future__ import annotations

import os
import re
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _configuration, _runtimes
from ansible_collections.seahub.offline.plugins.module_utils.clients._redirects import Redirect, Registry
from tests.e2e.served import needed, served
from tests.lab.programs import CONTAINERD_2, CRICTL

SECONDS = 60.0
PAUSE = "sea.hub:5000/pause:3.10"
# The plugin that pulls for Kubernetes, as version 3 of config.toml, which `config dump` prints, calls it.
PULLER = "io.containerd.cri.v1.images"
# Everything in folders of its own, and no plugin that would leave them. The snapshotter works on every filesystem.
OWN = """# ours
version = {version}
root = "{folder}/root"
state = "{folder}/state"

[grpc]
  address = "{folder}/socket" # not the host's

[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"

[plugins."io.containerd.nri.v1.nri"]
  disable = true

[[plugins."io.containerd.transfer.v1.local".unpack_config]]
  platform = "linux/amd64"
  snapshotter = "native"
"""
OWN_PULLER = f"""
[plugins."{PULLER}"]
  snapshotter = "native"
"""


@dataclass(frozen=True)
class Host:
    """A place where containerd is: its programs, and the folder of its configuration and everything else."""

    programs: Path
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "config.toml"

    @property
    def hosts(self) -> Path:
        return self.folder / "certs.d"

    @property
    def socket(self) -> Path:
        return self.folder / "socket"

    @property
    def said(self) -> Path:
        """What containerd says of its work."""
        return self.folder / "said"

    def asked(self) -> set[str]:
        """Which registries containerd has asked since it was started."""
        return set(re.findall(r'msg="do request" host="([^"]+)"', self.said.read_text()))

    def redirect(self, registry: Registry | None) -> _runtimes.Outcome:
        """Do as the module does."""
        (containerd,) = _runtimes.chosen(["containerd"])
        return _runtimes.apply("sea.hub", containerd, registry, check_mode=False, may_restart=False)

    def effective(self) -> dict[str, Any]:
        """What containerd makes of its configuration."""
        command = (self.programs / "containerd", "--config", self.config, "config", "dump")
        return tomllib.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let it run as long as the context lasts."""
        with self.said.open("wb") as log:
            command = (self.programs / "containerd", "--config", self.config, "--log-level", "debug")
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + SECONDS
            while "containerd successfully booted" not in self.said.read_text():
                assert process.poll() is None, self.said.read_text()
                assert time.monotonic() < deadline, self.said.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()
            process.wait(SECONDS)

    def pull(self, client: str, name: str) -> subprocess.CompletedProcess[str]:
        """Pull with `ctr`, which has to be told of the folder, or as Kubernetes does: config.toml names it then."""
        if client == "kubernetes":
            return self.run(needed(CRICTL) / "crictl", "--runtime-endpoint", f"unix://{self.socket}", "pull", name)
        options = ("--snapshotter", "native", "--hosts-dir", self.hosts)
        return self.run("ctr", "--address", self.socket, "images", "pull", *options, name)

    def images(self, client: str) -> list[str]:
        """The names of the images that a client has pulled."""
        namespace = {"ctr": "default", "kubernetes": "k8s.io"}[client]
        done = self.run("ctr", "--address", self.socket, "--namespace", namespace, "images", "ls", "--quiet")
        return done.stdout.splitlines()

    def run(self, program: str | Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program, which may be one of the host's, however it ends."""
        command = (self.programs / program, *arguments)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host on which the library finds this containerd, and its configuration in the test's folder."""
    programs = needed(CONTAINERD_2)
    host = Host(programs, tmp_path / "c")
    host.folder.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(_runtimes, "CONFIG_TOML", str(host.config))
    monkeypatch.setattr(_runtimes, "CONTAINERD_FOLDER", str(host.hosts))
    monkeypatch.setattr(_configuration, "RECORDS", str(host.folder / "records"))
    return host


@pytest.mark.parametrize(
    "text", [None, OWN.format(version=2, folder="/own"), OWN.format(version=3, folder="/own")], ids=["none", "2", "3"]
)
def test_it_sees_what_was_written_and_what_was_there(host: Host, text: str | None) -> None:
    if text is not None:
        host.config.write_text(text)
    host.redirect(Registry(endpoints=("sea.hub:5000",), redirects=(Redirect("docker.io"),), sandbox_image=PAUSE))
    found = host.effective()
    assert found["version"] == 3
    assert found["plugins"][PULLER]["registry"]["config_path"] == str(host.hosts)
    assert found["plugins"][PULLER]["pinned_images"]["sandbox"] == PAUSE
    assert found["root"] == ("/var/lib/containerd" if text is None else "/own/root")

    host.redirect(None)
    assert (host.config.read_text() if host.config.exists() else None) == text
    assert not host.hosts.exists()


@pytest.fixture(name="registry")
def fixture_registry(tmp_path: Path) -> Iterator[Registry]:
    """A registry with one image, as the clients see it."""
    with served(tmp_path, ["library/busybox"]) as found:
        yield Registry((found.address,), found.authorities, redirects=(Redirect("docker.io"),))


@pytest.mark.parametrize("client", ["ctr", "kubernetes"])
def test_original_names_are_pulled_and_the_real_host_is_left_alone(host: Host, registry: Registry, client: str) -> None:
    host.config.write_text(OWN.format(version=3, folder=host.folder) + OWN_PULLER)
    host.redirect(registry)
    with host.running():
        for name in ("docker.io/library/busybox:1.35", f"{registry.name}/library/busybox:1.35"):
            pulled = host.pull(client, name)
            assert pulled.returncode == 0, pulled.stderr
            assert name in host.images(client)
        refused = host.pull(client, "docker.io/library/nothing:1")
        assert refused.returncode != 0
        assert "not found" in refused.stderr
    assert host.asked() == {registry.name}

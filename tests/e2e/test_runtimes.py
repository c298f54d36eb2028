# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The runtimes of a run host, which has no route out, pull images by their original names, and are given back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote

Description = dict[str, Any]
HOST = "run3"
CTR_PULL = ("ctr", "images", "pull", "--hosts-dir", "/etc/containerd/certs.d")
# Each of them pulls as a user would who has never heard of the registry.
RUNTIMES = {
    "docker": (("docker", "pull"), ("docker", "image", "rm")),
    "containerd": (CTR_PULL, ("ctr", "images", "rm")),
    "podman": (("podman", "pull"), ("podman", "image", "rm")),
}
OWN = {
    "/etc/docker/daemon.json": '{"log-level": "info",\n "registry-mirrors": ["https://mirror.example"]}',
    "/etc/containers/registries.conf.d/00-own.conf": '[aliases]\n"redis" = "own.example/redis"\n',
    "/etc/containerd/certs.d/docker.io/hosts.toml": 'server = "https://own.example"\n[host]\n',
    "/etc/rancher/k3s/registries.yaml": (
        "# ours\nmirrors:\n  own.example:\n    endpoint:\n      - https://own.example:5000\n"
    ),
}


@pytest.fixture(name="host")
def fixture_host(deployed: Run, hosts: dict[str, Remote]) -> Remote:
    """A run host on which deploy.yml has run."""
    assert deployed.status == 0
    return hosts[HOST]


def names(lab: Description, runtime: str) -> list[str]:
    """Return what a runtime pulls without being told of the registry."""
    hub = {"docker": ["redis:7"], "containerd": [], "podman": ["redis:7"]}[runtime]
    other = [] if runtime == "docker" else [f"{lab['upstream']['open']['address']}/team/project/app:1.0"]
    return [*hub, "docker.io/library/busybox:1.35", *other]


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_original_names_are_pulled(lab: Description, host: Remote, runtime: str) -> None:
    pull, remove = RUNTIMES[runtime]
    for name in names(lab, runtime):
        host.run(*pull, name)
        host.run(*remove, name)


@pytest.mark.parametrize("runtime", ["containerd", "podman"])
def test_no_runtime_but_docker_turns_to_the_real_host(host: Remote, runtime: str) -> None:
    pull, _remove = RUNTIMES[runtime]
    refused = host.try_(*pull, "docker.io/library/nothing:1")
    assert refused.status != 0
    assert "sea.hub:5000" in refused.errors
    assert "registry-1.docker.io" not in refused.errors


def test_the_programs_themselves_see_what_was_written(host: Remote) -> None:
    mirrors = json.loads(host.run("docker", "info", "--format", "{{json .RegistryConfig.Mirrors}}"))
    assert mirrors == ["https://sea.hub:5000/"]
    assert 'config_path = "/etc/containerd/certs.d"' in host.run("containerd", "config", "dump")
    registries = json.loads(host.run("podman", "info", "--format", "{{json .Registries}}"))
    assert registries["docker.io"]["Location"] == "sea.hub:5000"


def redirect(lab: Description, folder: Path, **options: Any) -> None:
    """Run the module on the host."""
    playbook = folder / "redirect.yml"
    task = {"name": "Redirect", "seahub.offline.runtime_redirect": {"name": "sea.hub", **options}}
    playbook.write_text(yaml.safe_dump([{"hosts": HOST, "gather_facts": False, "become": True, "tasks": [task]}]))
    run = play(playbook, "-i", lab["inventory"])
    assert run.status == 0, run.output


def listing(host: Remote) -> str:
    """Return every file and folder of the runtimes' configuration, with a checksum of what it holds."""
    folders = "/etc/docker /etc/containerd /etc/containers /etc/rancher"
    return host.run("sh", "-c", f"find {folders} 2>/dev/null | sort; find {folders} -type f 2>/dev/null | xargs md5sum")


@pytest.fixture(name="own")
def fixture_own(lab: Description, host: Remote, tmp_path: Path) -> Iterator[str]:
    """The host before anything was deployed, with files of its own; afterwards it is deployed again."""
    deployed = listing(host)
    redirect(lab, tmp_path, state="absent")
    before = listing(host)
    for path, text in OWN.items():
        host.run("mkdir", "-p", path.rpartition("/")[0])
        host.write(path, text.encode())
    host.run("systemctl", "reload", "docker")
    yield listing(host)
    redirect(lab, tmp_path, state="absent")  # if the test has not come that far
    host.run("rm", *OWN)
    host.run("rm", "-rf", "/etc/rancher")
    host.run("sh", "-c", "rmdir /etc/containerd/certs.d/docker.io /etc/containerd/certs.d || true")
    assert listing(host) == before
    again = play("deploy.yml", "-i", lab["inventory"], "-e", f"@{lab['vars']}", "--limit", f"{HOST},localhost")
    assert again.status == 0, again.output
    assert listing(host) == deployed


def test_what_was_there_is_merged_with_and_given_back(lab: Description, host: Remote, own: str, tmp_path: Path) -> None:
    wanted = {
        "endpoints": ["sea.hub:5000"],
        "redirects": [{"host": "docker.io"}],
        "short_names": {"redis": "docker.io/library/redis"},
        "runtimes": ["docker", "containerd", "podman", "k3s"],
        "sandbox_image": "sea.hub:5000/busybox:1.35",
    }
    redirect(lab, tmp_path, **wanted)
    mirrors = json.loads(host.run("docker", "info", "--format", "{{json .RegistryConfig.Mirrors}}"))
    assert mirrors == ["https://sea.hub:5000/", "https://mirror.example/"]
    assert json.loads(host.read("/etc/docker/daemon.json"))["log-level"] == "info"
    assert 'sandbox_image = "sea.hub:5000/busybox:1.35"' in host.run("containerd", "config", "dump")
    assert set(yaml.safe_load(host.read("/etc/rancher/k3s/registries.yaml"))["mirrors"]) == {
        "own.example",
        "sea.hub:5000",
        "docker.io",
    }
    # What the host has for a short name counts before ours.
    assert "own.example" in host.try_("podman", "pull", "redis:7").errors

    # Nothing listens at the first port: each goes on with the next.
    pki = Path(yaml.safe_load(Path(lab["vars"]).read_text())["seahub_pki"])
    several = {"endpoints": ["sea.hub:5999", "sea.hub:5000"], "ca_certificate": (pki / "ca.crt").read_text()}
    redirect(lab, tmp_path, **{**wanted, **several})
    for pull, remove in RUNTIMES.values():
        host.run(*pull, "docker.io/library/busybox:1.35")
        host.run(*remove, "docker.io/library/busybox:1.35")

    redirect(lab, tmp_path, state="absent")
    assert listing(host) == own
    mirrors = json.loads(host.run("docker", "info", "--format", "{{json .RegistryConfig.Mirrors}}"))
    assert mirrors == ["https://mirror.example/"]
    assert "sea.hub" not in host.run("containerd", "config", "dump")

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One CA follows another in three runs of deploy.yml, on a host with docker that serves and pulls."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab import engine
from tests.lab.hosts import Hosts
from tests.lab.lab import Lab

DOMAIN = "rotation.hub"
PORT = 5200
IMAGE = f"{DOMAIN}:{PORT}/busybox:1.35"
STORE = "/usr/local/share/ca-certificates"


@dataclass(frozen=True)
class Site:
    """A small tree on the controller, and the one host."""

    folder: Path
    variables: dict[str, object]
    host: Remote

    def deploy(self, *options: str) -> Run:
        """Run deploy.yml."""
        return play("deploy.yml", "-i", self.folder / "inventory.yml", "-e", json.dumps(self.variables), *options)

    def step(self, name: str) -> Run:
        """Run deploy.yml, and take a step of the rotation."""
        return self.deploy("-e", f"seahub_ca_rotation={name}")

    def pull(self) -> None:
        """Let the host's docker pull what it does not have."""
        self.host.try_("docker", "image", "rm", IMAGE)
        self.host.run("docker", "pull", "--quiet", IMAGE)

    def trusted(self) -> dict[str, list[bytes]]:
        """What the host trusts: its own store, and docker."""
        store = self.host.run("sh", "-c", f"cat {STORE}/{DOMAIN}*.crt")
        docker = self.host.run("cat", f"/etc/docker/certs.d/{DOMAIN}:{PORT}/ca.crt")
        return {"store": sorted(_tls.certificates(store)), "docker": sorted(_tls.certificates(docker))}

    def authorities(self) -> list[bytes]:
        """What it should trust."""
        return _tls.certificates((self.folder / "pki/ca.crt").read_text())


@pytest.fixture(name="site", scope="module")
def fixture_site(lab: Description, running: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A tree with one image, deployed."""
    folder = tmp_path_factory.mktemp("rotation")
    variables: dict[str, object] = {
        "seahub_images": ["busybox:1.35"],
        "seahub_image_list": "",
        "seahub_charts": [],
        "seahub_platforms": ["linux/amd64"],
        "seahub_tree": str(folder / "tree"),
        "seahub_bundle": str(folder / "bundle.tar"),
        "seahub_pki": str(folder / "pki"),
        "seahub_domain": DOMAIN,
        "seahub_port": PORT,
    }
    run = play("build.yml", "-e", f"@{lab['vars']}", "-e", json.dumps(variables))
    assert run.status == 0, run.output
    carrier = engine.running(running.settings)
    assert carrier
    machines = Hosts(running.settings, carrier)
    host = machines.add("docker")
    try:
        login = yaml.safe_load(Path(lab["inventory"]).read_text())["all"]["children"]["run"]["vars"]
        inventory = {"run": {"hosts": {"docker": {"ansible_host": host.address}}, "vars": login}}
        (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
        with Remote("docker", host.address, lab["ssh"]) as remote:
            site = Site(folder, variables, remote)
            run = site.deploy()
            assert run.status == 0, run.output
            yield site
    finally:
        machines.drop(host)


def test_one_ca_follows_another(site: Site) -> None:
    (old,) = site.authorities()

    run = site.step("begin")
    assert run.status == 0, run.output
    both = site.authorities()
    assert both[0] == old
    assert site.trusted() == {"store": sorted(both), "docker": sorted(both)}
    site.pull()

    # As on a host that was off.
    second = f"{STORE}/{DOMAIN}+2.crt"
    site.host.run("mv", second, "/root/second")
    refused = site.step("switch")
    assert refused.status != 0
    assert "docker does not trust the next CA" in refused.output
    site.pull()
    site.host.run("mv", "/root/second", second)

    run = site.step("switch")
    assert run.status == 0, run.output
    assert site.authorities() == both
    site.pull()

    run = site.step("finish")
    assert run.status == 0, run.output
    assert site.authorities() == both[1:]
    assert site.trusted() == {"store": both[1:], "docker": both[1:]}
    site.pull()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What deploy.yml does to a host is told beforehand by a check, and taken back by reset.yml.

One host that nobody has used before, and goes afterwards; the tests build on each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from tests.e2e.conftest import Description, Small, inventory
from tests.e2e.picture import PICTURE
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab.hosts import Hosts

# One that lacks nothing.
HOST = "mounting"
# Nothing listens there.
GONE = {"ansible_host": "127.0.0.1", "ansible_port": 1}
USER, PASSWORD = "reader", "not a secret"

DAEMON_JSON = '{ "log-level":"info",\n\n   "labels" : ["own=1"] }'
CONFIG_JSON = '{"auths" : {"own.example":{"auth":"eDp5"}}}'
HOSTS_LINE = "192.0.2.7\town.example  # ours\n"


@dataclass(frozen=True)
class Site:
    """A host, a small tree for it, and what a user says of them."""

    folder: Path
    remote: Remote
    variables: dict[str, Any]

    @property
    def hosts_file(self) -> Path:
        """The inventory."""
        return self.folder / "inventory.yml"

    def play(self, playbook: str, *more: str, **variables: Any) -> Run:
        """Run one of the playbooks."""
        values = json.dumps(self.variables | variables)
        return play(f"{playbook}.yml", "-i", self.hosts_file, "-e", values, *more)

    def include(self, *roles: str) -> Run:
        """Run roles alone."""
        tasks = [{"name": role, "ansible.builtin.include_role": {"name": f"seahub.offline.{role}"}} for role in roles]
        playbook = self.folder / "roles.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "run", "become": True, "gather_facts": False, "tasks": tasks}]))
        return play(playbook, "-i", self.hosts_file, "-e", json.dumps(self.variables))

    def picture(self) -> list[str]:
        """What there is on the host."""
        return sorted(self.remote.run("sh", "-c", PICTURE).splitlines())


@pytest.fixture(name="site", scope="module")
def fixture_site(
    machines: Hosts, lab: Description, small: Small, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The host, as it is when it is new."""
    folder = tmp_path_factory.mktemp("reset")
    host = machines.add(HOST)
    try:
        inventory(lab, folder / "inventory.yml", [host])
        inventory(lab, folder / "with_gone.yml", [host], gone=GONE)
        users = [{"name": USER, "password_hash": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}]
        passwords = {f"{owner}_username": USER for owner in ("seahub", "client")}
        passwords |= {f"{owner}_password": PASSWORD for owner in ("seahub", "client")}
        places = {
            "seahub_tree": str(small.path),
            "verify_source": str(small.verified),
            "seahub_pki": str(folder / "pki"),
        }
        with Remote(HOST, host.address, lab["ssh"]) as remote:
            yield Site(folder, remote, {**places, **passwords, "registry_users": users})
    finally:
        machines.drop(host)


@pytest.fixture(name="own", scope="module")
def fixture_own(site: Site, lab: Description) -> list[str]:
    """The picture of the host, which has files and settings of its own, oddly written."""
    remote = site.remote
    remote.write("/etc/docker/daemon.json", DAEMON_JSON.encode())
    remote.write("/etc/hosts", remote.read("/etc/hosts") + HOSTS_LINE.encode())
    remote.write("/etc/containerd/config.toml", remote.read("/etc/containerd/config.toml") + b"\n# own\n")
    remote.run("mkdir", "/root/.docker")
    remote.write("/root/.docker/config.json", CONFIG_JSON.encode())
    remote.run("chmod", "600", "/root/.docker/config.json")
    registries = yaml.safe_load(Path(lab["vars"]).read_text())["seahub_registries"]
    authority = next(said["ca_cert"] for said in registries.values() if "ca_cert" in said)
    remote.write("/usr/local/share/ca-certificates/own.crt", Path(authority).read_bytes())
    remote.run("update-ca-certificates")
    return site.picture()


def unchanged(run: Run) -> bool:
    """Whether it has gone well and changed nothing."""
    return run.status == 0 and not any(run.changed.values())


def test_on_a_new_host_a_check_tells_what_would_be_done_and_changes_nothing(site: Site, own: list[str]) -> None:
    checked = site.play("deploy", "--check", "--diff")
    assert checked.status == 0, checked.output
    assert checked.changed[HOST] > 0
    for told in ("busybox:1.35", "/var/lib/seahub/certs", "the registry would be started", "/etc/hosts (content)"):
        assert told in checked.output, told
    assert site.picture() == own
    assert not (site.folder / "pki").exists()


def test_where_deploying_has_failed_halfway_what_was_done_is_taken_back(site: Site, own: list[str]) -> None:
    failed = site.play("deploy", registry_image="busybox:1.35", registry_timeout=2)
    assert failed.status != 0
    assert site.picture() != own
    run = site.play("reset", "-i", str(site.folder / "with_gone.yml"), seahub_reset_tree=True)
    # The host that is gone is told of, and does not keep the other one from its turn.
    assert (run.status, run.recap["gone"]["unreachable"]) == (4, 1), run.output
    assert site.picture() == own
    assert site.remote.try_("test", "-e", "/var/lib/seahub").status != 0


@pytest.fixture(name="deployed_once", scope="module")
def fixture_deployed_once(site: Site, own: list[str]) -> list[str]:
    """The picture of the host after deploy.yml."""
    deployed = site.play("deploy")
    assert deployed.status == 0, deployed.output
    picture = site.picture()
    assert picture != own
    return picture


def test_what_was_deployed_is_taken_back_and_what_was_there_stays(
    site: Site, own: list[str], deployed_once: list[str]
) -> None:
    settings = json.loads(site.remote.read("/etc/docker/daemon.json"))
    assert settings == {**json.loads(DAEMON_JSON), "registry-mirrors": ["https://sea.hub:5000"]}
    logins = json.loads(site.remote.read("/root/.docker/config.json"))["auths"]
    assert set(logins) == {"own.example", "sea.hub:5000"}
    assert HOSTS_LINE.encode() in site.remote.read("/etc/hosts")

    checked = site.play("reset", "--check", "--diff")
    assert checked.status == 0, checked.output
    assert checked.changed[HOST] > 0
    assert "the container seahub-registry is there" in checked.output
    assert site.picture() == deployed_once

    run = site.play("reset")
    assert run.status == 0, run.output
    assert site.picture() == own
    assert site.remote.run("ls", "-A", "/var/lib/seahub").split() == ["tree"]
    again = site.play("reset")
    assert unchanged(again), again.output


def test_after_a_reset_deploying_does_the_same_again(site: Site, deployed_once: list[str]) -> None:
    # It proves that the host can pull, or fails.
    deployed = site.play("deploy")
    assert deployed.status == 0, deployed.output
    assert site.picture() == deployed_once
    # What deploy.yml does beside this changes nothing on a host.
    again = site.include("registry", "client")
    assert unchanged(again), again.output

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

from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab import engine
from tests.lab.hosts import Hosts
from tests.lab.lab import Lab

# One that lacks nothing.
HOST = "mounting"
# Nothing listens there.
GONE = {"ansible_host": "127.0.0.1", "ansible_port": 1}
USER, PASSWORD = "reader", "not a secret"

DAEMON_JSON = '{ "log-level":"info",\n\n   "labels" : ["own=1"] }'
CONFIG_JSON = '{"auths" : {"own.example":{"auth":"eDp5"}}}'
HOSTS_LINE = "192.0.2.7\town.example  # ours\n"

# What is not compared, and why:
# - /root/.ansible: Ansible itself makes it, to bring its modules there
# - /var/lib/seahub/tree: stays unless told; what is there is sent once only
# - ports from 32768 on: containerd listens on another one after each start
# - what is in engines but images, containers, volumes, networks and mirrors: a layer cache shows in none of these
PICTURE = r"""
cd /
folders="etc usr/local root opt srv var/lib var/cache run/systemd/system"
skip="( -path root/.ansible -o -path var/lib/docker -o -path var/lib/containerd -o -path var/lib/containers
        -o -path var/lib/seahub/tree -o -path var/lib/systemd -o -path var/cache/private ) -prune -o"
find $folders -xdev $skip -type d -printf 'folder %p %m %u:%g\n' | grep -v ' var/lib/seahub '
find $folders -xdev $skip -type l -printf 'link %p %l\n'
find etc usr/local root opt srv -xdev $skip -type f -printf 'file %p %m %u:%g\n' -exec sha256sum {} +
docker image ls --all --format 'image {{.ID}} {{.Repository}}:{{.Tag}}'
docker container ls --all --format 'container {{.Names}}'
docker volume ls --format 'volume {{.Name}}'
docker network ls --format 'network {{.Name}}'
docker info --format 'mirrors {{json .RegistryConfig.Mirrors}}'
podman image ls --format 'podman image {{.Names}}'
systemctl list-unit-files --no-legend | awk '{print "unit", $1, $2}'
ss -Hlntu | awk '{split($5, parts, ":"); if (parts[length(parts)] < 32768) print "port", $1, $5}'
"""


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

    def picture(self) -> list[str]:
        """What there is on the host."""
        return sorted(self.remote.run("sh", "-c", PICTURE).splitlines())


@pytest.fixture(name="site", scope="module")
def fixture_site(running: Lab, lab: Description, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The host, as it is when it is new."""
    folder = tmp_path_factory.mktemp("reset")
    tree = {"seahub_tree": str(folder / "tree"), "seahub_bundle": str(folder / "bundle.tar")}
    small = {"seahub_images": ["busybox:1.35"], "seahub_image_list": "", "seahub_platforms": ["linux/amd64"]}
    built = play("build.yml", "-e", f"@{lab['vars']}", "-e", json.dumps(tree | small))
    assert built.status == 0, built.output
    carrier = engine.running(running.settings)
    assert carrier is not None
    machines = Hosts(running.settings, carrier)
    host = machines.add(HOST)
    try:
        login = yaml.safe_load(Path(lab["inventory"]).read_text())["all"]["children"]["run"]["vars"]
        hosts = {HOST: {"ansible_host": host.address}}
        (folder / "inventory.yml").write_text(yaml.safe_dump({"run": {"hosts": hosts, "vars": login}}))
        (folder / "with_gone.yml").write_text(yaml.safe_dump({"run": {"hosts": {"gone": GONE} | hosts, "vars": login}}))
        users = [{"name": USER, "password_hash": bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}]
        passwords = {f"{owner}_username": USER for owner in ("seahub", "client")}
        passwords |= {f"{owner}_password": PASSWORD for owner in ("seahub", "client")}
        variables = {**tree, **passwords, "seahub_pki": str(folder / "pki"), "registry_users": users}
        with Remote(HOST, host.address, lab["ssh"]) as remote:
            yield Site(folder, remote, variables)
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


def test_where_nothing_was_deployed_nothing_is_taken_back(site: Site, own: list[str]) -> None:
    run = site.play("reset")
    assert unchanged(run), run.output
    assert site.picture() == own


def test_where_deploying_has_failed_halfway_what_was_done_is_taken_back(site: Site, own: list[str]) -> None:
    failed = site.play("deploy", registry_image="busybox:1.35", registry_timeout=2)
    assert failed.status != 0
    assert site.picture() != own
    run = site.play("reset", "-i", str(site.folder / "with_gone.yml"), seahub_reset_tree=True)
    # The host that is gone is told of, and does not keep the other one from its turn.
    assert (run.status, run.recap["gone"]["unreachable"]) == (4, 1), run.output
    assert site.picture() == own
    assert site.remote.try_("test", "-e", "/var/lib/seahub").status != 0


def test_what_was_deployed_is_taken_back_and_what_was_there_stays(site: Site, own: list[str]) -> None:
    deployed = site.play("deploy")
    assert deployed.status == 0, deployed.output
    settings = json.loads(site.remote.read("/etc/docker/daemon.json"))
    assert settings == {**json.loads(DAEMON_JSON), "registry-mirrors": ["https://sea.hub:5000"]}
    logins = json.loads(site.remote.read("/root/.docker/config.json"))["auths"]
    assert set(logins) == {"own.example", "sea.hub:5000"}
    assert HOSTS_LINE.encode() in site.remote.read("/etc/hosts")
    there = site.picture()

    checked = site.play("reset", "--check", "--diff")
    assert checked.status == 0, checked.output
    assert checked.changed[HOST] > 0
    assert "the container seahub-registry is there" in checked.output
    assert site.picture() == there

    run = site.play("reset")
    assert run.status == 0, run.output
    assert site.picture() == own
    assert site.remote.run("ls", "-A", "/var/lib/seahub").split() == ["tree"]
    again = site.play("reset")
    assert unchanged(again), again.output


def test_after_a_reset_deploying_does_the_same_again(site: Site) -> None:
    # It proves that the host can pull, or fails.
    deployed = site.play("deploy")
    assert deployed.status == 0, deployed.output
    again = site.play("deploy")
    assert unchanged(again), again.output

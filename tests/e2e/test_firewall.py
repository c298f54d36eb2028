# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry host with ufw, and with firewalld: both really run, and are opened only when told to."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab import engine
from tests.lab.hosts import Hosts
from tests.lab.lab import Lab
from tests.lab.packages import Archive
from tests.lab.settings import Settings

# Not sea.hub: what the other tests have set up stays as it is.
DOMAIN, PORT = "walled.hub", 5200
FOLDER = "/var/lib/walled"
HOST = "walled"
IMAGE = "library/busybox:1.35"
TRUSTED = "/tmp/walled"
OWN_PORT = "5999/tcp"
# What the hosts lack for firewalld. Debian's package also wants NetworkManager's bindings and polkit; it runs without.
FIREWALLD = (
    "firewalld",
    "python3-firewall",
    "python3-nftables",
    "nftables",
    "libnftables1",
    "libjansson4",
    "python3-gi",
    "libgirepository-1.0-1",
    "gir1.2-glib-2.0",
    "python3-dbus",
)
VALUES: dict[str, Any] = {
    "registry_domain": DOMAIN,
    "registry_port": PORT,
    "registry_container": "walled",
    "registry_dir": FOLDER,
    "registry_engine": "none",
    "preflight_domain": DOMAIN,
    "preflight_port": PORT,
    "preflight_dir": FOLDER,
    "preflight_clients": [],
}


@dataclass(frozen=True)
class Firewall:
    """How a firewall is set up, asked and ended, as lists of command lines."""

    name: str
    start: tuple[str, ...]
    reload: str
    rules: tuple[str, ...]
    stop: str


UFW = Firewall(
    "ufw",
    # One rule of the owner's, beside that for SSH, and what is no longer there is to be that alone.
    ("ufw allow 22/tcp", f"ufw allow {OWN_PORT}", "ufw --force enable"),
    "ufw reload",
    ("ufw status",),
    "ufw --force disable",
)
FIREWALL_CMD = Firewall(
    "firewall-cmd",
    (
        "systemctl start firewalld",
        f"firewall-cmd --quiet --add-port={OWN_PORT}",
        f"firewall-cmd --quiet --permanent --add-port={OWN_PORT}",
    ),
    "firewall-cmd --reload",
    ("firewall-cmd --list-all", "firewall-cmd --permanent --list-all"),
    "systemctl stop firewalld",
)


@dataclass(frozen=True)
class Site:
    """The registry host behind a firewall, and a client."""

    folder: Path
    registry: Remote
    client: Remote
    firewall: Firewall

    def run(self, role: str, *options: str, entry: str = "main", **more: Any) -> Run:
        """Run a role: that of the registry on its host, the preflight on both."""
        values = {**json.loads((self.folder / "values.json").read_text()), **more}
        task = {
            "name": "Do it",
            "ansible.builtin.include_role": {"name": f"seahub.offline.{role}", "tasks_from": entry},
        }
        hosts = "run" if role == "preflight" else HOST
        playbook = self.folder / "play.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": hosts, "gather_facts": False, "vars": values, "tasks": [task]}]))
        return play(playbook, "-i", self.folder / "inventory.yml", *options)

    def rules(self) -> str:
        """What the firewall lets in, now and after a reload."""
        return "".join(self.registry.run(*command.split()) for command in self.firewall.rules)

    def lets_in(self) -> bool:
        """Whether the port is reached from outside of the host."""
        try:
            socket.create_connection((self.registry.address, PORT), timeout=2).close()
        except OSError:
            return False
        return True

    def pull(self) -> str:
        """Let the client pull; give what it says."""
        name = f"{self.registry.address}:{PORT}/{IMAGE}"
        self.client.run("mkdir", "-p", TRUSTED)
        self.client.write(f"{TRUSTED}/ca.crt", (self.folder / "pki" / "ca.crt").read_bytes())
        try:
            return self.client.run("podman", "pull", "--quiet", "--cert-dir", TRUSTED, name)
        finally:
            self.client.try_("podman", "rmi", name)
            self.client.run("rm", "-r", TRUSTED)


@pytest.fixture(name="machine", scope="module")
def fixture_machine(running: Lab, lab: Description) -> Iterator[Remote]:
    """One more host, which has both firewalls."""
    carrier = engine.running(running.settings)
    assert carrier
    machines = Hosts(running.settings, carrier)
    host = machines.add(HOST)
    try:
        with Remote(host.name, host.address, lab["ssh"]) as remote:
            remote.run("mkdir", "/root/packages")
            for package in Archive(Settings(), "amd64").download(FIREWALLD):
                carrier.docker("cp", package, f"{host.container}:/root/packages")
            # They are to be there, and not to run yet.
            remote.run("systemctl", "mask", "firewalld")
            remote.run("sh", "-c", "dpkg --force-depends --no-triggers --install /root/packages/*.deb")
            remote.run("systemctl", "unmask", "firewalld")
            yield remote
    finally:
        machines.drop(host)


@pytest.fixture(name="site", scope="module", params=[UFW, FIREWALL_CMD], ids=["ufw", "firewalld"])
def fixture_site(
    request: pytest.FixtureRequest,
    machine: Remote,
    hosts: dict[str, Remote],
    lab: Description,
    built: Run,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """A registry host whose firewall lets in nothing but what its owner wants."""
    folder = tmp_path_factory.mktemp("walled")
    site = Site(folder, machine, hosts["run2"], request.param)
    login = yaml.safe_load(Path(lab["inventory"]).read_text())["all"]["children"]["run"]["vars"]
    addresses = {remote.name: {"ansible_host": remote.address} for remote in (machine, site.client)}
    groups = {"run": {"hosts": addresses, "vars": login}, "registry": {"hosts": {HOST: {}}}}
    (folder / "inventory.yml").write_text(yaml.safe_dump({"all": {"children": groups}}))
    tree = yaml.safe_load(Path(lab["vars"]).read_text())["seahub_tree"]
    places = {"seahub_source": tree, "seahub_pki": str(folder / "pki")}
    (folder / "values.json").write_text(json.dumps(VALUES | places))
    for command in site.firewall.start:
        machine.run(*command.split())
    yield site
    machine.run(*site.firewall.stop.split())


@pytest.fixture(name="before", scope="module")
def fixture_before(site: Site) -> str:
    """What the firewall let in before the role came."""
    return site.rules()


@pytest.fixture(name="served", scope="module")
def fixture_served(site: Site, before: str) -> Run:
    """The registry runs, and nobody was told to open the firewall."""
    assert str(PORT) not in before
    run = site.run("registry")
    assert run.status == 0, run.output
    return run


@pytest.fixture(name="opened", scope="module")
def fixture_opened(site: Site, served: Run) -> Run:
    """The role was told to open the firewall."""
    run = site.run("registry", entry="firewall", seahub_open_firewall=True)
    assert run.status == 0, run.output
    return run


@pytest.mark.usefixtures("before")
def test_preflight_says_that_the_port_is_closed_unless_it_is_to_be_opened(site: Site) -> None:
    closed = site.run("preflight")
    assert closed.status != 0
    assert f"{site.client.name}: the registry's address {site.registry.address} is not reached on port {PORT}" in (
        closed.output
    )
    assert "seahub_open_firewall" in closed.output
    told = site.run("preflight", seahub_open_firewall=True)
    assert (told.status, any(told.changed.values())) == (0, False), told.output


def test_it_is_not_opened_without_being_told(site: Site, before: str, served: Run) -> None:
    assert f"A firewall runs on {HOST} ({site.firewall.name})" in served.output
    assert site.rules() == before
    assert not site.lets_in()


@pytest.mark.usefixtures("served")
def test_a_check_says_that_it_would_be_opened_and_opens_nothing(site: Site, before: str) -> None:
    checked = site.run("registry", "--check", entry="firewall", seahub_open_firewall=True)
    assert checked.status == 0, checked.output
    assert checked.changed[HOST] > 0
    assert site.rules() == before
    assert site.registry.try_("test", "-e", f"{FOLDER}/firewall").status != 0


@pytest.mark.usefixtures("opened")
def test_clients_pull_through_it_also_after_a_reload(site: Site) -> None:
    assert site.lets_in()
    assert site.pull()
    site.registry.run(*site.firewall.reload.split())
    assert site.lets_in()
    again = site.run("registry", entry="firewall", seahub_open_firewall=True)
    assert (again.status, again.changed[HOST]) == (0, 0), again.output


@pytest.mark.usefixtures("opened")
def test_reset_closes_what_was_opened_and_nothing_else(site: Site, before: str) -> None:
    assert site.lets_in()
    assert site.run("registry", "--check", entry="firewall_reset").status == 0
    assert site.lets_in()
    reset = site.run("registry", entry="reset", registry_reset_tree=True)
    assert reset.status == 0, reset.output
    assert site.rules() == before
    assert site.registry.try_("test", "-e", FOLDER).status != 0


def test_reset_closes_one_that_has_ended_for_when_it_starts(site: Site, before: str) -> None:
    opened = site.run("registry", entry="firewall", seahub_open_firewall=True)
    assert opened.status == 0, opened.output
    site.registry.run(*site.firewall.stop.split())
    reset = site.run("registry", entry="firewall_reset")
    assert reset.status == 0, reset.output
    for command in site.firewall.start:
        site.registry.run(*command.split())
    assert site.rules() == before
    site.registry.run("rm", "-r", FOLDER)

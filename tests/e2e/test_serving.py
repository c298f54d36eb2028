# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry on hosts with docker alone, with podman alone, and with nothing but systemd; and they are its clients.

The tests build on each other. In the end the hosts are as they were.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from ansible_collections.seahub.offline.plugins.module_utils.serving import _registry_service
from tests.e2e.conftest import Description, Small, inventory
from tests.e2e.picture import PICTURE
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab.hosts import Host, Hosts

# Not sea.hub: what the other tests have set up stays as it is.
REGISTRY = "serving.hub:5100"
DOMAIN, _COLON, PORT = REGISTRY.partition(":")
NAME = "serving"
FOLDER = "/var/lib/serving"
CERTIFICATES = f"/etc/docker/certs.d/{REGISTRY}"
IMAGE = f"{REGISTRY}/busybox:1.35"
ENGINES = {"docker": "docker", "podman": "podman", "bare": "none"}
USER, PASSWORD = "reader", "not a secret"
# Longer than any gap should be on a busy machine; the true one is printed.
GAP = 30.0


STORE = "/usr/local/share/ca-certificates"
# Where each runtime looks for a CA, and how it pulls and forgets.
CLIENTS = {
    "docker": (
        f"{CERTIFICATES}/ca.crt",
        ("docker", "pull", "--quiet"),
        ("docker", "image", "rm"),
    ),
    "ctr": (
        f"/etc/containerd/certs.d/{REGISTRY}/ca.crt",
        ("ctr", "images", "pull", "--hosts-dir", "/etc/containerd/certs.d"),
        ("ctr", "images", "rm"),
    ),
    "podman": (
        f"/etc/containers/certs.d/{REGISTRY}/ca.crt",
        ("podman", "pull", "--quiet"),
        ("podman", "image", "rm"),
    ),
}
HAS = {"docker": ("docker", "ctr"), "podman": ("podman",), "bare": ()}


@dataclass(frozen=True)
class Site:
    """A small tree on the controller, and the hosts that serve it, all three at once."""

    folder: Path
    small: Small
    machines: Hosts
    hosts: dict[str, Host]

    @property
    def inventory(self) -> Path:
        """For these hosts alone."""
        return self.folder / "inventory.yml"

    @property
    def variables(self) -> dict[str, Any]:
        """What they are to be. Each is its own client."""
        return {
            "seahub_domain": DOMAIN,
            "seahub_port": int(PORT),
            "seahub_pki": str(self.folder / "pki"),
            "seahub_source": str(self.small.path),
            "registry_container": NAME,
            "registry_dir": FOLDER,
            "client_registry_address": ["{{ ansible_host }}"],
            "client_redirect": False,
        }

    def serve(self, **settings: Any) -> Run:
        """Let the hosts serve the tree."""
        return self._play(["registry"], settings)

    def serve_and_trust(self, **settings: Any) -> Run:
        """Let them serve the tree, and each be a client of itself."""
        return self._play(["registry", "client"], settings)

    def prove(self) -> Run:
        """Let each host trust its own registry, log in there, and pull."""
        login = {"seahub_username": USER, "seahub_password": PASSWORD}
        places = {
            "verify_source": str(self.small.verified),
            "verify_evidence": str(self.folder / "evidence.json"),
        }
        return self._play(["client", "verify"], login | places)

    def reset(self) -> Run:
        """Take it all back."""
        values = {**self.variables, "seahub_reset_tree": True}
        return play("reset.yml", "-i", self.inventory, "-i", self.folder / "all_serve.yml", "-e", json.dumps(values))

    def run(self, kind: str, command: str) -> str:
        """Run a command of the shell on a host."""
        return self.machines.engine.docker("exec", self.hosts[kind].container, "sh", "-c", command)

    def picture(self, kind: str) -> list[str]:
        """What there is on a host of all that this is about."""
        return sorted(self.run(kind, PICTURE).splitlines())

    def authorities(self) -> list[bytes]:
        """The CAs that the hosts are to trust."""
        return sorted(_tls.certificates((self.folder / "pki/ca.crt").read_text()))

    def trusted(self) -> dict[str, list[bytes]]:
        """The CAs that they trust, everywhere: the systems themselves, and their runtimes."""
        files = {f"{kind}: system": (kind, f"{STORE}/{DOMAIN}*.crt") for kind in ENGINES}
        files |= {f"{kind}: {client}": (kind, CLIENTS[client][0]) for kind in ENGINES for client in HAS[kind]}
        return {who: sorted(_tls.certificates(self.run(kind, f"cat {path}"))) for who, (kind, path) in files.items()}

    def pull(self) -> None:
        """Let each client of each host pull what it does not have."""
        for kind, clients in HAS.items():
            for _path, pull, remove in (CLIENTS[client] for client in clients):
                self.run(kind, " ".join((*pull, IMAGE)))
                self.run(kind, " ".join((*remove, IMAGE)))

    def answers(self, kind: str) -> bool:
        """Whether a host answers over verified TLS, be it that one needs a password."""
        trust = _tls.context(str(self.folder / "pki/ca.crt"))
        connection = _tls.Connection(DOMAIN, int(PORT), trust, self.hosts[kind].address, timeout=5)
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status in (200, 401)
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _play(self, roles: list[str], settings: dict[str, Any]) -> Run:
        tasks = [{"name": role, "ansible.builtin.include_role": {"name": f"seahub.offline.{role}"}} for role in roles]
        playbook = self.folder / "play.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "run", "gather_facts": False, "tasks": tasks}]))
        return play(playbook, "-i", self.inventory, "-e", json.dumps({**self.variables, **settings}))


@pytest.fixture(name="site", scope="module")
def fixture_site(
    lab: Description, machines: Hosts, small: Small, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A host of each kind."""
    hosts = {}
    try:
        for kind in ENGINES:
            hosts[kind] = machines.add(kind)
        site = Site(tmp_path_factory.mktemp("serving"), small, machines, hosts)
        inventory(lab, site.inventory, hosts.values())
        (site.folder / "all_serve.yml").write_text(yaml.safe_dump({"registry": {"children": {"run": {}}}}))
        yield site
    finally:
        for host in hosts.values():
            machines.drop(host)


@pytest.fixture(name="new", scope="module")
def fixture_new(site: Site) -> dict[str, list[str]]:
    """What there is on each host before anything is done to it."""
    return {kind: site.picture(kind) for kind in ENGINES}


@pytest.fixture(name="served", scope="module")
def fixture_served(site: Site, new: dict[str, list[str]]) -> Run:
    """They serve the tree, and trust themselves."""
    run = site.serve_and_trust()
    assert run.status == 0, run.output
    return run


@contextmanager
def found(client: Remote, site: Site, kind: str) -> Iterator[None]:
    """A host finds and trusts the registry of another one for a while."""
    names = client.read("/etc/hosts")
    client.run("mkdir", "-p", CERTIFICATES)
    client.write(f"{CERTIFICATES}/ca.crt", (site.folder / "pki/ca.crt").read_bytes())
    client.write("/etc/hosts", names + f"{site.hosts[kind].address} {DOMAIN}\n".encode())
    try:
        yield
    finally:
        client.write("/etc/hosts", names)
        client.run("rm", "-r", CERTIFICATES)
        client.try_("docker", "image", "rm", IMAGE)


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.usefixtures("served")
def test_another_hosts_docker_pulls(site: Site, hosts: dict[str, Remote], kind: str) -> None:
    with found(hosts["run2"], site, kind):
        hosts["run2"].run("docker", "pull", "--quiet", IMAGE)
        assert hosts["run2"].run("docker", "run", "--rm", "--network=none", IMAGE, "echo", "here").strip() == "here"


@pytest.mark.usefixtures("served")
def test_a_second_run_changes_nothing(site: Site) -> None:
    again = site.serve_and_trust()
    assert (again.status, again.changed) == (0, dict.fromkeys(ENGINES, 0)), again.output


@pytest.mark.usefixtures("served")
def test_the_program_runs_as_nobody_in_particular(site: Site) -> None:
    shown = site.run("bare", f"stat -c %u /proc/$(systemctl show -P MainPID {NAME})")
    # The range of systemd's dynamic users.
    assert 61184 <= int(shown) <= 65519


@pytest.mark.usefixtures("served")
def test_one_ca_follows_another(site: Site) -> None:
    (old,) = site.authorities()

    run = site.serve_and_trust(seahub_ca_rotation="begin")
    assert run.status == 0, run.output
    both = site.authorities()
    assert len(both) == 2
    assert old in both
    assert site.trusted() == dict.fromkeys(site.trusted(), both)
    site.pull()

    # As on a host that was off.
    second = f"{STORE}/{DOMAIN}+2.crt"
    site.run("podman", f"mv {second} /root/second")
    refused = site.serve(seahub_ca_rotation="switch")
    assert refused.status != 0
    assert "podman does not trust the next CA" in refused.output
    site.pull()
    site.run("podman", f"mv /root/second {second}")

    run = site.serve(seahub_ca_rotation="switch")
    assert run.status == 0, run.output
    assert site.authorities() == both
    site.pull()

    run = site.serve_and_trust(seahub_ca_rotation="finish")
    assert run.status == 0, run.output
    assert site.authorities() == [each for each in both if each != old]
    assert site.trusted() == dict.fromkeys(site.trusted(), site.authorities())
    site.pull()


class Watch(threading.Thread):
    """Asks a registry again and again, until told to end; knows the longest time without an answer."""

    def __init__(self, site: Site, kind: str) -> None:
        super().__init__()
        self.gap = 0.0
        self.ended = threading.Event()
        self._ask = lambda: site.answers(kind)

    def run(self) -> None:
        last = time.monotonic()
        while not self.ended.wait(0.05):
            if self._ask():
                now = time.monotonic()
                self.gap, last = max(self.gap, now - last), now


def test_another_image_and_users_replace_the_registry_with_a_short_gap(site: Site, served: Run) -> None:
    password_hash = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(rounds=5)).decode()
    watches = {kind: Watch(site, kind) for kind in ENGINES}
    for watch in watches.values():
        watch.start()
    try:
        run = site.serve(
            registry_image="registry:3" if site.small.newer else "registry:2",
            registry_users=[{"name": USER, "password_hash": password_hash}],
            registry_username=USER,
            registry_password=PASSWORD,
        )
    finally:
        for watch in watches.values():
            watch.ended.set()
            watch.join()
    assert run.status == 0, run.output
    assert PASSWORD not in run.output
    assert password_hash not in run.output
    print({kind: f"{watch.gap:.2f} s" for kind, watch in watches.items()})  # noqa: T201  a figure, for who runs with -s
    assert all(watch.gap < GAP for watch in watches.values())


@pytest.mark.parametrize("kind", ENGINES)
@pytest.mark.usefixtures("served")
def test_it_serves_again_after_a_reboot(
    machines: Hosts, site: Site, hosts: dict[str, Remote], kind: str, tmp_path: Path
) -> None:
    site.hosts[kind] = machines.reboot(site.hosts[kind])
    deadline = time.monotonic() + GAP
    while not site.answers(kind):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    with found(hosts["run2"], site, kind):
        refused = hosts["run2"].try_("docker", "pull", "--quiet", IMAGE)
        assert "no basic auth credentials" in refused.errors
        login = f"echo {PASSWORD!r} | docker --config /tmp/serving login --username {USER} --password-stdin {REGISTRY}"
        hosts["run2"].run("sh", "-c", login)
        hosts["run2"].run("docker", "--config", "/tmp/serving", "pull", "--quiet", IMAGE)
        hosts["run2"].run("rm", "-r", "/tmp/serving")


@pytest.mark.usefixtures("served")
def test_a_host_proves_that_a_user_can_pull_with_the_clients_that_it_has(site: Site) -> None:
    run = site.prove()
    assert "bare: " in run.output
    assert "no client that pulls images runs on this host" in run.output
    assert PASSWORD not in run.output
    hosts = json.loads((site.folder / "evidence.json").read_text())["hosts"]
    clients = {
        kind: {(pull["client"], pull["ok"], pull["error"]) for pull in hosts[kind]["pulls"]}
        for kind in ("docker", "podman")
    }
    assert clients == {
        "docker": {("docker", True, ""), ("ctr", True, "")},
        "podman": {("podman", True, "")},
    }


@pytest.mark.usefixtures("served")
def test_it_is_all_taken_back(site: Site, new: dict[str, list[str]]) -> None:
    # As if an upgrade had been cut off before the new container could take the place of the old one.
    image = f"$(docker container inspect --format '{{{{.Image}}}}' {NAME})"
    site.run("docker", f"docker create --name {NAME}-next --label {_registry_service.LABEL}= {image}")
    run = site.reset()
    assert run.status == 0, run.output
    assert not any(site.answers(kind) for kind in ENGINES)
    assert {kind: site.picture(kind) for kind in ENGINES} == new
    again = site.reset()
    assert (again.status, again.changed) == (0, dict.fromkeys(ENGINES, 0)), again.output

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry on hosts with docker alone, with podman alone, and with nothing but systemd."""

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
from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab import engine, registry3
from tests.lab.hosts import Host, Hosts
from tests.lab.images import build
from tests.lab.lab import Lab
from tests.lab.upstream import Upstream

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


@dataclass(frozen=True)
class Site:
    """A small tree on the controller, and the hosts that serve it, all three at once."""

    folder: Path
    hosts: dict[str, Host]
    newer: bool  # whether there is registry:3 in the tree

    @property
    def inventory(self) -> Path:
        """For these hosts alone."""
        return self.folder / "inventory.yml"

    def serve(self, **settings: Any) -> Run:
        """Let the hosts serve the tree."""
        values = {
            "registry_source": str(self.folder / "tree"),
            "registry_pki": str(self.folder / "pki"),
            "registry_domain": DOMAIN,
            "registry_port": int(PORT),
            "registry_container": NAME,
            "registry_dir": FOLDER,
            **settings,
        }
        role = {"name": "Serve", "ansible.builtin.include_role": {"name": "seahub.offline.registry"}, "vars": values}
        return self._play(role)

    def stop(self) -> Run:
        """Let them serve it no longer."""
        options = {"name": NAME, "state": "absent", "config": f"{FOLDER}/config.yml"}
        return self._play({"name": "Stop", "seahub.offline.registry_service": options})

    def prove(self) -> Run:
        """Let each host trust its own registry, log in there, and pull."""
        values = {
            "seahub_domain": DOMAIN,
            "seahub_port": int(PORT),
            "seahub_pki": str(self.folder / "pki"),
            "seahub_source": str(self.folder / "tree"),
            "seahub_username": USER,
            "seahub_password": PASSWORD,
            "client_registry_address": ["{{ ansible_host }}"],
            "client_redirect": False,
            "verify_evidence": str(self.folder / "evidence.json"),
        }
        roles = [f"seahub.offline.{name}" for name in ("client", "verify")]
        return self._play(
            *({"name": role, "ansible.builtin.include_role": {"name": role}, "vars": values} for role in roles)
        )

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

    def _play(self, *tasks: dict[str, Any]) -> Run:
        playbook = self.folder / "play.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "run", "gather_facts": False, "tasks": list(tasks)}]))
        return play(playbook, "-i", self.inventory)


@pytest.fixture(name="machines", scope="module")
def fixture_machines(running: Lab) -> Hosts:
    """All hosts of the lab."""
    carrier = engine.running(running.settings)
    assert carrier
    return Hosts(running.settings, carrier)


@pytest.fixture(name="site", scope="module")
def fixture_site(
    lab: Description, running: Lab, machines: Hosts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """A tree with one image and the registry's own, and a host of each kind."""
    folder = tmp_path_factory.mktemp("serving")
    images = ["busybox:1.35"]
    if registry3.can_be_built():
        upstream = Upstream(running.settings)
        image = build(running.settings, registry3.image(running.settings))
        upstream.client(upstream.open).push("library/registry", "3", image.blobs, image.manifests)
        images.append("registry:3")
    wanted = {
        "seahub_images": images,
        "seahub_image_list": "",
        "seahub_charts": [],
        "seahub_platforms": ["linux/amd64"],
    }
    places = {"seahub_tree": str(folder / "tree"), "seahub_bundle": str(folder / "bundle.tar")}
    run = play("build.yml", "-e", f"@{lab['vars']}", "-e", json.dumps(wanted | places))
    assert run.status == 0, run.output
    hosts = {}
    try:
        for kind in ENGINES:
            hosts[kind] = machines.add(kind)
        site = Site(folder, hosts, "registry:3" in images)
        login = yaml.safe_load(Path(lab["inventory"]).read_text())["all"]["children"]["run"]["vars"]
        addresses = {kind: {"ansible_host": host.address} for kind, host in hosts.items()}
        site.inventory.write_text(yaml.safe_dump({"run": {"hosts": addresses, "vars": login}}))
        yield site
    finally:
        for host in hosts.values():
            machines.drop(host)


@pytest.fixture(name="served", scope="module")
def fixture_served(site: Site) -> Run:
    """They serve the tree."""
    run = site.serve()
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
    again = site.serve()
    assert (again.status, again.changed) == (0, dict.fromkeys(ENGINES, 0)), again.output


@pytest.mark.usefixtures("served")
def test_the_program_runs_as_nobody_in_particular(machines: Hosts, site: Site) -> None:
    shown = machines.engine.docker(
        "exec", site.hosts["bare"].container, "sh", "-c", f"stat -c %u /proc/$(systemctl show -P MainPID {NAME})"
    )
    # The range of systemd's dynamic users.
    assert 61184 <= int(shown) <= 65519


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
            registry_image="registry:3" if site.newer else "registry:2",
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
def test_it_can_be_taken_away(machines: Hosts, site: Site) -> None:
    run = site.stop()
    assert run.status == 0, run.output
    assert not any(site.answers(kind) for kind in ENGINES)
    again = site.stop()
    assert (again.status, again.changed) == (0, dict.fromkeys(ENGINES, 0)), again.output
    left = machines.engine.docker(
        "exec",
        site.hosts["bare"].container,
        "sh",
        "-c",
        f"ls -d /usr/local/bin/{NAME}* /etc/systemd/system/{NAME}* || :",
    )
    assert left == ""

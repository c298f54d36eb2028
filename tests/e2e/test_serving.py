# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry with docker, with podman alone, and with nothing but systemd; and pulls by another host's docker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.seahub.offline.plugins.module_utils import _tls
from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab import engine
from tests.lab.hosts import Host, Hosts
from tests.lab.lab import Lab

# Not sea.hub: what the other tests have set up stays as it is.
REGISTRY = "serving.hub:5100"
DOMAIN, _COLON, PORT = REGISTRY.partition(":")
NAME = "serving"
FOLDER = "/var/lib/serving"
IMAGE = f"{REGISTRY}/busybox:1.35"
CERTIFICATES = f"/etc/docker/certs.d/{REGISTRY}"
PASSWORD = "not a secret"
KINDS = ("podman", "bare", "run1")


@dataclass(frozen=True)
class Site:
    """A small tree on the controller, and its certificates."""

    folder: Path
    inventory: Path

    def serve(self, host: str, **settings: Any) -> Run:
        """Let a host serve the tree."""
        values = {
            "registry_source": str(self.folder / "tree"),
            "registry_pki": str(self.folder / "pki"),
            "registry_domain": DOMAIN,
            "registry_port": int(PORT),
            "registry_container": NAME,
            "registry_dir": FOLDER,
            **settings,
        }
        playbook = self.folder / "serve.yml"
        role = {"name": "Serve", "ansible.builtin.include_role": {"name": "seahub.offline.registry"}, "vars": values}
        playbook.write_text(
            yaml.safe_dump([{"hosts": host, "gather_facts": False, "any_errors_fatal": True, "tasks": [role]}])
        )
        return play(playbook, "-i", self.inventory)

    def stop(self, host: str) -> Run:
        """Let a host serve it no longer."""
        playbook = self.folder / "stop.yml"
        task = {
            "name": "Stop",
            "seahub.offline.registry_service": {"name": NAME, "state": "absent", "config": f"{FOLDER}/config.yml"},
        }
        playbook.write_text(yaml.safe_dump([{"hosts": host, "gather_facts": False, "tasks": [task]}]))
        return play(playbook, "-i", self.inventory)

    def get(self, address: str, path: str = "/v2/") -> int:
        """Ask a registry; gives the status."""
        connection = _tls.Connection(DOMAIN, int(PORT), _tls.context(str(self.folder / "pki/ca.crt")), address, 2)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()


@pytest.fixture(name="machines", scope="module")
def fixture_machines(running: Lab) -> Hosts:
    """All hosts of the lab."""
    carrier = engine.running(running.settings)
    assert carrier
    return Hosts(running.settings, carrier)


@pytest.fixture(name="site", scope="module")
def fixture_site(lab: Description, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A tree with one image, and the registry's own."""
    folder = tmp_path_factory.mktemp("serving")
    wanted = {"seahub_images": ["busybox:1.35"], "seahub_image_list": "", "seahub_charts": []}
    wanted |= {"seahub_platforms": ["linux/amd64"], "seahub_tree": str(folder / "tree")}
    wanted |= {"seahub_bundle": str(folder / "bundle.tar")}
    run = play("build.yml", "-e", f"@{lab['vars']}", "-e", json.dumps(wanted))
    assert run.status == 0, run.output
    return Site(folder, folder / "inventory.yml")


@pytest.fixture(name="host", scope="module", params=KINDS)
def fixture_host(
    request: pytest.FixtureRequest, lab: Description, machines: Hosts, site: Site, hosts: dict[str, Remote]
) -> Iterator[Host]:
    """A host of one kind, alone in the inventory. Those that are no others' are taken away afterwards."""
    kind = request.param
    extra = kind not in lab["hosts"]
    host = machines.add(kind) if extra else next(found for found in machines.running() if found.name == kind)
    inventory = yaml.safe_load(Path(lab["inventory"]).read_text())
    inventory["all"]["children"] = {
        "run": {"hosts": {kind: {"ansible_host": host.address}}, "vars": inventory["all"]["children"]["run"]["vars"]}
    }
    site.inventory.write_text(yaml.safe_dump(inventory))
    try:
        yield host
    finally:
        if extra:
            machines.drop(host)
        else:
            assert site.stop(kind).status == 0
            hosts[kind].run("rm", "-rf", FOLDER)


@pytest.fixture(name="served", scope="module")
def fixture_served(site: Site, host: Host) -> Run:
    """The host serves the tree."""
    run = site.serve(host.name)
    assert run.status == 0, run.output
    return run


@contextmanager
def trusting(client: Remote, site: Site, address: str) -> Iterator[None]:
    """A host finds and trusts the registry for a while."""
    names = client.read("/etc/hosts")
    client.run("mkdir", "-p", CERTIFICATES)
    client.write(f"{CERTIFICATES}/ca.crt", (site.folder / "pki/ca.crt").read_bytes())
    client.write("/etc/hosts", names + f"{address} {DOMAIN}\n".encode())
    try:
        yield
    finally:
        client.write("/etc/hosts", names)
        client.run("rm", "-r", CERTIFICATES)
        client.try_("docker", "image", "rm", IMAGE)


def test_another_host_pulls(served: Run, site: Site, host: Host, hosts: dict[str, Remote]) -> None:
    client = hosts["run2"]
    with trusting(client, site, host.address):
        client.run("docker", "pull", "--quiet", IMAGE)
        assert client.run("docker", "run", "--rm", "--network=none", IMAGE, "echo", "here").strip() == "here"


def test_a_second_run_changes_nothing(served: Run, site: Site, host: Host) -> None:
    again = site.serve(host.name)
    assert (again.status, again.changed[host.name]) == (0, 0), again.output

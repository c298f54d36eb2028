# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab, and the site that the playbooks make in it, for all end-to-end tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab import engine, registry3
from tests.lab.hosts import Host, Hosts
from tests.lab.images import build
from tests.lab.lab import Lab
from tests.lab.programs import REGISTRY_3
from tests.lab.upstream import Upstream

HOSTS = 3

Description = dict[str, Any]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark the tests that need the lab: only one process can have it."""
    if isinstance(item, pytest.Function) and "running" in item.fixturenames:
        item.add_marker(pytest.mark.lab)


@pytest.fixture(name="running", scope="session")
def fixture_running() -> Iterator[Lab]:
    """The lab. One that runs already is used, and goes on afterwards."""
    lab = Lab()
    found = lab.is_up()
    try:
        if not found:
            lab.up(HOSTS)
        yield lab
    finally:
        if not found:
            lab.down()


@pytest.fixture(name="lab", scope="session")
def fixture_lab(running: Lab) -> Description:
    """What the lab says of itself."""
    description: Description = json.loads(running.settings.description.read_text())
    return description


@pytest.fixture(name="machines", scope="session")
def fixture_machines(running: Lab) -> Hosts:
    """All hosts of the lab, and what brings up more of them."""
    carrier = engine.running(running.settings)
    assert carrier
    return Hosts(running.settings, carrier)


@pytest.fixture(name="hosts", scope="session")
def fixture_hosts(lab: Description) -> Iterator[dict[str, Remote]]:
    """The run hosts by name."""
    with ExitStack() as connections:
        yield {
            name: connections.enter_context(Remote(name, host["address"], lab["ssh"]))
            for name, host in lab["hosts"].items()
        }


@pytest.fixture(name="registry_host", scope="session")
def fixture_registry_host(lab: Description, hosts: dict[str, Remote]) -> Remote:
    """The run host that serves the tree."""
    return hosts[lab["registry_host"]]


@pytest.fixture(name="built", scope="session")
def fixture_built(lab: Description) -> Run:
    """build.yml has run."""
    run = play("build.yml", "-e", f"@{lab['vars']}")
    assert run.status == 0, run.output
    return run


@pytest.fixture(name="deployed", scope="session")
def fixture_deployed(lab: Description, built: Run) -> Run:
    """deploy.yml has run on what build.yml made."""
    run = play("deploy.yml", "-i", lab["inventory"], "-e", f"@{lab['vars']}")
    assert run.status == 0, run.output
    return run


@dataclass(frozen=True)
class Small:
    """A tree with one image, busybox:1.35, and the registry's own.

    `verified` tells of the one image alone: for verifications that are about hosts, and not about what they pull.
    """

    path: Path
    verified: Path
    newer: bool  # whether there is registry:3 in it, beside registry:2


@pytest.fixture(name="small", scope="session")
def fixture_small(running: Lab, lab: Description, tmp_path_factory: pytest.TempPathFactory) -> Small:
    """For tests of hosts, to which the content of the tree is nothing. It stays as it is."""
    folder = tmp_path_factory.mktemp("small")
    images = ["busybox:1.35"]
    if REGISTRY_3.can_be_built():
        upstream = Upstream(running.settings)
        image = build(running.settings, registry3.image(running.settings))
        upstream.client(upstream.open).push("library/registry", "3", image.blobs, image.manifests)
        images.append("registry:3")
    wanted = {
        "seahub_images": images,
        "seahub_image_list": "",
        "seahub_charts": [],
        "seahub_platforms": ["linux/amd64"],
        "seahub_tree": str(folder / "tree"),
        "seahub_bundle": str(folder / "bundle.tar"),
    }
    run = play("build.yml", "-e", f"@{lab['vars']}", "-e", json.dumps(wanted))
    assert run.status == 0, run.output
    lock = only(folder / "tree", "library/busybox", folder=folder / "verified")
    return Small(folder / "tree", lock, "registry:3" in images)


def only(tree: str | Path, *names: str, folder: Path) -> Path:
    """Make a folder with the lock of a tree that tells of some names alone: it can be what is verified."""
    lock = json.loads((Path(tree) / "seahub.lock.json").read_text())
    lock["references"] = [entry for entry in lock["references"] if entry["name"] in names]
    folder.mkdir()
    (folder / "seahub.lock.json").write_text(json.dumps(lock))
    return folder


def inventory(lab: Description, path: Path, hosts: Iterable[Host], **more: dict[str, object]) -> Path:
    """Write an inventory of hosts that are not the lab's own three, and perhaps of some that are none of the lab's."""
    login = yaml.safe_load(Path(lab["inventory"]).read_text())["all"]["children"]["run"]["vars"]
    addresses = {host.name: {"ansible_host": host.address} for host in hosts}
    path.write_text(yaml.safe_dump({"run": {"hosts": {**more, **addresses}, "vars": login}}))
    return path

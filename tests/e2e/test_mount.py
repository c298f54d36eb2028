# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry host of its own that mounts bundles, serves them, and is started anew."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play, task
from tests.e2e.remote import Remote
from tests.lab import engine
from tests.lab.hosts import Host, Hosts
from tests.lab.lab import Lab

# Docker lets itself be told nothing about who answers here: what is shown is what is served, not who is trusted.
REGISTRY = "127.0.0.1:5000"
BASE, DELTA = "redis:7", "team/project/app:1.0"
PLACE = "/srv/bundles"
MOUNTED = "/var/lib/seahub/mounted"


@dataclass
class Site:
    """The host, and how it is driven."""

    lab: Description
    machines: Hosts
    host: Host
    folder: Path
    remote: Remote = field(init=False)

    def __post_init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        self.remote = Remote(self.host.name, self.host.address, self.lab["ssh"])

    def reboot(self) -> None:
        self.remote.__exit__(None, None, None)
        self.host = self.machines.reboot(self.host)
        self.connect()

    def play(self, module: str, options: dict[str, Any]) -> Run:
        """Run one module on the host."""
        playbook = self.folder / "play.yml"
        tasks = [{"name": "Try", module: options}]
        playbook.write_text(yaml.safe_dump([{"hosts": self.host.name, "gather_facts": False, "tasks": tasks}]))
        return play(playbook, "-i", self.inventory())

    def mount(self, *bundles: str) -> Run:
        paths = [f"{PLACE}/{bundle}" for bundle in bundles]
        return self.play("seahub.offline.bundle_mount", {"bundle": paths, "path": MOUNTED})

    def serve(self, *bundles: str) -> Run:
        """Run the role, with a CA of its own."""
        variables = {
            "registry_mount": [f"{PLACE}/{bundle}" for bundle in bundles],
            "registry_pki": str(self.folder / "pki"),
            "registry_address": [self.host.address],
        }
        role = {"name": "Serve", "ansible.builtin.include_role": {"name": "seahub.offline.registry"}, "vars": variables}
        playbook = self.folder / "serve.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": self.host.name, "gather_facts": False, "tasks": [role]}]))
        return play(playbook, "-i", self.inventory())

    def inventory(self) -> Path:
        common = yaml.safe_load(Path(self.lab["inventory"]).read_text())["all"]["children"]["run"]["vars"]
        path = self.folder / "inventory.yml"
        hosts = {self.host.name: {"ansible_host": self.host.address}}
        path.write_text(yaml.safe_dump({"all": {"hosts": hosts, "vars": common}}))
        return path

    def pull(self, image: str) -> str:
        """Pull an image anew; returns its digest."""
        name = f"{REGISTRY}/{image}"
        self.remote.try_("docker", "image", "rm", name)
        self.remote.run("docker", "pull", "--quiet", name)
        shown = self.remote.run("docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}", name)
        return shown.strip().partition("@")[2]

    def status(self, image: str) -> str:
        """What the registry answers when it is asked for a manifest."""
        name, tag = image.split(":")
        url = f"https://{REGISTRY}/v2/{name}/manifests/{tag}"
        return self.remote.run("curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", url)

    def largest_blob(self) -> tuple[str, int, str]:
        """Where the largest blob of the base can be fetched, its size and its SHA-256 checksum."""
        document = json.loads(self.remote.read(f"{MOUNTED}/tree/seahub.lock.json"))
        size, digest, name = max(
            (size, digest, entry["name"])
            for entry in document["references"]
            if f"{entry['name']}:{entry['tag']}" != DELTA
            for digest, size in entry["blobs"].items()
        )
        return f"https://{REGISTRY}/v2/{name}/blobs/{digest}", size, digest.partition(":")[2]

    def started(self) -> str:
        return self.remote.run("docker", "inspect", "--format", "{{.State.StartedAt}}", "seahub-registry")


@pytest.fixture(name="bundles", scope="module")
def fixture_bundles(lab: Description, built: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of some of the tree, and in parts what is lacking there."""
    folder = tmp_path_factory.mktemp("bundles")
    common = {"tree": lab["site"]["tree"], "format": "squashfs"}
    base = {**common, "dest": str(folder / "base"), "references": ["registry:2", BASE]}
    delta = {**common, "dest": str(folder / "delta"), "references": [DELTA], "part_size": "100kB"}
    for options in (base, {**delta, "since": [base["dest"]]}):
        run = task(folder, "seahub.offline.bundle_pack", options)
        assert run.status == 0, run.output
    return folder


@pytest.fixture(name="site", scope="module")
def fixture_site(
    running: Lab, lab: Description, bundles: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The host, which has the bundles and serves the first."""
    carrier = engine.running(running.settings)
    assert carrier is not None
    machines = Hosts(running.settings, carrier)
    host = machines.add("mounting")
    try:
        site = Site(lab, machines, host, tmp_path_factory.mktemp("site"))
        site.remote.run("mkdir", PLACE)
        for path in bundles.glob("*.part-*"):
            site.remote.write(f"{PLACE}/{path.name}", path.read_bytes())
        site.remote.write(f"{PLACE}/base", (bundles / "base").read_bytes())
        run = site.serve("base")
        assert run.status == 0, run.output
        yield site
    finally:
        machines.drop(host)


@pytest.fixture(name="digests", scope="module")
def fixture_digests(lab: Description) -> dict[str, str]:
    """What the lock says of each name."""
    document = json.loads((Path(lab["site"]["tree"]) / "seahub.lock.json").read_text())
    return {
        f"{name}:{entry['tag']}": entry["digest"]
        for entry in document["references"]
        for name in (entry["name"], *entry["aliases"])
    }


def test_a_registry_serves_what_is_mounted(site: Site, digests: dict[str, str]) -> None:
    assert site.pull(BASE) == digests[BASE]
    again = site.serve("base")
    assert (again.status, again.changed) == (0, {site.host.name: 0}), again.output


def test_a_delta_is_served_at_once_while_what_is_read_is_read_on(site: Site, digests: dict[str, str]) -> None:
    assert site.mount("base").status == 0
    assert site.status(DELTA) == "404"
    started = site.started()
    largest = site.remote.run(
        "sh", "-c", f"find {MOUNTED}/tree/docker/registry/v2/blobs -name data -printf '%s %p\\n' | sort -n | tail -1"
    )
    size, path = largest.split()
    digest = Path(path).parent.name
    # For five seconds or more, in which the mounts change.
    slow = (
        f"curl -sk --limit-rate {int(size) // 5} https://{REGISTRY}/v2/library/redis/blobs/sha256:{digest} -o /srv/slow"
    )
    if site.remote.try_("curl", "-skfI", f"https://{REGISTRY}/v2/library/redis/blobs/sha256:{digest}").status != 0:
        slow = slow.replace("library/redis", "library/registry")
    site.remote.run("systemd-run", "--unit", "slow", "--property=RemainAfterExit=yes", "sh", "-c", slow)
    updated = site.mount("base", "delta")
    assert updated.status == 0, updated.output
    assert site.pull(DELTA) == digests[DELTA]
    assert site.pull(BASE) == digests[BASE]
    site.remote.run("sh", "-c", "while pgrep -x curl; do sleep 0.2; done")
    assert hashlib.sha256(site.remote.read("/srv/slow")).hexdigest() == digest
    assert site.started() == started


def test_a_roll_back_is_served_at_once(site: Site, digests: dict[str, str]) -> None:
    assert site.mount("base", "delta").status == 0
    started = site.started()
    assert site.mount("base").changed == {site.host.name: 1}
    assert site.status(DELTA) == "404"
    assert site.pull(BASE) == digests[BASE]
    assert site.started() == started


def test_a_damaged_part_is_named_before_anything_is_changed(site: Site, digests: dict[str, str]) -> None:
    assert site.mount("base").status == 0
    path = site.remote.run("sh", "-c", f"ls {PLACE}/delta.part-*").split()[-1]
    good = site.remote.read(path)
    site.remote.write(path, good[:2000] + bytes([good[2000] ^ 1]) + good[2001:])
    try:
        mounts = site.remote.run("cat", "/etc/fstab")
        run = site.mount("base", "delta")
        assert run.status != 0
        # Long lines are broken on the screen.
        assert f"{path} is damaged" in " ".join(run.output.split()), run.output
        assert site.remote.run("cat", "/etc/fstab") == mounts
        assert site.pull(BASE) == digests[BASE]
    finally:
        site.remote.write(path, good)


def test_a_host_that_is_started_anew_serves_again(site: Site, digests: dict[str, str]) -> None:
    assert site.mount("base", "delta").status == 0
    site.reboot()
    assert site.pull(BASE) == digests[BASE]
    assert site.pull(DELTA) == digests[DELTA]
    again = site.mount("base", "delta")
    assert again.changed == {site.host.name: 0}, again.output

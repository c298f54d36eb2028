# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `registry` brings a tree to three hosts: from the controller to one of them, and from host to host.

It has a folder, a port and a container of its own, beside those of the other tests. The tests build on each other.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.unit.https_server import make_certificate
from tests.unit.trees import add_image, layer_bytes, make_tree

FOLDER, CONTAINER, PORT = "/var/lib/seahub-waves", "seahub-waves", 5050
TREE, OTHER_TREE = f"{FOLDER}/tree", f"{FOLDER}-other"
MIB = 1024 * 1024
# One for each of those that come at once.
LAYERS = [layer_bytes(number, 16 * MIB) for number in range(4)]
FIRST, SECOND, THIRD = "run1", "run2", "run3"
ALL = {FIRST, SECOND, THIRD}

# On a registry host: kills its registry when the host has sent some of what the registry was asked for. Docker starts
# it again, and counts that.
KILLER = f"""
import os, signal, subprocess, time
def sent():
    with open("/sys/class/net/eth0/statistics/tx_bytes") as file:
        return int(file.read())
command = ["docker", "inspect", "--format", "{{{{.State.Pid}}}}", "{CONTAINER}"]
process, end = int(subprocess.check_output(command)), sent() + {4 * MIB}
while sent() < end:
    time.sleep(0.005)
os.kill(process, signal.SIGKILL)
"""
KILLER_UNIT = "seahub-waves-killer"


@dataclass(frozen=True)
class Site:
    """Three registry hosts that have nothing yet, and what is brought to them."""

    folder: Path
    inventory: tuple[str, ...]
    hosts: dict[str, Remote]
    blobs: dict[str, int]
    """The size of each blob of the source by its digest."""

    def play(self, *plays: dict[str, Any]) -> Run:
        """Run plays; they have to end well."""
        playbook = self.folder / "plays.yml"
        playbook.write_text(yaml.safe_dump(list(plays)))
        run = play(playbook, *self.inventory, "-e", f"@{self.folder / 'vars.json'}", "-v")
        assert run.status == 0, run.output
        return run

    def fetched(self, host: str) -> set[tuple[str, str]]:
        """Who has fetched which blob from a host, by the log of its registry."""
        log = self.hosts[host].try_("docker", "logs", CONTAINER)
        answered = re.findall(
            r'http\.request\.method=GET http\.request\.remoteaddr="([^"]+):\d+" http\.request\.uri="[^"]+/(sha256:\w+)"'
            r".* http\.response\.status=20[06] ",
            log.output + log.errors,
        )
        names = {remote.address: name for name, remote in self.hosts.items()}
        return {(names[address], digest) for address, digest in answered}

    def require_equal(self) -> None:
        """Every host has the same tree, in which every blob has its digest, and serves it over verified TLS."""
        command = f"cd {TREE} && find docker seahub.lock.json -type f -exec sha256sum {{}} + | sort -k 2"
        listings = {remote.run("sh", "-c", command) for remote in self.hosts.values()}
        assert len(listings) == 1
        sums = re.findall(r"^(\w{64})  docker/registry/v2/blobs/sha256/../(\w{64})/data$", listings.pop(), re.MULTILINE)
        assert all(found == name for found, name in sums)
        assert {f"sha256:{name}" for _found, name in sums} == set(self.blobs)
        for remote in self.hosts.values():
            options = ("--cacert", f"{FOLDER}/certs/ca.crt", "--resolve", f"sea.hub:{PORT}:{remote.address}")
            tags = self.hosts[THIRD].run(
                "curl", "--silent", "--fail", *options, f"https://sea.hub:{PORT}/v2/large/tags/list"
            )
            assert json.loads(tags) == {"name": "large", "tags": ["1"]}


def synced(run: Run) -> dict[str, dict[str, Any]]:
    """What tree_sync has returned for each host, as -v shows it."""
    shown = re.findall(r"^changed: \[(\w+)\] => \n((?: +.*\n)+)", run.output, re.MULTILINE)
    results = {host: yaml.safe_load(dedent(text)) for host, text in shown if "sent_blobs:" in text}
    assert len(results) == sum("sent_blobs:" in text for _host, text in shown)
    return results


def role(hosts: str = "registry", tasks_from: str = "main", **keywords: Any) -> dict[str, Any]:
    """A play with the role `registry`."""
    include = {"name": "seahub.offline.registry", "tasks_from": tasks_from}
    task = {"name": "Do it", "ansible.builtin.include_role": include}
    return {"name": tasks_from, "hosts": hosts, "become": True, "gather_facts": False, "tasks": [task], **keywords}


@pytest.fixture(name="site", scope="module")
def fixture_site(
    lab: Description, built: Run, hosts: dict[str, Remote], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The registry's own image and a large one to be brought; afterwards the hosts are as they were."""
    assert built.status == 0
    folder = tmp_path_factory.mktemp("waves")
    shutil.copytree(lab["site"]["tree"], folder / "tree")
    tree = Tree(str(folder / "tree"))
    own = [entry for entry in _lock.read(tree).references if entry.name in ("registry", "library/registry")]
    _lock.write(tree, _lock.Lock().with_entries(own))
    add_image(tree, "large:1", LAYERS)
    variables = {
        "registry_source": tree.root,
        "registry_dir": FOLDER,
        "registry_container": CONTAINER,
        "registry_port": PORT,
        "registry_pki": str(folder / "pki"),
    }
    (folder / "vars.json").write_text(json.dumps(variables))
    (folder / "registry.yml").write_text(yaml.safe_dump({"registry": {"hosts": {name: {} for name in sorted(ALL)}}}))
    inventory = ("-i", lab["inventory"], "-i", str(folder / "registry.yml"))
    site = Site(folder, inventory, {name: hosts[name] for name in ALL}, open_source(tree.root).inventory.blobs)
    try:
        yield site
    finally:
        for remote in site.hosts.values():
            remote.try_("systemctl", "stop", KILLER_UNIT)
            remote.run("rm", "-rf", OTHER_TREE)
        site.play(role(tasks_from="reset", vars={"registry_reset_tree": True}))


def test_the_tree_crosses_the_controllers_line_once(site: Site) -> None:
    results = synced(site.play(role()))
    everything = {"sent_blobs": len(site.blobs), "sent_bytes": sum(site.blobs.values())}
    assert results[FIRST].items() >= everything.items()
    for name in (SECOND, THIRD):
        fetched = {"fetched_blobs": len(site.blobs), "fetched_bytes": sum(site.blobs.values()), "left_out": {}}
        assert results[name].items() >= {**fetched, "sent_blobs": 0, "sent_bytes": 0}.items()
    # The first one's registry says so, too.
    assert site.fetched(FIRST) == {(name, digest) for name in (SECOND, THIRD) for digest in site.blobs}
    site.require_equal()


def test_who_shows_another_certificate_is_not_asked(site: Site) -> None:
    make_tree(site.folder / "small", {"small:1": [b"layer"]})
    options = {
        "source": str(site.folder / "small"),
        "dest": OTHER_TREE,
        "fetch_from": {
            "addresses": [site.hosts[FIRST].address],
            "domain": "sea.hub",
            "port": PORT,
            "ca_certificate": make_certificate(site.folder / "other").ca_certificate,
        },
    }
    task = {"name": "Send it", "seahub.offline.tree_sync": options}
    result = synced(site.play({"name": "Fetch", "hosts": THIRD, "gather_facts": False, "tasks": [task]}))[THIRD]
    assert (result["fetched_blobs"], result["sent_blobs"]) == (0, 3)
    assert "certificate verify failed" in result["left_out"][site.hosts[FIRST].address]


def test_who_dies_in_the_middle_is_replaced(site: Site) -> None:
    """Host after host, as those do who upgrade with care: where one dies, all that is not there comes from another one,
    and where it was the only one, from the controller."""
    for name in (SECOND, THIRD):
        site.hosts[name].run("find", TREE, "-mindepth", "1", "-delete")
    for name in (FIRST, SECOND):
        site.hosts[name].run("systemd-run", "--collect", "--unit", KILLER_UNIT, "python3", "-c", KILLER)
    run = site.play(role(serial=1))
    # Nothing but the trees that were taken away.
    assert run.changed == {FIRST: 0, SECOND: 1, THIRD: 1}
    results, size = synced(run), sum(site.blobs.values())
    for name, other in ((SECOND, FIRST), (THIRD, SECOND)):
        assert site.hosts[other].run("docker", "inspect", "--format", "{{.RestartCount}}", CONTAINER).strip() == "1"
        assert list(results[name]["left_out"]) == [site.hosts[other].address]
        warning = f"nothing more was fetched from the registry at {site.hosts[other].address}: "
        assert warning in " ".join(run.output.split())
    # Nothing came twice.
    assert results[SECOND]["sent_bytes"] > 0
    assert results[SECOND]["fetched_bytes"] + results[SECOND]["sent_bytes"] == size
    assert (results[THIRD]["fetched_blobs"], results[THIRD]["sent_blobs"]) == (len(site.blobs), 0)
    assert results[THIRD]["fetched_bytes"] == size
    site.require_equal()


def test_in_the_end_nothing_is_left_to_be_done(site: Site) -> None:
    assert site.play(role()).changed == dict.fromkeys(ALL, 0)

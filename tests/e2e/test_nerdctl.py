# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""On a host with containerd and nerdctl the registry runs with them, beside the one that docker runs there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.e2e.served import needed
from tests.lab.programs import NERDCTL

Description = dict[str, Any]
PROGRAM = "/usr/local/bin/nerdctl"
NAME = "registry-of-nerdctl"
PORT = 5200
FOLDER = "/var/lib/seahub"
CURL = ("curl", "--silent", "--show-error", "--cacert", f"{FOLDER}/certs/ca.crt")
TAGS = f"https://sea.hub:{PORT}/v2/busybox/tags/list"


@pytest.fixture(name="host")
def fixture_host(deployed: Run, registry_host: Remote) -> Iterator[Remote]:
    """The registry host, which has the tree, with nerdctl."""
    assert deployed.status == 0
    registry_host.write(PROGRAM, (needed(NERDCTL) / "nerdctl").read_bytes())
    registry_host.run("chmod", "755", PROGRAM)
    try:
        yield registry_host
    finally:
        registry_host.try_(PROGRAM, "rm", "--force", "--volumes", NAME)
        registry_host.run("rm", "-rf", PROGRAM, "/var/lib/nerdctl", "/etc/cni/net.d/nerdctl-bridge.conflist")


def serve(lab: Description, host: Remote, folder: Path, **options: Any) -> Run:
    """Run the module on the host."""
    playbook = folder / "serve.yml"
    module = {
        "name": NAME,
        "engine": "nerdctl",
        "port": PORT,
        "tree": f"{FOLDER}/tree",
        "certificate": f"{FOLDER}/certs/sea.hub.crt",
        "private_key": f"{FOLDER}/certs/sea.hub.key",
        "ca_certificate": f"{FOLDER}/certs/ca.crt",
        "config": f"{FOLDER}/{NAME}.yml",
        **options,
    }
    tasks = [{"seahub.offline.registry_service": module}]
    playbook.write_text(yaml.safe_dump([{"hosts": host.name, "gather_facts": False, "become": True, "tasks": tasks}]))
    run = play(playbook, "-i", lab["inventory"])
    assert run.status == 0, run.output
    return run


def test_it_runs_the_registry_out_of_the_tree(lab: Description, host: Remote, tmp_path: Path) -> None:
    assert serve(lab, host, tmp_path).changed == {host.name: 1}
    assert '"1.35"' in host.run(*CURL, TAGS)
    assert serve(lab, host, tmp_path).changed == {host.name: 0}

    # The image is the same: it is the container that is replaced.
    assert serve(lab, host, tmp_path, read_only=False).changed == {host.name: 1}
    assert '"1.35"' in host.run(*CURL, TAGS)
    assert host.run(PROGRAM, "ps", "--all", "--format", "{{.Names}}").split() == [NAME]

    assert serve(lab, host, tmp_path, state="absent").changed == {host.name: 1}
    assert host.try_(*CURL, TAGS).status != 0
    assert host.run(PROGRAM, "ps", "--all", "--quiet") == ""
    assert host.run(PROGRAM, "images", "--quiet") == ""

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab, and the site that the playbooks make in it, for all end-to-end tests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab.lab import Lab

HOSTS = 3

Description = dict[str, Any]


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

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that stands in the way is told at once, by all hosts, and nothing has been changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote

PORT = "5999"
NAMES = "/etc/nsswitch.conf"
PROXY = "/etc/systemd/system/containerd.service.d/preflight.conf"


@pytest.fixture(name="squatter")
def fixture_squatter(registry_host: Remote) -> Iterator[str]:
    """A program on the port that the registry is to have."""
    unit = "squatter.service"
    registry_host.run("systemd-run", "--unit", unit, "python3", "-m", "http.server", PORT)
    registry_host.run("sh", "-c", f"for i in $(seq 50); do curl -s localhost:{PORT} && break; sleep 0.1; done")
    yield "python3"
    registry_host.run("systemctl", "stop", unit)


@pytest.fixture(name="nameless")
def fixture_nameless(hosts: dict[str, Remote], registry_host: Remote) -> Iterator[str]:
    """A host on which /etc/hosts has no effect."""
    host = next(host for host in hosts.values() if host is not registry_host)
    before = host.read(NAMES)
    host.write(NAMES, b"hosts: dns\n")
    yield host.name
    host.write(NAMES, before)


@pytest.fixture(name="proxied")
def fixture_proxied(hosts: dict[str, Remote], nameless: str, registry_host: Remote) -> Iterator[str]:
    """A host on which an engine would ask a proxy."""
    host = next(host for host in hosts.values() if host.name not in (nameless, registry_host.name))
    host.run("mkdir", "-p", str(Path(PROXY).parent))
    host.write(PROXY, b'[Service]\nEnvironment="HTTPS_PROXY=http://proxy.example:3128" "NO_PROXY=localhost"\n')
    host.run("systemctl", "daemon-reload")
    yield host.name
    host.run("rm", "-r", str(Path(PROXY).parent))
    host.run("systemctl", "daemon-reload")


def preflight(lab: Description, *more: str) -> Run:
    return play("preflight.yml", "-i", lab["inventory"], "-e", f"@{lab['vars']}", *more)


@pytest.mark.usefixtures("deployed")
def test_a_deployed_site_has_nothing_in_its_way(lab: Description) -> None:
    run = preflight(lab)
    assert run.status == 0, run.output
    assert not any(run.changed.values())


@pytest.mark.usefixtures("built")
def test_all_is_told_at_once(
    lab: Description, registry_host: Remote, squatter: str, nameless: str, proxied: str
) -> None:
    run = preflight(lab, "-e", f"seahub_port={PORT}", "-e", "{preflight_clients: [docker, helm, no-such-client]}")
    assert run.status != 0
    assert f"{registry_host.name}: port {PORT} is in use by {squatter} (process " in run.output
    assert f"{nameless}: {NAMES} does not list 'files' for hosts" in run.output
    assert f"{proxied}: containerd would ask the proxy http://proxy.example:3128 for sea.hub" in run.output
    for name in (registry_host.name, nameless, proxied):
        assert f"{name}: no-such-client is not on this host" in run.output
    assert not any(run.changed.values())

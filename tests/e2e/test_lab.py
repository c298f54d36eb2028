# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab is what it claims to be: real parts, and hosts without a way out."""

from __future__ import annotations

import os
import ssl
import time
import urllib.error
import urllib.request

import pytest

from tests.e2e.conftest import Description
from tests.e2e.remote import Remote
from tests.lab.settings import HOST_HELM, OPEN_PORT, PRIVATE_PORT

# How long a host may take to find out that there is nothing to reach.
AT_ONCE = 5.0

# Addresses that belong to nobody, so that nothing is disturbed where a machine does have a route there.
OUTSIDE = ("192.0.2.1", "198.51.100.1", "203.0.113.1")


def connects(host: Remote, address: str, port: int) -> bool:
    """Whether a host gets a connection there."""
    return host.try_("timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{address}/{port}").status == 0


def get(url: str, ca_cert: str | None) -> int:
    """The status of an answer, over TLS verified by that CA (None: by those that the system trusts)."""
    request = urllib.request.Request(url)
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca_cert))
    )
    try:
        with opener.open(request, timeout=10) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_there_are_three_hosts_and_they_reach_each_other(hosts: dict[str, Remote]) -> None:
    assert len(hosts) >= 3
    for host in hosts.values():
        for other in hosts.values():
            assert connects(host, other.address, 22), f"{host.name} does not reach {other.name}"


def test_no_host_has_a_route_out(hosts: dict[str, Remote]) -> None:
    for host in hosts.values():
        routes = host.run("ip", "route").splitlines() + host.run("ip", "-6", "route").splitlines()
        assert not [route for route in routes if route.startswith("default")], host.name
        for address in OUTSIDE:
            said = host.try_("ip", "route", "get", address)
            assert (said.status, said.errors.strip()) == (2, "RTNETLINK answers: Network is unreachable")


def test_the_controller_lends_no_host_a_way_out(lab: Description, hosts: dict[str, Remote]) -> None:
    """Not even one that is told to go through the controller gets anywhere."""
    host = next(iter(hosts.values()))
    for address in OUTSIDE:
        host.run("ip", "route", "add", address, "via", lab["controller"]["address"])
        try:
            assert not connects(host, address, 443)
        finally:
            host.run("ip", "route", "del", address)


def test_a_public_name_fails_at_once(hosts: dict[str, Remote]) -> None:
    for host in hosts.values():
        started = time.monotonic()
        assert host.try_("curl", "--silent", "https://registry-1.docker.io/v2/").status == 6  # could not resolve host
        assert time.monotonic() - started < AT_ONCE


@pytest.mark.parametrize("port", [OPEN_PORT, PRIVATE_PORT])
def test_no_host_reaches_the_upstream_registry(lab: Description, hosts: dict[str, Remote], port: int) -> None:
    for host in hosts.values():
        assert not connects(host, lab["controller"]["address"], port)


def test_each_host_has_an_engine_of_its_own(hosts: dict[str, Remote]) -> None:
    identities = {host.run("docker", "info", "--format", "{{.ID}} {{.Driver}}").strip() for host in hosts.values()}
    assert len(identities) == len(hosts)
    assert all(identity.endswith(" overlay2") for identity in identities)


@pytest.mark.parametrize(("command", "version"), HOST_HELM.items())
def test_helm_is_real(hosts: dict[str, Remote], command: str, version: str) -> None:
    for host in hosts.values():
        assert host.run(command, "version", "--template", "{{.Version}}") == f"v{version}"


def test_a_host_runs_systemd_and_every_unit_is_well(hosts: dict[str, Remote]) -> None:
    for host in hosts.values():
        assert host.run("systemctl", "is-system-running").strip() == "running"


def test_the_upstream_registry_answers_over_tls_of_its_own_ca_alone(lab: Description) -> None:
    url = f"https://{lab['upstream']['open']['address']}/v2/"
    assert get(url, lab["upstream"]["ca_cert"]) == 200
    with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
        get(url, None)


def test_the_private_part_wants_a_password(lab: Description) -> None:
    assert get(f"https://{lab['upstream']['private']['address']}/v2/", lab["upstream"]["ca_cert"]) == 401


def test_secrets_are_for_their_owner_only(lab: Description) -> None:
    for path in (lab["vars"], lab["inventory"], lab["ssh"]["key"]):
        assert os.stat(path).st_mode & 0o077 == 0, path

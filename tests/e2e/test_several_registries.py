# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two registry hosts serve the same tree: one of them stops, pulls go on, and the verification says which one it is."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.conftest import Description, only
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab.charts import CHARTS
from tests.lab.settings import HOST_HELM

REGISTRY = "sea.hub:5000"
SECOND, OTHER = "run2", "run3"
VERIFIED = ("library/busybox", f"helm-charts/{CHARTS[0].name}")
IMAGE = f"{REGISTRY}/busybox:1.35"
CTR_PULL = ("ctr", "images", "pull", "--hosts-dir", "/etc/containerd/certs.d")
# Each runtime, by the registry's name and by the original one.
PULLS = [
    pytest.param(pull, image, remove, id=f"{pull[0]} {image}")
    for pull, remove in [
        (("docker", "pull"), ("docker", "image", "rm")),
        (("podman", "pull"), ("podman", "image", "rm")),
        (CTR_PULL, ("ctr", "images", "rm")),
    ]
    for image in (IMAGE, "docker.io/library/busybox:1.35")
]


@pytest.fixture(name="site", scope="module")
def fixture_site(lab: Description, deployed: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The options that say that there is a second registry host; afterwards there is one again."""
    assert deployed.status == 0
    folder = tmp_path_factory.mktemp("site")
    second = folder / "second.yml"
    second.write_text(yaml.safe_dump({"registry": {"hosts": {SECOND: {}}}}))
    # What is verified is a part of it: here it is about hosts.
    verified = only(lab["site"]["tree"], *VERIFIED, folder=folder / "verified")
    yield [*("-i", lab["inventory"], "-i", str(second)), *("-e", f"@{lab['vars']}", "-e", f"verify_source={verified}")]
    one = folder / "one.yml"
    plays = [
        one_role(SECOND, "registry", tasks_from="reset", vars={"registry_reset_tree": True}),
        one_role("registry", "registry"),
        one_role("run", "client"),
    ]
    one.write_text(yaml.safe_dump(plays))
    again = play(one, "-i", lab["inventory"], "-e", f"@{lab['vars']}")
    assert again.status == 0, again.output


def one_role(hosts: str, role: str, tasks_from: str = "main", **keywords: Any) -> dict[str, Any]:
    """A play with one role: deploy.yml would verify everything once more."""
    include = {"name": f"seahub.offline.{role}", "tasks_from": tasks_from}
    task = {"name": "Do it", "ansible.builtin.include_role": include}
    return {"name": role, "hosts": hosts, "become": True, "gather_facts": False, "tasks": [task], **keywords}


@pytest.fixture(name="both", scope="module", autouse=True)
def fixture_both(site: list[str]) -> Run:
    """deploy.yml has run for both."""
    run = play("deploy.yml", *site)
    assert run.status == 0, run.output
    return run


@pytest.fixture(name="addresses", scope="module")
def fixture_addresses(lab: Description) -> dict[str, str]:
    """The addresses of the registry hosts by their names."""
    return {name: lab["hosts"][name]["address"] for name in (lab["registry_host"], SECOND)}


def order(host: Remote) -> list[str]:
    """Return the addresses of the registry in the order in which a host has them."""
    lines = [line.split() for line in host.read("/etc/hosts").decode().splitlines()]
    return [words[0] for words in lines if words[1:] == ["sea.hub"]]


def test_every_host_has_asked_each_registry_host(lab: Description, both: Run, addresses: dict[str, str]) -> None:
    rows = [line.split() for line in both.output.splitlines() if f"{REGISTRY} at " in line]
    assert [row[-len(lab["hosts"]) :] for row in rows] == [["ok"] * len(lab["hosts"])] * len(addresses)


def test_a_registry_host_asks_itself_first(hosts: dict[str, Remote], addresses: dict[str, str]) -> None:
    assert {name: order(hosts[name])[0] for name in addresses} == addresses
    assert set(order(hosts[OTHER])) == set(addresses.values())


def test_all_have_one_certificate_which_is_good_for_the_name_and_every_address(
    lab: Description, addresses: dict[str, str]
) -> None:
    settings = ssl.create_default_context(cafile=Path(lab["site"]["pki"]) / "ca.crt")
    found = set()
    for name in ("sea.hub", *addresses.values()):
        for address in addresses.values():
            with (
                socket.create_connection((address, 5000), timeout=10) as plain,
                settings.wrap_socket(plain, server_hostname=name) as connection,
            ):
                found.add(connection.getpeercert(binary_form=True))
    assert len(found) == 1


@contextmanager
def stopped(host: Remote) -> Iterator[None]:
    """The registry of a host is down for a while."""
    host.run("docker", "stop", "seahub-registry")
    try:
        yield
    finally:
        host.run("docker", "start", "seahub-registry")
        deadline = time.monotonic() + 30
        while host.try_(
            "curl", "--silent", f"https://{REGISTRY}/v2/", "--resolve", f"{REGISTRY}:{host.address}"
        ).status:
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture(name="first_is_down", scope="module")
def fixture_first_is_down(hosts: dict[str, Remote], addresses: dict[str, str]) -> Iterator[str]:
    """The address of the registry that the other host asks first, which does not answer."""
    address = order(hosts[OTHER])[0]
    (name,) = (name for name, other in addresses.items() if other == address)
    with stopped(hosts[name]):
        yield address


@pytest.mark.parametrize(("pull", "image", "remove"), PULLS)
def test_images_are_pulled_while_the_first_registry_is_down(
    first_is_down: str, hosts: dict[str, Remote], pull: tuple[str, ...], image: str, remove: tuple[str, ...]
) -> None:
    hosts[OTHER].run(*pull, image)
    hosts[OTHER].run(*remove, image)


@pytest.mark.parametrize("helm", HOST_HELM)
def test_charts_are_pulled_while_the_first_registry_is_down(
    first_is_down: str, hosts: dict[str, Remote], helm: str
) -> None:
    host, chart = hosts[OTHER], CHARTS[0]
    folder = host.run("mktemp", "-d").strip()
    url = f"oci://{REGISTRY}/helm-charts/{chart.name}"
    host.run(helm, "pull", url, "--version", chart.version, "--destination", folder)
    host.run("rm", "-r", folder)


def test_the_verification_does_not_let_one_cover_for_the_other(first_is_down: str, site: list[str]) -> None:
    run = play("verify.yml", *site, "--limit", OTHER)
    assert run.status != 0
    wrong = [line.split() for line in run.output.splitlines() if line.endswith("WRONG")]
    assert [" ".join(words) for words in wrong] == [f"- {REGISTRY} at {first_is_down} https WRONG"], run.output
    assert "Connection refused" in run.output

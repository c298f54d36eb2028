# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry with users on two hosts, from deploy.yml to reset.yml, by nothing but variables.

It has a name, a port and folders of its own on hosts of the lab; the tests build on each other.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab.charts import CHARTS

NAMES = ("run2", "run3")
REGISTRY = "users.hub:5010"
FOLDER = "/var/lib/seahub-users"
PULL_SECRET = "/root/seahub-pull-secret.json"
# The one looks like several other things, but not to those who look for it in what was printed.
USER, PASSWORD, CHANGED = "reader", "correct: %1$ {{ horse }} # staple", "another one"

LOGINS = (".docker/config.json", ".config/containers/auth.json", ".config/helm/registry/config.json")
# What is there of other tests.
PUT_ASIDE = "cd; for name in .docker .config; do test ! -e $name || mv $name $name.before; done"
PUT_BACK = "cd; for name in .docker .config; do rm -rf $name; test ! -e $name.before || mv $name.before $name; done"
OWN = '{"auths" : {"own.example":{"auth":"eDp5"}}}'


def encoded(password: str) -> str:
    """Return what stands in files of logins."""
    return base64.b64encode(f"{USER}:{password}".encode()).decode()


def auths(host: Remote, name: str) -> dict[str, Any]:
    """Return the logins in one of root's files."""
    found: dict[str, Any] = json.loads(host.read(f"/root/{name}"))["auths"]
    return found


@dataclass(frozen=True)
class Site:
    """Two registry hosts, and what a user says of them. They pull from each other, too."""

    folder: Path
    hosts: list[Remote]
    password: str = PASSWORD

    def play(self, playbook: str, *more: str, **variables: Any) -> Run:
        """Run one of the playbooks; what it says holds no secret."""
        password_hash = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(4)).decode()
        values = {
            "seahub_domain": REGISTRY.partition(":")[0],
            "seahub_port": int(REGISTRY.partition(":")[2]),
            "seahub_tree": str(self.folder / "tree"),
            "seahub_pki": str(self.folder / "pki"),
            # The original names lead to the registry of the other tests.
            "client_redirect": False,
            "registry_dir": FOLDER,
            "registry_container": "seahub-users",
            "registry_users": [{"name": USER, "password_hash": password_hash}],
            "seahub_username": USER,
            # As a vault gives it: as text, whatever it looks like.
            "seahub_password": Unsafe(self.password),
            "client_pull_secret": PULL_SECRET,
            "verify_source": str(self.folder),
            **variables,
        }
        said = self.folder / "variables.yml"
        said.write_text(yaml.dump(values, Dumper=Dumper))
        run = play(f"{playbook}.yml", "-vvv", "--diff", "-i", self.folder / "inventory.yml", "-e", f"@{said}", *more)
        for secret in (self.password, encoded(self.password), password_hash):
            assert secret not in run.output
        return run


class Unsafe(str):
    """A text that Ansible takes as it is."""

    __slots__ = ()


class Dumper(yaml.SafeDumper):
    """Writes such texts."""


Dumper.add_representer(Unsafe, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


@pytest.fixture(name="site", scope="module")
def fixture_site(
    lab: Description, hosts: dict[str, Remote], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The hosts, which have logins of their own, and a small tree for them."""
    folder = tmp_path_factory.mktemp("users")
    small = {
        "seahub_tree": str(folder / "tree"),
        "seahub_bundle": str(folder / "bundle.tar"),
        "seahub_images": ["busybox:1.35"],
        "seahub_image_list": "",
        "seahub_platforms": ["linux/amd64"],
        "seahub_charts": yaml.safe_load(Path(lab["vars"]).read_text())["seahub_charts"][:1],
    }
    built = play("build.yml", "-e", f"@{lab['vars']}", "-e", json.dumps(small))
    assert built.status == 0, built.output
    # What is verified is a part of it: an image and a chart.
    lock = json.loads((folder / "tree/seahub.lock.json").read_text())
    lock["references"] = [entry for entry in lock["references"] if entry["name"] != "library/registry"]
    (folder / "seahub.lock.json").write_text(json.dumps(lock))
    login = yaml.safe_load(Path(lab["inventory"]).read_text())["all"]["children"]["run"]["vars"]
    run = {"hosts": {name: {"ansible_host": hosts[name].address} for name in NAMES}, "vars": login}
    inventory = {"run": run, "registry": {"hosts": {name: {} for name in NAMES}}}
    (folder / "inventory.yml").write_text(yaml.safe_dump(inventory))
    site = Site(folder, [hosts[name] for name in NAMES])
    for host in site.hosts:
        host.run("sh", "-c", PUT_ASIDE)
        host.run("mkdir", "/root/.docker")
        host.write(f"/root/{LOGINS[0]}", OWN.encode())
    try:
        yield site
    finally:
        if any(host.try_("test", "-e", FOLDER).status == 0 for host in site.hosts):
            site.play("reset", registry_reset_tree=True)
        for host in site.hosts:
            host.run("sh", "-c", PUT_BACK)


@pytest.fixture(name="deployed_with_users", scope="module")
def fixture_deployed_with_users(site: Site) -> Run:
    """deploy.yml has run, and every host has pulled with all clients that read files of logins."""
    run = site.play("deploy", seahub_image_clients=["docker", "podman"])
    assert run.status == 0, run.output
    return run


def helm_pull(host: Remote, *settings: str) -> str:
    """Pull a chart as a person does; return what helm complains of."""
    chart = CHARTS[0]
    url = f"oci://{REGISTRY}/helm-charts/{chart.name}"
    pull = ("env", *settings, "helm", "pull", url, "--version", chart.version, "--destination", "/tmp")
    done = host.try_(*pull)
    host.try_("rm", "-f", f"/tmp/{chart.name}-{chart.version}.tgz")
    return done.errors if done.status else ""


def test_the_second_host_has_fetched_the_tree_from_the_first_as_that_user(deployed_with_users: Run) -> None:
    assert re.search(r"fetched_blobs: [1-9]", deployed_with_users.output)


@pytest.mark.usefixtures("deployed_with_users")
def test_nobody_else_is_let_in(site: Site) -> None:
    asked = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", f"https://{REGISTRY}/v2/")
    assert [host.run(*asked) for host in site.hosts] == ["401", "401"]
    nowhere = ("HELM_REGISTRY_CONFIG=/nowhere", "DOCKER_CONFIG=/nowhere")
    assert all("credential" in helm_pull(host, *nowhere) for host in site.hosts)


@pytest.mark.usefixtures("deployed_with_users")
def test_clients_find_the_password_beside_those_of_others(site: Site) -> None:
    for host in site.hosts:
        assert helm_pull(host) == ""
        for name in LOGINS:
            assert auths(host, name)[REGISTRY] == {"auth": encoded(PASSWORD)}
            assert host.run("stat", "-c", "%a", f"/root/{name}").strip() == "600"
        assert auths(host, LOGINS[0])["own.example"] == json.loads(OWN)["auths"]["own.example"]
        secret = json.loads(host.read(PULL_SECRET))
        assert secret["type"] == "kubernetes.io/dockerconfigjson"
        assert encoded(PASSWORD) in base64.b64decode(secret["data"][".dockerconfigjson"]).decode()


@pytest.mark.usefixtures("deployed_with_users")
def test_a_changed_password_is_the_only_one_after_the_next_run(site: Site) -> None:
    changed = replace(site, password=CHANGED)
    run = changed.play("deploy", seahub_image_clients=["docker"])
    assert run.status == 0, run.output
    for host in site.hosts:
        status = ("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--user")
        codes = [host.run(*status, f"{USER}:{word}", f"https://{REGISTRY}/v2/") for word in (PASSWORD, CHANGED)]
        assert codes == ["401", "200"]
        for name in LOGINS:
            assert {encoded(CHANGED)} == {
                said["auth"] for registry, said in auths(host, name).items() if registry != "own.example"
            }


@pytest.mark.usefixtures("deployed_with_users")
def test_reset_gives_logins_back_as_they_were(site: Site) -> None:
    run = site.play("reset", registry_reset_tree=True)
    assert run.status == 0, run.output
    for host in site.hosts:
        assert host.read(f"/root/{LOGINS[0]}").decode() == OWN
        gone = (*(f"/root/{name}" for name in LOGINS[1:]), PULL_SECRET, FOLDER)
        assert all(host.try_("test", "-e", path).status for path in gone)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the upstream registry through build.yml and deploy.yml to hosts without a way out, and verified pulls there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.lab.charts import CHARTS
from tests.lab.lab import Lab
from tests.lab.settings import HOST_HELM
from tests.lab.upstream import program

REGISTRY = "sea.hub:5000"
TREE = "/var/lib/seahub/tree"
STORAGE = f"{TREE}/docker/registry/v2"

pytestmark = pytest.mark.usefixtures("deployed")


@dataclass(frozen=True)
class Locked:
    """What the lock says of one reference."""

    kind: str
    names: tuple[str, ...]
    tag: str | None
    digest: str
    requested: str

    def pulls(self) -> list[str]:
        """All names by which it can be pulled."""
        return [f"{REGISTRY}/{name}{f':{self.tag}' if self.tag else f'@{self.digest}'}" for name in self.names]


@pytest.fixture(name="locked", scope="module")
def fixture_locked(lab: Description) -> list[Locked]:
    """The lock of the tree that was deployed, as the file itself says it."""
    document: dict[str, Any] = json.loads((Path(lab["site"]["tree"]) / "seahub.lock.json").read_text())
    return [
        Locked(entry["kind"], (entry["name"], *entry["aliases"]), entry["tag"], entry["digest"], entry["requested"])
        for entry in document["references"]
    ]


def find(locked: list[Locked], name: str) -> Locked:
    """The reference of that name in the tree."""
    (found,) = (entry for entry in locked if name in entry.names)
    return found


@dataclass(frozen=True)
class Verdict:
    """What verify.yml says."""

    run: Run
    wrong: dict[str, set[str]]  # host -> the references that it did not get as the lock says


def verify(lab: Description, folder: Path) -> Verdict:
    """Run verify.yml, and read the evidence that it keeps."""
    evidence = folder / "evidence.json"
    run = play("verify.yml", "-i", lab["inventory"], "-e", f"@{lab['vars']}", "-e", f"verify_evidence={evidence}")
    hosts = json.loads(evidence.read_text())["hosts"]
    return Verdict(
        run,
        {
            host: {pull["reference"].removeprefix("oci://") for pull in said["pulls"] if pull["ok"] is not True}
            for host, said in hosts.items()
        },
    )


# The whole


def test_the_lock_names_all_that_was_asked_for_with_the_digests_of_upstream(
    lab: Description, locked: list[Locked]
) -> None:
    # Of a chart that is a local file the lock says the file's name, and upstream nothing.
    wanted = {
        reference["requested"] if reference["digest"] else Path(reference["requested"]).name: reference["digest"]
        for reference in lab["references"]
    }
    found = {entry.requested: entry.digest for entry in locked if entry.requested in wanted}
    assert found == {requested: digest or found.get(requested) for requested, digest in wanted.items()}


def test_every_cell_of_the_matrix_is_right(lab: Description, deployed: Run, locked: list[Locked]) -> None:
    assert all_are_right(lab, locked) in deployed.output


def all_are_right(lab: Description, locked: list[Locked]) -> str:
    """What is said where nothing is wrong."""
    charts = sum(entry.kind == "chart" for entry in locked)
    images = sum(len(entry.names) for entry in locked if entry.kind == "image")
    pulls = (charts * len(HOST_HELM) + images) * len(lab["hosts"])
    return f"{pulls} of {pulls} pulls are right"


def test_a_second_build_changes_nothing(lab: Description) -> None:
    again = play("build.yml", "-e", f"@{lab['vars']}")
    assert (again.status, again.changed) == (0, {"localhost": 0}), again.output


# By hand on a run host


@pytest.mark.parametrize("helm", HOST_HELM)
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.file)
def test_helm_pulls_a_chart(hosts: dict[str, Remote], helm: str, chart: Any) -> None:
    host = hosts["run2"]
    folder = host.run("mktemp", "-d").strip()
    try:
        url = f"oci://{REGISTRY}/helm-charts/{chart.name}"
        host.run(helm, "pull", url, "--version", chart.version, "--destination", folder)
        shown = host.run(helm, "show", "chart", f"{folder}/{chart.file}")
        assert f"version: {chart.version}\n" in shown
    finally:
        host.run("rm", "-r", folder)


@pytest.mark.parametrize("helm", HOST_HELM)
@pytest.mark.parametrize("chart", [chart for chart in CHARTS if chart.signed], ids=lambda chart: chart.file)
def test_helm_verifies_the_signature_of_a_signed_chart(
    lab: Description, hosts: dict[str, Remote], helm: str, chart: Any
) -> None:
    host = hosts["run3"]
    folder = host.run("mktemp", "-d").strip()
    try:
        host.write(f"{folder}/keyring", Path(lab["keyring"]).read_bytes())
        url = f"oci://{REGISTRY}/helm-charts/{chart.name}"
        verified = ("--verify", "--keyring", f"{folder}/keyring")
        host.run(helm, "pull", url, "--version", chart.version, *verified, "--destination", folder)
    finally:
        host.run("rm", "-r", folder)


@pytest.mark.parametrize(
    ("name", "command", "says"),
    [
        ("library/redis:7", ("redis-server", "--version"), "v=7."),
        ("redis:7", ("redis-server", "--version"), "v=7."),
        ("library/busybox:1.35", ("echo", "here"), "here"),
        ("busybox:1.35", ("echo", "here"), "here"),
        ("team/project/app:1.0", (), "app 1.0 on x86_64"),
        ("private/reports:2.1", (), "3."),
    ],
)
def test_docker_pulls_an_image_that_runs(
    hosts: dict[str, Remote], name: str, command: tuple[str, ...], says: str
) -> None:
    host, reference = hosts["run2"], f"{REGISTRY}/{name}"
    host.run("docker", "pull", "--quiet", reference)
    try:
        assert says in host.run("docker", "run", "--rm", "--network=none", reference, *command)
    finally:
        host.run("docker", "image", "rm", reference)


def test_docker_pulls_by_digest(hosts: dict[str, Remote], locked: list[Locked]) -> None:
    host, (reference,) = hosts["run2"], find(locked, "tools/jq").pulls()
    assert "@sha256:" in reference
    host.run("docker", "pull", "--quiet", reference)
    host.run("docker", "image", "rm", reference)


def test_only_the_ca_lets_a_host_trust_the_registry(hosts: dict[str, Remote]) -> None:
    curl = ("curl", "--silent", "--show-error", f"https://{REGISTRY}/v2/")
    assert hosts["run2"].run(*curl).strip() == "{}"
    said = hosts["run2"].try_(*curl, "--cacert", "/etc/ssl/certs/ISRG_Root_X1.pem", "--capath", "/var/empty")
    assert said.status == 60, said  # the certificate could not be verified


# Other people's tools on the tree and on the registry


def test_the_garbage_collector_finds_nothing_to_delete(lab: Description, running: Lab, tmp_path: Path) -> None:
    configuration = tmp_path / "config.yml"
    configuration.write_text(
        json.dumps({"version": "0.1", "storage": {"filesystem": {"rootdirectory": lab["site"]["tree"]}}})
    )
    done = subprocess.run(
        [program(running.settings), "garbage-collect", "--dry-run", configuration],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(
        r"^[1-9]\d* blobs marked, 0 blobs and 0 manifests eligible for deletion$", done.stdout, re.MULTILINE
    )
    assert "level=error" not in done.stdout + done.stderr


def test_skopeo_copies_every_reference(
    lab: Description, registry_host: Remote, locked: list[Locked], tmp_path: Path
) -> None:
    """On the controller, which finds sea.hub by a hosts file that only skopeo sees."""
    names = tmp_path / "hosts"
    names.write_text(f"{registry_host.address} sea.hub\n")
    authorities = tmp_path / "authorities"
    authorities.mkdir()
    shutil.copy(Path(lab["site"]["pki"]) / "ca.crt", authorities)
    for number, reference in enumerate(pull for entry in locked for pull in entry.pulls()):
        copied = tmp_path / str(number)
        script = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'
        copy = ("skopeo", "copy", "--quiet", f"--src-cert-dir={authorities}", f"docker://{reference}", f"dir:{copied}")
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", script, "sh", names, *copy], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{reference}: {done.stderr}"
        shutil.rmtree(copied)


# What is wrong is found


@contextmanager
def damaged(host: Remote, path: str) -> Iterator[None]:
    """One byte of a file is another one for a while; its length stays."""
    whole = host.read(path)
    host.write(path, bytes([whole[0] ^ 1]) + whole[1:])
    try:
        yield
    finally:
        host.write(path, whole)


@contextmanager
def away(host: Remote, path: str) -> Iterator[None]:
    """A folder is not there for a while."""
    host.run("mv", path, f"{STORAGE}/away")
    try:
        yield
    finally:
        host.run("mv", f"{STORAGE}/away", path)


def test_verify_names_what_has_a_damaged_blob_and_the_removed_tag(
    lab: Description, registry_host: Remote, locked: list[Locked], tmp_path: Path
) -> None:
    redis, ledger = find(locked, "library/redis"), find(locked, "helm-charts/ledger")
    app = find(locked, "team/project/app")
    with (
        damaged(registry_host, last_layer(registry_host, redis)),
        damaged(registry_host, last_layer(registry_host, ledger)),
        away(registry_host, f"{STORAGE}/repositories/team/project/app/_manifests/tags/{app.tag}"),
    ):
        verdict = verify(lab, tmp_path)
    assert verdict.run.status != 0
    wrong = {*redis.pulls(), *ledger.pulls(), *app.pulls()}
    assert verdict.wrong == dict.fromkeys(lab["hosts"], wrong), verdict.run.output


def test_when_all_is_right_again_deploying_changes_nothing_and_leaves_no_image_that_it_pulled(
    lab: Description, hosts: dict[str, Remote], locked: list[Locked]
) -> None:
    before = {name: images(host) for name, host in hosts.items()}
    again = play("deploy.yml", "-i", lab["inventory"], "-e", f"@{lab['vars']}")
    assert (again.status, again.changed) == (0, dict.fromkeys(lab["hosts"], 0)), again.output
    assert all_are_right(lab, locked) in again.output
    assert {name: images(host) for name, host in hosts.items()} == before


def images(host: Remote) -> set[str]:
    """The images that a host has."""
    return set(host.run("docker", "image", "ls", "--all", "--format", "{{.ID}} {{.Repository}}:{{.Tag}}").splitlines())


def last_layer(host: Remote, entry: Locked) -> str:
    """Where the registry host keeps the last layer of an image or chart."""
    manifest = json.loads(host.read(blob_path(entry.digest)))
    return blob_path(manifest["layers"][-1]["digest"])


def blob_path(digest: str) -> str:
    """Where the registry host keeps a blob."""
    algorithm, _colon, value = digest.partition(":")
    return f"{STORAGE}/blobs/{algorithm}/{value[:2]}/{value}/data"

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of source, made with other people's tools; and those tools on the trees that come of them."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, task
from tests.lab.charts import CHARTS
from tests.lab.images import OCI, Built
from tests.lab.lab import Lab
from tests.lab.upstream import program
from tests.unit.chart_site import Site, serve

APP = "team/project/app"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
SIGNED = next(chart for chart in CHARTS if chart.signed)
UNSIGNED = next(chart for chart in CHARTS if not chart.signed)


def run(*command: str | Path) -> str:
    """Run a command that has to end well; gives what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
    return done.stdout


@dataclass(frozen=True)
class Registry:
    """A docker-registry of Debian's on a loopback port, without encryption, on some storage."""

    address: str

    def url(self, path: str) -> str:
        return f"http://{self.address}/v2/{path}"

    def push(self, repository: str, tag: str, manifest: Built, *blobs: Built) -> None:
        """Store blobs, and a manifest under a tag."""
        with requests.Session() as session:
            for blob in blobs:
                upload = session.post(self.url(f"{repository}/blobs/uploads/"), timeout=30)
                upload.raise_for_status()
                where = upload.headers["Location"]
                session.put(where, params={"digest": blob.digest}, data=blob.data, timeout=30).raise_for_status()
            headers = {"Content-Type": manifest.media_type}
            where = self.url(f"{repository}/manifests/{tag}")
            session.put(where, data=manifest.data, headers=headers, timeout=30).raise_for_status()

    def manifest(self, repository: str, version: str) -> bytes:
        """What it answers to who asks for a manifest."""
        accept = {"Accept": f"{OCI.manifest}, {OCI_INDEX}"}
        answer = requests.get(self.url(f"{repository}/manifests/{version}"), headers=accept, timeout=30)
        answer.raise_for_status()
        return answer.content


@contextmanager
def registry(lab: Lab, folder: Path, storage: Path) -> Iterator[Registry]:
    """Run a registry as long as the context lasts."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    configuration = folder / f"{storage.name}.json"
    # The registry reads YAML, of which JSON is a part.
    configuration.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "warn"},
                "storage": {"filesystem": {"rootdirectory": str(storage)}},
                "http": {"addr": address, "secret": "of a test"},
            }
        )
    )
    command = [str(part) for part in (program(lab.settings), "serve", configuration)]
    with (folder / f"{storage.name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            found = Registry(address)
            wait(found)
            yield found
        finally:
            process.terminate()
            process.wait(30)


def wait(found: Registry) -> None:
    """Wait until a registry answers."""
    deadline = time.monotonic() + 30
    while True:
        try:
            requests.get(found.url(""), timeout=5).raise_for_status()
            return
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "the registry does not answer"
            time.sleep(0.05)


@pytest.fixture(name="scratch")
def fixture_scratch(running: Lab, tmp_path: Path) -> Iterator[Registry]:
    """An upstream registry of the test's own."""
    with registry(running, tmp_path, tmp_path / "scratch") as found:
        yield found


def save(lab: Description, folder: Path, module: str = "image_save", **options: Any) -> Run:
    """Save something into the tree of a test."""
    trusted = {lab["upstream"]["open"]["address"]: {"ca_cert": lab["upstream"]["ca_cert"]}}
    registries = {**trusted, **options.pop("registries", {})}
    return task(folder, f"seahub.offline.{module}", {"dir": str(folder / "tree"), "registries": registries, **options})


def locked(folder: Path) -> dict[str, dict[str, Any]]:
    """The entries of the lock by `name:tag`."""
    entries = json.loads((folder / "tree/seahub.lock.json").read_text())["references"]
    return {f"{entry['name']}:{entry['tag']}": entry for entry in entries}


@contextmanager
def served(lab: Lab, folder: Path) -> Iterator[Registry]:
    """The tree is whole, as we and docker-registry see it, and is served by it."""
    tree = folder / "tree"
    checked = task(folder, "seahub.offline.tree_check", {"path": str(tree)})
    assert checked.status == 0, checked.output
    with registry(lab, folder, tree) as found:
        said = run(program(lab.settings), "garbage-collect", "--dry-run", folder / "tree.json")
        assert "0 blobs and 0 manifests eligible for deletion" in said
        yield found


def copied(source: str, folder: Path, *options: str | Path) -> dict[str, Any]:
    """Copy an image out of a registry or into files with skopeo; gives its manifest, as it is in a folder."""
    target = folder / "copied"
    shutil.rmtree(target, ignore_errors=True)
    run("skopeo", "copy", "--quiet", "--src-tls-verify=false", *options, source, f"dir:{target}")
    manifest: dict[str, Any] = json.loads((target / "manifest.json").read_text())
    return manifest


def configuration(folder: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the image that was copied last."""
    found: dict[str, Any] = json.loads((folder / "copied" / manifest["config"]["digest"].partition(":")[2]).read_text())
    return found


def fetch(lab: Description, target: str) -> str:
    """Copy an image of the lab's upstream registry somewhere with skopeo; gives where it came from."""
    source = f"docker://{lab['upstream']['open']['address']}/{APP}:1.0"
    run("skopeo", "copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", source, target)
    return source


# Files


@pytest.mark.parametrize(
    ("transport", "where"),
    [
        ("oci", "layout:quay.io/team/app:1.0"),
        ("oci-archive", "a.tar:quay.io/team/app:1.0"),
        ("docker-archive", "a.tar"),
    ],
)
def test_images_in_files_that_skopeo_wrote(
    lab: Description, running: Lab, tmp_path: Path, transport: str, where: str
) -> None:
    name = ":quay.io/team/app:1.0" if transport == "docker-archive" else ""
    upstream = fetch(lab, f"{transport}:{tmp_path}/{where}{name}")
    saved = save(lab, tmp_path, images=[f"{transport}:{tmp_path}/{where}"])
    assert saved.status == 0, saved.output
    assert locked(tmp_path)["team/app:1.0"]["platforms"] == ["linux/amd64"]
    original = copied(upstream, tmp_path)
    wanted = configuration(tmp_path, original)
    with served(running, tmp_path) as tree:
        found = copied(f"docker://{tree.address}/team/app:1.0", tmp_path)
    if transport != "docker-archive":
        assert found["config"]["digest"] == original["config"]["digest"]
        assert found["layers"] == original["layers"]
    again = configuration(tmp_path, found)
    assert [again[part] for part in ("architecture", "os", "rootfs")] == [
        wanted[part] for part in ("architecture", "os", "rootfs")
    ]


def test_an_archive_that_docker_wrote(lab: Description, running: Lab, tmp_path: Path) -> None:
    docker = ("docker", "--host", lab["engine"]["docker_host"])
    archive, name = tmp_path / "saved.tar", "seahub.example/made/here:1"
    fetch(lab, f"docker-archive:{tmp_path}/in.tar:{name}")
    run(*docker, "load", "--quiet", "--input", tmp_path / "in.tar")
    try:
        run(*docker, "save", "--output", archive, name)
        identity = run(*docker, "image", "inspect", "--format", "{{.Id}}", name).strip()
    finally:
        run(*docker, "image", "rm", name)
    saved = save(lab, tmp_path, images=[f"docker-archive:{archive}"])
    assert saved.status == 0, saved.output
    with served(running, tmp_path) as tree:
        assert copied(f"docker://{tree.address}/made/here:1", tmp_path)["config"]["digest"] == identity


def test_a_chart_in_the_cache_of_an_old_helm(lab: Description, running: Lab, tmp_path: Path) -> None:
    (chart,) = (chart for chart in CHARTS if chart.legacy)
    layout = Path(lab["keyring"]).parent / f"{chart.name}-{chart.version}.oci"
    saved = save(lab, tmp_path, "chart_save", charts=[f"oci:{layout}"])
    assert saved.status == 0, saved.output
    (name,) = locked(tmp_path)
    with served(running, tmp_path) as tree:
        for helm in lab["controller"]["helm"].values():
            url = f"oci://{tree.address}/{name.rpartition(':')[0]}"
            run(helm, "pull", url, "--version", chart.version, "--plain-http", "--destination", tmp_path)
            (tmp_path / chart.file).unlink()


# Classic chart repositories


@pytest.fixture(name="site")
def fixture_site(lab: Description, tmp_path: Path) -> Iterator[Site]:
    """A web server with the charts of the lab, and the index that helm makes of them."""
    folder = tmp_path / "charts"
    folder.mkdir()
    for chart in (SIGNED, UNSIGNED):
        for path in Path(lab["keyring"]).parent.glob(f"{chart.file}*"):
            shutil.copy(path, folder)
    with serve(Site()) as site:
        run(lab["controller"]["helm"]["helm"], "repo", "index", folder)
        site.content = {f"/{path.name}": path.read_bytes() for path in folder.iterdir()}
        yield site


def test_a_signed_chart_of_a_classic_repository(lab: Description, running: Lab, tmp_path: Path, site: Site) -> None:
    entry = {"repo": site.url, "name": SIGNED.name, "version": f"^{SIGNED.version}"}
    saved = save(lab, tmp_path, "chart_save", charts=[entry], verify=True, keyring=lab["keyring"])
    assert saved.status == 0, saved.output
    with served(running, tmp_path) as tree:
        for helm in lab["controller"]["helm"].values():
            url = f"oci://{tree.address}/helm-charts/{SIGNED.name}"
            verified = ("--verify", "--keyring", lab["keyring"])
            run(helm, "pull", url, "--version", SIGNED.version, "--plain-http", *verified, "--destination", tmp_path)
            assert (tmp_path / SIGNED.file).read_bytes() == site.content[f"/{SIGNED.file}"]
            (tmp_path / SIGNED.file).unlink()


def test_what_does_not_hold_is_refused_and_the_rest_is_saved(lab: Description, tmp_path: Path, site: Site) -> None:
    site.content[f"/{SIGNED.file}.prov"] = site.content[f"/{SIGNED.file}.prov"].replace(b"version: ", b"version:  ")
    charts = [
        {"repo": site.url, "name": SIGNED.name},
        {"repo": site.url, "name": UNSIGNED.name, "version": UNSIGNED.version},
        {"repo": site.url, "name": UNSIGNED.name, "version": UNSIGNED.version, "verify": False, "as": "charts/other"},
    ]
    saved = save(lab, tmp_path, "chart_save", charts=charts, verify=True, keyring=lab["keyring"])
    assert saved.status != 0
    assert f"the provenance file of {SIGNED.file} is signed by no key in" in saved.output
    assert f"{UNSIGNED.file} has no provenance file (.prov)" in saved.output
    assert [name.partition(":")[0] for name in locked(tmp_path)] == ["charts/other"]


# Signatures


def test_signatures_and_referrers_arrive_where_clients_look_for_them(
    lab: Description, running: Lab, tmp_path: Path, scratch: Registry
) -> None:
    fetch(lab, f"docker://{scratch.address}/signed/app:1.0")
    image = Built(scratch.manifest("signed/app", "1.0"), OCI.manifest)
    subject = image.digest.replace(":", "-")
    signature, bill = artifact(b"signature"), artifact(b"bill of materials", subject=image)
    listed = Built(
        json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_INDEX,
                "manifests": [{**bill[0].descriptor, "artifactType": "application/spdx+json"}],
            }
        ).encode(),
        OCI_INDEX,
    )
    scratch.push("signed/app", f"{subject}.sig", *signature)
    scratch.push("signed/app", bill[0].digest, *bill)
    scratch.push("signed/app", subject, listed)
    saved = save(
        lab, tmp_path, images=[f"{scratch.address}/signed/app:1.0"], registries={scratch.address: {"plain_http": True}}
    )
    assert saved.status == 0, saved.output
    assert set(locked(tmp_path)) == {f"signed/app:{tag}" for tag in ("1.0", subject, f"{subject}.sig")}
    with served(running, tmp_path) as tree:
        assert tree.manifest("signed/app", f"{subject}.sig") == signature[0].data
        assert tree.manifest("signed/app", subject) == listed.data
        assert tree.manifest("signed/app", bill[0].digest) == bill[0].data
        for tag in ("1.0", f"{subject}.sig"):
            copied(f"docker://{tree.address}/signed/app:{tag}", tmp_path)
        copied(f"docker://{tree.address}/signed/app@{bill[0].digest}", tmp_path)


def artifact(content: bytes, subject: Built | None = None) -> tuple[Built, Built, Built]:
    """An artifact that is no image: its manifest, its empty configuration, its content."""
    config, layer = Built(b"{}", "application/vnd.oci.empty.v1+json"), Built(content, "application/octet-stream")
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": OCI.manifest,
        "config": config.descriptor,
        "layers": [layer.descriptor],
    }
    if subject is not None:
        document.update(subject=subject.descriptor, artifactType="application/spdx+json")
    return Built(json.dumps(document).encode(), OCI.manifest), config, layer


# Names


def test_two_registries_with_one_name(lab: Description, running: Lab, tmp_path: Path, scratch: Registry) -> None:
    config = Built(
        b'{"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}', OCI.config
    )
    document = {"schemaVersion": 2, "mediaType": OCI.manifest, "config": config.descriptor, "layers": []}
    scratch.push(APP, "1.0", Built(json.dumps(document).encode(), OCI.manifest), config)
    address = lab["upstream"]["open"]["address"]
    ours, theirs = f"{address}/{APP}:1.0", f"{scratch.address}/{APP}:1.0"
    plain = {scratch.address: {"plain_http": True}}

    refused = save(lab, tmp_path, images=[ours, theirs], registries=plain)
    assert refused.status != 0
    for part in (ours, theirs, f"would both be {APP}:1.0", "naming: keep_host"):
        assert part in refused.output
    assert not list((tmp_path / "tree").rglob("data"))

    renamed = save(lab, tmp_path, images=[ours, {"image": theirs, "as": "their/app"}], registries=plain)
    assert renamed.status == 0, renamed.output
    assert set(locked(tmp_path)) == {f"{APP}:1.0", "their/app:1.0"}

    kept = save(lab, tmp_path, images=[ours, theirs], registries=plain, naming="keep_host")
    assert kept.status == 0, kept.output
    hosts = [host.replace(":", "-") for host in (address, scratch.address)]
    assert {f"{host}/{APP}:1.0" for host in hosts} < set(locked(tmp_path))
    with served(running, tmp_path) as tree:
        for name in (APP, "their/app", *(f"{host}/{APP}" for host in hosts)):
            copied(f"docker://{tree.address}/{name}:1.0", tmp_path)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real registries of both generations fill a storage on S3, and serve from it, as the module sets them up."""

from __future__ import annotations

import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _engines
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import Container, Engine, Spec
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import registry_service, tree_push
from tests.bench.servers import free_port
from tests.e2e.served import needed
from tests.lab.programs import REGISTRY_3
from tests.lab.settings import Settings
from tests.lab.upstream import program
from tests.registry import s3
from tests.unit import modules
from tests.unit.https_server import make_certificate
from tests.unit.trees import MANIFEST_TYPE, add_image, layer_bytes, make_tree

MIB = 1024**2
LAYER = layer_bytes(3, 11 * MIB)
# The smallest parts that S3 takes: the layer then comes in three, and is also copied in parts.
PARTS = {"chunksize": 5 * MIB, "multipartcopychunksize": 5 * MIB, "multipartcopythresholdsize": 5 * MIB}


@dataclass
class Processes(Engine):
    """Runs the program as a process of this machine, with what the service gives it and nothing else."""

    program: Path
    log: Path
    running: dict[str, tuple[subprocess.Popen[bytes], dict[str, str]]] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)

    name = "processes"
    thing = "process"

    def platform(self) -> Platform:
        return Platform("linux", "amd64")

    def image_name(self, repository: str, version: str) -> str:
        return str(self.program)

    def has_image(self, name: str) -> bool:
        return True

    def images(self, repository: str) -> list[str]:
        return []

    def load(self, tree: Tree, image: Image, name: str) -> None:
        raise NotImplementedError

    def remove_image(self, name: str) -> None:
        raise NotImplementedError

    def container(self, name: str) -> Container | None:
        if name not in self.running:
            return None
        process, labels = self.running[name]
        return Container("running" if process.poll() is None else "exited", 0, process.returncode or 0, labels)

    def run(self, spec: Spec, labels: dict[str, str]) -> None:
        if spec.name in self.running:
            self.remove(spec.name)
        for file in spec.files:
            Path(file.target).parent.mkdir(mode=0o700, exist_ok=True)
            self.folders.add(Path(file.target).parent)
            shutil.copy(file.source, file.target)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [spec.image, *spec.command],
                env=dict(spec.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.running[spec.name] = (process, labels)

    def remove(self, name: str) -> None:
        process, _labels = self.running.pop(name)
        process.terminate()
        process.wait()

    def logs(self, name: str, lines: int) -> str:
        return "\n".join(self.log.read_text().splitlines()[-lines:])

    def end(self) -> None:
        """Leave nothing behind."""
        for name in list(self.running):
            self.remove(name)
        for folder in self.folders:
            shutil.rmtree(folder)


@dataclass(frozen=True)
class Site:
    """A registry host whose registry has its storage on S3."""

    folder: Path
    engine: Processes
    storage: s3.Storage
    name: str = field(default_factory=lambda: f"seahub-test-{uuid.uuid4().hex[:8]}")
    port: int = field(default_factory=free_port)

    @property
    def tree(self) -> Tree:
        """What is to be served."""
        return Tree(str(self.folder / "tree"))

    @property
    def address(self) -> str:
        """The host of references."""
        return f"127.0.0.1:{self.port}"

    def serve(self, *, redirect: bool = False, check: bool = False, **options: Any) -> modules.Outcome:
        """Run the module. The bucket has a folder for each site."""
        pki = make_certificate(self.folder / "pki", "sea.hub", "127.0.0.1")
        storage = {
            "region": s3.REGION,
            "bucket": s3.BUCKET,
            "regionendpoint": self.storage.url,
            "rootdirectory": f"/{self.name}",
            "accesskey": self.storage.access_key,
            "secretkey": self.storage.secret_key,
            "ca_certificate": self.storage.ca_certificate,
        }
        arguments = {
            "name": self.name,
            "tree": self.tree.root,
            "port": self.port,
            "certificate": pki.certificate,
            "private_key": pki.private_key,
            "ca_certificate": pki.ca_certificate,
            "config": str(self.folder / "config" / "config.yml"),
            "extra_config": {"storage": {"s3": PARTS, "redirect": {"disable": not redirect}}},
            **options,
            "s3": {**storage, **options.get("s3", {})},
        }
        return modules.run(registry_service.main, arguments, check=check)

    def push(self) -> modules.Outcome:
        """Bring the tree to the registry."""
        registries = {self.address: {"ca_cert": str(self.folder / "pki" / "ca.crt")}}
        given = {"path": self.tree.root, "registry": self.address, "registries": registries, "retries": 0}
        return modules.run(tree_push.main, given)

    def ask(self, path: str, method: str = "GET", ca: str = "", **headers: str) -> requests.Response:
        """Ask the registry as a client does that knows its CA alone, or another one."""
        with requests.Session() as session:
            session.trust_env = False
            session.verify = ca or str(self.folder / "pki" / "ca.crt")
            return session.request(
                method,
                path if path.startswith("https:") else f"https://{self.address}/v2/{path}",
                headers={"Accept": MANIFEST_TYPE, **headers},
                allow_redirects=False,
                timeout=30,
            )

    def command_line(self) -> str:
        """With what the registry was started: arguments and environment."""
        process, _labels = self.engine.running[self.name]
        return "".join(Path(f"/proc/{process.pid}/{name}").read_text() for name in ("cmdline", "environ"))


@pytest.fixture(name="storage", scope="module")
def fixture_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Storage]:
    with s3.serve(tmp_path_factory.mktemp("s3")) as storage:
        yield storage


@pytest.fixture(name="program", params=["2", "3"])
def fixture_program(request: pytest.FixtureRequest) -> Path:
    """The program of one generation."""
    if request.param == "2":
        return program(Settings())
    return needed(REGISTRY_3) / "registry"


@pytest.fixture(name="site")
def fixture_site(program: Path, storage: s3.Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    modules.without_logins(monkeypatch, tmp_path)
    make_tree(tmp_path / "tree", {"library/registry:2": [layer_bytes(2, 500)], "team/app:1": [layer_bytes(1, 3000)]})
    engine = Processes(program, tmp_path / "log")
    monkeypatch.setattr(_engines, "choose", lambda *_: engine)
    yield Site(tmp_path, engine, storage)
    engine.end()


def test_what_is_pushed_is_served_to_those_who_only_read(site: Site) -> None:
    digest = add_image(site.tree, "team/large:1", [LAYER])
    opened = site.serve(read_only=False)
    assert not opened.failed, opened.message
    pushed = site.push()
    assert not pushed.failed, pushed.message
    assert "uploadId=" in site.storage.requests(), "no part was uploaded"

    served = site.serve()
    assert not served.failed, served.message
    manifest = site.ask("team/large/manifests/1")
    assert _digest.hash_bytes(manifest.content) == digest == manifest.headers["Docker-Content-Digest"]
    layer = manifest.json()["layers"][0]["digest"]
    whole = site.ask(f"team/large/blobs/{layer}")
    assert (whole.status_code, _digest.hash_bytes(whole.content)) == (200, layer)
    part = site.ask(f"team/large/blobs/{layer}", Range="bytes=6000000-6000099")
    assert (part.status_code, part.content) == (206, LAYER[6000000:6000100])
    assert site.ask("team/large/blobs/uploads/", "POST").status_code == 405

    again = site.serve()
    assert not again.failed
    assert not again.result["changed"]
    for secret in (site.storage.access_key, site.storage.secret_key):
        assert secret not in opened.printed + served.printed + again.printed
        assert secret not in site.command_line()
    assert (site.folder / "config" / "config.yml").stat().st_mode & 0o777 == 0o600


def test_a_copy_of_the_tree_is_served_as_well(site: Site) -> None:
    for path in Path(site.tree.root, "docker").rglob("*"):
        if path.is_file():
            name = f"{site.name}/{path.relative_to(site.tree.root)}"
            site.storage.client.upload_file(str(path), s3.BUCKET, name)
    served = site.serve()
    assert not served.failed, served.message
    manifest = site.ask("team/app/manifests/1")
    assert _digest.hash_bytes(manifest.content) == site.tree.tag("team/app", "1")
    layer = manifest.json()["layers"][0]["digest"]
    assert _digest.hash_bytes(site.ask(f"team/app/blobs/{layer}").content) == layer
    assert site.ask("_catalog").json() == {"repositories": ["library/registry", "team/app"]}


def test_clients_are_sent_to_the_storage_only_if_told_so(site: Site) -> None:
    assert not site.serve(read_only=False, redirect=True).failed
    assert not site.push().failed
    layer = site.ask("team/app/manifests/1").json()["layers"][0]["digest"]
    sent = site.ask(f"team/app/blobs/{layer}")
    assert sent.status_code == 307
    assert sent.headers["Location"].startswith(f"{site.storage.url}/{s3.BUCKET}/{site.name}/docker/registry/v2/blobs/")
    assert site.storage.secret_key not in sent.headers["Location"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"secretkey": "another"}, "SignatureDoesNotMatch"),
        ({"bucket": "none"}, "NoSuchBucket"),
        ({"ca_certificate": None}, "x509: certificate signed by unknown authority"),
    ],
    ids=["another key", "no bucket", "an unknown CA"],
)
def test_a_storage_that_cannot_be_used_is_an_error(site: Site, wrong: dict[str, Any], said: str) -> None:
    failed = site.serve(s3=wrong, timeout=2)
    assert "does not answer as it should on this host: its storage on S3 cannot be read" in failed.message
    assert said in failed.message
    assert site.storage.secret_key not in failed.printed


def test_a_check_changes_nothing(site: Site) -> None:
    checked = site.serve(check=True)
    assert checked.result["changed"]
    assert site.engine.running == {}
    assert not any(name.startswith(site.name) for name in site.storage.names())

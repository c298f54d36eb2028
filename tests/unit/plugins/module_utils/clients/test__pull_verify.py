# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof: what each client gets is compared with the lock, and the host is as it was before."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _pull_verify
from ansible_collections.seahub.offline.plugins.module_utils.clients._pull_verify import Cell, Settings
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials
from ansible_collections.seahub.offline.plugins.module_utils.serving import _certificate
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Chart, Entry
from tests.unit.https_server import make_certificate, serve

MANIFEST, LAYER, CONFIG = b"a manifest", b"a layer", b"a configuration"
CHART, PROVENANCE = b"a chart", b"a provenance file"
DIGEST = _digest.hash_bytes(MANIFEST)
OTHER = _digest.hash_bytes(b"something else")
SHORT = _digest.hash_bytes(LAYER)[7:19]
BLOBS = {_digest.hash_bytes(data): len(data) for data in (MANIFEST, LAYER, CONFIG)}

# Remembers its images (name -> ID) in a file, and pulls what the test says that the registry has: name -> [ID, digest].
DOCKER = """
import fcntl, json, sys
state = open({folder!r} + "/docker.json", "r+")
fcntl.flock(state, fcntl.LOCK_EX)
host = json.load(state)
images, remote, args = host["images"], host["remote"], sys.argv[1:]
def finish(code=0, text=""):
    state.seek(0); state.truncate(); json.dump(host, state)
    print(text, file=sys.stderr if code else sys.stdout)
    sys.exit(code)
if args[0] == "version":
    finish(text="linux amd64")
if args[0] == "info":
    finish(text=json.dumps(host["config"]))
if args[0] == "pull":
    host["pulled"].append(args[1:])
    if args[-1] not in remote:
        finish(1, "Error response from daemon: manifest for " + args[-1] + " not found")
    image, digest = remote[args[-1]]
    images[args[-1]] = image
    name = args[-1].split("@")[0] if "@" in args[-1] else args[-1].rsplit(":", 1)[0]
    # Docker leaves a digest to the image that had it first.
    images.setdefault(name + "@" + digest, image)
    host["all"].append(image)
    finish(text=host["layers"] + "\\nDigest: " + digest)
if args[1] == "ls":
    finish(text="\\n".join(host["all"]))
if args[1] == "tag":
    images[args[3]] = args[2]
    finish()
if args[1] == "rm":
    images.pop(args[2], None)
    host["all"] = [image for image in host["all"] if image in images.values()]
    finish()
if args[1] == "inspect":
    name = args[-1]
    if "RepoTags" in args[3]:
        finish(text="0 0" if name in host["all"] and name not in images.values() else "1 0")
    finish(text=images[name]) if name in images else finish(1, "No such image")
"""

HELM = """#!/bin/sh
[ "$1 $3" = "pull --destination" ] || exit 9
echo "$@" >> {folder}/helm.calls
[ -e {folder}/chart.tgz ] || {{ echo "Error: not found" >&2; exit 1; }}
[ "$HELM_EXPERIMENTAL_OCI" = 1 ] && [ ! -e "$HELM_KUBECONTEXT" ] || exit 8
cp {folder}/chart.* "$4"
echo "Digest: $(cat {folder}/digest)" >&2
"""


class Host:
    """A run host with a docker and a helm that do what a test says, and a registry that serves blobs over HTTPS."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.registry = f"localhost:{port}"
        self.settings = Settings("localhost", port, (str(folder / "docker"),), (str(folder / "helm"),), 30, 3)
        self.state: dict[str, Any] = {
            "images": {},
            "remote": {},
            "all": [],
            "pulled": [],
            "layers": f"{SHORT}: Pull complete",
            "config": {"InsecureRegistryCIDRs": [], "IndexConfigs": {}},
        }

    def verify(self, *entries: Entry) -> list[Cell]:
        path = self.folder / "docker.json"
        path.write_text(json.dumps(self.state))
        cells = _pull_verify.verify(list(entries), self.settings)
        self.state = json.loads(path.read_text())
        return cells

    def offer(self, *names: str, image: str = "id-new", digest: str = DIGEST) -> None:
        self.state["remote"].update({f"{self.registry}/{name}": [image, digest] for name in names})

    def offer_chart(self, chart: bytes, provenance: bytes | None = None, digest: str = DIGEST) -> None:
        (self.folder / "chart.tgz").write_bytes(chart)
        (self.folder / "digest").write_text(digest)
        if provenance is not None:
            (self.folder / "chart.tgz.prov").write_bytes(provenance)


@pytest.fixture(name="served")
def fixture_served() -> dict[str, bytes]:
    """What the registry serves: every path that the test adds, and the blobs of one repository."""
    return {f"/v2/{name}/blobs/{_digest.hash_bytes(d)}": d for d in (LAYER, CONFIG) for name in ("redis", "art")} | {
        f"/v2/{name}/manifests/{version}": MANIFEST for version in (DIGEST, "7") for name in ("redis", "art")
    }


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: dict[str, bytes]) -> Iterator[Host]:
    certificate = make_certificate(tmp_path / "pki", "localhost")
    # Stands for the trust store of the operating system.
    monkeypatch.setenv("SSL_CERT_FILE", certificate.ca_certificate)
    for name, text in {
        "docker": f"#!{sys.executable} -I\n" + DOCKER.format(folder=str(tmp_path)),
        "helm": HELM.format(folder=tmp_path),
    }.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    with serve(certificate, served) as port:
        yield Host(tmp_path, port)


def image(**changes: Any) -> Entry:
    fields: dict[str, Any] = {
        "requested": "redis:7",
        "source": "docker.io/library/redis:7",
        "kind": "image",
        "name": "redis",
        "tag": "7",
        "digest": DIGEST,
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "platforms": ("linux/amd64",),
        "blobs": BLOBS,
    }
    return Entry(**{**fields, **changes})


def chart(provenance: str | None = None, version: str = "1.0.0") -> Entry:
    about = Chart("demo", version, _digest.hash_bytes(CHART), provenance)
    return image(kind="chart", name="charts/demo", tag=version.replace("+", "_"), platforms=(), chart=about)


# Images


def test_an_image_that_is_right_leaves_nothing_behind(host: Host) -> None:
    host.offer("redis:7")
    (cell,) = host.verify(image())
    assert (cell.ok, cell.error, cell.actual, cell.was_present) == (True, "", DIGEST, False)
    assert cell.reference == f"{host.registry}/redis:7"
    assert (host.state["images"], host.state["all"]) == ({}, [])


def test_every_name_of_an_image_is_pulled(host: Host) -> None:
    host.offer("library/redis:7", "redis:7")
    cells = host.verify(image(name="library/redis", aliases=("redis",)))
    assert [cell.reference for cell in cells] == [f"{host.registry}/library/redis:7", f"{host.registry}/redis:7"]
    assert all(cell.ok for cell in cells)


@pytest.mark.parametrize(
    ("platforms", "options"),
    [
        (("linux/amd64",), [[]]),
        ((), [[]]),
        (("linux/arm64",), [["--platform", "linux/arm64"]]),
        (("linux/amd64", "linux/arm64"), [["--platform", "linux/amd64"], ["--platform", "linux/arm64"]]),
    ],
)
def test_a_platform_is_named_only_where_docker_would_not_choose_it(
    host: Host, platforms: tuple[str, ...], options: list[list[str]]
) -> None:
    host.offer("redis:7")
    host.verify(image(platforms=platforms))
    assert [pulled[:-1] for pulled in host.state["pulled"]] == options


def test_an_image_without_a_tag_is_pulled_by_its_digest(host: Host) -> None:
    host.offer(f"redis@{DIGEST}")
    (cell,) = host.verify(image(tag=None))
    assert cell.ok
    assert host.state["images"] == {}


def test_another_digest_is_wrong(host: Host) -> None:
    host.offer("redis:7", digest=OTHER)
    (cell,) = host.verify(image())
    assert (cell.ok, cell.actual) == (False, OTHER)
    assert DIGEST in cell.error


def test_an_image_that_is_missing_is_wrong_in_dockers_words_and_the_others_are_pulled(host: Host) -> None:
    host.offer("redis:7")
    missing, right = host.verify(image(tag="6"), image())
    assert missing.error == f"manifest for {host.registry}/redis:6 not found"
    assert right.ok


def test_what_the_host_had_stays(host: Host) -> None:
    names = {f"{host.registry}/redis:7": "id-new", f"{host.registry}/redis@{DIGEST}": "id-new"}
    host.state.update(images=dict(names), all=["id-new"])
    host.offer("redis:7")
    (cell,) = host.verify(image())
    assert (cell.ok, cell.was_present) == (True, True)
    assert host.state["images"] == names


def test_a_name_that_led_to_another_image_leads_there_again(host: Host) -> None:
    names = {f"{host.registry}/redis:7": "id-old", f"{host.registry}/redis@{DIGEST}": "id-old"}
    host.state.update(images=dict(names), all=["id-old"])
    host.offer("redis:7", digest=OTHER)
    (cell,) = host.verify(image())
    assert not cell.ok
    assert host.state["images"][f"{host.registry}/redis:7"] == "id-old"


def test_an_image_that_loses_its_name_again_is_removed(host: Host) -> None:
    host.state.update(
        images={f"{host.registry}/redis:7": "id-old", f"{host.registry}/redis@{DIGEST}": "id-old"}, all=["id-old"]
    )
    host.offer("redis:7")
    host.verify(image())
    assert host.state["all"] == ["id-old"]


@pytest.mark.parametrize("layers", ["", f"{SHORT}: Already exists"], ids=["all is there", "the layer is there"])
def test_what_docker_does_not_fetch_is_fetched_and_hashed(host: Host, served: dict[str, bytes], layers: str) -> None:
    host.offer("redis:7")
    host.state["layers"] = layers
    assert host.verify(image())[0].ok
    served[f"/v2/redis/blobs/{_digest.hash_bytes(LAYER)}"] = b"damaged"
    (cell,) = host.verify(image())
    assert not cell.ok
    assert _digest.hash_bytes(LAYER) in cell.error


@pytest.mark.parametrize(
    "config",
    [
        {"InsecureRegistryCIDRs": ["127.0.0.0/8", "::1/128"]},
        {"IndexConfigs": {"REGISTRY": {"Secure": False}}},
    ],
)
def test_a_docker_that_does_not_verify_proves_nothing(host: Host, config: dict[str, Any]) -> None:
    host.offer("redis:7")
    host.state["config"] = json.loads(json.dumps(config).replace("REGISTRY", host.registry))
    (cell,) = host.verify(image())
    assert not cell.ok
    assert "insecure-registries" in cell.error
    assert host.state["pulled"] == []


# Charts


def test_a_chart_is_compared_with_the_lock(host: Host) -> None:
    host.offer_chart(CHART)
    (cell,) = host.verify(chart())
    assert (cell.ok, cell.actual) == (True, DIGEST)
    assert "--prov" not in (host.folder / "helm.calls").read_text()


def test_a_plus_in_a_version_is_a_plus_for_helm(host: Host) -> None:
    host.offer_chart(CHART)
    (cell,) = host.verify(chart(version="1.0.0+b.1"))
    assert cell.reference == f"oci://{host.registry}/charts/demo:1.0.0_b.1"
    assert "--version 1.0.0+b.1" in (host.folder / "helm.calls").read_text()


def test_a_provenance_file_is_pulled_and_compared(host: Host) -> None:
    host.offer_chart(CHART, PROVENANCE)
    assert host.verify(chart(_digest.hash_bytes(PROVENANCE)))[0].ok
    (cell,) = host.verify(chart(OTHER))
    assert "chart.tgz.prov is" in cell.error


def test_a_provenance_file_that_does_not_come_is_wrong(host: Host) -> None:
    host.offer_chart(CHART)
    assert "0 files *.prov" in host.verify(chart(OTHER))[0].error


@pytest.mark.parametrize(("content", "digest"), [(b"another chart", DIGEST), (CHART, OTHER)])
def test_another_chart_is_wrong(host: Host, content: bytes, digest: str) -> None:
    host.offer_chart(content, digest=digest)
    assert host.verify(chart())[0].ok is False


def test_a_chart_that_is_missing_is_wrong_in_helms_words(host: Host) -> None:
    assert host.verify(chart())[0].error == "not found"


# Other artifacts


def test_an_artifact_is_fetched_and_hashed(host: Host, served: dict[str, bytes]) -> None:
    entry = image(kind="artifact", name="art", platforms=())
    assert host.verify(entry)[0].ok
    served[f"/v2/art/blobs/{_digest.hash_bytes(LAYER)}"] = b"damaged"
    assert "the registry gives" in host.verify(entry)[0].error
    del served["/v2/art/manifests/7"]
    assert "does not have it" in host.verify(entry)[0].error


def test_a_registry_that_the_host_does_not_trust_is_wrong(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "certificate verify failed" in host.verify(image(kind="artifact", name="art", platforms=()))[0].error


# Several registry hosts


def ask(host: Host, *entries: Entry) -> Cell:
    """Give the cell of the registry host at 127.0.0.1."""
    host.settings = replace(host.settings, addresses=("127.0.0.1",))
    (cell,) = (cell for cell in host.verify(*entries) if cell.reference == f"{host.registry} at 127.0.0.1")
    return cell


def test_a_registry_host_that_has_everything_is_right(host: Host) -> None:
    cell = ask(host, image(), image(kind="artifact", name="art", tag=None))
    assert (cell.ok, cell.error, cell.expected, cell.actual) == (True, "", None, None)


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        ("manifests/7", None, "does not have /v2/redis/manifests/7"),
        ("manifests/7", b"another manifest", "the registry gives sha256:"),
        (f"blobs/{_digest.hash_bytes(LAYER)}", None, "it has 0 bytes instead of 7"),
        (f"blobs/{_digest.hash_bytes(LAYER)}", b"half", "it has 4 bytes instead of 7"),
    ],
)
def test_what_a_registry_host_lacks_is_named(
    host: Host, served: dict[str, bytes], path: str, content: bytes | None, says: str
) -> None:
    del served[f"/v2/redis/{path}"]
    if content is not None:
        served[f"/v2/redis/{path}"] = content
    cell = ask(host, image(), image(kind="artifact", name="art"))
    assert cell.ok is False
    assert says in cell.error
    assert "art:7" not in cell.error


def test_another_name_of_an_image_has_to_be_on_each_registry_host(host: Host) -> None:
    assert "/v2/library/redis/manifests/7" in ask(host, image(aliases=("library/redis",))).error


def test_only_a_few_of_many_lacks_are_named(host: Host) -> None:
    assert ask(host, *(image(tag=f"6.{number}") for number in range(9))).error.endswith("; and 4 more")


def test_the_next_registry_host_does_not_cover_for_one_that_is_down(host: Host) -> None:
    host.settings = replace(host.settings, addresses=("127.0.0.1", "127.0.0.2"))
    right, down = host.verify(image(kind="artifact", name="art"))[:2]
    assert (right.ok, down.ok) == (True, False)
    assert down.reference == f"{host.registry} at 127.0.0.2"
    assert "refused" in down.error


def test_a_registry_with_users_is_asked_with_a_login(host: Host, served: dict[str, bytes], tmp_path: Path) -> None:
    with serve(_certificate.files(str(tmp_path / "pki"), "localhost"), served, "reader:secret") as port:
        host.settings = replace(host.settings, port=port)
        host.registry = f"localhost:{port}"
        entry = image(kind="artifact", name="art")
        assert "wants a user" in ask(host, entry).error
        host.settings = replace(host.settings, login=Credentials("reader", "secret"))
        assert ask(host, entry).ok
        assert "secret" not in repr(host.settings)


def test_a_registry_host_has_to_prove_its_name(host: Host) -> None:
    host.settings = replace(host.settings, domain="localhost.example")
    host.registry = f"localhost.example:{host.settings.port}"
    assert "certificate verify failed" in ask(host, image()).error


# Clients


@pytest.mark.parametrize("entry", [image(), chart()], ids=["docker", "helm"])
def test_a_missing_client_is_wrong_and_says_what_to_do(host: Host, entry: Entry) -> None:
    host.settings = Settings("localhost", host.settings.port, ("nodocker",), ("nohelm",), 30, 3)
    (cell,) = host.verify(entry)
    assert cell.ok is False
    assert "is not on this host: install it" in cell.error


def test_a_client_that_hangs_is_given_up(host: Host) -> None:
    (host.folder / "helm").write_text("#!/bin/sh\nexec sleep 60\n")
    host.settings = Settings("localhost", host.settings.port, ("nodocker",), (str(host.folder / "helm"),), 0.2, 3)
    assert "had not finished" in host.verify(chart())[0].error


def test_a_plan_has_the_same_cells_untried(host: Host) -> None:
    host.offer("redis:7")
    host.offer_chart(CHART)
    host.settings = replace(host.settings, addresses=("127.0.0.1",))
    entries = [chart(), image()]
    cells = _pull_verify.planned(entries, host.settings)
    assert {cell.ok for cell in cells} == {None}
    tried = host.verify(*entries)
    assert {(cell.reference, cell.client) for cell in cells} == {(cell.reference, cell.client) for cell in tried}

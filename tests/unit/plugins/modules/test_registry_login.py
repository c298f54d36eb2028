# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords come to where clients look for them, beside those of others, and go again."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _login_records
from ansible_collections.seahub.offline.plugins.modules import registry_login
from tests.unit import modules

REGISTRY = "sea.hub:5000"
PASSWORD = "p:ä w0rd"
AUTH = {"auth": base64.b64encode(f"reader:{PASSWORD}".encode()).decode()}
FILES = (".docker/config.json", ".config/containers/auth.json", ".config/helm/registry/config.json")


@pytest.fixture(name="records", autouse=True)
def fixture_records(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where records are kept instead of in the folder of this machine."""
    folder = tmp_path_factory.mktemp("records") / "client"
    monkeypatch.setattr(_login_records, "FOLDER", str(folder))
    return folder


def run(home: Path, check: bool = False, **options: Any) -> modules.Outcome:
    login = {"username": "reader", "password": PASSWORD} if options.get("state") != "absent" else {}
    return modules.run(registry_login.main, {"registry": REGISTRY, "home": str(home), **login, **options}, check=check)


def write(path: Path, document: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=4) + "\n")
    return path


def test_every_client_gets_it_and_forgets_it(tmp_path: Path) -> None:
    outcome = run(tmp_path)
    assert outcome.result["files"] == [str(tmp_path / name) for name in FILES]
    assert "w0rd" not in outcome.printed
    for name in FILES:
        assert json.loads((tmp_path / name).read_text()) == {"auths": {REGISTRY: AUTH}}
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    assert not run(tmp_path).result["changed"]
    assert run(tmp_path, state="absent").result["changed"]
    assert not any((tmp_path / name).exists() for name in FILES)
    assert not run(tmp_path, state="absent").result["changed"]


@pytest.mark.parametrize(
    ("before", "helpers"),
    [
        ({"HttpHeaders": {"a": "b"}, "auths": {"other": {"auth": "eDp5"}}}, None),
        ({"credsStore": "pass"}, {REGISTRY: ""}),
        ({"credHelpers": {"gcr.io": "gcloud"}}, {"gcr.io": "gcloud"}),
    ],
)
def test_what_is_there_for_others_stays(tmp_path: Path, before: dict[str, Any], helpers: dict[str, str] | None) -> None:
    file = write(tmp_path / FILES[0], before)
    run(tmp_path, clients=["docker"])
    document = json.loads(file.read_text())
    assert document["auths"] == {**before.get("auths", {}), REGISTRY: AUTH}
    assert document.get("credHelpers") == helpers
    assert file.stat().st_mode & 0o777 == 0o600
    run(tmp_path, clients=["docker"], state="absent")
    assert json.loads(file.read_text()) == before


ODD = [
    '{"auths" : { "other":{"auth":"eDp5"} },\n\n "HttpHeaders":{}}',
    '{"auths":{"sea.hub:5000":{"auth":"b3du"}},"credHelpers":{"sea.hub:5000":"own"}}',
    '{"auths": {}}\n',
    "",
]


@pytest.mark.parametrize("text", ODD)
@pytest.mark.parametrize("changed", [False, True], ids=["the same password", "a changed password"])
@pytest.mark.parametrize("order", [1, -1], ids=["the first one first", "the last one first"])
def test_what_was_there_is_given_back(tmp_path: Path, records: Path, text: str, changed: bool, order: int) -> None:
    file = tmp_path / FILES[0]
    if text:
        file.parent.mkdir()
        file.write_text(text)
    registries = (REGISTRY, "second.hub:5000")
    for registry in registries:
        run(tmp_path, registry=registry)
    for registry in registries if changed else ():
        run(tmp_path, registry=registry, password="another")
    (folder,) = records.glob("*/logins")
    kept = "".join(record.read_text() for record in folder.iterdir())
    assert not any(secret in kept for secret in ("w0rd", AUTH["auth"], base64.b64encode(b"reader:another").decode()))
    assert folder.stat().st_mode & 0o777 == 0o700
    for registry in registries[::order]:
        assert run(tmp_path, registry=registry, state="absent", check=True).result["changed"]
        assert run(tmp_path, registry=registry, state="absent").result["changed"]
        assert not run(tmp_path, registry=registry, state="absent").result["changed"]
    assert not records.exists()
    assert list(tmp_path.iterdir()) == ([file.parent] if text else [])
    if text:
        assert file.read_text() == text


@pytest.mark.parametrize("text", ODD)
def test_all_is_given_back_without_being_named(tmp_path: Path, records: Path, text: str) -> None:
    file = write(tmp_path / FILES[0], {})
    file.write_text(text or "{}")
    for registry in (REGISTRY, "second.hub:5000"):
        run(tmp_path, registry=registry, pull_secret=str(tmp_path / "secrets/pull.json"))
    assert run(Path("/nowhere"), registry=None, state="absent").result["changed"]
    assert file.read_text() == (text or "{}")
    assert list(tmp_path.iterdir()) == [file.parent]
    assert not records.exists()


@pytest.mark.parametrize("text", ODD[:3])
def test_of_a_file_that_was_changed_since_only_ours_is_taken(tmp_path: Path, text: str) -> None:
    file = tmp_path / FILES[0]
    file.parent.mkdir()
    file.write_text(text)
    run(tmp_path, clients=["docker"])
    write(file, {**json.loads(file.read_text()), "psFormat": "new"})
    run(tmp_path, clients=["docker"], state="absent")
    assert json.loads(file.read_text()) == {**json.loads(text), "psFormat": "new"}


def test_a_password_that_others_have_written_stays(tmp_path: Path) -> None:
    file = write(tmp_path / FILES[0], {"auths": {REGISTRY: AUTH}})
    file.chmod(0o600)
    assert not run(tmp_path, clients=["docker"]).result["changed"]
    assert not run(tmp_path, clients=["docker"], state="absent").result["changed"]
    assert json.loads(file.read_text()) == {"auths": {REGISTRY: AUTH}}


def test_a_file_that_others_can_read_is_closed(tmp_path: Path) -> None:
    run(tmp_path, clients=["helm"])
    (tmp_path / FILES[2]).chmod(0o644)
    assert run(tmp_path, clients=["helm"]).result["changed"]
    assert (tmp_path / FILES[2]).stat().st_mode & 0o777 == 0o600


def test_check_mode_changes_nothing(tmp_path: Path) -> None:
    assert run(tmp_path, check=True, pull_secret=str(tmp_path / "secret.json")).result["changed"]
    assert list(tmp_path.iterdir()) == []


def test_kubernetes_gets_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    run(tmp_path, clients=[], pull_secret=str(path), pull_secret_namespace="apps")
    manifest = json.loads(path.read_text())
    assert (manifest["kind"], manifest["type"]) == ("Secret", "kubernetes.io/dockerconfigjson")
    assert manifest["metadata"] == {"name": "seahub", "namespace": "apps"}
    assert json.loads(base64.b64decode(manifest["data"][".dockerconfigjson"])) == {"auths": {REGISTRY: AUTH}}
    assert path.stat().st_mode & 0o777 == 0o600
    run(tmp_path, clients=[], pull_secret=str(path), state="absent")
    assert not path.exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"auths": []}', '{"auths": 1}'])
def test_a_file_that_no_client_could_read_stays_as_it_is(tmp_path: Path, text: str) -> None:
    file = tmp_path / FILES[0]
    file.parent.mkdir()
    file.write_text(text)
    assert run(tmp_path, clients=["docker"]).failed
    assert file.read_text() == text


@pytest.mark.skipif(shutil.which("skopeo") is None, reason="skopeo is not on this machine")
def test_skopeo_reads_it(tmp_path: Path) -> None:
    run(tmp_path, clients=["containers"])
    command = ["skopeo", "login", "--get-login", "--authfile", str(tmp_path / FILES[1]), REGISTRY]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "reader"

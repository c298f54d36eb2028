# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.registries import _credentials
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import (
    Credentials,
    InvalidCredentials,
)

HUB_KEY = "https://index.docker.io/v1/"
ALICE, BOB = Credentials("alice", "one:two"), Credentials("bob", "secret")

# A real credential helper, by https://github.com/docker/docker-credential-helpers: it knows what lies beside it, and
# notes what it was asked for.
HELPER = """#!/bin/sh
here=$(dirname "$0")
read -r key
echo "$1 $key" >> "$here/asked"
if [ "$key" = slow.example ]; then exec sleep 20; fi
if [ "$key" = broken.example ]; then echo "the key ring is locked" >&2; exit 1; fi
if [ "$key" = silent.example ]; then exit 1; fi
if [ "$key" = garbage.example ]; then echo "hello secret"; exit 0; fi
if [ "$key" = list.example ]; then echo "[]"; exit 0; fi
if [ "$key" = part.example ]; then echo '{"Username": "bob"}'; exit 0; fi
if [ "$key" = token.example ]; then echo '{"Username": "<token>", "Secret": "refresh"}'; exit 0; fi
case " $KNOWN " in
  *" $key "*) echo '{"ServerURL": "'"$key"'", "Username": "bob", "Secret": "secret"}';;
  *) echo "credentials not found in native keychain"; exit 1;;
esac
"""


def entry(credentials: Credentials) -> dict[str, str]:
    """An entry as `docker login` writes it."""
    text = f"{credentials.username}:{credentials.password}"
    return {"auth": base64.b64encode(text.encode()).decode()}


def login(folder: Path, **members: Any) -> _credentials.LoginFile:
    path = folder / "config.json"
    path.write_text(json.dumps(members))
    return _credentials.read(str(path))


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put `docker-credential-test` on the path; return the file with what it was asked."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "docker-credential-test").write_text(HELPER)
    (folder / "docker-credential-test").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("KNOWN", "")
    return folder / "asked"


# Key in the file, the host and path looked for -> whether it is for them.
KEYS: tuple[tuple[str, str, str, bool], ...] = (
    ("quay.io", "quay.io", "team/app", True),
    ("quay.io", "quay.io.example.com", "team/app", False),
    ("quay.io", "eu.quay.io", "team/app", False),
    ("quay.io", "quay.io:8443", "team/app", False),
    ("registry:5000", "registry:5000", "app", True),
    ("registry", "registry:5000", "app", False),
    # Older clients wrote URLs.
    ("https://quay.io", "quay.io", "app", True),
    ("https://quay.io/", "quay.io", "app", True),
    ("https://quay.io/v1/", "quay.io", "app", True),
    ("https://quay.io/v2/", "quay.io", "app", True),
    ("http://registry:5000", "registry:5000", "app", True),
    ("quay.io/v1/", "quay.io", "app", True),
    # Podman and skopeo know keys that go on with a path, and end where one of its parts ends.
    ("quay.io/team", "quay.io", "team/app", True),
    ("quay.io/team/app", "quay.io", "team/app", True),
    ("quay.io/team", "quay.io", "team", True),
    ("quay.io/team", "quay.io", "teams/app", False),
    ("quay.io/team/app", "quay.io", "team", False),
    ("quay.io/app", "quay.io", "team/app", False),
    # Docker Hub has several names.
    (HUB_KEY, "docker.io", "library/mysql", True),
    ("https://index.docker.io/v1", "docker.io", "library/mysql", False),
    ("index.docker.io/v1/", "docker.io", "library/mysql", True),
    ("https://index.docker.io/v2/", "docker.io", "library/mysql", True),
    ("index.docker.io", "docker.io", "library/mysql", True),
    ("registry-1.docker.io", "docker.io", "library/mysql", True),
    ("docker.io", "docker.io", "library/mysql", True),
    ("docker.io/library", "docker.io", "library/mysql", True),
    ("docker.io/bitnami", "docker.io", "library/mysql", False),
    (HUB_KEY, "quay.io", "app", False),
)

# What stands in an entry -> what is read.
ENTRIES: dict[str, tuple[dict[str, Any], Credentials | None]] = {
    "login": (entry(ALICE), ALICE),
    "name and password": ({"username": "alice", "password": "one:two"}, ALICE),
    "both: the login counts": ({**entry(BOB), "username": "x", "password": "y"}, BOB),
    "padding of old clients": ({"auth": base64.b64encode(b"bob:secret\0\0").decode()}, BOB),
    "identity token": (
        {"auth": base64.b64encode(b"00000000-0000-0000-0000-000000000000:").decode(), "identitytoken": "refresh"},
        Credentials("00000000-0000-0000-0000-000000000000", "", identity_token="refresh"),
    ),
    "registry token": ({"registrytoken": "bearer"}, Credentials(registry_token="bearer")),
    "letters of all kinds": (entry(Credentials("änne", "пароль")), Credentials("änne", "пароль")),
    "empty": ({}, None),
    "only what does not matter": ({"email": "alice@example.com"}, None),
    "empty members": ({"auth": "", "username": None}, None),
}

# Entries that nobody can use.
DAMAGED: dict[str, Any] = {
    "no base64": {"auth": "!!!!"},
    "base64 with something in it": {"auth": entry(BOB)["auth"][:4] + "*" + entry(BOB)["auth"][4:]},
    "cut base64": {"auth": "YWxpY2U6b25l" + "b"},
    "no colon": {"auth": base64.b64encode(b"alice").decode()},
    "no text": {"auth": base64.b64encode(b"\xff:\xfe").decode()},
    "other letters": {"auth": "ä"},
    "number": {"auth": 7},
    "list": ["alice", "one"],
    "text": "alice:one",
}

# Files that are no login file.
UNREADABLE: dict[str, bytes] = {
    "empty": b"",
    "text": b"alice:secret-password",
    "list": b"[]",
    "number": b"7",
    "cut": b'{"auths": {"quay.io": {"auth": "c2VjcmV0',
    "not UTF-8": b'{"auths": "\xff"}',
    "auths as text": b'{"auths": "quay.io"}',
    "auths as number": b'{"auths": 7}',
    "helpers as text": b'{"credHelpers": "test"}',
    "deep": b"[" * 500_000,
}


@pytest.mark.parametrize(("key", "host", "path", "found"), KEYS)
def test_which_key_is_for_what(tmp_path: Path, key: str, host: str, path: str, found: bool) -> None:
    assert login(tmp_path, auths={key: entry(ALICE)}).find(host, path) == (ALICE if found else None)


def test_the_longest_key_counts(tmp_path: Path) -> None:
    """So two accounts of one registry work beside each other."""
    file = login(tmp_path, auths={"quay.io": entry(ALICE), "quay.io/team": entry(BOB)})
    assert file.find("quay.io", "team/app") == BOB
    assert file.find("quay.io", "other/app") == ALICE


@pytest.mark.parametrize(("members", "expected"), ENTRIES.values(), ids=ENTRIES)
def test_what_an_entry_says(tmp_path: Path, members: dict[str, Any], expected: Credentials | None) -> None:
    assert login(tmp_path, auths={"quay.io": members}).find("quay.io", "app") == expected


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_entry_is_an_error_where_it_matters(tmp_path: Path, damaged: object) -> None:
    """It names the registry and the file, not the content."""
    file = login(tmp_path, auths={"quay.io": damaged, "ghcr.io": entry(BOB)})
    with pytest.raises(InvalidCredentials) as caught:
        file.find("quay.io", "app")
    assert str(caught.value) == f"the entry quay.io in {file.path} is damaged: log in again"
    assert file.find("ghcr.io", "app") == BOB


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_a_damaged_file_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(data)
    with pytest.raises(InvalidCredentials, match=f"{path} cannot be read as a login file") as caught:
        _credentials.read(str(path))
    assert "secret" not in str(caught.value)
    assert "c2Vj" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidCredentials, match="Is a directory"):
        _credentials.read(str(tmp_path))


@pytest.mark.parametrize("members", [{}, {"auths": None}, {"auths": {}, "HttpHeaders": {"User-Agent": "x"}}])
def test_a_file_may_say_nothing_about_credentials(tmp_path: Path, members: dict[str, Any]) -> None:
    assert login(tmp_path, **members).find("quay.io", "app") is None


def test_secrets_are_not_shown() -> None:
    shown = repr(Credentials("alice", "secret-1", "secret-2", "secret-3"))
    assert "alice" in shown
    assert "secret" not in shown


# Helpers


def asked(helper: Path) -> list[str]:
    return helper.read_text().splitlines() if helper.exists() else []


def test_a_helper_for_one_registry(tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KNOWN", "quay.io")
    file = login(tmp_path, credHelpers={"quay.io": "test"}, auths={"quay.io": entry(ALICE), "ghcr.io": entry(ALICE)})
    assert file.find("quay.io", "app") == BOB
    assert file.find("ghcr.io", "app") == ALICE
    assert asked(helper) == ["get quay.io"]


@pytest.mark.parametrize(
    ("host", "key"), {"quay.io": "quay.io", "registry:5000": "registry:5000", "docker.io": HUB_KEY}.items()
)
@pytest.mark.parametrize("listed", [True, False])
def test_a_store_for_all(
    tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch, host: str, key: str, listed: bool
) -> None:
    """`docker login` leaves an empty entry beside it; who sets a store up by hand leaves none."""
    monkeypatch.setenv("KNOWN", key)
    file = login(tmp_path, credsStore="test", auths={key: {}} if listed else {})
    assert file.find(host, "team/app") == BOB
    assert asked(helper) == [f"get {key}"]


def test_an_entry_with_credentials_goes_before_the_store(tmp_path: Path, helper: Path) -> None:
    file = login(tmp_path, credsStore="test", auths={"quay.io": entry(ALICE)})
    assert file.find("quay.io", "app") == ALICE
    assert asked(helper) == []


def test_an_empty_helper_means_the_file(tmp_path: Path) -> None:
    file = login(tmp_path, credHelpers={"quay.io": ""}, auths={"quay.io": entry(ALICE)})
    assert file.find("quay.io", "app") == ALICE


def test_what_a_helper_does_not_know_is_entered_without(tmp_path: Path, helper: Path) -> None:
    file = login(tmp_path, credHelpers={"quay.io": "test"}, credsStore="test")
    assert file.find("quay.io", "app") is None
    assert file.find("ghcr.io", "app") is None
    assert asked(helper) == ["get quay.io", "get ghcr.io"]


def test_a_helper_is_asked_once(tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each of a thousand images."""
    monkeypatch.setenv("KNOWN", "quay.io")
    file = login(tmp_path, credHelpers={"quay.io": "test"}, credsStore="test")
    assert {file.find("quay.io", f"app{number}") for number in range(5)} == {BOB}
    assert {file.find("ghcr.io", f"app{number}") for number in range(5)} == {None}
    assert asked(helper) == ["get quay.io", "get ghcr.io"]


def test_a_helper_may_give_an_identity_token(tmp_path: Path, helper: Path) -> None:
    file = login(tmp_path, credsStore="test")
    assert file.find("token.example", "app") == Credentials(identity_token="refresh")


# What goes wrong -> what is said.
TROUBLE: dict[str, str] = {
    "broken.example": "docker-credential-test, named in .*, failed for broken.example: the key ring is locked",
    "silent.example": "docker-credential-test, named in .*, failed for silent.example",
    "garbage.example": "docker-credential-test, named in .*, gave no credentials for garbage.example",
    "list.example": "docker-credential-test, named in .*, gave no credentials for list.example",
    "part.example": "docker-credential-test, named in .*, gave no credentials for part.example",
    "slow.example": "docker-credential-test, named in .*, cannot be run: .*timed out",
}


@pytest.mark.parametrize(("host", "message"), TROUBLE.items())
def test_trouble_with_a_helper_is_an_error(
    tmp_path: Path, helper: Path, monkeypatch: pytest.MonkeyPatch, host: str, message: str
) -> None:
    """Going on without credentials would end in an error that hides this one."""
    monkeypatch.setattr(_credentials, "_HELPER_TIMEOUT", 0.5 if host == "slow.example" else 20)
    with pytest.raises(InvalidCredentials, match=message) as caught:
        login(tmp_path, credsStore="test").find(host, "app")
    assert "secret" not in str(caught.value)


def test_a_helper_that_is_not_installed_is_an_error(tmp_path: Path) -> None:
    file = login(tmp_path, credsStore="no-such-thing")
    with pytest.raises(InvalidCredentials, match=r"docker-credential-no-such-thing, named in .*, cannot be run"):
        file.find("quay.io", "app")


# Where the files lie


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any settings."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path


def put(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    return str(path)


def found() -> list[str]:
    return [file.path for file in _credentials.of_user()]


def test_a_user_may_have_no_login_files(home: Path) -> None:
    assert found() == []


def test_the_files_of_a_user_are_found_in_their_order(home: Path) -> None:
    """Docker's first, then those of podman and skopeo: of the session, and the lasting one."""
    names = (".docker/config.json", "run/containers/auth.json", ".config/containers/auth.json")
    assert [put(home / name) for name in names] == found()


def test_the_environment_says_where_else(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(home / ".docker/config.json")
    put(home / ".config/containers/auth.json")
    monkeypatch.setenv("DOCKER_CONFIG", str(home / "docker"))
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(home / "logins.json"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "etc"))
    names = ("docker/config.json", "logins.json", "etc/containers/auth.json")
    assert [put(home / name) for name in names] == found()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials for registries, from the user's own login files.

- docker's `config.json`, with `auths`, `credHelpers` and `credsStore`:
  https://docs.docker.com/reference/cli/docker/login/
- `auth.json` of podman, skopeo and buildah, whose keys may go on with a path:
  https://github.com/containers/image/blob/v5.30.0/docs/containers-auth.json.5.md
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import base64
import dataclasses
import json
import os
import subprocess
from typing import Any, Iterator

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci._reference import DOCKER_HUB

# How `docker login` without a host calls Docker Hub, in its file and to its helpers; and the other names that it has.
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_HUB_HOSTS = ("index.docker.io", "registry-1.docker.io", DOCKER_HUB)
# What a helper gives as user name when the secret is an identity token.
_TOKEN_USER = "<token>"
_HELPER_TIMEOUT = 30


class InvalidCredentials(SeahubError):
    """A login file, or the helper it names, that gives no usable credentials."""


@dataclasses.dataclass(frozen=True)
class Credentials:
    """What a registry is entered with: a name and a password, or a token.

    - identity_token: exchanged for access tokens at the registry's token service (OAuth 2 refresh token).
    - registry_token: sent to the registry as it is.
    """

    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    identity_token: str = dataclasses.field(default="", repr=False)
    registry_token: str = dataclasses.field(default="", repr=False)

    def basic(self) -> str:
        """Return the value of the header Authorization for a name and a password."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()


@dataclasses.dataclass(frozen=True)
class LoginFile:
    """One `config.json` or `auth.json`.

    - auths: what stands in the file, by registry.
    - helpers, store: which program has the credentials of one registry, and of all others.
    """

    path: str
    auths: dict[str, Any]
    helpers: dict[str, str]
    store: str
    _answers: dict[tuple[str, str], Credentials | None] = dataclasses.field(default_factory=dict, repr=False)

    def find(self, host: str, path: str) -> Credentials | None:
        """Return the credentials for a repository, those of the longest matching key.

        :param host: the registry host, with its port.
        :param path: the repository's path.
        :raises InvalidCredentials: if the matching entry cannot be used.
        """
        for key in _keys(host, path):
            if self.helpers.get(key):
                return self._ask(self.helpers[key], key)
            credentials = self._read(key, self.auths.get(key) or {})
            if credentials != Credentials():
                return credentials
            # `docker login` with a store leaves an empty entry here: the store has the secret.
            if key in self.auths and self.store:
                return self._ask(self.store, key)
        # Some stores, such as that of Amazon, are set up by hand and leave no entry at all.
        return self._ask(self.store, _DOCKER_HUB_KEY if host == DOCKER_HUB else host) if self.store else None

    def _ask(self, helper: str, key: str) -> Credentials | None:
        """Ask a helper, once for each key: it may take its time, or ask the user."""
        if (helper, key) not in self._answers:
            self._answers[helper, key] = self._ask_helper(helper, key)
        return self._answers[helper, key]

    def _read(self, key: str, entry: Any) -> Credentials:
        try:
            username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
            if entry.get("auth"):
                decoded = base64.b64decode(entry["auth"], validate=True).decode()
                username, password = decoded.split(":", 1)
            return Credentials(
                username,
                password.rstrip("\0"),
                str(entry.get("identitytoken") or ""),
                str(entry.get("registrytoken") or ""),
            )
        except (ValueError, TypeError, AttributeError) as error:
            raise InvalidCredentials(f"the entry {key} in {self.path} is damaged: log in again") from error

    def _ask_helper(self, helper: str, key: str) -> Credentials | None:
        program = f"docker-credential-{helper}"
        try:
            done = subprocess.run(
                [program, "get"], input=key.encode(), capture_output=True, timeout=_HELPER_TIMEOUT, check=False
            )
            if done.returncode != 0:
                if b"not found" in done.stdout.lower():
                    return None
                said = (done.stderr or done.stdout).decode(errors="replace").strip()
                raise InvalidCredentials(f"{program}, named in {self.path}, failed for {key}: {said[:200]}")
            answer = json.loads(done.stdout)
            username, secret = str(answer["Username"]), str(answer["Secret"])
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InvalidCredentials(f"{program}, named in {self.path}, cannot be run: {error}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise InvalidCredentials(f"{program}, named in {self.path}, gave no credentials for {key}") from error
        if username == _TOKEN_USER:
            return Credentials(identity_token=secret)
        return Credentials(username, secret)


def read(path: str) -> LoginFile:
    """Read a login file.

    :raises InvalidCredentials: if it is not readable or is no such file.
    """
    try:
        with open(path, "rb") as file:
            document = json.load(file)
        return LoginFile(
            path=path,
            auths=dict(document.get("auths") or {}),
            helpers=dict(document.get("credHelpers") or {}),
            store=str(document.get("credsStore") or ""),
        )
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidCredentials(f"{path} cannot be read as a login file: {error}") from error


def of_user() -> list[LoginFile]:
    """Read the login files of the user, in the order in which they are asked: docker's, then those of containers."""
    return [read(path) for path in _user_paths() if os.path.isfile(path)]


def _user_paths() -> Iterator[str]:
    home = os.path.expanduser("~")
    yield os.path.join(os.environ.get("DOCKER_CONFIG") or os.path.join(home, ".docker"), "config.json")
    if os.environ.get("REGISTRY_AUTH_FILE"):
        yield os.environ["REGISTRY_AUTH_FILE"]
    runtime = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}"
    yield os.path.join(runtime, "containers", "auth.json")
    yield os.path.join(os.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config"), "containers", "auth.json")


def _keys(host: str, path: str) -> Iterator[str]:
    """Yield the keys under which credentials for a repository may lie, the most particular first."""
    parts = path.split("/")
    for count in range(len(parts), 0, -1):
        yield "/".join([host, *parts[:count]])
    if host == DOCKER_HUB:
        yield _DOCKER_HUB_KEY
    for name in _DOCKER_HUB_HOSTS if host == DOCKER_HUB else (host,):
        # Older clients wrote URLs, with the path of the registry's interface.
        for scheme in ("", "https://", "http://"):
            yield from (f"{scheme}{name}{suffix}" for suffix in ("", "/", "/v1/", "/v2/"))

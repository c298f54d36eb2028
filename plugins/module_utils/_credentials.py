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
import binascii
import dataclasses
import json
import os
import subprocess
from typing import Any, Iterator

from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._reference import DOCKER_HUB

# The key under which `docker login` without a host stores its credentials.
_DOCKER_HUB_KEY = "https://index.docker.io/v1/"
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


@dataclasses.dataclass(frozen=True)
class LoginFile:
    """One `config.json` or `auth.json`."""

    path: str
    auths: dict[str, Any]
    helpers: dict[str, str]
    store: str

    def find(self, host: str, path: str) -> Credentials | None:
        """Return the credentials for a repository, those of the longest matching key.

        :param host: the registry host, with its port.
        :param path: the repository's path.
        :raises InvalidCredentials: if the matching entry cannot be used.
        """
        for key in _keys(host, path):
            if key in self.helpers:
                return self._ask_helper(self.helpers[key], key)
            entry = self.auths.get(key)
            if isinstance(entry, dict) and entry:
                return self._read(key, entry)
            # `docker login` with a store leaves an empty entry here: the store has the secret.
            if entry is not None and self.store:
                return self._ask_helper(self.store, key)
        return None

    def _read(self, key: str, entry: dict[str, Any]) -> Credentials:
        username, password = str(entry.get("username") or ""), str(entry.get("password") or "")
        if entry.get("auth"):
            try:
                username, _colon, password = base64.b64decode(str(entry["auth"])).decode().partition(":")
            except (binascii.Error, UnicodeDecodeError) as error:
                raise InvalidCredentials(f"the entry {key} in {self.path} is damaged: log in again") from error
        return Credentials(
            username,
            password.rstrip("\0"),
            str(entry.get("identitytoken") or ""),
            str(entry.get("registrytoken") or ""),
        )

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
    except (OSError, ValueError, AttributeError, TypeError) as error:
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
        yield "index.docker.io"
        yield "registry-1.docker.io"
    for prefix, suffix in (("", ""), ("https://", ""), ("https://", "/"), ("https://", "/v2/"), ("http://", "")):
        yield f"{prefix}{host}{suffix}"

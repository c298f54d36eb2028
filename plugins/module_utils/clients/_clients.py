# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients that pull from the registry on a run host, used as a person would use them.

Nothing here weakens TLS: what a client pulls, it pulls because the host trusts the registry.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import ipaddress
import json
import os
import re
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.common import _commands, _tls
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials

_SAID_LIMIT = 300
_LAYER_LINE = re.compile(r"^([0-9a-f]{12}): (.+?)\s*$", re.MULTILINE)
_DIGEST_LINE = re.compile(r"^Digest:\s*(\S+)\s*$", re.MULTILINE)


class ClientError(SeahubError):
    """A client that is not there, or does not get what it asks for."""


@dataclass(frozen=True)
class Pulled:
    """What docker says about a pull: the digest, and the beginnings of the digests of the layers that it looked at.

    `kept` are those that the engine had already, and so did not fetch. An image that it had as a whole has no `layers`.
    """

    digest: str | None
    layers: frozenset[str]
    kept: frozenset[str]

    def fetched(self, digest: str) -> bool:
        """Tell whether this blob, if it is a layer of the image, came over the network."""
        return bool(self.layers) and _digest.split(digest)[1][:12] not in self.kept


def find(binary: str) -> str:
    """Return the path of a client.

    :raises ClientError: if it is not on this host.
    """
    found = _commands.find(binary)
    if found is None:
        raise ClientError(
            f"{binary} is not on this host: install it, name the right program, or leave it out of the clients"
        )
    return found


class Docker:
    """The docker command line client."""

    def __init__(self, binary: str, timeout: float) -> None:
        self._binary = find(binary)
        self._timeout = timeout

    def platform(self) -> Platform:
        """Return the platform for which the engine pulls unless told otherwise."""
        words = self._must("version", "--format", "{{.Server.Os}} {{.Server.Arch}}").split()
        return _platform.normalise(*words)

    def distrust(self, domain: str, port: int) -> str | None:
        """Return why the engine would not verify the registry's certificate, or None if it does.

        `insecure-registries` holds names and networks; the network of the loopback addresses is always among them.
        """
        config: dict[str, Any] = json.loads(self._must("info", "--format", "{{json .RegistryConfig}}")) or {}
        named = (config.get("IndexConfigs") or {}).get(f"{domain}:{port}") or {}
        networks = [ipaddress.ip_network(text) for text in config.get("InsecureRegistryCIDRs") or []]
        addresses = [ipaddress.ip_address(text) for text in _addresses(domain, port)]
        if named.get("Secure", True) and not any(address in net for address in addresses for net in networks):
            return None
        return (
            f"docker does not verify the certificate of {domain}:{port} on this host: take it out of "
            "insecure-registries in /etc/docker/daemon.json, and let the name lead to no loopback address"
        )

    def pull(self, reference: str, platform: str | None) -> Pulled:
        """Pull an image. A layer that the engine has already is not fetched again."""
        told = self._must("pull", *(("--platform", platform) if platform else ()), reference)
        match = _DIGEST_LINE.search(told)
        lines = _LAYER_LINE.findall(told)
        return Pulled(
            digest=match.group(1) if match else None,
            layers=frozenset(layer for layer, state in lines),
            kept=frozenset(layer for layer, state in lines if state == "Already exists"),
        )

    def image(self, name: str) -> str | None:
        """Return the ID of the image of this name, or None."""
        done = call([self._binary, "image", "inspect", "--format", "{{.Id}}", name], self._timeout)
        return done.stdout.strip() if done.returncode == 0 else None

    def images(self) -> frozenset[str]:
        """Return the IDs of all images."""
        return frozenset(self._must("image", "ls", "--all", "--quiet", "--no-trunc").split())

    def is_nameless(self, image: str) -> bool:
        """Tell whether an image is there that has neither a tag nor a digest to be found by."""
        done = call(
            [self._binary, "image", "inspect", "--format", "{{len .RepoTags}} {{len .RepoDigests}}", image],
            self._timeout,
        )
        return done.returncode == 0 and done.stdout.split() == ["0", "0"]

    def tag(self, image: str, name: str) -> None:
        """Give an image a name."""
        self._must("image", "tag", image, name)

    def remove(self, name: str) -> None:
        """Take a name away from an image, and remove the image with its last name."""
        self._must("image", "rm", name)

    def _must(self, *arguments: str) -> str:
        return must([self._binary, *arguments], self._timeout)


class Helm:
    """One helm command line client, of version 3.8 or later."""

    def __init__(self, binary: str, timeout: float) -> None:
        self._binary = find(binary)
        self._timeout = timeout

    def pull(self, reference: str, version: str | None, provenance: bool, folder: str) -> str | None:
        """Pull a chart into a folder, with nothing of the user's own helm settings.

        :returns: the digest of the manifest, where this helm tells it.
        """
        with tempfile.TemporaryDirectory(prefix="seahub-helm-") as home:
            options = ["--destination", folder]
            options += ["--version", version] if version else []
            options += ["--prov"] if provenance else []
            done = call([self._binary, "pull", reference, *options], self._timeout, _helm_environment(home))
        if done.returncode != 0:
            raise ClientError(said(done))
        match = _DIGEST_LINE.search(done.stdout + "\n" + done.stderr)
        return match.group(1) if match else None


class Https:
    """The registry's own interface, spoken with the standard library: for artifacts that no client knows.

    With an address it is asked there, and has to prove all the same that it is the registry of this name. A login is
    for one that has users.
    """

    def __init__(
        self, domain: str, port: int, timeout: float, login: Credentials | None = None, address: str | None = None
    ) -> None:
        self._connection = _tls.Connection(domain, port, _tls.context(), address, timeout)
        self._headers = {"Authorization": login.basic()} if login else {}

    def __enter__(self) -> Https:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def has(self, path: str, digest: str, media_type: str) -> bool:
        """Fetch content and hash it.

        :returns: whether the registry has it.
        :raises ClientError: if what it gives is not what the digest names.
        """
        try:
            self._connection.request("GET", path, headers={"Accept": media_type, **self._headers})
            response = self._connection.getresponse()
            hash_object = _digest.hasher(digest)
            for data in iter(lambda: response.read(_digest.CHUNK), b""):
                hash_object.update(data)
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise ClientError(f"{path}: {error}") from error
        if response.status == 404:
            return False
        _accept(path, response.status)
        found = _digest.finish(digest, hash_object)
        if found != digest:
            raise ClientError(f"{path}: the registry gives {found} instead")
        return True

    def size(self, path: str, media_type: str) -> int | None:
        """Ask how large content is without fetching it.

        :returns: its size in bytes; None if the registry does not have it.
        :raises ClientError: if there is no answer to that.
        """
        try:
            self._connection.request("HEAD", path, headers={"Accept": media_type, **self._headers})
            response = self._connection.getresponse()
            response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise ClientError(f"{path}: {error}") from error
        if response.status == 404:
            return None
        _accept(path, response.status)
        return int(response.getheader("Content-Length") or 0)


def _accept(path: str, status: int) -> None:
    if status == 401:
        raise ClientError(f"{path}: the registry wants a user and a password, or other ones than it got")
    if status != 200:
        raise ClientError(f"{path}: the registry answers with HTTP {status}")


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a program has said about its failure, in few words: its last lines."""
    text = done.stderr.strip() or done.stdout.strip() or f"it ended with {done.returncode} and said nothing"
    text = " ".join(text.split())
    for beginning in ("Error response from daemon: ", "Error: "):
        text = text.replace(beginning, "", 1)
    return text if len(text) <= _SAID_LIMIT else "..." + text[-_SAID_LIMIT:]


def _helm_environment(home: str) -> dict[str, str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HELM_")}
    # Helm before 3.8 does nothing with registries unless told that this is all right.
    environment["HELM_EXPERIMENTAL_OCI"] = "1"
    # Where `helm registry login` and the role client keep passwords. It is only read.
    environment["HELM_REGISTRY_CONFIG"] = os.environ.get("HELM_REGISTRY_CONFIG") or os.path.join(
        os.environ.get("HELM_CONFIG_HOME") or os.path.expanduser("~/.config/helm"), "registry", "config.json"
    )
    for name in ("CACHE", "CONFIG", "DATA"):
        environment[f"HELM_{name}_HOME"] = os.path.join(home, name.lower())
    return environment


def _addresses(domain: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(domain, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ClientError(
            f"this host does not know the address of {domain} ({error.strerror}): "
            "the role client writes it to /etc/hosts"
        ) from error
    return [str(item[4][0]).partition("%")[0] for item in found]


def must(command: list[str], timeout: float) -> str:
    """Run a client and return what it prints.

    :raises ClientError: in its own words, if it fails.
    """
    done = call(command, timeout)
    if done.returncode != 0:
        raise ClientError(said(done))
    return done.stdout


def call(
    command: list[str], timeout: float, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a client, however it ends.

    :raises ClientError: if it cannot be run, or does not finish in time.
    """
    try:
        return _commands.run(command, timeout, environment)
    except subprocess.TimeoutExpired:
        raise ClientError(f"{os.path.basename(command[0])} had not finished after {timeout:.0f} s") from None
    except OSError as error:
        raise ClientError(f"{command[0]} cannot be run: {error.strerror}") from error

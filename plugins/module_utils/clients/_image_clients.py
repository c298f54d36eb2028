# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients that pull images on a run host. Each pulls one image, and leaves the host as it was before.

docker pulls into the engine, and gives back what it has taken; podman into a storage and containerd into a namespace
that are there for this one pull.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import abc
import contextlib
import glob
import json
import os
import re
import shutil
import tempfile
import threading
import uuid
from dataclasses import dataclass
from typing import Any, Callable, Iterator, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.clients import _clients, _runtimes, _toml_lines
from ansible_collections.seahub.offline.plugins.module_utils.clients._clients import Docker
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials

# The first stands for all of the others that run on the host.
AUTO = "auto"
NAMES = ("docker", "podman", "ctr")
# https://github.com/containerd/containerd/blob/main/docs/hosts.md
_SKIPS = re.compile(r"^\s*skip_verify\s*=\s*true\b", re.MULTILINE)


@dataclass(frozen=True)
class Place:
    """The registry, and by whom it is entered if it has users."""

    domain: str
    port: int
    login: Credentials | None = None

    @property
    def name(self) -> str:
        """What a reference begins with."""
        return f"{self.domain}:{self.port}"


@dataclass(frozen=True)
class Image:
    """An image to be pulled.

    - reference: its full name, as one writes it.
    - repository: its name without tag or digest.
    - digest: that the lock names.
    """

    reference: str
    repository: str
    digest: str

    @property
    def by_digest(self) -> str:
        """The full name that cannot lead to anything else."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Got:
    """What came of a pull.

    - digests: those under which the client has the image afterwards. Where it cannot tell the digest of an index from
      that of what it chose there, it is both.
    - kept: the beginnings of digests of content that the host had already, and so did not fetch.
    - whole: whether it had all of it.
    - error: what is wrong in spite of the digest.
    """

    digests: tuple[str, ...]
    was_present: bool
    kept: frozenset[str] = frozenset()
    whole: bool = False
    error: str = ""

    def fetched(self, digest: str) -> bool:
        """Tell whether a blob, if it belongs to what was pulled, came over the network."""
        return not self.whole and _beginning(digest) not in self.kept


class ImageClient(abc.ABC):
    """A client that runs on this host."""

    platform: Platform

    def __init__(self, path: str, timeout: float) -> None:
        """Ask whether it runs.

        :raises ClientError: if it does not.
        """
        self._path = path
        self._timeout = timeout

    @abc.abstractmethod
    def distrust(self, place: Place) -> str | None:
        """Return why it would not verify the registry's certificate, or None if it does."""

    @abc.abstractmethod
    def pull(self, place: Place, image: Image, platform: str | None) -> Got:
        """Pull an image, and leave the host as it was.

        :raises ClientError: if it does not come.
        """

    def _must(self, *arguments: str) -> str:
        return _clients.must([self._path, *arguments], self._timeout)

    def _may(self, *arguments: str) -> bool:
        return _clients.call([self._path, *arguments], self._timeout).returncode == 0


def find(names: Sequence[str], timeout: float) -> dict[str, ImageClient | str]:
    """Return the clients of these names or paths, and for those that do not run why.

    The name `auto` stands for all that run; it is among the names that are returned only if there is none.
    """
    found: dict[str, ImageClient | str] = {}
    for name in names:
        found.update(_running(timeout) if name == AUTO else {name: _one(name, timeout)})
    return found


def _running(timeout: float) -> dict[str, ImageClient | str]:
    tried = {name: _one(name, timeout) for name in NAMES}
    running = {name: client for name, client in tried.items() if isinstance(client, ImageClient)}
    reasons = "; ".join(str(reason) for reason in tried.values())
    return dict(running) or {AUTO: f"no client that pulls images runs on this host: {reasons}"}


def _one(name: str, timeout: float) -> ImageClient | str:
    kinds = [kind for kind in NAMES if kind in os.path.basename(name)]
    try:
        path = _clients.find(name)
        if len(kinds) != 1:
            return f"{name} does not tell what kind of client it is: one of {', '.join(NAMES)} has to be in its name"
        return _KINDS[kinds[0]](path, timeout)
    except SeahubError as error:
        return str(error)


class _Docker(ImageClient):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__(path, timeout)
        self._docker = Docker(path, timeout)
        self.platform = self._docker.platform()

    def distrust(self, place: Place) -> str | None:
        return self._docker.distrust(place.domain, place.port)

    def pull(self, place: Place, image: Image, platform: str | None) -> Got:
        with _restored(self._docker, image) as was_present:
            pulled = self._docker.pull(image.reference, platform)
            error = ""
            if pulled.digest == image.digest and not self._docker.image(image.by_digest):
                error = f"docker says that it has pulled it, but has no {image.by_digest} afterwards"
        return Got(
            digests=(pulled.digest,) if pulled.digest else (),
            was_present=was_present,
            kept=pulled.kept,
            whole=not pulled.layers,
            error=error,
        )


@contextlib.contextmanager
def _restored(docker: Docker, image: Image) -> Iterator[bool]:
    """Leave the engine's images afterwards as they are now, however the pull ends; tell whether the name is taken."""
    named, by_digest, images = docker.image(image.reference), docker.image(image.by_digest), docker.images()
    try:
        yield named is not None
    finally:
        pulled = docker.image(image.reference)
        if named is None:
            _remove(docker, image.reference)
        elif pulled != named:
            docker.tag(named, image.reference)
        if by_digest is None:
            _remove(docker, image.by_digest)
        # What has lost its name to the image that had it before would stay for ever, found by nobody.
        if pulled is not None and pulled not in images and docker.is_nameless(pulled):
            docker.remove(pulled)


def _remove(docker: Docker, name: str) -> None:
    if docker.image(name) is not None:
        docker.remove(name)


class _Podman(ImageClient):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__(path, timeout)
        info: dict[str, Any] = json.loads(self._must("info", "--format", "json"))
        self.platform = _platform.normalise(info["host"]["os"], info["host"]["arch"])
        self._driver, self._root = str(info["store"]["graphDriverName"]), str(info["store"]["graphRoot"])
        self._registries: dict[str, Any] = info.get("registries") or {}

    def distrust(self, place: Place) -> str | None:
        """`podman info` tells what it makes of all its registries.conf."""
        for prefix, registry in self._registries.items():
            if not isinstance(registry, dict):  # the list of registries that are searched
                continue
            matches = prefix.partition("/")[0] == place.name or (
                prefix.startswith("*.") and place.name.endswith(prefix[1:])
            )
            insecure = [each for each in (registry, *(registry.get("Mirrors") or ())) if each.get("Insecure")]
            if insecure and (matches or any(each.get("Location") == place.name for each in insecure)):
                return (
                    f"podman does not verify certificates for {prefix} on this host: take `insecure = true` out of "
                    "/etc/containers/registries.conf and the files in /etc/containers/registries.conf.d"
                )
        return None

    def pull(self, place: Place, image: Image, platform: str | None) -> Got:
        was_present = self._may("image", "exists", image.reference)
        with self._storage() as storage:
            options = ["--platform", platform] if platform else []
            self._must(*storage, "pull", "--quiet", *options, image.reference)
            told = self._must(*storage, "image", "inspect", "--format", "{{json .RepoDigests}}", image.reference)
        digests = {name.rpartition("@")[2] for name in json.loads(told) or ()}
        return Got(digests=tuple(sorted(digests)), was_present=was_present)

    @contextlib.contextmanager
    def _storage(self) -> Iterator[list[str]]:
        """Give the options for a storage beside that of the host, with nothing in it; take it away afterwards."""
        # On the same disk, where the same driver works.
        folder = tempfile.mkdtemp(prefix="seahub-pull-", dir=os.path.dirname(self._root))
        options = ["--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", self._driver]
        # A storage that is new makes it warn of networks.
        options += ["--log-level", "error"]
        try:
            yield options
        finally:
            # Layers can have files that only podman itself may remove, when it does not run as root.
            self._may(*options, "image", "rm", "--all", "--force")
            # The overlay driver mounts its own folder onto itself.
            mounted = os.path.join(folder, "root", self._driver)
            if os.path.ismount(mounted):
                _clients.must([_clients.find("umount"), mounted], self._timeout)
            shutil.rmtree(folder)


class _Ctr(ImageClient):
    """The client that comes with containerd."""

    # What containerd has in one namespace it does not fetch again for another one: one pull after the other, so that
    # what is there beforehand is known.
    _one_by_one = threading.Lock()

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__(path, timeout)
        self._must("version")
        self.platform = _platform.local()
        self._folder = _runtimes.containerd_folder()

    def distrust(self, place: Place) -> str | None:
        if place.domain == "localhost" or place.domain.startswith("127."):
            return f"ctr verifies no certificate of {place.domain}: give the registry another name"
        text = self._hosts_toml(place)
        if not _SKIPS.search(text) and "http://" not in text:
            return None
        return (
            f"containerd does not verify the certificate of {place.name} on this host: take `skip_verify` and "
            f"`http://` out of {self._hosts_folder(place)}/hosts.toml"
        )

    def pull(self, place: Place, image: Image, platform: str | None) -> Got:
        own = ["--namespace", f"seahub-pull-{uuid.uuid4().hex[:12]}"]
        with self._one_by_one, self._hosts(place) as folder:
            namespaces = self._list("namespaces", "ls", "-q")
            was_present = any(
                image.reference in self._list("--namespace", name, "images", "ls", "-q") for name in namespaces
            )
            there = {digest for name in namespaces for digest in self._list("--namespace", name, "content", "ls", "-q")}
            try:
                options = ["--platform", platform] if platform else []
                self._must(*own, "images", "pull", "--hosts-dir", folder, *options, image.reference)
                told = self._list(*own, "images", "ls", f"name=={image.reference}")
            finally:
                self._forget(own)
        # The words of a line are its name, its media type, its digest...
        digests = tuple(word for word in told if word.startswith("sha256:"))[:1]
        return Got(digests=digests, was_present=was_present, kept=frozenset(map(_beginning, there)))

    def _forget(self, own: list[str]) -> None:
        """Remove a namespace with all that is in it."""
        for name in self._list(*own, "images", "ls", "-q"):
            self._must(*own, "images", "rm", name)
        # A namespace cannot be removed before what is in it, which is collected when a lease ends. This one holds
        # nothing: it only ends at once. (https://github.com/containerd/containerd/blob/main/docs/garbage-collection.md)
        self._must(*own, "leases", "create", "--id", "seahub-pull")
        self._must(*own, "leases", "rm", "--sync", "seahub-pull")
        self._must("namespaces", "rm", own[1])

    @contextlib.contextmanager
    def _hosts(self, place: Place) -> Iterator[str]:
        """Give the folder with the host's hosts.toml, or with a copy that has the password in it.

        ctr itself takes passwords only where every user of the host can see them.
        """
        if place.login is None:
            yield self._folder
            return
        with tempfile.TemporaryDirectory(prefix="seahub-ctr-") as folder:
            copy = os.path.join(folder, place.name)
            if os.path.isdir(self._hosts_folder(place)):
                shutil.copytree(self._hosts_folder(place), copy)
            else:
                os.mkdir(copy)
            text = with_login(self._hosts_toml(place) or _plain_hosts_toml(place, copy), place.login)
            with open(os.path.join(copy, "hosts.toml"), "w", encoding="utf-8") as file:
                file.write(text)
            yield folder

    def _hosts_folder(self, place: Place) -> str:
        """Return the folder that containerd chooses for the registry."""
        names = (f"{place.domain}_{place.port}_", place.name, "_default")
        folders = [os.path.join(self._folder, name) for name in names]
        return next(filter(os.path.isdir, folders), folders[1])

    def _hosts_toml(self, place: Place) -> str:
        with contextlib.suppress(FileNotFoundError), open(
            os.path.join(self._hosts_folder(place), "hosts.toml"), encoding="utf-8"
        ) as file:
            return file.read()
        return ""

    def _list(self, *arguments: str) -> list[str]:
        return self._must(*arguments).split()


def with_login(text: str, login: Credentials) -> str:
    """Return a hosts.toml with a password for each host in it."""
    tables = ["[header]"]
    tables += [f"[host.{json.dumps(host)}.header]" for host in sorted(_toml_lines.tables_below(text, ("host",)))]
    return text + "".join(f'\n{table}\n  authorization = "{login.basic()}"\n' for table in tables)


def _plain_hosts_toml(place: Place, folder: str) -> str:
    """Return what containerd presumes where there is no hosts.toml."""
    authorities = sorted(glob.glob(os.path.join(glob.escape(folder), "*.crt")))
    return f"server = {json.dumps('https://' + place.name)}\nca = {json.dumps(authorities)}\n[host]\n"


def _beginning(digest: str) -> str:
    return _digest.split(digest)[1][:12]


_KINDS: dict[str, Callable[[str, float], ImageClient]] = dict(zip(NAMES, (_Docker, _Podman, _Ctr)))

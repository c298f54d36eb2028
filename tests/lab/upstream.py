# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upstream registry: Debian's docker-registry over TLS, one part open and one behind a password.

Both parts listen on the loopback address alone: the run hosts cannot reach them.
"""

from __future__ import annotations

import json
import secrets
import shutil
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import requests

from . import certificates
from .commands import LabError, kept, say
from .images import Built
from .packages import Archive, unpacked
from .processes import Daemon
from .settings import OPEN_PORT, PRIVATE_PORT, PRIVATE_USER, Settings

SECONDS = 60.0


@dataclass(frozen=True)
class Part:
    """One of the registry's two parts."""

    settings: Settings
    name: str
    port: int
    user: str | None = None

    @property
    def address(self) -> str:
        """The host of its references."""
        return f"127.0.0.1:{self.port}"

    @property
    def directory(self) -> Path:
        """Its storage, configuration and password."""
        return self.settings.upstream / self.name

    @property
    def password_file(self) -> Path:
        """The password in the clear, for the lab's own clients."""
        return self.directory / "password"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """User and password, where the part wants them."""
        return (self.user, self.password_file.read_text()) if self.user else None

    @property
    def daemon(self) -> Daemon:
        """The process."""
        return Daemon(
            f"the upstream registry ({self.name} part)",
            self.settings.processes / f"upstream-{self.name}.json",
            self.settings.logs / f"upstream-{self.name}.log",
        )


@dataclass(frozen=True)
class Upstream:
    """Both parts, and the CA that vouches for them."""

    settings: Settings

    @property
    def open(self) -> Part:
        """Whoever asks is answered."""
        return Part(self.settings, "open", OPEN_PORT)

    @property
    def private(self) -> Part:
        """Only who has the password is answered."""
        return Part(self.settings, "private", PRIVATE_PORT, PRIVATE_USER)

    @property
    def parts(self) -> tuple[Part, Part]:
        """Open, private."""
        return (self.open, self.private)

    @property
    def certificates(self) -> certificates.Certificates:
        """The CA and the server's certificate."""
        return certificates.Certificates(self.settings.upstream / "certificates")

    def start(self) -> None:
        """Bring both parts up; what runs already goes on."""
        kept(self.certificates.directory, certificates.make)
        registry = program(self.settings)
        for part in self.parts:
            if not part.daemon.running():
                self._start(part, registry)

    def stop(self) -> None:
        """End what `start` started."""
        for part in self.parts:
            part.daemon.stop()

    def client(self, part: Part) -> Client:
        """Someone who may write to that part."""
        return Client(part, self.certificates.ca)

    def _start(self, part: Part, registry: Path) -> None:
        _require_free(part)
        part.directory.mkdir(parents=True, exist_ok=True)
        configuration = part.directory / "config.json"  # the registry reads YAML, of which JSON is a part
        configuration.write_text(json.dumps(self._configuration(part), indent=2))
        part.daemon.start([registry, "serve", configuration])
        self._wait(part)
        say(f"{part.daemon.name} answers at {part.address}")

    def _configuration(self, part: Part) -> dict[str, object]:
        configuration: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "warn", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": str(part.directory / "storage")}},
            "http": {
                "addr": part.address,
                "secret": secrets.token_hex(),
                "tls": {"certificate": str(self.certificates.server), "key": str(self.certificates.key)},
            },
        }
        if part.user:
            configuration["auth"] = {"htpasswd": {"realm": "lab", "path": str(_htpasswd(part, part.user))}}
        return configuration

    def _wait(self, part: Part) -> None:
        deadline = time.monotonic() + SECONDS
        while not self.client(part).answers():
            part.daemon.require()
            if time.monotonic() > deadline:
                raise LabError(f"{part.daemon.name} does not answer at {part.address}; see {part.daemon.log}")
            time.sleep(0.1)


class Client:
    """Writes to one part over the registry protocol.

    Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
    """

    def __init__(self, part: Part, ca: Path) -> None:
        self.part = part
        self.session = requests.Session()
        self.session.trust_env = False  # neither a proxy nor somebody's .netrc
        self.session.verify = str(ca)
        self.session.auth = part.credentials

    def answers(self) -> bool:
        """Whether the registry is there, and lets us in."""
        try:
            return self.session.get(self._url(""), timeout=SECONDS).ok
        except requests.ConnectionError:
            return False

    def push(self, repository: str, tag: str, blobs: Iterable[Built], manifests: Sequence[Built]) -> None:
        """Store blobs, then manifests by digest, then the tag, which names the last of the manifests."""
        for blob in blobs:
            self._push_blob(repository, blob)
        for manifest in manifests:
            self._push_manifest(repository, manifest.digest, manifest)
        self._push_manifest(repository, tag, manifests[-1])

    def digest(self, repository: str, tag: str, media_type: str) -> str:
        """What a tag resolves to."""
        answer = self._ask("HEAD", f"{repository}/manifests/{tag}", headers={"Accept": media_type})
        return answer.headers["Docker-Content-Digest"]

    def _push_blob(self, repository: str, blob: Built) -> None:
        if self.session.head(self._url(f"{repository}/blobs/{blob.digest}"), timeout=SECONDS).ok:
            return
        upload = self._ask("POST", f"{repository}/blobs/uploads/")
        answer = self.session.put(
            upload.headers["Location"], params={"digest": blob.digest}, data=blob.data, timeout=SECONDS
        )
        answer.raise_for_status()

    def _push_manifest(self, repository: str, reference: str, manifest: Built) -> None:
        self._ask(
            "PUT",
            f"{repository}/manifests/{reference}",
            data=manifest.data,
            headers={"Content-Type": manifest.media_type},
        )

    def _ask(
        self, method: str, path: str, *, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> requests.Response:
        answer = self.session.request(method, self._url(path), data=data, headers=headers, timeout=SECONDS)
        answer.raise_for_status()
        return answer

    def _url(self, path: str) -> str:
        return f"https://{self.part.address}/v2/{path}"


def program(settings: Settings) -> Path:
    """Debian's docker-registry, unpacked and not installed: its package would start a service."""
    (deb,) = Archive(settings, "amd64").download(["docker-registry"])

    def extract(unfinished: Path) -> None:
        files = unpacked(deb, unfinished.with_name("files"))
        shutil.copy2(files / "usr/bin/docker-registry", unfinished)

    return kept(settings.cache / "docker-registry" / deb.stem / "docker-registry", extract)


def _htpasswd(part: Part, user: str) -> Path:
    """The file the registry checks passwords with; the password is made with it, once."""
    path = part.directory / "htpasswd"
    if not path.exists():
        password = secrets.token_urlsafe(12)
        part.password_file.touch(mode=0o600)
        part.password_file.write_text(password)
        path.write_text(f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=8)).decode()}\n")
    return path


def _require_free(part: Part) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", part.port))
        except OSError as error:
            raise LabError(
                f"port {part.port} of the loopback address is taken, {part.daemon.name} needs it: "
                "is the lab of another checkout up? SEAHUB_LAB_PORT names the first of two other ports"
            ) from error

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Container engines, driven by their own command line client: a run host has nothing else.

An engine is one class with the methods of L(Engine), and one line in L(ENGINES).
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import IO, Any, Iterator, cast

from ansible_collections.seahub.offline.plugins.module_utils import _platform
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils._platform import Platform

_LOG_SIZE = "10m"
_LOG_FILES = 3


class EngineError(SeahubError):
    """An engine that is not there, does not run, or does not do what it is told."""


class PortInUse(EngineError):
    """Something else listens on the port that a container is to have."""


@dataclass(frozen=True)
class Mount:
    """A file or a folder of the host that a container sees, but cannot change.

    - follows: whether it also sees what the host mounts below the folder later.
    """

    source: str
    target: str
    follows: bool = False


@dataclass(frozen=True)
class Spec:
    """A container as it is wanted."""

    name: str
    image: str
    command: tuple[str, ...]
    mounts: tuple[Mount, ...]
    host_port: int
    container_port: int


@dataclass(frozen=True)
class Container:
    """A container as it is found.

    `status` is one of `created`, `running`, `paused`, `restarting`, `removing`, `exited` and `dead`.
    """

    id: str
    status: str
    restarts: int
    exit_code: int
    labels: dict[str, str]

    @property
    def failed(self) -> bool:
        """Whether it has ended by itself, and is perhaps being started over and over."""
        return self.status in ("exited", "dead", "restarting") or self.restarts > 0


class Engine(ABC):
    """What the registry needs of a container engine. All methods raise EngineError."""

    name = ""

    @abstractmethod
    def platform(self) -> Platform:
        """Return what the engine's images have to be made for."""

    @abstractmethod
    def has_image(self, name: str) -> bool:
        """Tell whether there is an image of this name."""

    @abstractmethod
    def images(self, repository: str) -> list[str]:
        """Return the names of all images in a repository."""

    @abstractmethod
    def load(self, archive: Iterator[bytes]) -> None:
        """Take an image from its archive. What the iterator raises passes through, and no image is taken."""

    @abstractmethod
    def remove_image(self, name: str) -> None:
        """Remove the name of an image, and the image with its last name."""

    @abstractmethod
    def container(self, name: str) -> Container | None:
        """Return the state of a container, or None if there is no such container."""

    @abstractmethod
    def run(self, spec: Spec, labels: dict[str, str]) -> None:
        """Start a container. If that fails, none is left behind."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """End and remove a container."""

    @abstractmethod
    def logs(self, name: str, lines: int) -> str:
        """Return the last lines that a container has written."""


class Docker(Engine):
    """Docker Engine."""

    name = "docker"
    _FOLDERS = "/usr/local/bin:/usr/bin:/bin:/snap/bin"

    def __init__(self, binary: str | None = None) -> None:
        """Find the client: in PATH, or where packages put it. A task's PATH is often shorter than a person's."""
        found = binary or shutil.which(self.name) or shutil.which(self.name, path=self._FOLDERS)
        if found is None:
            raise EngineError(f"{self.name} is not on this host: install the engine, it is not part of the bundle")
        self._binary = found

    def platform(self) -> Platform:
        """Ask the daemon, which also shows that it runs."""
        done = self._call("version", "--format", "{{.Server.Os}} {{.Server.Arch}}")
        if done.returncode != 0:
            raise EngineError(
                f"{self.name} does not answer on this host: {_said(done)}. Start it (systemctl start {self.name}), and "
                "let the task become a user who may use it"
            )
        return _platform.normalise(*done.stdout.split())

    def has_image(self, name: str) -> bool:
        return self._call("image", "inspect", "--format", "{{.Id}}", name).returncode == 0

    def images(self, repository: str) -> list[str]:
        lines = self._must("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", repository).split()
        return [name for name in lines if not name.endswith(":<none>")]

    def load(self, archive: Iterator[bytes]) -> None:
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [self._binary, "load", "--quiet"], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            )
            # Popen types it as None because it would be without stdin=PIPE.
            pipe = cast(IO[bytes], process.stdin)
            try:
                # A pipe that breaks means that it has ended early: it says below why.
                with contextlib.suppress(BrokenPipeError):
                    for data in archive:
                        pipe.write(data)
            except BaseException:
                process.kill()
                raise
            finally:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()
                process.wait()
            if process.returncode != 0:
                output.seek(0)
                said = output.read().decode(errors="replace").strip()[-500:]
                raise EngineError(f"{self.name} load failed with {process.returncode}: {said}")

    def remove_image(self, name: str) -> None:
        self._must("image", "rm", name)

    def container(self, name: str) -> Container | None:
        done = self._call("container", "inspect", name)
        if done.returncode != 0:
            if "no such container" in done.stderr.lower():
                return None
            raise EngineError(f"{self.name} does not tell about the container {name}: {_said(done)}")
        found: dict[str, Any] = json.loads(done.stdout)[0]
        return Container(
            id=found["Id"],
            status=found["State"]["Status"],
            restarts=found.get("RestartCount", 0),
            exit_code=found["State"]["ExitCode"],
            labels=found["Config"].get("Labels") or {},
        )

    def run(self, spec: Spec, labels: dict[str, str]) -> None:
        done = self._call("run", "--detach", *self._options(spec, labels), spec.image, *spec.command)
        if done.returncode == 0:
            return
        self._call("container", "rm", "--force", spec.name)
        said = _said(done)
        if "already allocated" in said or "already in use" in said:
            raise PortInUse(f"port {spec.host_port} of this host is in use by {self._user_of_port(spec)}: {said}")
        raise EngineError(f"{self.name} cannot start the container {spec.name}: {said}")

    def remove(self, name: str) -> None:
        self._must("container", "rm", "--force", "--volumes", name)

    def logs(self, name: str, lines: int) -> str:
        done = self._call("container", "logs", "--tail", str(lines), name)
        return (done.stdout + done.stderr).strip()

    def _options(self, spec: Spec, labels: dict[str, str]) -> list[str]:
        options = ["--name", spec.name, "--restart", "always", "--publish", f"{spec.host_port}:{spec.container_port}"]
        # It serves files, and so needs no right but to read them: as the user who owns the private key, also where the
        # daemon maps users (https://docs.docker.com/engine/security/userns-remap/), and without relabelling the tree
        # on hosts with SELinux.
        options += ["--user", "0:0", "--userns", "host", "--read-only", "--cap-drop", "ALL"]
        options += ["--security-opt", "no-new-privileges", "--security-opt", "label=disable"]
        # Docker's own default lets a log grow until the disk is full.
        options += ["--log-driver", "json-file", "--log-opt", f"max-size={_LOG_SIZE}"]
        options += ["--log-opt", f"max-file={_LOG_FILES}"]
        for mount in spec.mounts:
            propagation = ",bind-propagation=rslave" if mount.follows else ""
            options += ["--mount", f"type=bind,source={mount.source},target={mount.target},readonly{propagation}"]
        for key, value in sorted(labels.items()):
            options += ["--label", f"{key}={value}"]
        return options

    def _user_of_port(self, spec: Spec) -> str:
        done = self._call("ps", "--filter", f"publish={spec.host_port}", "--format", "{{.Names}}")
        names = ", ".join(done.stdout.split())
        return f"the container {names}" if names else "another program"

    def _must(self, *arguments: str) -> str:
        done = self._call(*arguments)
        if done.returncode != 0:
            raise EngineError(f"{self.name} {' '.join(arguments)} failed: {_said(done)}")
        return done.stdout

    def _call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._binary, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )


ENGINES: dict[str, type[Engine]] = {Docker.name: Docker}


def _said(done: subprocess.CompletedProcess[str]) -> str:
    text = done.stderr.strip() or done.stdout.strip()
    return text.replace("docker: ", "", 1).replace("Error response from daemon: ", "", 1)[-500:].rstrip(".")

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry needs of the host to run: an engine for its container, or a service manager for the bare program.

Each is one class with the methods of C(Engine), in a module of its own; L(_engines) knows them all.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import subprocess
from abc import ABC, abstractmethod
from dataclasses import dataclass

from ansible_collections.seahub.offline.plugins.module_utils.common import _commands
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

_SAID_LIMIT = 500

BRIDGE = "bridge"
HOST = "host"


class EngineError(SeahubError):
    """An engine that is not there, does not run, or does not do what it is told."""


class PortInUse(EngineError):
    """Something else listens on the port that a container is to have."""


@dataclass(frozen=True)
class Mount:
    """A file or a folder of the host that the registry sees, and cannot change unless told so.

    - follows: whether it also sees what the host mounts below the folder later.
    """

    source: str
    target: str
    writable: bool = False
    follows: bool = False


@dataclass(frozen=True)
class Spec:
    """A registry as it is wanted.

    `files` are read by the user who runs it alone. It sees `folders` under the names that they have on the host.
    `network` is C(BRIDGE) or C(HOST).
    """

    name: str
    image: str
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    files: tuple[Mount, ...]
    folders: tuple[Mount, ...]
    network: str
    port: int

    @property
    def needs_low_port(self) -> bool:
        """Whether it listens where only those may who have the capability CAP_NET_BIND_SERVICE."""
        return self.port < 1024


@dataclass(frozen=True)
class Container:
    """A container, or a service without one, as it is found.

    `status` is a word for the user. C(running) is the one in which all is well.
    """

    status: str
    restarts: int
    exit_code: int
    labels: dict[str, str]

    @property
    def down(self) -> bool:
        """Whether it does not run now."""
        return self.status in ("exited", "dead", "restarting")

    @property
    def failed(self) -> bool:
        """Whether it has ended by itself, and is perhaps being started over and over."""
        return self.down or self.restarts > 0


class Engine(ABC):
    """What the registry needs of an engine. All methods raise EngineError."""

    name = ""
    thing = "container"
    """What the registry is there, in a sentence for the user."""
    networks: tuple[str, ...] = (BRIDGE, HOST)
    """The networks that it knows, the usual one first."""

    @abstractmethod
    def platform(self) -> Platform:
        """Return what the engine's images have to be made for."""

    @abstractmethod
    def image_name(self, repository: str, version: str) -> str:
        """Return the full name of an image in the engine."""

    @abstractmethod
    def has_image(self, name: str) -> bool:
        """Tell whether there is an image of this name."""

    @abstractmethod
    def images(self, repository: str) -> list[str]:
        """Return the names of all images in a repository."""

    @abstractmethod
    def load(self, tree: Tree, image: Image, name: str) -> None:
        """Take an image out of a tree. Where that fails, there is no image of this name."""

    @abstractmethod
    def remove_image(self, name: str) -> None:
        """Remove the name of an image, and the image with its last name."""

    @abstractmethod
    def container(self, name: str) -> Container | None:
        """Return the state of a container, or None if there is no such container."""

    @abstractmethod
    def run(self, spec: Spec, labels: dict[str, str]) -> None:
        """Start a container, instead of the one of the same name if there is one."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """End and remove a container."""

    @abstractmethod
    def logs(self, name: str, lines: int) -> str:
        """Return the last lines that a container has written."""

    def unfinished(self, name: str) -> str | None:
        """Return the name of the container that a start which was cut off has left beside this one, if there is one."""
        return None

    def container_with_port(self, port: int) -> str | None:
        """Return the name of the container to which the engine leads a port of the host."""
        return None


class Program:
    """A command line program of the host."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self.path = path

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run it, however it ends."""
        return _commands.run([self.path, *arguments])

    def must(self, *arguments: str) -> str:
        """Run it, and return what it prints.

        :raises EngineError: if it fails, with what it has said.
        """
        done = self.call(*arguments)
        if done.returncode != 0:
            raise EngineError(f"{self.name} {' '.join(arguments)} failed: {said(done)}")
        return done.stdout


def find(name: str) -> Program | None:
    """Find a program: in PATH, or where packages put it."""
    path = _commands.find(name)
    return Program(name, path) if path else None


def said(done: subprocess.CompletedProcess[str]) -> str:
    """Return what a program has said about its failure, short enough for a sentence."""
    text = done.stderr.strip() or done.stdout.strip()
    return text.replace("docker: ", "", 1).replace("Error response from daemon: ", "", 1)[-_SAID_LIMIT:].rstrip(".")

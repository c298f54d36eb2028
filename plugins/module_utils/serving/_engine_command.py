# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Container engines, driven by their own command line client: docker, and those that take the same commands."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from typing import IO, Any, cast

from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _image_archive
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import (
    BRIDGE,
    HOST,
    Container,
    Engine,
    EngineError,
    PortInUse,
    Program,
    Spec,
    find,
    said,
)
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

_LOG_SIZE = "10m"
_LOG_FILES = 3


class CommandEngine(Engine):
    """An engine that has images, and a client that knows of them."""

    def __init__(self, program: Program | None = None) -> None:
        """Find the client."""
        found = program or find(self.name)
        if found is None:
            raise EngineError(f"{self.name} is not on this host: install the engine, it is not part of the bundle")
        self._program = found

    def image_name(self, repository: str, version: str) -> str:
        return f"{repository}:{version}"

    def has_image(self, name: str) -> bool:
        return self._program.call("image", "inspect", "--format", "{{.Id}}", name).returncode == 0

    def images(self, repository: str) -> list[str]:
        wanted = self.image_name(repository, "")
        lines = self._program.must("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split()
        return [name for name in lines if name.startswith(wanted) and not name.endswith(":<none>")]

    def load(self, tree: Tree, image: Image, name: str) -> None:
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                [self._program.path, "load"], stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
            )
            # Popen types it as None because it would be without stdin=PIPE.
            pipe = cast(IO[bytes], process.stdin)
            try:
                # A pipe that breaks means that it has ended early: it says below why.
                with contextlib.suppress(BrokenPipeError):
                    for data in _image_archive.archive(tree, image, name):
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
                text = output.read().decode(errors="replace").strip()[-500:]
                raise EngineError(f"{self.name} load failed with {process.returncode}: {text}")

    def remove_image(self, name: str) -> None:
        self._program.must("image", "rm", name)

    def container(self, name: str) -> Container | None:
        done = self._program.call("container", "inspect", name)
        if done.returncode != 0:
            if "no such" in done.stderr.lower():
                return None
            raise EngineError(f"{self.name} does not tell about the container {name}: {said(done)}")
        found: dict[str, Any] = json.loads(done.stdout)[0]
        return Container(
            status=found["State"]["Status"],
            restarts=found.get("RestartCount", 0),
            exit_code=found["State"]["ExitCode"],
            labels=found["Config"].get("Labels") or {},
        )

    def remove(self, name: str) -> None:
        self._program.must("container", "rm", "--force", "--volumes", name)

    def logs(self, name: str, lines: int) -> str:
        done = self._program.call("logs", "--tail", str(lines), name)
        return (done.stdout + done.stderr).strip()

    def _options(self, spec: Spec, labels: dict[str, str]) -> list[str]:
        """Return what is the same for all engines.

        It serves files, and so needs no right but to read them, as the user who owns the private key.
        """
        options = ["--user", "0:0", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
        if spec.needs_low_port:
            options += ["--cap-add", "NET_BIND_SERVICE"]
        if spec.network == HOST:
            options += ["--network", HOST]
        else:
            options += ["--publish", f"{spec.port}:{spec.port}"]
        for mount in (*spec.files, *spec.folders):
            ending = ("" if mount.writable else ",readonly") + (",bind-propagation=rslave" if mount.follows else "")
            options += ["--mount", f"type=bind,source={mount.source},target={mount.target}{ending}"]
        for key, value in spec.environment:
            options += ["--env", f"{key}={value}"]
        for key, value in sorted(labels.items()):
            options += ["--label", f"{key}={value}"]
        return options


class Docker(CommandEngine):
    """Docker Engine, whose daemon starts its containers again."""

    name = "docker"

    def platform(self) -> Platform:
        """Ask the daemon, which also shows that it runs."""
        done = self._program.call(*self._question())
        if done.returncode != 0 or not done.stdout.strip():
            raise EngineError(
                f"{self.name} does not answer on this host: {said(done)}. Start it (systemctl start "
                f"{self._unit()}), and let the task become a user who may use it"
            )
        return _platform.normalise(*done.stdout.split())

    def run(self, spec: Spec, labels: dict[str, str]) -> None:
        """Start the new container in the moment in which the old one ends; where that fails, the old one goes on."""
        new = _next(spec.name)
        self._program.call("container", "rm", "--force", "--volumes", new)
        options = ["--name", new, "--restart", "always", *self._options(spec, labels), *self._own_options()]
        created = self._program.call("create", *options, spec.image, *spec.command)
        if created.returncode != 0:
            self._program.call("container", "rm", "--force", "--volumes", new)
            raise EngineError(f"{self.name} cannot make the container {spec.name}: {said(created)}")
        old = self.container(spec.name)
        if old is not None:
            self._program.call("kill", spec.name)
        started = self._program.call("start", new)
        if started.returncode != 0:
            self._program.call("container", "rm", "--force", "--volumes", new)
            if old is not None:
                self._program.call("start", spec.name)
            raise self._refusal(spec, said(started))
        if old is not None:
            self.remove(spec.name)
        self._program.must("rename", new, spec.name)

    def unfinished(self, name: str) -> str | None:
        return _next(name) if self.container(_next(name)) else None

    def container_with_port(self, port: int) -> str | None:
        done = self._program.call("ps", "--filter", f"publish={port}", "--format", "{{.Names}}")
        return ", ".join(done.stdout.split()) or None

    def _question(self) -> tuple[str, ...]:
        return ("version", "--format", "{{.Server.Os}} {{.Server.Arch}}")

    def _unit(self) -> str:
        return "docker"

    def _own_options(self) -> list[str]:
        # As root also where the daemon maps users (https://docs.docker.com/engine/security/userns-remap/), and without
        # relabelling the tree on hosts with SELinux, which takes long and locks others out of it.
        options = ["--userns", HOST, "--security-opt", "label=disable"]
        # Docker's own default lets a log grow until the disk is full.
        options += ["--log-driver", "json-file", "--log-opt", f"max-size={_LOG_SIZE}"]
        return [*options, "--log-opt", f"max-file={_LOG_FILES}"]

    def _refusal(self, spec: Spec, text: str) -> EngineError:
        if "already allocated" in text or "already in use" in text:
            user = self.container_with_port(spec.port)
            who = f"the container {user}" if user else "another program"
            return PortInUse(f"port {spec.port} of this host is in use by {who}: {text}")
        return EngineError(f"{self.name} cannot start the container {spec.name}: {text}")


class Nerdctl(Docker):
    """The containerd engine with its client that takes docker's commands.

    https://github.com/containerd/nerdctl/blob/main/docs/command-reference.md
    """

    name = "nerdctl"
    # A bridge needs CNI plugins, which hosts with containerd do not always have.
    networks = (HOST, BRIDGE)

    def image_name(self, repository: str, version: str) -> str:
        return f"localhost/{repository}:{version}"

    def _question(self) -> tuple[str, ...]:
        return ("info", "--format", "{{.OSType}} {{.Architecture}}")

    def _unit(self) -> str:
        return "containerd"

    def _own_options(self) -> list[str]:
        return ["--pull", "never", "--log-opt", f"max-size={_LOG_SIZE}", "--log-opt", f"max-file={_LOG_FILES}"]


def _next(name: str) -> str:
    """Return what a container is called until it takes the place of the one with this name."""
    return f"{name}-next"

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The container engine that carries the run hosts: the machine's own where one runs, otherwise Debian's."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from .commands import LabError, remove, run, say, succeeds
from .packages import has_service_manager, install
from .processes import Daemon
from .settings import Settings

SECONDS = 60.0
SERVICE = "docker.service"


@dataclass(frozen=True)
class Engine:
    """A docker engine that answers. Without an `address` it is the one that the user's own docker client asks."""

    address: str | None

    def docker(self, *arguments: str | Path) -> str:
        """Run the docker client; gives what it prints."""
        return run(["docker", *arguments], env=self._environment()).strip()

    def answers(self) -> bool:
        """Whether there is an engine behind the client."""
        return succeeds(["docker", "info"], env=self._environment())

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **({"DOCKER_HOST": self.address} if self.address else {})}


def running(settings: Settings) -> Engine | None:
    """The engine to use, if one runs."""
    for engine in (_own(settings), Engine(None)):
        if engine.answers():
            return engine
    return None


def start(settings: Settings) -> Engine:
    """The engine to use; starts one when none runs."""
    engine = running(settings)
    if engine:
        return engine
    if not shutil.which("dockerd"):
        install(["docker.io"])
    if has_service_manager():
        _start_service(settings)
        return Engine(None)
    return _start_own(settings)


def stop(settings: Settings) -> None:
    """End the engine if the lab started it, with all that it stored."""
    _daemon(settings).stop()
    if _service_mark(settings).exists():
        run(["systemctl", "stop", "docker.socket", SERVICE])
    remove(_data(settings))
    remove(settings.sockets)


def _own(settings: Settings) -> Engine:
    return Engine(f"unix://{settings.sockets}/docker.sock")


def _data(settings: Settings) -> Path:
    return settings.state / "engine"


def _daemon(settings: Settings) -> Daemon:
    return Daemon("the container engine", settings.processes / "dockerd.json", settings.logs / "dockerd.log")


def _service_mark(settings: Settings) -> Path:
    return settings.processes / SERVICE


def _start_service(settings: Settings) -> None:
    """The service manager looks after the engine; the mark says that it did not run before the lab."""
    settings.processes.mkdir(parents=True, exist_ok=True)
    _service_mark(settings).touch()
    run(["systemctl", "start", SERVICE])


def _start_own(settings: Settings) -> Engine:
    """An engine apart from any other: own socket, own storage, and no change to the machine's packet filter."""
    engine, daemon = _own(settings), _daemon(settings)
    settings.sockets.mkdir(exist_ok=True)
    daemon.start(
        [
            "dockerd",
            f"--host={engine.address}",
            f"--data-root={_data(settings)}",
            f"--exec-root={settings.sockets / 'exec'}",
            f"--pidfile={settings.sockets / 'docker.pid'}",
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
        ]
    )
    deadline = time.monotonic() + SECONDS
    while not engine.answers():
        daemon.require()
        if time.monotonic() > deadline:
            raise LabError(f"{daemon.name} does not answer; see {daemon.log}")
        time.sleep(0.2)
    say("started a container engine of the lab's own")
    return engine

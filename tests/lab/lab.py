# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as a whole: up, down, status."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from . import content, engine, outputs
from .commands import LabError, remove, say
from .hosts import Host, Hosts
from .packages import install_needed, require_machine
from .settings import Settings
from .upstream import Upstream


@dataclass(frozen=True)
class Lab:
    """The lab of one checkout."""

    settings: Settings = field(default_factory=Settings)

    def up(self, hosts: int) -> list[Host]:
        """Bring the lab up with at least that many hosts; what runs already goes on."""
        require_machine()
        with self._alone():
            install_needed()
            self.settings.sockets.mkdir(exist_ok=True)
            upstream = Upstream(self.settings)
            upstream.start()
            references = content.fill(self.settings, upstream)
            carrier = engine.start(self.settings)
            machines = Hosts(self.settings, carrier)
            up = machines.start(hosts)
            outputs.write(self.settings, upstream, carrier, machines, up, references)
        say(f"up: {', '.join(f'{host.name} at {host.address}' for host in up)}")
        return up

    def down(self) -> None:
        """End what the lab started, remove what it made; the cache stays, and so do packages that were installed."""
        with self._alone():
            carrier = engine.running(self.settings) if shutil.which("docker") else None
            if carrier:
                Hosts(self.settings, carrier).remove()
            elif outputs.on_an_engine_of_others(self.settings):
                raise LabError(
                    "the container engine that holds the run hosts does not answer: start it, then try again"
                )
            Upstream(self.settings).stop()
            engine.stop(self.settings)
            remove(self.settings.state)
        say("down")

    def is_up(self) -> bool:
        """Whether everything runs that `up` brings up."""
        return self.settings.description.exists() and all(state == "running" for state in self.status().values())

    def status(self) -> dict[str, str]:
        """Each part of the lab, and whether it runs."""
        carrier = engine.running(self.settings) if shutil.which("docker") else None
        running = [host.name for host in Hosts(self.settings, carrier).running()] if carrier else []
        return {
            **{part.daemon.name: _word(part.daemon.running()) for part in Upstream(self.settings).parts},
            "the container engine": _word(carrier is not None),
            **dict.fromkeys(running, _word(True)),
            **({} if running else {"run hosts": _word(False)}),
        }

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time: labs of other checkouts share the cache and the ports."""
        self.settings.cache.mkdir(parents=True, exist_ok=True)
        with (self.settings.cache / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("waiting for another lab command on this machine")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _word(running: bool) -> str:
    return "running" if running else "not running"

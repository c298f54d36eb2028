# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A network of hosts on this machine: network namespaces on a switch, each with a line of its own speed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

NETWORK = "10.231.7"


@dataclass(frozen=True)
class Place:
    """A namespace."""

    name: str
    address: str

    @property
    def within(self) -> Sequence[str]:
        """What makes a command run there."""
        return ("ip", "netns", "exec", self.name)


@contextmanager
def network(rates: Sequence[str]) -> Iterator[list[Place]]:
    """Make a place for each rate, at which it can send, as `tc` writes it (50mbit)."""
    prefix = f"fan{os.getpid()}"
    with ExitStack() as stack:
        switch = f"{prefix}s"
        stack.enter_context(_namespace(switch))
        _ip("-n", switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", switch, "link", "set", "bridge", "up")
        places = []
        for number, rate in enumerate(rates):
            place = Place(f"{prefix}h{number}", f"{NETWORK}.{number + 1}")
            stack.enter_context(_namespace(place.name))
            _connect(switch, place, f"port{number}", rate)
            places.append(place)
        yield places


@contextmanager
def _namespace(name: str) -> Iterator[None]:
    _ip("netns", "add", name)
    try:
        _ip("-n", name, "link", "set", "lo", "up")
        yield
    finally:
        _ip("netns", "delete", name)


def _connect(switch: str, place: Place, port: str, rate: str) -> None:
    _ip("-n", switch, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", place.name)
    _ip("-n", switch, "link", "set", port, "master", "bridge", "up")
    _ip("-n", place.name, "address", "add", f"{place.address}/24", "dev", "eth0")
    _ip("-n", place.name, "link", "set", "eth0", "up")
    shape = ["tbf", "rate", rate, "burst", "1mb", "latency", "50ms"]
    subprocess.run([*place.within, "tc", "qdisc", "add", "dev", "eth0", "root", *shape], check=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)

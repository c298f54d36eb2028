# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between a client and the registry: requests as they are recorded, replies as they can be spoiled."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_DIGEST = re.compile(r"sha(?:256|512):[0-9a-f]+")


class Ending(enum.Enum):
    """How a connection ends that breaks before its body is complete."""

    CLOSE = "closed in order"
    RESET = "reset"
    STALL = "silent for ever"


@dataclass
class Request:
    """A request, and what became of it. Names of headers are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    status: int = 0
    sent: int = 0
    """Bytes of the body that were sent."""
    body: bytes = b""
    """What came with it."""
    broken: bool = False
    """Whether it was cut off before all of its body had come."""

    @property
    def digest(self) -> str:
        """The digest that it asks for, if it asks for one."""
        match = _DIGEST.search(self.path)
        return match.group() if match else ""

    @property
    def is_blob(self) -> bool:
        """Whether it asks for a blob."""
        return "/blobs/" in self.path


@dataclass(frozen=True)
class Reply:
    """An answer.

    - cut: after how many bytes of the body the connection breaks, by `ending`.
    - whole: the blob of which the body is a part.
    - silent: nothing is sent, not even the status.
    - rate: bytes of the body in a second; 0 for as many as go; head_rate: the same of what comes before it.
    - piece: how many bytes are sent at once.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    whole: bytes = b""
    cut: int | None = None
    ending: Ending = Ending.CLOSE
    silent: bool = False
    rate: float = 0
    head_rate: float = 0
    piece: int = 64 * 1024

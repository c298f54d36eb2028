# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: which requests they hit, and what they make of the answer."""

from __future__ import annotations

import dataclasses
import json
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.registry.messages import Ending, Reply, Request

Change = Callable[[Request, Reply], Reply]

BLOBS = r"/blobs/"
MANIFESTS = r"/manifests/"


@dataclass
class Fault:
    """Spoils the answers to some requests.

    - change: what it makes of an answer.
    - path, method: which requests count; a regular expression that is searched, and a method (empty for any).
    - first: the number of the first of them that is hit, from 1; times: how many are, None for all from there on.
    - probability: of being hit, where it could be; the same seed gives the same sequence.
    """

    change: Change
    path: str = ""
    method: str = "GET"
    first: int = 1
    times: int | None = 1
    probability: float = 1.0
    seed: int = 0
    seen: int = 0
    hits: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def apply(self, request: Request, reply: Reply) -> Reply:
        """Return what becomes of an answer."""
        return self.change(request, reply) if self._hits(request) else reply

    def _hits(self, request: Request) -> bool:
        if self.method not in ("", request.method) or not re.search(self.path, request.path):
            return False
        with self._lock:
            self.seen += 1
            hit = (
                self.seen >= self.first
                and (self.times is None or self.hits < self.times)
                and self._random.random() < self.probability
            )
            self.hits += hit
            return hit


# Bodies


def truncated(count: int, ending: Ending = Ending.CLOSE) -> Change:
    """The connection ends after some bytes of the body, all of which were announced."""
    return lambda _request, reply: dataclasses.replace(reply, cut=count, ending=ending)


def silent(_request: Request, reply: Reply) -> Reply:
    """Nothing is answered at all."""
    return dataclasses.replace(reply, silent=True)


def shortened(count: int) -> Change:
    """Only the first bytes are announced and sent: nothing looks broken."""
    return lambda _request, reply: dataclasses.replace(reply, body=reply.body[:count])


def lengthened(count: int) -> Change:
    """More bytes are announced and sent than there are."""
    return lambda _request, reply: dataclasses.replace(reply, body=reply.body + b"\0" * count)


def wrong_bytes(position: int = 0) -> Change:
    """One byte of the body is another one."""

    def change(_request: Request, reply: Reply) -> Reply:
        body = bytearray(reply.body)
        body[position] ^= 0xFF
        return dataclasses.replace(reply, body=bytes(body))

    return change


def other_body(body: bytes) -> Change:
    """Something else is sent."""
    return lambda _request, reply: dataclasses.replace(reply, body=body)


def dripping(rate: float) -> Change:
    """The body comes byte by byte, this many in a second."""
    return lambda _request, reply: dataclasses.replace(reply, rate=rate, piece=1)


def dripping_head(rate: float) -> Change:
    """Status and headers come byte by byte, this many in a second."""
    return lambda _request, reply: dataclasses.replace(reply, head_rate=rate)


def paced(rate: float, piece: int = 8 * 1024) -> Change:
    """The body comes in small pieces, no faster than so many bytes in a second."""
    return lambda _request, reply: dataclasses.replace(reply, rate=rate, piece=piece)


# Statuses and headers


def refused(status: int, headers: Mapping[str, str] | None = None, code: str = "", message: str = "") -> Change:
    """An error of the registry, in its own words if it has some."""
    body = json.dumps({"errors": [{"code": code, "message": message}]}).encode() if code else message.encode()
    return lambda _request, _reply: Reply(status, headers or {}, body)


def redirected(target: str) -> Change:
    """A redirect to the same path at another host, or to what is written out in full."""
    return lambda request, _reply: Reply(
        307, {"Location": target + request.path if re.fullmatch(r"https?://[^/]*", target) else target}
    )


def with_headers(headers: Mapping[str, str]) -> Change:
    """Some headers have other values."""
    return lambda _request, reply: dataclasses.replace(reply, headers={**reply.headers, **headers})


def without_header(name: str) -> Change:
    """A header is missing."""
    return lambda _request, reply: dataclasses.replace(
        reply, headers={key: value for key, value in reply.headers.items() if key != name}
    )


# Ranges: these concern requests for a part of a blob alone


def ignored_range(_request: Request, reply: Reply) -> Reply:
    """The whole blob is sent with 200, whatever part was asked for."""
    return Reply(200, {}, reply.whole) if reply.status == 206 else reply


def wrong_range(content_range: str) -> Change:
    """The part that is sent says that it is another one."""
    return lambda _request, reply: (
        dataclasses.replace(reply, headers={**reply.headers, "Content-Range": content_range})
        if reply.status == 206
        else reply
    )

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry: a tree behind HTTP, with Range, HEAD and lists of tags, that records what it is asked.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import socket
import socketserver
import ssl
import struct
import threading
import time
import urllib.parse
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.lab.certificates import Certificates
from tests.registry.faults import Fault
from tests.registry.guards import TOKEN_PATH, Guard, Open
from tests.registry.messages import Ending, Reply, Request

_NAME = re.compile(r"/v2/(?P<name>.+?)/(?P<kind>manifests|blobs|tags|referrers)/(?P<what>[^/]+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_PAGE = 100


class Registry:
    """Serves a tree on the loopback address as long as the context lasts.

    :param certificates: with them it speaks https, else http.
    :param clients: a certificate that clients have to show.
    """

    def __init__(
        self,
        root: Path,
        faults: Iterable[Fault] = (),
        guard: Guard | None = None,
        certificates: Certificates | None = None,
        clients: Path | None = None,
    ) -> None:
        self.tree = Tree(str(root))
        self.faults = list(faults)
        self.guard: Guard = guard or Open()
        self.requests: list[Request] = []
        self.connections = 0
        self.stopping = threading.Event()
        self._server = _Server(self, certificates, clients)

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def host(self) -> str:
        """Its host and port, as they stand in references."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def base(self) -> str:
        """Its URL."""
        return f"{'https' if self._server.tls else 'http'}://{self.host}"

    def forget(self) -> None:
        """Begin to record anew."""
        self.requests.clear()

    def counted(self) -> Counter[tuple[str, str]]:
        """Return how often each thing was asked for, by method and path, refusals not counted."""
        return Counter((request.method, request.path) for request in self.requests if request.status < 400)

    def sent(self) -> int:
        """Return how many bytes of blobs were sent."""
        return sum(request.sent for request in self.requests if request.is_blob and request.status < 300)

    def takes(self, request: Request, length: int) -> int:
        """Return how many bytes of the body of a request are read before the connection breaks: all of them."""
        return length

    def answer(self, request: Request) -> Reply:
        """Answer a request, spoiled or not."""
        reply = self._answer(request)
        for fault in self.faults:
            reply = fault.apply(request, reply)
        return reply

    def _answer(self, request: Request) -> Reply:
        if request.path == TOKEN_PATH:
            return self.guard.issue(request)
        if request.path == "/v2/":
            return Reply(200, {}, b"{}")
        if not request.path.startswith("/v2/"):
            return Reply(404)
        return self.guard.refuse(request, self.base) or self._serve(request)

    def _serve(self, request: Request) -> Reply:
        if request.path == "/v2/_catalog":
            names = json.dumps({"repositories": sorted(self.tree.repositories())}).encode()
            return Reply(200, {"Content-Type": "application/json"}, names)
        match = _NAME.fullmatch(request.path)
        if match is None:
            return _unknown("NAME_UNKNOWN")
        name, kind, what = match.group("name"), match.group("kind"), match.group("what")
        try:
            if kind == "tags" and what == "list":
                return self._tags(name, request.query)
            if kind == "manifests":
                return self._manifest(name, what)
            if kind == "blobs" and self.tree.has_layer(name, what):
                return _part(Path(self.tree.blob_path(what)).read_bytes(), what, request.headers.get("range", ""))
        except SeahubError:
            pass
        return _unknown(f"{kind.upper().rstrip('S')}_UNKNOWN")

    def _manifest(self, name: str, version: str) -> Reply:
        digest = self.tree.tag(name, version) if _reference.is_tag(version) else version
        if digest is None or not self.tree.has_manifest(name, digest):
            return _unknown("MANIFEST_UNKNOWN")
        body = Path(self.tree.blob_path(digest)).read_bytes()
        try:
            media_type = json.loads(body)["mediaType"]
        except (ValueError, KeyError, TypeError, RecursionError):
            media_type = "application/vnd.oci.image.manifest.v1+json"
        return Reply(200, {"Content-Type": media_type, "Docker-Content-Digest": digest}, body)

    def _tags(self, name: str, query: Mapping[str, str]) -> Reply:
        count = min(int(query.get("n", _PAGE)), _PAGE)
        tags = [tag for tag in self.tree.tags(name) if tag > query.get("last", "")]
        headers = {"Content-Type": "application/json"}
        if len(tags) > count:
            headers["Link"] = f'</v2/{name}/tags/list?last={tags[count - 1]}&n={count}>; rel="next"'
        return Reply(200, headers, json.dumps({"name": name, "tags": tags[:count]}).encode())


def _part(body: bytes, digest: str, asked: str) -> Reply:
    """Return a blob, or the part of it that is asked for."""
    headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
    match = _RANGE.fullmatch(asked)
    if match is None:
        return Reply(200, headers, body)
    first = int(match.group(1))
    last = min(int(match.group(2) or len(body)), len(body) - 1)
    if first > last:
        return Reply(416, {"Content-Range": f"bytes */{len(body)}"})
    headers["Content-Range"] = f"bytes {first}-{last}/{len(body)}"
    return Reply(206, headers, body[first : last + 1], whole=body)


def _unknown(code: str) -> Reply:
    return Reply(404, {}, json.dumps({"errors": [{"code": code, "message": "unknown"}]}).encode())


def _query(text: str) -> dict[str, str]:
    """Read a query; what is given several times becomes one value with spaces."""
    return {name: " ".join(values) for name, values in urllib.parse.parse_qs(text).items()}


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, registry: Registry, certificates: Certificates | None, clients: Path | None) -> None:
        self.registry = registry
        self.tls: ssl.SSLContext | None = None
        if certificates is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificates.server, certificates.key)
            if clients is not None:
                self.tls.load_verify_locations(clients)
                self.tls.verify_mode = ssl.CERT_REQUIRED
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.registry.connections += 1
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as encrypted:
            super().finish_request(encrypted, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away, or do not like the certificate, are what the tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        registry = self.server.registry
        parts = urllib.parse.urlsplit(self.path)
        request = Request(
            method=self.command,
            path=urllib.parse.unquote(parts.path),
            query=_query(parts.query),
            headers={name.lower(): value for name, value in self.headers.items()},
        )
        length = int(self.headers.get("Content-Length") or 0)
        request.body = self.rfile.read(min(length, registry.takes(request, length)))
        request.broken = len(request.body) < length
        if "form" in request.headers.get("content-type", ""):
            request.query = {**request.query, **_query(request.body.decode())}
        registry.requests.append(request)
        reply = registry.answer(request)
        request.status = reply.status
        if request.broken:
            self._break(Ending.RESET)
            return
        with contextlib.suppress(OSError):
            self._deliver(request, reply)

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815  the names are http.server's

    def _deliver(self, request: Request, reply: Reply) -> None:
        if reply.silent:
            self._break(Ending.STALL)
            return
        self.send_response(reply.status)
        for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        if reply.head_rate:
            head: list[bytes] = self._headers_buffer  # type: ignore[attr-defined]
            collections.deque(self._pieces(b"".join(head), reply.head_rate, 1), maxlen=0)
            head.clear()
        self.end_headers()
        if request.method == "HEAD":
            return
        for sent in self._pieces(reply.body[: reply.cut], reply.rate, reply.piece):
            request.sent += sent
        if reply.cut is not None:
            self._break(reply.ending)

    def _pieces(self, data: bytes, rate: float, size: int) -> Iterator[int]:
        """Send something piece by piece, and say each time how many bytes went."""
        view, begun = memoryview(data), time.monotonic()
        for start in range(0, len(view), size):
            piece = view[start : start + size]
            self.wfile.write(piece)
            yield len(piece)
            due = begun + (start + len(piece)) / rate if rate else 0
            if rate and self.server.registry.stopping.wait(due - time.monotonic()):
                return

    def _break(self, ending: Ending) -> None:
        self.close_connection = True
        if ending is Ending.STALL:
            self.server.registry.stopping.wait(60)
        elif ending is Ending.RESET:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
        """Requests are recorded, not printed."""

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A web server that holds charts as a classic chart repository does."""

from __future__ import annotations

import base64
import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from tests.lab.certificates import Certificates


def index(*entries: Mapping[str, Any]) -> bytes:
    """Return an index.yaml with these entries, each of which has at least a name."""
    charts: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        charts.setdefault(str(entry["name"]), []).append({"apiVersion": "v2", **entry})
    return yaml.safe_dump({"apiVersion": "v1", "entries": charts}).encode()


@dataclass
class Site:
    """A web server.

    - content: what it has, by path.
    - account: name and password that it wants, if any.
    - statuses: what it answers other than 200 or 404, by path.
    - asked: the paths that were asked for, with the `Authorization` header that came.
    """

    content: dict[str, bytes] = field(default_factory=dict)
    account: tuple[str, str] | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def answer(self, path: str, authorization: str) -> tuple[int, bytes]:
        """Return the status and the body for a request."""
        self.asked.append((path, authorization))
        if self.account and authorization != "Basic " + base64.b64encode(":".join(self.account).encode()).decode():
            return 401, b""
        if path in self.statuses:
            return self.statuses[path], b""
        return (200, self.content[path]) if path in self.content else (404, b"")


@contextlib.contextmanager
def serve(site: Site, certificates: Certificates | None = None) -> Iterator[Site]:
    """Serve a site on a free port of the loopback address, encrypted if there are certificates."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            status, body = site.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="charts"')
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Requests are recorded, not printed."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        scheme = "http"
        if certificates is not None:
            scheme = "https"
            settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            settings.load_cert_chain(certificates.server, certificates.key)
            server.socket = settings.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        site.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small HTTPS server with a certificate of its own CA, for tests that need a real one."""

from __future__ import annotations

import base64
import contextlib
import datetime
import http.server
import ssl
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.serving import _certificate, _x509
from ansible_collections.seahub.offline.plugins.module_utils.serving._certificate import Files


def make_certificate(folder: Path, domain: str = "sea.hub", *addresses: str) -> Files:
    """Make a CA and a server certificate in a folder."""
    now = datetime.datetime.now(datetime.UTC)
    names = _x509.names(domain, [], list(addresses))
    where = _certificate.files(str(folder), domain)
    _certificate.carry_out(_certificate.plan(where, names, 60, now), where, names, now)
    return where


@contextlib.contextmanager
def serve(certificate: Files, content: Mapping[str, bytes], login: str | None = None) -> Iterator[int]:
    """Answer with the content of each path, or 404, on a free port of 127.0.0.1, which is given.

    With a `login` (user:password) only who sends it gets that; others get 401.
    """
    credentials = f"Basic {base64.b64encode(login.encode()).decode()}" if login else None

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = content.get(self.path)
            if credentials and self.headers["Authorization"] != credentials:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
                body = None
            else:
                self.send_response(404 if body is None else 200)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body or b"")

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(certificate.certificate, certificate.private_key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        server.socket = settings.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()

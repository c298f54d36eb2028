# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy that does what clients ask of one for encrypted connections: a tunnel, and nothing else."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Iterator

PIECE = 64 * 1024


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.asked: list[str] = []


class _Tunnel(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        request = self.rfile.readline().decode().split()
        while self.rfile.readline().strip():
            pass
        self.server.asked.append(" ".join(request[:2]))
        host, _colon, port = request[1].rpartition(":")
        with contextlib.suppress(OSError), socket.create_connection((host, int(port))) as target:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            self._carry(target)

    def _carry(self, target: socket.socket) -> None:
        other = {self.connection: target, target: self.connection}
        while True:
            for ready in select.select(list(other), [], [])[0]:
                data = ready.recv(PIECE)
                if not data:
                    return
                other[ready].sendall(data)


@contextlib.contextmanager
def tunnel() -> Iterator[tuple[str, list[str]]]:
    """Run the proxy; give its URL, and a list of what it is asked for."""
    with _Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", server.asked
        server.shutdown()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real registries on the loopback address: Debian's docker-registry, without encryption, for as long as a context."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.settings import Settings
from tests.lab.upstream import program

SECONDS = 20.0


def free_port() -> int:
    """Return a port of the loopback address that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def registry(storage: Path, work: Path) -> Iterator[str]:
    """Serve a storage folder, which may be empty; give the host of its references."""
    host = f"127.0.0.1:{free_port()}"
    configuration = work / f"registry-{host.rpartition(':')[2]}.json"
    configuration.write_text(
        json.dumps(
            {
                "version": "0.1",
                "log": {"level": "error", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": str(storage)}},
                "http": {"addr": host, "secret": secrets.token_hex()},
            }
        )
    )
    with (work / "registry.log").open("ab") as log:
        process = subprocess.Popen(
            [program(Settings()), "serve", configuration], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        _wait(process, host)
        yield host
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], host: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=SECONDS):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the registry at {host} does not answer")

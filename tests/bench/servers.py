# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real registries on loopback addresses: Debian's docker-registry, for as long as a context."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.serving._certificate import Files
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
    """Serve a storage folder, which may be empty, without encryption; give the host of its references."""
    host = f"127.0.0.1:{free_port()}"
    process = _start(storage, work, host, {})
    try:
        _wait(process, host)
        yield host
    finally:
        process.terminate()
        process.wait()


@contextmanager
def registry_over_tls(
    storage: Path,
    work: Path,
    host: str,
    certificate: Files,
    htpasswd: Path | None = None,
    *,
    within: Sequence[str] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """Serve a storage folder at an address and port; give the process, which may be killed.

    :param htpasswd: who may use it; without it, everybody.
    :param within: a command that runs it elsewhere, as in a network namespace.
    """
    configuration: dict[str, Any] = {"tls": {"certificate": certificate.certificate, "key": certificate.private_key}}
    process = _start(storage, work, host, configuration, htpasswd, within)
    address, _colon, port = host.rpartition(":")
    try:
        wait_for_port(process, address, int(port), within)
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for_port(process: subprocess.Popen[bytes], address: str, port: int, within: Sequence[str] = ()) -> None:
    """Wait until a process that was started accepts connections.

    :param within: as for the process: the address may be one of that place alone.
    """
    probe = [*within, sys.executable, "-c", f"import socket; socket.create_connection(({address!r}, {port}))"]
    deadline = time.monotonic() + SECONDS
    while subprocess.run(probe, stderr=subprocess.DEVNULL).returncode != 0:
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError(f"nothing answers at {address}:{port}")
        time.sleep(0.05)


def _start(
    storage: Path,
    work: Path,
    host: str,
    http: dict[str, Any],
    htpasswd: Path | None = None,
    within: Sequence[str] = (),
) -> subprocess.Popen[bytes]:
    configuration = work / f"registry-{host.replace(':', '-')}.json"
    document: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(storage)}},
        "http": {"addr": host, "secret": secrets.token_hex(), **http},
    }
    if htpasswd is not None:
        document["auth"] = {"htpasswd": {"realm": "test", "path": str(htpasswd)}}
    configuration.write_text(json.dumps(document))
    with (work / "registry.log").open("ab") as log:
        return subprocess.Popen(
            [*within, program(Settings()), "serve", configuration], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )


def _wait(process: subprocess.Popen[bytes], host: str) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=SECONDS):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the registry at {host} does not answer")

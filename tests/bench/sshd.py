# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd on the loopback address for as long as a context, with keys of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .servers import free_port

SSHD = "/usr/sbin/sshd"
SECONDS = 20.0


@dataclass(frozen=True)
class Server:
    """Where it listens, and the options with which ssh gets in."""

    port: int
    folder: Path

    @property
    def options(self) -> str:
        """For ssh, rsync and Ansible alike."""
        return (
            f"-F /dev/null -p {self.port} -i {self.folder}/user -o UserKnownHostsFile={self.folder}/known_hosts"
            " -o StrictHostKeyChecking=yes -o Compression=no"
        )


@contextmanager
def sshd(work: Path) -> Iterator[Server]:
    """Let root in by a key."""
    folder = work / "sshd"
    folder.mkdir(exist_ok=True)
    server = Server(free_port(), folder)
    for name in ("host", "user"):
        path = folder / name
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {(folder / 'host.pub').read_text()}")
    # Where sshd goes without rights before somebody has logged in: the package's service would make it.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "config").write_text(
        f"ListenAddress 127.0.0.1:{server.port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        "PermitRootLogin prohibit-password\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n"
    )
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "config"], stderr=log, stdin=subprocess.DEVNULL)
    try:
        _wait(process, server)
        yield server
    finally:
        process.terminate()
        process.wait()


def _wait(process: subprocess.Popen[bytes], server: Server) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", server.port), timeout=SECONDS):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"sshd does not answer: {(server.folder / 'log').read_text()}")

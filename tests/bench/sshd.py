# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real sshd for as long as a context, with keys of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .servers import free_port, wait_for_port

SSHD = "/usr/sbin/sshd"


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
    """Let root in by a key, on the loopback address."""
    server = Server(free_port(), work / "sshd")
    with _running(server, "127.0.0.1", ()):
        yield server


@contextmanager
def sshd_within(work: Path, address: str, within: Sequence[str]) -> Iterator[Server]:
    """Let root in by a key, at an address of another network namespace; all of them have the same keys.

    :param within: the command that runs a command there.
    """
    server = Server(22, work / "sshd")
    with _running(server, address, within):
        yield server


@contextmanager
def _running(server: Server, address: str, within: Sequence[str]) -> Iterator[None]:
    folder = server.folder
    folder.mkdir(exist_ok=True)
    for name in ("host", "user"):
        path = folder / name
        if not path.exists():
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)
    (folder / "known_hosts").write_text(f"* {(folder / 'host.pub').read_text()}")
    # Where sshd goes without rights before somebody has logged in: the package's service would make it.
    Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    config = folder / f"config-{address}"
    config.write_text(
        f"ListenAddress {address}:{server.port}\nHostKey {folder}/host\nAuthorizedKeysFile {folder}/user.pub\n"
        "PermitRootLogin prohibit-password\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n"
    )
    with (folder / "log").open("ab") as log:
        command: list[str | Path] = [*within, SSHD, "-D", "-e", "-f", config]
        process = subprocess.Popen(command, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for_port(process, address, server.port, within)
        yield
    finally:
        process.terminate()
        process.wait()

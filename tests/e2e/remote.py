# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at a run host over SSH, independently of Ansible."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from types import TracebackType

import paramiko


@dataclass(frozen=True)
class Result:
    """A command that has run on a host."""

    status: int
    output: str
    errors: str


class Remote:
    """A connection to a host."""

    def __init__(self, name: str, address: str, ssh: dict[str, str]) -> None:
        self.name = name
        self.address = address
        self._client = paramiko.SSHClient()
        self._client.load_host_keys(ssh["known_hosts"])
        self._client.set_missing_host_key_policy(paramiko.RejectPolicy())
        self._client.connect(
            address, username=ssh["user"], key_filename=ssh["key"], allow_agent=False, look_for_keys=False
        )

    def __enter__(self) -> Remote:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def try_(self, *command: str, timeout: float = 120) -> Result:
        """Run a command, however it ends."""
        _stdin, stdout, stderr = self._client.exec_command(shlex.join(command), timeout=timeout)
        output, errors = stdout.read().decode(), stderr.read().decode()
        return Result(stdout.channel.recv_exit_status(), output, errors)

    def run(self, *command: str, timeout: float = 120) -> str:
        """Run a command that has to end well; gives what it printed."""
        result = self.try_(*command, timeout=timeout)
        assert result.status == 0, f"{self.name}: {shlex.join(command)}: {result.output}{result.errors}"
        return result.output

    def read(self, path: str) -> bytes:
        """The content of a file."""
        with self._client.open_sftp() as sftp, sftp.open(path) as file:
            return file.read()

    def write(self, path: str, data: bytes) -> None:
        """Write into a file, which keeps its owner and mode if it is there."""
        with self._client.open_sftp() as sftp, sftp.open(path, "w") as file:
            file.write(data)

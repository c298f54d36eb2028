# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Services of systemd: a unit for each, written, started and looked at."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import json
import os
from typing import Iterable

from ansible_collections.seahub.offline.plugins.module_utils.common import _host_file
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import (
    Container,
    EngineError,
    Program,
    Spec,
    find,
)

_FOLDER = "/etc/systemd/system"
_BOOTED = "/run/systemd/system"
# systemd passes over what begins with X-.
_LABELS = "X-Labels="
_STATES = {
    "active": "running",
    "reloading": "running",
    "activating": "starting",
    "deactivating": "stopping",
    "failed": "exited",
    "inactive": "exited",
}


class Systemd:
    """The service manager of this host."""

    def __init__(self, program: Program | None = None, folder: str = _FOLDER) -> None:
        self._program = program or find("systemctl")
        self._folder = folder

    def require(self) -> None:
        """Make sure that it is there, and runs the host.

        :raises EngineError: if not.
        """
        # The test of sd_booted(3).
        if self._program is None or not os.path.isdir(_BOOTED):
            raise EngineError(
                "systemd does not run this host, and nothing else would start the registry after a reboot: "
                "use docker, whose own daemon does"
            )

    def service(self, name: str) -> Container | None:
        """Return the state of a service with a unit of ours, or None if there is none.

        :raises EngineError: if systemd does not answer.
        """
        labels = self._labels(name)
        if labels is None:
            return None
        properties = "ActiveState,SubState,UnitFileState,NRestarts,ExecMainStatus"
        answer = self._must("show", f"{name}.service", f"--property={properties}")
        values = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
        status = _STATES.get(values["ActiveState"], values["ActiveState"])
        if values["SubState"] == "auto-restart":
            status = "restarting"
        elif status == "running" and values["UnitFileState"] != "enabled":
            status = "not enabled"
        return Container(status, _number(values.get("NRestarts")), _number(values.get("ExecMainStatus")), labels)

    def start(self, name: str, text: str, labels: dict[str, str]) -> None:
        """Write a unit, and start its service, now and at each boot; one that runs is started again.

        :raises EngineError: if systemd does not do it.
        """
        marked = f"{text}\n[X-Seahub]\n{_LABELS}{json.dumps(labels, sort_keys=True)}\n"
        _host_file.write(self._path(name), marked.encode(), 0o644)
        self._must("daemon-reload")
        self._must("enable", f"{name}.service")
        self._must("reset-failed", f"{name}.service")
        self._must("restart", f"{name}.service")

    def remove(self, name: str) -> None:
        """End a service, and remove its unit."""
        if self._labels(name) is None:
            return
        self._must("disable", "--now", f"{name}.service")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path(name))
        self._must("daemon-reload")
        # A unit that has failed is remembered without its file.
        if self._program is not None:
            self._program.call("reset-failed", f"{name}.service")

    def logs(self, name: str, lines: int) -> str:
        """Return the last lines of a service in the journal."""
        journal = find("journalctl")
        if journal is None:
            return ""
        done = journal.call("--unit", f"{name}.service", "--lines", str(lines), "--no-pager", "--output", "cat")
        return (done.stdout + done.stderr).strip()

    def _labels(self, name: str) -> dict[str, str] | None:
        try:
            with open(self._path(name), encoding="utf-8") as file:
                for line in file:
                    if line.startswith(_LABELS):
                        found: dict[str, str] = json.loads(line[len(_LABELS) :])
                        return found
        except FileNotFoundError:
            return None
        # A unit of someone else: it has none of our labels.
        return {}

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, f"{name}.service")

    def _must(self, *arguments: str) -> str:
        self.require()
        if self._program is None:
            raise EngineError("systemctl is not on this host")
        return self._program.must(*arguments)


def unit(spec: Spec, lines: Iterable[str]) -> str:
    """Return a unit for a registry.

    :param lines: what its section about the service says beside what is the same for all.
    """
    paths = " ".join(_word(mount.source) for mount in (*spec.folders, *spec.files))
    return "\n".join(
        (
            "# Written by the module seahub.offline.registry_service, again and again. What shall be otherwise",
            f"# belongs into a file of your own: systemctl edit {spec.name}",
            "[Unit]",
            f"Description=Offline registry on port {spec.port}",
            "Wants=network-online.target",
            "After=network-online.target",
            f"RequiresMountsFor={paths}",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            "Restart=always",
            "RestartSec=2",
            *lines,
            "",
            "[Install]",
            "WantedBy=multi-user.target",
            "",
        )
    )


def command(*words: str) -> str:
    """Return a command as units have it.

    https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html#Command%20lines
    """
    return " ".join(_word(word.replace("$", "$$")) for word in words)


def _word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return escaped if escaped == text and text and not set(text) & set(" \t';") else f'"{escaped}"'


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Podman as an engine. It has no daemon that would start containers again, so that systemd does."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _systemd
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import (
    Container,
    EngineError,
    Program,
    Spec,
    said,
)
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine_command import CommandEngine
from ansible_collections.seahub.offline.plugins.module_utils.serving._systemd import Systemd


class Podman(CommandEngine):
    """Podman as root, and a unit for each container.

    The unit is one like those of `podman generate systemd --new`, which works with every podman since 4.0; quadlets
    need 4.4. https://docs.podman.io/en/v4.3/markdown/podman-generate-systemd.1.html
    """

    name = "podman"

    def __init__(self, program: Program | None = None, systemd: Systemd | None = None) -> None:
        super().__init__(program)
        self._systemd = systemd or Systemd()

    def platform(self) -> Platform:
        """Ask podman, which also shows that it works, and see that systemd is there."""
        done = self._program.call("info", "--format", "{{.Host.OS}} {{.Host.Arch}}")
        if done.returncode != 0:
            raise EngineError(
                f"podman does not work on this host: {said(done)}. Try podman info there, and let the task become root"
            )
        self._systemd.require()
        return _platform.normalise(*done.stdout.split())

    def image_name(self, repository: str, version: str) -> str:
        # The name of images that come from nowhere; others it would look for in a registry.
        return f"localhost/{repository}:{version}"

    def container(self, name: str) -> Container | None:
        return self._systemd.service(name) or super().container(name)

    def run(self, spec: Spec, labels: dict[str, str]) -> None:
        self._systemd.start(spec.name, self._unit(spec, labels), labels)

    def remove(self, name: str) -> None:
        self._systemd.remove(name)
        self._program.must("rm", "--force", "--ignore", name)

    def logs(self, name: str, lines: int) -> str:
        return self._systemd.logs(name, lines)

    def _unit(self, spec: Spec, labels: dict[str, str]) -> str:
        run = [self._program.path, "run", "--name", spec.name, "--replace", "--rm", "--detach", "--pull", "never"]
        # Its main process is one of the unit, so that the unit knows how it is, and its output is the unit's journal.
        run += ["--sdnotify", "conmon", "--cgroups", "no-conmon", "--log-driver", "passthrough"]
        run += ["--read-only-tmpfs=false", "--image-volume", "ignore"]
        # Without relabelling the tree on hosts with SELinux, which takes long and locks others out of it.
        run += ["--security-opt", "label=disable"]
        run += [*self._options(spec, labels), spec.image, *spec.command]
        lines = [
            "Type=notify",
            "NotifyAccess=all",
            "Environment=PODMAN_SYSTEMD_UNIT=%n",
            f"ExecStart={_systemd.command(*run)}",
            f"ExecStop={_systemd.command(self._program.path, 'stop', '--ignore', '--time', '5', spec.name)}",
            f"ExecStopPost={_systemd.command(self._program.path, 'rm', '--force', '--ignore', spec.name)}",
        ]
        return _systemd.unit(spec, lines)

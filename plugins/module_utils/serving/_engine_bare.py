# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No engine at all: the registry's program, taken out of its image, as a service of systemd."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import glob
import os
import platform

from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _image_program, _systemd
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import (
    HOST,
    Container,
    Engine,
    EngineError,
    Spec,
    find,
)
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.serving._systemd import Systemd
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

# A folder from which systems with SELinux let services be started: what is made there inherits its label.
_FOLDER = "/usr/local/bin"
_PROGRAM = "registry"
# https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#Sandboxing
_SANDBOX = (
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "ProtectHome=tmpfs",
    "PrivateTmp=yes",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectControlGroups=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "UMask=0077",
)


class Bare(Engine):
    """Nothing but systemd. The program runs as a user that exists as long as it runs, and owns nothing."""

    name = "none"
    thing = "service"
    networks = (HOST,)

    def __init__(self, systemd: Systemd | None = None, folder: str = _FOLDER) -> None:
        self._systemd = systemd or Systemd()
        self._folder = folder

    def platform(self) -> Platform:
        self._systemd.require()
        return _platform.normalise(platform.system().lower(), platform.machine())

    def image_name(self, repository: str, version: str) -> str:
        return os.path.join(self._folder, f"{repository}-{version}")

    def has_image(self, name: str) -> bool:
        return os.access(name, os.X_OK)

    def images(self, repository: str) -> list[str]:
        return sorted(glob.glob(self.image_name(glob.escape(repository), "[0-9a-f]" * 64)))

    def load(self, tree: Tree, image: Image, name: str) -> None:
        _image_program.extract(tree, image, _PROGRAM, name)

    def remove_image(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)

    def container(self, name: str) -> Container | None:
        return self._systemd.service(name)

    def run(self, spec: Spec, labels: dict[str, str]) -> None:
        self._systemd.start(spec.name, self._unit(spec), labels)

    def remove(self, name: str) -> None:
        self._systemd.remove(name)

    def logs(self, name: str, lines: int) -> str:
        return self._systemd.logs(name, lines)

    def _unit(self, spec: Spec) -> str:
        folder = f"/run/{spec.name}"
        # The user to be cannot read the private key: root hands a copy over, in memory, before each start.
        lines = ["Type=simple", f"RuntimeDirectory={spec.name}", "RuntimeDirectoryMode=0700"]
        copies = [_systemd.command(_path("install"), "-m", "0400", file.source, file.target) for file in spec.files]
        lines += [f"ExecStartPre=+{copy}" for copy in copies]
        targets = [file.target for file in spec.files]
        lines.append(f"ExecStartPre=+{_systemd.command(_path('chown'), f'--reference={folder}/.', *targets)}")
        lines += [f"Environment={_systemd.command(f'{key}={value}')}" for key, value in spec.environment]
        lines.append(f"ExecStart={_systemd.command(spec.image, *spec.command)}")
        capability = "CAP_NET_BIND_SERVICE" if spec.needs_low_port else ""
        lines += [f"CapabilityBoundingSet={capability}", f"AmbientCapabilities={capability}", *_SANDBOX]
        for mount in spec.folders:
            kind = "BindPaths" if mount.writable else "BindReadOnlyPaths"
            lines.append(f"{kind}={_systemd.command(mount.source)}")
        # What has to write into a tree has to be its owner.
        writes = any(mount.writable for mount in spec.folders)
        return _systemd.unit(spec, [*lines, "User=root" if writes else "DynamicUser=yes"])


def _path(name: str) -> str:
    program = find(name)
    if program is None:
        raise EngineError(f"{name} is not on this host")
    return program.path

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The run hosts: containers with systemd, sshd and an engine of their own, on a network without a route out."""

from __future__ import annotations

import re
import shlex
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .commands import LabError, kept, run, say
from .engine import Engine
from .helm import helm
from .packages import mirror
from .settings import DEBIAN_RELEASE, FILES, HELM_PACKAGES, HOST_HELM, HOST_KINDS, HOST_PACKAGES, Settings, recipe_key

SECONDS = 90.0

# Part of the cached root filesystem's key: change it when the code below makes another one out of the same settings.
BOOTSTRAP = 1

# Instead of --privileged, which a machine without CAP_SYS_RESOURCE cannot give. The host's own engine needs
# storage that is no overlay (the volumes), its own cgroups, devices, and to mount things.
POWERS = (
    "--cap-add=ALL",
    "--cap-drop=SYS_RESOURCE",
    "--security-opt=seccomp=unconfined",
    "--security-opt=apparmor=unconfined",
    "--security-opt=systempaths=unconfined",
    "--cgroupns=private",
    "--device-cgroup-rule=a *:* rwm",
    "--tmpfs=/run",
    "--tmpfs=/run/lock",
    "--tmpfs=/tmp",
    "--volume=/var/lib/docker",
    "--volume=/var/lib/containerd",
    "--volume=/var/lib/containers",
    "--env=container=docker",
    "--stop-signal=SIGRTMIN+3",
)
_NUMBERED = re.compile(r"run[1-9][0-9]*")
UNNEEDED_UNITS = (
    "systemd-udevd.service",
    "getty.target",
    "console-getty.service",
    "podman-auto-update.service",
    "podman-auto-update.timer",
)


@dataclass(frozen=True)
class Host:
    """A run host that answers."""

    name: str
    address: str
    container: str


@dataclass(frozen=True)
class Keys:
    """The key that opens the run hosts, and the list of who they are."""

    settings: Settings

    @property
    def private(self) -> Path:
        """The user's side."""
        return self.settings.ssh / "id_ed25519"

    @property
    def public(self) -> Path:
        """The hosts' side."""
        return self.private.with_suffix(".pub")

    @property
    def known_hosts(self) -> Path:
        """The public keys of the hosts, read from the hosts themselves and not from the network."""
        return self.settings.ssh / "known_hosts"

    def make(self) -> None:
        """Make the key if there is none."""
        if not self.private.exists():
            self.settings.ssh.mkdir(parents=True, exist_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.settings.name, "-f", self.private])


@dataclass(frozen=True)
class Hosts:
    """All run hosts of a lab, in one engine."""

    settings: Settings
    engine: Engine

    @property
    def network(self) -> str:
        """The name of their network."""
        return self.settings.name

    @property
    def keys(self) -> Keys:
        """How to log in."""
        return Keys(self.settings)

    @property
    def label(self) -> str:
        """What marks everything of this lab in the engine."""
        return f"seahub.offline.lab={self.settings.name}"

    def start(self, wanted: int) -> list[Host]:
        """Bring up `wanted` hosts; those that run are kept, also when they are more."""
        self.keys.make()
        image = self._image()
        if not self._names("network"):
            self.engine.docker("network", "create", "--internal", "--label", self.label, self.network)
        numbered = [name for name in map(self._name, self._containers()) if _NUMBERED.fullmatch(name)]
        names = [f"run{number}" for number in range(1, max(wanted, len(numbered)) + 1)]
        for name in names:
            self._start(name, image)
        hosts = [self._ready(name) for name in names]
        self._know(self.running())
        return hosts

    def add(self, kind: str) -> Host:
        """Bring up one more host, of a kind (see HOST_KINDS) that also is its name; `drop` takes it away again."""
        self._start(kind, self._image(), lacks=HOST_KINDS[kind])
        host = self._ready(kind)
        self._know(self.running())
        return host

    def drop(self, host: Host) -> None:
        """Remove a host that `add` brought up."""
        self.engine.docker("rm", "--force", "--volumes", host.container)

    def reboot(self, host: Host) -> Host:
        """Let a host start anew: what was written to its disks stays, what was in its memory does not."""
        self.engine.docker("restart", host.container)
        self._know(self.running())
        return self._ready(host.name)

    def bridge_address(self) -> str:
        """The controller's address on the hosts' network."""
        return self.engine.docker("network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", self.network)

    def running(self) -> list[Host]:
        """The hosts that run now."""
        return [Host(self._name(container), self._address(container), container) for container in self._containers()]

    def remove(self) -> None:
        """Remove hosts, network and image."""
        for container in self._containers(stopped_too=True):
            self.engine.docker("rm", "--force", "--volumes", container)
        for network in self._names("network"):
            self.engine.docker("network", "rm", network)
        for image in self._images():
            self.engine.docker("image", "rm", image)

    def _start(self, name: str, image: str, lacks: Sequence[str] = ()) -> None:
        container = self._container(name)
        if container in self._containers():
            return
        if container in self._containers(stopped_too=True):
            self.engine.docker("rm", "--force", "--volumes", container)
        say(f"starting {name}")
        self.engine.docker(
            *("create", "--name", container, "--hostname", name, "--label", self.label, "--network", self.network),
            *POWERS,
            f"--env=LACKS={' '.join(lacks)}",
            image,
        )
        self.engine.docker("cp", self.keys.public, f"{container}:/root/.ssh/authorized_keys")
        self.engine.docker("start", container)

    def _ready(self, name: str) -> Host:
        """Wait until systemd says that everything runs, and sshd answers the controller."""
        host = Host(name, self._address(self._container(name)), self._container(name))
        deadline = time.monotonic() + SECONDS
        state = ""
        while (state := self._system_state(host)) != "running" or not _open(host.address, 22):
            if time.monotonic() > deadline:
                failed = self.engine.docker("exec", host.container, "systemctl", "--failed", "--no-pager")
                raise LabError(f"{name} is not ready (systemd says '{state}'):\n{failed}")
            time.sleep(0.3)
        return host

    def _system_state(self, host: Host) -> str:
        try:
            return self.engine.docker("exec", host.container, "systemctl", "is-system-running")
        except LabError:
            return "starting"  # or degraded: it may still come right

    def _know(self, hosts: Sequence[Host]) -> None:
        self.keys.known_hosts.write_text("".join(map(self._known_host, hosts)))

    def _known_host(self, host: Host) -> str:
        key = self.engine.docker("exec", host.container, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
        kind, blob = key.split()[:2]
        return f"{host.address} {kind} {blob}\n"

    def _container(self, name: str) -> str:
        return f"{self.settings.name}-{name}"

    def _name(self, container: str) -> str:
        return container.removeprefix(f"{self.settings.name}-")

    def _containers(self, *, stopped_too: bool = False) -> list[str]:
        return sorted(self._names("container", *(["--all"] if stopped_too else [])))

    def _names(self, kind: str, *options: str) -> list[str]:
        form = "{{.Names}}" if kind == "container" else "{{.Name}}"
        return self.engine.docker(
            kind, "ls", *options, "--filter", f"label={self.label}", "--format", form
        ).splitlines()

    def _address(self, container: str) -> str:
        form = f'{{{{(index .NetworkSettings.Networks "{self.network}").IPAddress}}}}'
        return self.engine.docker("container", "inspect", "--format", form, container)

    def _images(self) -> list[str]:
        return self.engine.docker(
            "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", f"{self.settings.name}-host"
        ).splitlines()

    def _image(self) -> str:
        """The hosts' image in the engine: imported from the cache."""
        key = _root_key()
        image = f"{self.settings.name}-host:{key}"
        if image not in self._images():
            root = kept(
                self.settings.cache / "hosts" / f"{key}.tar", lambda unfinished: _bootstrap(self.settings, unfinished)
            )
            _keep(root)
            self.engine.docker("import", "--change", 'CMD ["/sbin/host-init"]', root, image)
        return image


def _root_key() -> str:
    return recipe_key(
        BOOTSTRAP,
        DEBIAN_RELEASE,
        HOST_PACKAGES,
        UNNEEDED_UNITS,
        [(command, HELM_PACKAGES[version]) for command, version in HOST_HELM.items()],
        (FILES / "host-init").read_text(),
    )


def _keep(root: Path) -> None:
    """Forget old root filesystems: each has 700 MB. The last two stay, for checkouts side by side."""
    root.touch()
    for other in sorted(root.parent.glob("*.tar"), key=lambda path: path.stat().st_mtime)[:-2]:
        other.unlink(missing_ok=True)


def _bootstrap(settings: Settings, target: Path) -> None:
    """A root filesystem as a tar file, out of Debian's packages."""
    say("making the root filesystem of the run hosts (half a minute; it is kept for the next time)")
    archive = mirror()
    hooks = [
        f"upload {shlex.quote(str(FILES / 'host-init'))} /sbin/host-init",
        'chmod 755 "$1/sbin/host-init"',
        'install -d -m 700 "$1/root/.ssh"',
        'rm -f "$1"/etc/ssh/ssh_host_*',  # each host makes keys of its own
        ': >"$1/etc/machine-id"',
        f'chroot "$1" systemctl mask {" ".join(UNNEEDED_UNITS)}',
    ]
    for command, version in HOST_HELM.items():
        hooks += [
            f"upload {shlex.quote(str(helm(settings, version)))} /usr/local/bin/{command}",
            f'chmod 755 "$1/usr/local/bin/{command}"',
        ]
    run(
        [
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=minbase",
            f"--include={','.join(HOST_PACKAGES)}",
            '--aptopt=APT::Install-Recommends "false"',
            '--aptopt=Dir::Cache::pkgcache ""',
            *(f"--customize-hook={hook}" for hook in hooks),
            DEBIAN_RELEASE,
            target,
            archive.source,
        ]
    )


def _open(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=2):
            return True
    except OSError:
        return False

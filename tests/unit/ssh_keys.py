# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes SSH keys for tests, and files that say whose signatures count."""

from __future__ import annotations

import subprocess
from pathlib import Path


def make_key(path: Path, passphrase: str = "") -> Path:
    """Make a private key, with its public key beside it."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def make_certificate(path: Path, authority: Path, principal: str) -> Path:
    """Make a private key whose public key an authority certifies; return the certificate."""
    make_key(path)
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", "-n", principal, f"{path}.pub"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return Path(f"{path}-cert.pub")


def allow(path: Path, **keys: Path) -> Path:
    """Write a file of allowed signers: name -> private key."""
    path.write_text("".join(f"{name} {key.with_suffix('.pub').read_text()}" for name, key in keys.items()))
    return path

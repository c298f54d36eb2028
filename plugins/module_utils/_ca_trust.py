# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trust store of the operating system, changed by the system's own means.

Every family has a folder for certificates that the administrator adds, and a command that makes one bundle of these and
of those that the distribution brings. What counts in the end is that bundle: Go, OpenSSL, curl and Python read it.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from ansible_collections.seahub.offline.plugins.module_utils import _tls
from ansible_collections.seahub.offline.plugins.module_utils._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils._errors import SeahubError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# A host is often driven by a user whose PATH has no folder for administrators.
_FOLDERS_OF_COMMANDS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")


class TrustError(SeahubError):
    """A trust store that cannot be found or changed, or a certificate that it cannot take."""


@dataclass(frozen=True)
class Store:
    """How one family of systems keeps the CAs it trusts.

    - marker: what exists on the systems of this family only.
    - anchors: the folder for the administrator's own CAs.
    - command: brings the bundle up to date.
    - bundle: the file with all trusted CAs in PEM form.
    """

    family: str
    marker: str
    anchors: str
    command: tuple[str, ...]
    bundle: str


# update-ca-trust(8), update-ca-certificates(8). SUSE's command has the name of Debian's, but other paths, and so comes
# first. Debian's leaves the links of what was removed behind unless told --fresh.
STORES = (
    Store(
        "RHEL",
        "/etc/pki/ca-trust/source",
        "/etc/pki/ca-trust/source/anchors",
        ("update-ca-trust", "extract"),
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    ),
    Store(
        "Arch",
        "/etc/ca-certificates/trust-source",
        "/etc/ca-certificates/trust-source/anchors",
        ("update-ca-trust", "extract"),
        "/etc/ca-certificates/extracted/tls-ca-bundle.pem",
    ),
    Store(
        "SUSE",
        "/etc/pki/trust",
        "/etc/pki/trust/anchors",
        ("update-ca-certificates", "--fresh"),
        "/var/lib/ca-certificates/ca-bundle.pem",
    ),
    Store(
        "Debian, Alpine",
        "/etc/ca-certificates.conf",
        "/usr/local/share/ca-certificates",
        ("update-ca-certificates", "--fresh"),
        "/etc/ssl/certs/ca-certificates.crt",
    ),
)


def detect(root: str = "/") -> Store:
    """Find out how this host keeps the CAs it trusts.

    :param root: the folder to look in, instead of the host's own root.
    :raises TrustError: if it does so in none of the known ways.
    """
    for store in STORES:
        if os.path.exists(_below(root, store.marker)) and _command(store) is not None:
            return store
    commands = " or ".join(sorted({store.command[0] for store in STORES}))
    raise TrustError(
        f"this host has no trust store of a known kind: neither {commands} was found with its folder. "
        "Install the package ca-certificates"
    )


def one_certificate(text: str, where: str) -> bytes:
    """Return the one certificate in a PEM text, in its binary form.

    :param where: what to call the text in an error.
    :raises TrustError: if there is none, or more than one: Debian's command passes over such files.
    """
    found = _tls.certificates(text)
    if len(found) != 1:
        raise TrustError(
            f"{where} holds {len(found)} certificates in PEM form instead of one: give the root CA alone; "
            "intermediates belong into the file of the server's certificate"
        )
    return found[0]


class Anchor:
    """One CA of ours in the trust store of this host."""

    def __init__(self, store: Store, name: str, root: str = "/") -> None:
        """:raises TrustError: if the name cannot be that of a file."""
        if _NAME.fullmatch(name) is None:
            raise TrustError(f"{shorten(name)} cannot be the name of a file: use letters, digits, '.', '_' and '-'")
        self._store = store
        self.path = _below(root, os.path.join(store.anchors, f"{name}.crt"))
        self.bundle = _below(root, store.bundle)

    def text(self) -> str | None:
        """Return what the file holds, or None if there is none."""
        try:
            with open(self.path, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def is_trusted(self, certificate: bytes) -> bool:
        """Tell whether the system's bundle has this certificate."""
        try:
            with open(self.bundle, encoding="utf-8", errors="replace") as file:
                return certificate in _tls.certificates(file.read())
        except FileNotFoundError:
            return False

    def reason_to_add(self, text: str, certificate: bytes) -> str | None:
        """Return why the store has to be changed for this CA to be trusted, or None if it need not be."""
        found = self.text()
        if found is None:
            return f"{self.path} is not there"
        if found != text:
            return f"{self.path} holds something else"
        if not self.is_trusted(certificate):
            return f"{self.bundle} does not have what {self.path} holds"
        return None

    def add(self, text: str, certificate: bytes) -> None:
        """Let the system trust a CA.

        :raises TrustError: if afterwards it does not.
        """
        self._write(text)
        self._update()
        if not self.is_trusted(certificate):
            raise TrustError(
                f"{' '.join(self._store.command)} has run, but {self.bundle} does not have the certificate of "
                f"{self.path}: is it one of a CA (basic constraint CA:TRUE), and not blocked elsewhere on this host?"
            )

    def remove(self) -> None:
        """Take the file away, and with it the trust.

        :raises TrustError: if the system goes on trusting the CA, because it has it from somewhere else too.
        """
        certificates = _tls.certificates(self.text() or "")
        if os.path.lexists(self.path):
            os.unlink(self.path)
        self._update()
        if any(self.is_trusted(certificate) for certificate in certificates):
            raise TrustError(
                f"{self.path} is removed, but {self.bundle} still has its certificate: another file in the trust store "
                "brings the same one"
            )

    def _write(self, text: str) -> None:
        folder = os.path.dirname(self.path)
        os.makedirs(folder, mode=0o755, exist_ok=True)
        # The commands take *.crt only: a file that is being written is not seen by one that runs at that moment.
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".seahub-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o644)
            os.replace(temporary, self.path)
        except BaseException:
            os.unlink(temporary)
            raise

    def _update(self) -> None:
        command = [_command(self._store) or self._store.command[0], *self._store.command[1:]]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").strip()[-500:]
            raise TrustError(f"{' '.join(command)} failed with {done.returncode}: {said}")


def _command(store: Store) -> str | None:
    path = os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS_OF_COMMANDS))
    return shutil.which(store.command[0], path=path)


def _below(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))

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
import ssl
import subprocess
import tempfile
from dataclasses import dataclass

from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# A host is often driven by a user whose PATH has no folder for administrators.
_FOLDERS_OF_COMMANDS = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin")


class TrustError(SeahubError):
    """A trust store that cannot be found or changed, or a certificate that it cannot take."""


class NoStore(TrustError):
    """A host that keeps the CAs it trusts in none of the known ways."""


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
    :raises NoStore: if it does so in none of the known ways.
    """
    for store in STORES:
        if os.path.exists(_below(root, store.marker)) and _command(store) is not None:
            return store
    commands = " or ".join(sorted({store.command[0] for store in STORES}))
    raise NoStore(
        f"this host has no trust store of a known kind: neither {commands} was found with its folder. "
        "Install the package ca-certificates"
    )


def require_nothing(name: str, root: str = "/") -> None:
    """Make sure that nothing is trusted in our name, on a host without a trust store of a known kind.

    :raises NoStore: if there is a file of ours: the system's own command would be needed to take it away.
    """
    for store in STORES:
        for path in Anchor(store, name, root).files():
            raise NoStore(
                f"{path} is there, but {store.command[0]}, which would let this host trust it no longer, is not: "
                "install the package ca-certificates"
            )


def certificates(text: str, where: str) -> list[bytes]:
    """Return the CA certificates in a PEM text, each in its binary form.

    :param where: what to call the text in an error.
    :raises TrustError: if there is none.
    """
    found = list(dict.fromkeys(_tls.certificates(text)))
    if not found:
        raise TrustError(f"{where} holds no certificate in PEM form")
    return found


class Anchor:
    """What is trusted in our name in the trust store of this host: one CA, or two while one follows the other.

    Each has a file of its own, since Debian's command passes over files with several.
    """

    def __init__(self, store: Store, name: str, root: str = "/") -> None:
        """:raises TrustError: if the name cannot be that of a file."""
        if _NAME.fullmatch(name) is None:
            raise TrustError(f"{shorten(name)} cannot be the name of a file: use letters, digits, '.', '_' and '-'")
        self._store = store
        self._name = name
        self._folder = _below(root, store.anchors)
        self.path = self._file(1)
        self.bundle = _below(root, store.bundle)

    def files(self) -> dict[str, str]:
        """Return the files that are there, with what they hold."""
        # A name has no '+': these are nobody else's.
        others = re.compile(re.escape(self._name) + r"\+[0-9]+\.crt")
        names = os.listdir(self._folder) if os.path.isdir(self._folder) else []
        paths = [os.path.join(self._folder, name) for name in sorted(names) if others.fullmatch(name)]
        return {path: _read(path) for path in [self.path, *paths] if os.path.lexists(path)}

    def wanted(self, certificates: list[bytes]) -> dict[str, str]:
        """Return the files that there have to be for certificates to be trusted, with what they hold."""
        return {self._file(number): ssl.DER_cert_to_PEM_cert(each) for number, each in enumerate(certificates, start=1)}

    def is_trusted(self, certificate: bytes) -> bool:
        """Tell whether the system's bundle has this certificate."""
        try:
            with open(self.bundle, encoding="utf-8", errors="replace") as file:
                return certificate in _tls.certificates(file.read())
        except FileNotFoundError:
            return False

    def reason_to_set(self, certificates: list[bytes]) -> str | None:
        """Return why the store has to be changed for these CAs, and no others of this name, to be trusted."""
        found, wanted = self.files(), self.wanted(certificates)
        for path, text in wanted.items():
            if path not in found:
                return f"{path} is not there"
            if _tls.certificates(found[path]) != _tls.certificates(text):
                return f"{path} holds something else"
        for path in found:
            if path not in wanted:
                return f"{path} is trusted no longer"
        for path, certificate in zip(wanted, certificates):
            if not self.is_trusted(certificate):
                return f"{self.bundle} does not have what {path} holds"
        return None

    def set(self, certificates: list[bytes]) -> None:
        """Let the system trust these CAs, and no others of this name.

        :raises TrustError: if afterwards it does not, or goes on trusting one that was here.
        """
        before, wanted = self.files(), self.wanted(certificates)
        os.makedirs(self._folder, mode=0o755, exist_ok=True)
        for path, text in wanted.items():
            self._write(path, text)
        for path in before:
            if path not in wanted:
                os.unlink(path)
        self._update()
        for path, certificate in zip(wanted, certificates):
            if not self.is_trusted(certificate):
                raise TrustError(
                    f"{' '.join(self._store.command)} has run, but {self.bundle} does not have the certificate of "
                    f"{path}: is it one of a CA (basic constraint CA:TRUE), and not blocked elsewhere on this host?"
                )
        for path, text in before.items():
            if any(self.is_trusted(each) for each in _tls.certificates(text) if each not in certificates):
                raise TrustError(
                    f"what {path} held is removed, but {self.bundle} still has that certificate: another file in the "
                    "trust store brings the same one"
                )

    def _file(self, number: int) -> str:
        return os.path.join(self._folder, f"{self._name}.crt" if number == 1 else f"{self._name}+{number}.crt")

    def _write(self, path: str, text: str) -> None:
        # The commands take *.crt only: a file that is being written is not seen by one that runs at that moment.
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".seahub-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
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


def _read(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _command(store: Store) -> str | None:
    path = os.pathsep.join((os.environ.get("PATH", ""), *_FOLDERS_OF_COMMANDS))
    return shutil.which(store.command[0], path=path)


def _below(root: str, path: str) -> str:
    return os.path.join(root, path.lstrip("/"))

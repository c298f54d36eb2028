# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verified TLS with the standard library: what a run host has."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import http.client
import re
import socket
import ssl

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates(text: str) -> list[bytes]:
    """Return the certificates in a PEM text, each in its binary form (DER), in their order.

    Whatever stands between them, such as the comments of a system's bundle, is passed over.
    """
    found = []
    for block in _PEM.findall(text):
        try:
            found.append(ssl.PEM_cert_to_DER_cert(block))
        except ValueError:
            # Marked as a certificate, but not even base64: nobody can trust it, and nobody can mean it.
            continue
    return found


def context(ca_certificate: str | None = None, ca_text: str | None = None) -> ssl.SSLContext:
    """Return the settings of a client that verifies the certificate and the name of the server.

    :param ca_certificate: the file of the one CA to trust; without it, those that the system trusts.
    :param ca_text: the content of such a file instead.
    :raises OSError: if the file cannot be read, or (as ssl.SSLError) holds no certificate.
    """
    settings = ssl.create_default_context(cafile=ca_certificate, cadata=ca_text)
    # Python 3.13 demands extensions here that Go and OpenSSL do not: a certificate that every client of the registry
    # accepts would be refused (https://docs.python.org/3/library/ssl.html#ssl.VERIFY_X509_STRICT).
    settings.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return settings


class Connection(http.client.HTTPSConnection):
    """An HTTPS connection to one address that expects the certificate of another name.

    So the registry can be asked on the host itself before anything there resolves its name.
    """

    def __init__(
        self, server: str, port: int, settings: ssl.SSLContext, address: str | None = None, timeout: float = 30
    ) -> None:
        super().__init__(server, port, timeout=timeout, context=settings)
        self._settings = settings
        self._address = address or server

    def connect(self) -> None:
        """Connect, and verify the server.

        :raises OSError: if it cannot be reached; ssl.SSLCertVerificationError if its certificate is not right.
        """
        plain = socket.create_connection((self._address, self.port), self.timeout)
        try:
            self.sock = self._settings.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise

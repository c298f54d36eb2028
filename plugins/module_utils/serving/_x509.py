# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Certificates and keys themselves: made, read and described, by the package `cryptography`.

Keys are on the curve P-256: Go, OpenSSL and Java have accepted it for more than ten years, and so do the crypto
policies of the RHEL family, of which FUTURE refuses RSA with 2048 bits.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import datetime
import ipaddress
import re
import traceback
from dataclasses import dataclass
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

IMPORT_ERROR: str | None = None
try:
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
except ImportError:
    IMPORT_ERROR = traceback.format_exc()

CA_DAYS = 3652
# Apple's clients refuse a server certificate that is valid for longer, from a private CA too
# (https://support.apple.com/en-us/103769).
SERVER_DAYS = 825
# The clock of an air-gapped host is set by hand: one that is behind must not refuse a new certificate.
BACKDATE = datetime.timedelta(days=1)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_DNS_NAME = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


class CertificateError(SeahubError):
    """A certificate or a key that cannot be used, or a name that no certificate can carry."""


@dataclass(frozen=True)
class Names:
    """What a server certificate has to be valid for. The first name is the one it is called by."""

    dns: tuple[str, ...]
    ips: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """DNS names first, then IP addresses."""
        return self.dns + self.ips


@dataclass(frozen=True)
class Server:
    """What a server certificate says."""

    names: Names
    not_before: datetime.datetime
    not_after: datetime.datetime
    fingerprint: str
    issuer: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "dns_names": list(self.names.dns),
            "ip_addresses": list(self.names.ips),
            "not_before": iso(self.not_before),
            "not_after": iso(self.not_after),
            "fingerprint": self.fingerprint,
            "issuer": self.issuer,
        }


def names(domain: str, dns_names: list[str], ip_addresses: list[str]) -> Names:
    """Sort out what a certificate has to be valid for.

    :param domain: the registry's name, or its address.
    :raises CertificateError: for what is neither a name nor an address.
    """
    every = [domain, *dns_names]
    dns = [dns_name(text) for text in every if not is_address(text)]
    ips = [_ip_address(text) for text in [text for text in every if is_address(text)] + ip_addresses]
    return Names(tuple(dict.fromkeys(dns)), tuple(dict.fromkeys(ips)))


def is_address(text: str) -> bool:
    """Tell whether a text is an IP address."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ip_address(text: str) -> str:
    if not is_address(text):
        raise CertificateError(f"{shorten(text)} is no IP address")
    return str(ipaddress.ip_address(text))


def dns_name(text: str) -> str:
    """Return a DNS name in small letters.

    :raises CertificateError: if it is none.
    """
    name = text.lower()
    if len(name) > 253 or _DNS_NAME.fullmatch(name) is None:
        raise CertificateError(f"{shorten(text)} is no DNS name")
    return name


def read(path: str) -> Server:
    """Return what the server certificate in a file says.

    :raises CertificateError: if it holds none.
    """
    return _describe(load_certificate(path))


def new_ca(name: str, now: datetime.datetime) -> tuple[Any, Any]:
    """Make a CA that is called after a registry; return its key and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The time in the name keeps two generations apart where certificates are listed by name. It has 64 letters at most.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name[:31]} registry CA {iso(now)}")])
    builder = (
        _builder(subject, subject, key, now, now + datetime.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return key, builder.sign(key, hashes.SHA256())


def new_server(wanted: Names, ca: Any, ca_key: Any, now: datetime.datetime) -> tuple[Any, Any]:
    """Make a server certificate below a CA; return its key and itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.all[0][:64])])
    alternatives = [x509.DNSName(name) for name in wanted.dns] + [
        x509.IPAddress(ipaddress.ip_address(address)) for address in wanted.ips
    ]
    builder = (
        _builder(subject, ca.subject, key, now, last_moment(ca, now))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(_key_identifier(ca), critical=False)
    )
    return key, builder.sign(ca_key, hashes.SHA256())


def last_moment(ca: Any, now: datetime.datetime) -> datetime.datetime:
    """Return when a server certificate ends that is made now: never later than its CA."""
    return min(now + datetime.timedelta(days=SERVER_DAYS) - BACKDATE, not_after(ca))


def _key_identifier(ca: Any) -> Any:
    """Return what names the key of a CA in what it signs. Clients compare it with what the CA says of itself."""
    try:
        own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def is_signed_by(certificate: Any, ca: Any) -> bool:
    """Tell whether the key of a CA has signed a certificate, of several CAs that clients trust."""
    public, algorithm = ca.public_key(), certificate.signature_hash_algorithm
    how = (padding.PKCS1v15(), algorithm) if isinstance(public, rsa.RSAPublicKey) else (ec.ECDSA(algorithm),)
    try:
        public.verify(certificate.signature, certificate.tbs_certificate_bytes, *how)
    except InvalidSignature:
        return False
    return True


def _builder(subject: Any, issuer: Any, key: Any, now: datetime.datetime, end: datetime.datetime) -> Any:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _key_usage(**wanted: bool) -> Any:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: wanted.get(name, False) for name in every})


def load_certificate(path: str) -> Any:
    """Return the first certificate in a file: a server's comes before its intermediates."""
    return load_certificates(path)[0]


def load_certificates(path: str) -> list[Any]:
    """Return the certificates in a file.

    :raises CertificateError: if there is none, or a damaged one.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        found = _tls.certificates(file.read())
    if not found:
        raise CertificateError(f"{path} holds no certificate in PEM form")
    try:
        return [x509.load_der_x509_certificate(binary) for binary in found]
    except ValueError as error:
        raise CertificateError(f"{path} holds a damaged certificate: {error}") from error


def name_of(certificate: Any) -> str:
    """Return the subject of a certificate, as people write it."""
    subject: str = certificate.subject.rfc4514_string()
    return subject


def pem(*certificates: Any) -> bytes:
    """Return certificates as they stand in a file."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def fingerprint(certificate: Any) -> str:
    """Return the checksum by which people compare a certificate."""
    return "sha256:" + str(certificate.fingerprint(hashes.SHA256()).hex())


def load_key(path: str) -> Any:
    """Return the private key in a file.

    :raises CertificateError: if it holds none that can be read without a password.
    """
    try:
        with open(path, "rb") as file:
            return serialization.load_pem_private_key(file.read(), password=None)
    except (ValueError, TypeError) as error:
        raise CertificateError(f"{path} holds no private key in PEM form, or an encrypted one") from error


def _describe(certificate: Any) -> Server:
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = Names(
            tuple(alternatives.get_values_for_type(x509.DNSName)),
            tuple(str(address) for address in alternatives.get_values_for_type(x509.IPAddress)),
        )
    except x509.ExtensionNotFound:
        found = Names(())
    return Server(
        names=found,
        not_before=_not_before(certificate),
        not_after=not_after(certificate),
        fingerprint=fingerprint(certificate),
        issuer=certificate.issuer.rfc4514_string(),
    )


def _not_before(certificate: Any) -> datetime.datetime:
    return _utc(certificate, "not_valid_before")


def not_after(certificate: Any) -> datetime.datetime:
    """Return when a certificate ends."""
    return _utc(certificate, "not_valid_after")


def _utc(certificate: Any, attribute: str) -> datetime.datetime:
    # cryptography 42 deprecated the attributes without a time zone, and has those with one since then.
    found = getattr(certificate, f"{attribute}_utc", None) or getattr(certificate, attribute)
    moment: datetime.datetime = found.replace(tzinfo=datetime.timezone.utc)
    return moment


def iso(moment: datetime.datetime) -> str:
    """Return a moment as results show it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def public_bytes(key: Any) -> bytes:
    """Return a public key in the one form in which equal keys are equal."""
    data: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return data


def key_pem(key: Any) -> bytes:
    """Return a private key as it lies in a file, not encrypted."""
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    data: bytes = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password)
    return data

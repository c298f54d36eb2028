# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates of the registry: a CA and a server certificate, in files of a folder on the controller.

What clients trust is one file, ca.crt. While one CA follows another, it holds both. The one that signs is the one to
which ca.key belongs, so that the step from one to the other is the renaming of one file, and costs clients nothing:

    ca.crt    ca.key    ca-next.key
    A         A                        one CA
    A, B      A         B              begun: the next one is trusted, too
    A, B      B                        switched: it signs
    B         B                        finished: the first one is trusted no longer

Keys are on the curve P-256: Go, OpenSSL and Java have accepted it for more than ten years, and so do the crypto
policies of the RHEL family, of which FUTURE refuses RSA with 2048 bits.

Whether a certificate is right is asked of OpenSSL, by a TLS handshake in memory: that a key fits, a chain holds, a time
has come and a name is covered is then decided by the code that decides it in earnest.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import datetime
import enum
import ipaddress
import os
import re
import ssl
import tempfile
import traceback
from dataclasses import dataclass
from typing import Any, Callable

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

CA_CERTIFICATE = "ca.crt"
CA_KEY = "ca.key"
NEXT_CA_KEY = "ca-next.key"
CA_DAYS = 3652
# Apple's clients refuse a server certificate that is valid for longer, from a private CA too
# (https://support.apple.com/en-us/103769).
SERVER_DAYS = 825
# The clock of an air-gapped host is set by hand: one that is behind must not refuse a new certificate.
_BACKDATE = datetime.timedelta(days=1)
_SECOND = datetime.timedelta(seconds=1)
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
class Files:
    """Where the four files lie. A server certificate that was not made here has no `ca_key`."""

    ca_certificate: str
    ca_key: str
    certificate: str
    private_key: str

    @property
    def next_ca_key(self) -> str:
        """Where the key of the CA lies that will sign next."""
        return os.path.join(os.path.dirname(self.ca_key), NEXT_CA_KEY)


@dataclass(frozen=True)
class Authority:
    """What a CA certificate says, and whether server certificates are signed with its key here."""

    subject: str
    not_after: datetime.datetime
    fingerprint: str
    signs: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {**vars(self), "not_after": _iso(self.not_after)}


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
            "not_before": _iso(self.not_before),
            "not_after": _iso(self.not_after),
            "fingerprint": self.fingerprint,
            "issuer": self.issuer,
        }


class CaStep(enum.Enum):
    """What can be done to the CAs of a folder."""

    MAKE = "make"
    BEGIN = "begin"
    SWITCH = "switch"
    FINISH = "finish"


# The steps in which one CA follows another.
ROTATION = (CaStep.BEGIN, CaStep.SWITCH, CaStep.FINISH)
_ANOTHER_SIGNS = (CaStep.MAKE, CaStep.SWITCH)


@dataclass(frozen=True)
class Plan:
    """What has to be made, and why. A reason is a sentence for the user; None means that all is well."""

    ca_step: CaStep | None
    ca_reason: str | None
    server_reason: str | None
    found: Server | None

    @property
    def reasons(self) -> list[str]:
        """The sentences, the CA's first."""
        return [reason for reason in (self.ca_reason, self.server_reason) if reason]


@dataclass(frozen=True)
class _Authorities:
    """The CAs of a folder: those that clients trust, the one that signs, and the one that will."""

    trusted: list[Any]
    signer: Any
    next: Any | None

    @property
    def is_switched(self) -> bool:
        return len(self.trusted) > 1 and self.next is None


def names(domain: str, dns_names: list[str], ip_addresses: list[str]) -> Names:
    """Sort out what a certificate has to be valid for.

    :param domain: the registry's name, or its address.
    :raises CertificateError: for what is neither a name nor an address.
    """
    every = [domain, *dns_names]
    dns = [_dns_name(text) for text in every if not _is_address(text)]
    ips = [_ip_address(text) for text in [text for text in every if _is_address(text)] + ip_addresses]
    return Names(tuple(dict.fromkeys(dns)), tuple(dict.fromkeys(ips)))


def files(directory: str, domain: str) -> Files:
    """Return where the files of a registry lie in a folder."""
    if not _is_address(domain):
        _dns_name(domain)
    return Files(
        *(os.path.join(directory, name) for name in (CA_CERTIFICATE, CA_KEY, f"{domain}.crt", f"{domain}.key"))
    )


def plan(
    where: Files, wanted: Names, renew_before: int, now: datetime.datetime, rotation: CaStep | None = None
) -> Plan:
    """Find out what has to be made, without making it.

    :param renew_before: days before its end at which a certificate is replaced.
    :param rotation: the step of `ROTATION` to take, if it is not taken already.
    :raises CertificateError: if there are files that are no certificate or key, or a CA without its key: what others
        may trust is not replaced by guesswork; or if it is not the turn of the step.
    """
    step, ca_reason = _ca_step(where, now, renew_before, rotation)
    found = _read_server(where.certificate)
    if found is not None and step in _ANOTHER_SIGNS:
        return Plan(step, ca_reason, "another CA has to sign the server certificate", found)
    return Plan(step, ca_reason, _server_reason(where, wanted, found, now, renew_before), found)


def plan_below(where: Files, wanted: Names, renew_before: int, now: datetime.datetime) -> Plan:
    """Find out whether a user's own CA has to sign a server certificate.

    :param where: its CA and key are the user's, wherever they lie. They are never replaced.
    :raises CertificateError: if the key belongs to no certificate of the CA's file.
    """
    found = _read_server(where.certificate)
    return Plan(None, None, _server_reason(where, wanted, found, now, renew_before), found)


def carry_out(steps: Plan, where: Files, wanted: Names, now: datetime.datetime) -> None:
    """Make what a plan says."""
    _make_folder(os.path.dirname(where.certificate))
    if steps.ca_step:
        _CARRY_OUT[steps.ca_step](where, wanted, now)
    if steps.server_reason:
        signer = _authorities(where).signer
        key, certificate = _new_server(wanted, signer, _load_key(where.ca_key), now)
        _write_key(where.private_key, key)
        _write(where.certificate, _pem(certificate), 0o644)


def server_end(steps: Plan, where: Files, now: datetime.datetime) -> datetime.datetime | None:
    """Return when the server certificate ends that a plan makes, or the one that is there if it makes none."""
    if not steps.server_reason:
        return steps.found.not_after if steps.found else None
    if steps.ca_step is CaStep.MAKE:
        return now + datetime.timedelta(days=SERVER_DAYS) - _BACKDATE
    found = _authorities(where)
    return _server_end(found.next if steps.ca_step is CaStep.SWITCH else found.signer, now)


def authorities(path: str, ca_key: str) -> list[Authority]:
    """Return what the CA certificates in a file say.

    :param ca_key: the file of the key that signs; there need not be one.
    :raises CertificateError: if there is no certificate.
    """
    public = _public_bytes(_load_key(ca_key).public_key()) if os.path.exists(ca_key) else b""
    return [
        Authority(
            subject=certificate.subject.rfc4514_string(),
            not_after=_not_after(certificate),
            fingerprint=_sha256(certificate),
            signs=_public_bytes(certificate.public_key()) == public,
        )
        for certificate in _load_certificates(path)
    ]


def read(path: str) -> Server:
    """Return what the server certificate in a file says.

    :raises CertificateError: if it holds none.
    """
    return _describe(_load_certificate(path))


def check_own(own: Files, wanted: Names) -> None:
    """Make sure that a user's own certificate serves all names.

    :param own: where it lies; intermediates follow it in its file.
    :raises CertificateError: if its key does not fit, its time is over or has not come, it does not lead to the CA,
        or a name is missing.
    :raises OSError: if a file cannot be read.
    """
    for name in wanted.all:
        problem = _handshake(own, name)
        if problem:
            raise CertificateError(f"the certificate {own.certificate} cannot be used for {name}: {problem}")


def check_own_ca(own: Files, wanted: Names, now: datetime.datetime) -> None:
    """Make sure that what a user's own CA signs serves all names, before it does so in earnest.

    :param own: where the CA's certificate and key lie.
    :raises CertificateError: if clients that trust the file of the CA would refuse such a certificate.
    """
    key = _load_key(own.ca_key)
    with tempfile.TemporaryDirectory(prefix="seahub-") as folder:
        trial = Files(own.ca_certificate, own.ca_key, os.path.join(folder, "crt"), os.path.join(folder, "key"))
        try:
            server_key, certificate = _new_server(wanted, _authorities(own).signer, key, now)
        except (TypeError, ValueError) as error:
            raise CertificateError(f"{own.ca_key} cannot sign: {error}. Use a key of the kind ECDSA or RSA") from error
        _write_key(trial.private_key, server_key)
        _write(trial.certificate, _pem(certificate), 0o644)
        for name in wanted.all:
            problem = _handshake(trial, name)
            if problem:
                raise CertificateError(
                    f"clients that trust {own.ca_certificate} would refuse what {own.ca_key} signs for {name}: "
                    f"{problem}. Give the certificate of a CA that is valid now; below an intermediate one, the file "
                    "has to hold those above it, too"
                )


def differing(own: Files, where: Files) -> list[str]:
    """Return the files that hold something else than what a user has given; what was not given is empty in `own`."""
    return [target for source, target, mode in _copies(own, where) if _content(source) != _content(target)]


def install_own(own: Files, where: Files) -> None:
    """Copy what a user has given to where the roles look for it."""
    _make_folder(os.path.dirname(where.ca_certificate))
    for source, target, mode in _copies(own, where):
        _write(target, _content(source) or b"", mode)


def open_keys(where: Files) -> list[str]:
    """Return the private keys that others can read."""
    keys = (where.ca_key, where.next_ca_key, where.private_key)
    return [path for path in keys if os.path.exists(path) and os.stat(path).st_mode & 0o077]


def close_key(path: str) -> None:
    """Take a private key away from others."""
    os.chmod(path, 0o600)


def _copies(own: Files, where: Files) -> list[tuple[str, str, int]]:
    every = (
        (own.private_key, where.private_key, 0o600),
        (own.ca_certificate, where.ca_certificate, 0o644),
        (own.certificate, where.certificate, 0o644),
    )
    return [(source, target, mode) for source, target, mode in every if source]


def _authorities(where: Files) -> _Authorities:
    """:raises CertificateError: if the key that signs is not there, or belongs to no CA that is trusted."""
    trusted = _load_certificates(where.ca_certificate)
    if not os.path.exists(where.ca_key):
        raise CertificateError(
            f"{where.ca_certificate} has no private key beside it ({where.ca_key}): bring the key back, give your own "
            "certificate with its private key, or remove the file for a new CA, which every host then has to trust anew"
        )
    signer = _belonging(trusted, where.ca_key)
    if signer is None:
        raise CertificateError(
            f"{where.ca_key} is not the key of {where.ca_certificate}: bring the right one back, or remove both for a "
            "new CA, which every host then has to trust anew"
        )
    following = _belonging(trusted, where.next_ca_key) if os.path.exists(where.next_ca_key) else None
    return _Authorities(trusted, signer, following)


def _belonging(certificates: list[Any], key: str) -> Any | None:
    """Return the certificate to which a key belongs."""
    public = _public_bytes(_load_key(key).public_key())
    return next((found for found in certificates if _public_bytes(found.public_key()) == public), None)


def _ca_step(
    where: Files, now: datetime.datetime, renew_before: int, rotation: CaStep | None
) -> tuple[CaStep | None, str | None]:
    folder = os.path.dirname(where.ca_certificate)
    if not os.path.exists(where.ca_certificate):
        if rotation in (CaStep.SWITCH, CaStep.FINISH):
            raise CertificateError(f"there is no CA in {folder} that another one could follow")
        return CaStep.MAKE, f"there is no CA in {folder}"
    found = _authorities(where)
    end = _not_after(found.signer)
    if end <= now + datetime.timedelta(days=renew_before):
        soon = f"the CA ends on {end:%Y-%m-%d}, within {renew_before} days"
        # The next one is trusted already, if there is one.
        return (CaStep.SWITCH if found.next else CaStep.MAKE), soon
    return _ROTATE[rotation](found) if rotation else (None, None)


def _begin(found: _Authorities) -> tuple[CaStep | None, str | None]:
    if found.is_switched:
        raise CertificateError(
            f"{_name(found.signer)} has just followed another CA, which is still trusted: take the step finish before "
            "the next one begins"
        )
    if found.next:
        return None, None
    return CaStep.BEGIN, f"a CA is made that follows {_name(found.signer)}, and is trusted beside it"


def _switch(found: _Authorities) -> tuple[CaStep | None, str | None]:
    if found.is_switched:
        return None, None
    if not found.next:
        raise CertificateError(
            f"there is no CA that could follow {_name(found.signer)}: take the step begin first, which lets all hosts "
            "trust another one"
        )
    return CaStep.SWITCH, f"{_name(found.next)} signs instead of {_name(found.signer)}"


def _finish(found: _Authorities) -> tuple[CaStep | None, str | None]:
    if found.next:
        raise CertificateError(f"{_name(found.signer)} signs still: take the step switch before the step finish")
    if not found.is_switched:
        return None, None
    others = ", ".join(_name(other) for other in found.trusted if other is not found.signer)
    return CaStep.FINISH, f"{others} is trusted no longer"


_ROTATE: dict[CaStep, Callable[[_Authorities], tuple[CaStep | None, str | None]]] = {
    CaStep.BEGIN: _begin,
    CaStep.SWITCH: _switch,
    CaStep.FINISH: _finish,
}


def _make_ca(where: Files, wanted: Names, now: datetime.datetime) -> None:
    key, certificate = _new_ca(wanted.all[0], now)
    # The certificate comes last: a key alone is trusted by nobody, so that a death in between costs nothing.
    _write_key(where.ca_key, key)
    _write(where.ca_certificate, _pem(certificate), 0o644)


def _make_next_ca(where: Files, wanted: Names, now: datetime.datetime) -> None:
    key, certificate = _new_ca(wanted.all[0], now)
    _write_key(where.next_ca_key, key)
    _write(where.ca_certificate, _pem(*_load_certificates(where.ca_certificate), certificate), 0o644)


def _let_next_ca_sign(where: Files, wanted: Names, now: datetime.datetime) -> None:
    os.replace(where.next_ca_key, where.ca_key)


def _trust_signer_alone(where: Files, wanted: Names, now: datetime.datetime) -> None:
    _write(where.ca_certificate, _pem(_authorities(where).signer), 0o644)


_CARRY_OUT: dict[CaStep, Callable[[Files, Names, datetime.datetime], None]] = {
    CaStep.MAKE: _make_ca,
    CaStep.BEGIN: _make_next_ca,
    CaStep.SWITCH: _let_next_ca_sign,
    CaStep.FINISH: _trust_signer_alone,
}


def _server_reason(
    where: Files, wanted: Names, found: Server | None, now: datetime.datetime, renew_before: int
) -> str | None:
    if found is None or not os.path.exists(where.private_key):
        return f"there is no server certificate for {wanted.all[0]}, or no key for it"
    if set(found.names.all) != set(wanted.all):
        return f"the names change from {', '.join(found.names.all)} to {', '.join(wanted.all)}"
    signer = _authorities(where).signer
    # One that ends as early as its CA does is not replaced by another that ends no later.
    if found.not_after <= min(now + datetime.timedelta(days=renew_before), _server_end(signer, now) - _SECOND):
        return f"the server certificate ends on {found.not_after:%Y-%m-%d}, within {renew_before} days"
    problem = _handshake(where, wanted.all[0])
    if problem:
        return f"the server certificate is not right: {problem}"
    if not _is_signed_by(_load_certificate(where.certificate), signer):
        return f"the server certificate was not signed by {_name(signer)}"
    return None


def _read_server(path: str) -> Server | None:
    return read(path) if os.path.exists(path) else None


def _new_ca(name: str, now: datetime.datetime) -> tuple[Any, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    # The time in the name keeps two generations apart where certificates are listed by name. It has 64 letters at most.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name[:31]} registry CA {_iso(now)}")])
    builder = (
        _builder(subject, subject, key, now, now + datetime.timedelta(days=CA_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return key, builder.sign(key, hashes.SHA256())


def _new_server(wanted: Names, ca: Any, ca_key: Any, now: datetime.datetime) -> tuple[Any, Any]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.all[0][:64])])
    alternatives = [x509.DNSName(name) for name in wanted.dns] + [
        x509.IPAddress(ipaddress.ip_address(address)) for address in wanted.ips
    ]
    builder = (
        _builder(subject, ca.subject, key, now, _server_end(ca, now))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(_key_identifier(ca), critical=False)
    )
    return key, builder.sign(ca_key, hashes.SHA256())


def _server_end(ca: Any, now: datetime.datetime) -> datetime.datetime:
    """Return when a server certificate ends that is made now: never later than its CA."""
    return min(now + datetime.timedelta(days=SERVER_DAYS) - _BACKDATE, _not_after(ca))


def _key_identifier(ca: Any) -> Any:
    """Return what names the key of a CA in what it signs. Clients compare it with what the CA says of itself."""
    try:
        own = ca.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.public_key())
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _is_signed_by(certificate: Any, ca: Any) -> bool:
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
        .not_valid_before(now - _BACKDATE)
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


def _handshake(where: Files, name: str) -> str | None:
    """Let a client that trusts the CA meet a server with the certificate, in memory.

    :returns: what OpenSSL has against it, or None.
    """
    server_settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        server_settings.load_cert_chain(where.certificate, where.private_key, password=_no_password)
        client_settings = _tls.context(where.ca_certificate)
    except (ssl.SSLError, ValueError) as error:
        return f"the certificate, its private key and the CA cannot be used together: {error}"
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    # A wildcard is proved by a name that it covers.
    client = client_settings.wrap_bio(to_client, to_server, server_hostname=name.replace("*", "any", 1))
    server = server_settings.wrap_bio(to_server, to_client, server_side=True)
    try:
        # TLS 1.3 takes one and a half rounds, TLS 1.2 takes two: the client has judged the certificate by then.
        for side in (client, server, client, server, client):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    except ssl.SSLCertVerificationError as error:
        return str(error.verify_message)
    except ssl.SSLError as error:
        return str(error)
    return None


def _no_password() -> str:
    raise ValueError("the private key is encrypted; the registry needs one that it can read without being asked")


def _load_certificate(path: str) -> Any:
    """Return the first certificate in a file: a server's comes before its intermediates."""
    return _load_certificates(path)[0]


def _load_certificates(path: str) -> list[Any]:
    with open(path, encoding="utf-8", errors="replace") as file:
        found = _tls.certificates(file.read())
    if not found:
        raise CertificateError(f"{path} holds no certificate in PEM form")
    try:
        return [x509.load_der_x509_certificate(binary) for binary in found]
    except ValueError as error:
        raise CertificateError(f"{path} holds a damaged certificate: {error}") from error


def _name(certificate: Any) -> str:
    subject: str = certificate.subject.rfc4514_string()
    return subject


def _pem(*certificates: Any) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def _sha256(certificate: Any) -> str:
    return "sha256:" + str(certificate.fingerprint(hashes.SHA256()).hex())


def _load_key(path: str) -> Any:
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
        not_after=_not_after(certificate),
        fingerprint=_sha256(certificate),
        issuer=certificate.issuer.rfc4514_string(),
    )


def _not_before(certificate: Any) -> datetime.datetime:
    return _utc(certificate, "not_valid_before")


def _not_after(certificate: Any) -> datetime.datetime:
    return _utc(certificate, "not_valid_after")


def _utc(certificate: Any, attribute: str) -> datetime.datetime:
    # cryptography 42 deprecated the attributes without a time zone, and has those with one since then.
    found = getattr(certificate, f"{attribute}_utc", None) or getattr(certificate, attribute)
    moment: datetime.datetime = found.replace(tzinfo=datetime.timezone.utc)
    return moment


def _iso(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _public_bytes(key: Any) -> bytes:
    data: bytes = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return data


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _ip_address(text: str) -> str:
    if not _is_address(text):
        raise CertificateError(f"{shorten(text)} is no IP address")
    return str(ipaddress.ip_address(text))


def _dns_name(text: str) -> str:
    name = text.lower()
    if len(name) > 253 or _DNS_NAME.fullmatch(name) is None:
        raise CertificateError(f"{shorten(text)} is no DNS name")
    return name


def _content(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def _make_folder(path: str) -> None:
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.mkdir(path, 0o700)
        os.chmod(path, 0o700)


def _write_key(path: str, key: Any) -> None:
    encoding, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    _write(path, key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, no_password), 0o600)


def _write(path: str, data: bytes, mode: int) -> None:
    # mkstemp makes the file 0600 whatever the umask: a key is never open to others, not even for a moment.
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".seahub-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise

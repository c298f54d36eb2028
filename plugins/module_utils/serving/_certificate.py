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

Whether a certificate is right is asked of OpenSSL, by a TLS handshake in memory: that a key fits, a chain holds, a time
has come and a name is covered is then decided by the code that decides it in earnest.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import datetime
import enum
import os
import ssl
import tempfile
from dataclasses import dataclass
from typing import Any, Callable

from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from ansible_collections.seahub.offline.plugins.module_utils.serving import _x509
from ansible_collections.seahub.offline.plugins.module_utils.serving._x509 import CertificateError, Names, Server

CA_CERTIFICATE = "ca.crt"
CA_KEY = "ca.key"
NEXT_CA_KEY = "ca-next.key"
_SECOND = datetime.timedelta(seconds=1)


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
        return {**vars(self), "not_after": _x509.iso(self.not_after)}


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


def files(directory: str, domain: str) -> Files:
    """Return where the files of a registry lie in a folder."""
    if not _x509.is_address(domain):
        _x509.dns_name(domain)
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
        key, certificate = _x509.new_server(wanted, signer, _x509.load_key(where.ca_key), now)
        _write(where.private_key, _x509.key_pem(key), 0o600)
        _write(where.certificate, _x509.pem(certificate), 0o644)


def server_end(steps: Plan, where: Files, now: datetime.datetime) -> datetime.datetime | None:
    """Return when the server certificate ends that a plan makes, or the one that is there if it makes none."""
    if not steps.server_reason:
        return steps.found.not_after if steps.found else None
    if steps.ca_step is CaStep.MAKE:
        return now + datetime.timedelta(days=_x509.SERVER_DAYS) - _x509.BACKDATE
    found = _authorities(where)
    return _x509.last_moment(found.next if steps.ca_step is CaStep.SWITCH else found.signer, now)


def authorities(path: str, ca_key: str) -> list[Authority]:
    """Return what the CA certificates in a file say.

    :param ca_key: the file of the key that signs; there need not be one.
    :raises CertificateError: if there is no certificate.
    """
    public = _x509.public_bytes(_x509.load_key(ca_key).public_key()) if os.path.exists(ca_key) else b""
    return [
        Authority(
            subject=certificate.subject.rfc4514_string(),
            not_after=_x509.not_after(certificate),
            fingerprint=_x509.fingerprint(certificate),
            signs=_x509.public_bytes(certificate.public_key()) == public,
        )
        for certificate in _x509.load_certificates(path)
    ]


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
    key = _x509.load_key(own.ca_key)
    with tempfile.TemporaryDirectory(prefix="seahub-") as folder:
        trial = Files(own.ca_certificate, own.ca_key, os.path.join(folder, "crt"), os.path.join(folder, "key"))
        try:
            server_key, certificate = _x509.new_server(wanted, _authorities(own).signer, key, now)
        except (TypeError, ValueError) as error:
            raise CertificateError(f"{own.ca_key} cannot sign: {error}. Use a key of the kind ECDSA or RSA") from error
        _write(trial.private_key, _x509.key_pem(server_key), 0o600)
        _write(trial.certificate, _x509.pem(certificate), 0o644)
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
    trusted = _x509.load_certificates(where.ca_certificate)
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
    public = _x509.public_bytes(_x509.load_key(key).public_key())
    return next((found for found in certificates if _x509.public_bytes(found.public_key()) == public), None)


def _ca_step(
    where: Files, now: datetime.datetime, renew_before: int, rotation: CaStep | None
) -> tuple[CaStep | None, str | None]:
    folder = os.path.dirname(where.ca_certificate)
    if not os.path.exists(where.ca_certificate):
        if rotation in (CaStep.SWITCH, CaStep.FINISH):
            raise CertificateError(f"there is no CA in {folder} that another one could follow")
        return CaStep.MAKE, f"there is no CA in {folder}"
    found = _authorities(where)
    end = _x509.not_after(found.signer)
    if end <= now + datetime.timedelta(days=renew_before):
        soon = f"the CA ends on {end:%Y-%m-%d}, within {renew_before} days"
        # The next one is trusted already, if there is one.
        return (CaStep.SWITCH if found.next else CaStep.MAKE), soon
    return _ROTATE[rotation](found) if rotation else (None, None)


def _begin(found: _Authorities) -> tuple[CaStep | None, str | None]:
    if found.is_switched:
        raise CertificateError(
            f"{_x509.name_of(found.signer)} has just followed another CA, which is still trusted: take the step finish "
            "before the next one begins"
        )
    if found.next:
        return None, None
    return CaStep.BEGIN, f"a CA is made that follows {_x509.name_of(found.signer)}, and is trusted beside it"


def _switch(found: _Authorities) -> tuple[CaStep | None, str | None]:
    if found.is_switched:
        return None, None
    if not found.next:
        raise CertificateError(
            f"there is no CA that could follow {_x509.name_of(found.signer)}: take the step begin first, which lets "
            "all hosts trust another one"
        )
    return CaStep.SWITCH, f"{_x509.name_of(found.next)} signs instead of {_x509.name_of(found.signer)}"


def _finish(found: _Authorities) -> tuple[CaStep | None, str | None]:
    if found.next:
        raise CertificateError(
            f"{_x509.name_of(found.signer)} signs still: take the step switch before the step finish"
        )
    if not found.is_switched:
        return None, None
    others = ", ".join(_x509.name_of(other) for other in found.trusted if other is not found.signer)
    return CaStep.FINISH, f"{others} is trusted no longer"


_ROTATE: dict[CaStep, Callable[[_Authorities], tuple[CaStep | None, str | None]]] = {
    CaStep.BEGIN: _begin,
    CaStep.SWITCH: _switch,
    CaStep.FINISH: _finish,
}


def _make_ca(where: Files, wanted: Names, now: datetime.datetime) -> None:
    key, certificate = _x509.new_ca(wanted.all[0], now)
    # The certificate comes last: a key alone is trusted by nobody, so that a death in between costs nothing.
    _write(where.ca_key, _x509.key_pem(key), 0o600)
    _write(where.ca_certificate, _x509.pem(certificate), 0o644)


def _make_next_ca(where: Files, wanted: Names, now: datetime.datetime) -> None:
    key, certificate = _x509.new_ca(wanted.all[0], now)
    _write(where.next_ca_key, _x509.key_pem(key), 0o600)
    _write(where.ca_certificate, _x509.pem(*_x509.load_certificates(where.ca_certificate), certificate), 0o644)


def _let_next_ca_sign(where: Files, wanted: Names, now: datetime.datetime) -> None:
    os.replace(where.next_ca_key, where.ca_key)


def _trust_signer_alone(where: Files, wanted: Names, now: datetime.datetime) -> None:
    _write(where.ca_certificate, _x509.pem(_authorities(where).signer), 0o644)


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
    if found.not_after <= min(now + datetime.timedelta(days=renew_before), _x509.last_moment(signer, now) - _SECOND):
        return f"the server certificate ends on {found.not_after:%Y-%m-%d}, within {renew_before} days"
    problem = _handshake(where, wanted.all[0])
    if problem:
        return f"the server certificate is not right: {problem}"
    if not _x509.is_signed_by(_x509.load_certificate(where.certificate), signer):
        return f"the server certificate was not signed by {_x509.name_of(signer)}"
    return None


def _read_server(path: str) -> Server | None:
    return _x509.read(path) if os.path.exists(path) else None


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

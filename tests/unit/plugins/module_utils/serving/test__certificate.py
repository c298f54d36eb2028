# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates: made once, kept, made anew for a reason; and what is never done by guesswork."""

from __future__ import annotations

import datetime
import os
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.seahub.offline.plugins.module_utils.serving import _certificate, _x509
from ansible_collections.seahub.offline.plugins.module_utils.serving._certificate import CaStep, Files
from ansible_collections.seahub.offline.plugins.module_utils.serving._x509 import CertificateError, Names

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
NAMES = Names(("sea.hub",), ("10.0.0.5",))


def make(folder: Path, wanted: Names = NAMES, now: datetime.datetime = NOW, rotation: CaStep | None = None) -> Files:
    """Make what is missing in a folder at a point in time, as a run of the module would."""
    where = _certificate.files(str(folder), wanted.all[0])
    steps = _certificate.plan(where, wanted, 60, now, rotation)
    if steps.reasons:
        _certificate.carry_out(steps, where, wanted, now)
    return where


def reasons(where: Files, wanted: Names = NAMES, days: float = 0) -> list[str]:
    return _certificate.plan(where, wanted, 60, NOW + datetime.timedelta(days=days)).reasons


def load(path: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Path(path).read_bytes())


def test_a_new_pair_serves_all_names(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    _certificate.check_own(where, NAMES)


def test_the_certificates_say_what_they_are_for(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    ca, server = load(where.ca_certificate), load(where.certificate)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = ca.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_cert_sign
    assert not usage.digital_signature
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert server.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    assert list(server.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    server.verify_directly_issued_by(ca)


def test_the_times_bear_a_clock_that_is_behind_and_clients_that_are_strict(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    server, ca = load(where.certificate), load(where.ca_certificate)
    assert server.not_valid_before_utc <= NOW - datetime.timedelta(hours=12)
    assert server.not_valid_after_utc - server.not_valid_before_utc <= datetime.timedelta(days=825)
    assert ca.not_valid_after_utc >= NOW + datetime.timedelta(days=3650)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_keys_are_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        where = make(tmp_path / "pki")
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(os.stat(path).st_mode) for path in (where.ca_key, where.private_key)}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700
    assert stat.S_IMODE(os.stat(where.ca_certificate).st_mode) == 0o644


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    before = {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()}
    make(tmp_path / "pki")
    assert reasons(where) == []
    assert {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()} == before


def test_other_names_make_another_certificate_but_no_other_ca(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    ca, server = Path(where.ca_certificate).read_bytes(), Path(where.certificate).read_bytes()
    wanted = Names(("sea.hub",), ("10.0.0.6",))
    assert reasons(where, wanted) == ["the names change from sea.hub, 10.0.0.5 to sea.hub, 10.0.0.6"]
    make(tmp_path / "pki", wanted)
    assert Path(where.ca_certificate).read_bytes() == ca
    assert Path(where.certificate).read_bytes() != server
    assert _x509.read(where.certificate).names == wanted


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (700, []),
        (800, ["the server certificate ends"]),
        (3600, ["the CA ends", "another CA has to sign"]),
    ],
)
def test_what_ends_soon_is_replaced(tmp_path: Path, days: int, expected: list[str]) -> None:
    found = reasons(make(tmp_path / "pki"), days=days)
    assert len(found) == len(expected)
    assert all(reason.startswith(start) for reason, start in zip(found, expected, strict=True))


def test_a_server_certificate_never_outlives_its_ca(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    os.unlink(where.certificate)
    make(tmp_path / "pki", now=NOW + datetime.timedelta(days=3300))
    assert load(where.certificate).not_valid_after_utc == load(where.ca_certificate).not_valid_after_utc


def test_a_key_that_does_not_fit_is_noticed(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    other = make(tmp_path / "other")
    Path(where.private_key).write_bytes(Path(other.private_key).read_bytes())
    assert "not right" in reasons(where)[0]


def test_a_server_certificate_of_another_ca_is_noticed(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    other = make(tmp_path / "other")
    for name in ("certificate", "private_key"):
        Path(getattr(where, name)).write_bytes(Path(getattr(other, name)).read_bytes())
    assert "not right" in reasons(where)[0]


@pytest.mark.parametrize("name", ["ca_key", "ca_certificate"])
def test_a_ca_is_not_replaced_by_guesswork(tmp_path: Path, name: str) -> None:
    where = make(tmp_path / "pki")
    other = make(tmp_path / "other")
    Path(getattr(where, name)).write_bytes(Path(getattr(other, name)).read_bytes())
    with pytest.raises(CertificateError, match="is not the key of"):
        reasons(where)


def test_a_ca_without_its_key_is_an_error(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    os.unlink(where.ca_key)
    with pytest.raises(CertificateError, match="has no private key beside it"):
        reasons(where)


def test_a_death_between_the_two_files_of_a_ca_costs_nothing(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    os.unlink(where.ca_certificate)
    make(tmp_path / "pki")
    _certificate.check_own(where, NAMES)


def test_what_is_no_certificate_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    Path(where.ca_certificate).write_text("nonsense")
    with pytest.raises(CertificateError, match=r"ca\.crt holds no certificate"):
        reasons(where)


def test_keys_that_others_can_read_are_found_and_closed(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    assert _certificate.open_keys(where) == []
    os.chmod(where.private_key, 0o640)
    assert _certificate.open_keys(where) == [where.private_key]
    _certificate.close_key(where.private_key)
    assert _certificate.open_keys(where) == []


def test_an_own_pair_is_copied_once(tmp_path: Path) -> None:
    own = make(tmp_path / "own")
    where = _certificate.files(str(tmp_path / "pki"), "sea.hub")
    assert len(_certificate.differing(own, where)) == 3
    _certificate.install_own(own, where)
    assert _certificate.differing(own, where) == []
    assert stat.S_IMODE(os.stat(where.private_key).st_mode) == 0o600
    assert not os.path.exists(where.ca_key)


def test_an_own_pair_is_checked(tmp_path: Path) -> None:
    own, other = make(tmp_path / "own"), make(tmp_path / "other")
    ended = make(tmp_path / "ended", now=NOW - datetime.timedelta(days=1000))
    text = tmp_path / "text"
    text.write_text("nonsense")
    cases = [
        (own, Names(("example.org",)), "Hostname mismatch"),
        (own, Names(("sea.hub",), ("10.9.9.9",)), "IP address mismatch"),
        (Files(other.ca_certificate, "", own.certificate, own.private_key), NAMES, "certificate verify failed|issuer"),
        (Files(own.ca_certificate, "", own.certificate, other.private_key), NAMES, "cannot be used together"),
        (Files(own.ca_certificate, "", str(text), own.private_key), NAMES, "cannot be used together"),
        (Files(str(text), "", own.certificate, own.private_key), NAMES, "cannot be used together"),
        (ended, NAMES, "expired"),
    ]
    for files, wanted, expected in cases:
        with pytest.raises(CertificateError, match=expected):
            _certificate.check_own(files, wanted)


def test_a_wildcard_serves_what_it_covers(tmp_path: Path) -> None:
    wanted = Names(("sea.hub", "*.example.org"))
    _certificate.check_own(make(tmp_path / "pki", wanted), wanted)


def openssl_trusts(tmp_path: Path, server: str, *authorities: bytes) -> bool:
    """Ask the program of OpenSSL whether a client that trusts these CAs would take a server's certificate."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(b"".join(authorities))
    command = ["openssl", "verify", "-no-CApath", "-CAfile", str(trusted), "-verify_hostname", "sea.hub", server]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def blocks(path: str) -> list[bytes]:
    """Return the certificates in a file, each as PEM."""
    found = x509.load_pem_x509_certificates(Path(path).read_bytes())
    return [certificate.public_bytes(serialization.Encoding.PEM) for certificate in found]


def hours(count: int) -> datetime.datetime:
    return NOW + datetime.timedelta(hours=count)


@pytest.mark.parametrize("apart", [0, 1], ids=["at the same time", "an hour apart"])
def test_one_ca_follows_another(tmp_path: Path, apart: int) -> None:
    where = make(tmp_path / "pki")
    (old,) = blocks(where.ca_certificate)
    first = Path(where.certificate).read_bytes()

    make(tmp_path / "pki", now=hours(apart), rotation=CaStep.BEGIN)
    both = blocks(where.ca_certificate)
    assert both[0] == old
    new = both[1]
    # A host that was not there at this step still trusts the server.
    assert Path(where.certificate).read_bytes() == first
    assert [openssl_trusts(tmp_path, where.certificate, *trusted) for trusted in ([old], [new], both)] == [
        True,
        False,
        True,
    ]

    make(tmp_path / "pki", now=hours(2 * apart), rotation=CaStep.SWITCH)
    # Hosts have nothing to do.
    assert blocks(where.ca_certificate) == both
    assert not os.path.exists(where.next_ca_key)
    assert [openssl_trusts(tmp_path, where.certificate, *trusted) for trusted in ([old], [new], both)] == [
        False,
        True,
        True,
    ]

    second = Path(where.certificate).read_bytes()
    make(tmp_path / "pki", now=hours(3 * apart), rotation=CaStep.FINISH)
    assert blocks(where.ca_certificate) == [new]
    assert Path(where.certificate).read_bytes() == second
    _certificate.check_own(where, NAMES)


def test_a_step_already_taken_changes_nothing_and_neither_does_a_run_between_two(tmp_path: Path) -> None:
    for step in _certificate.ROTATION:
        where = make(tmp_path / "pki")
        make(tmp_path / "pki", rotation=step)
        assert _certificate.plan(where, NAMES, 60, NOW, step).reasons == []
        assert reasons(where) == []


@pytest.mark.parametrize(
    ("taken", "step", "expected"),
    [
        ([], CaStep.SWITCH, "take the step begin first"),
        ([CaStep.BEGIN], CaStep.FINISH, "take the step switch before"),
        ([CaStep.BEGIN, CaStep.SWITCH], CaStep.BEGIN, "take the step finish before"),
    ],
)
def test_steps_have_their_turn(tmp_path: Path, taken: list[CaStep], step: CaStep, expected: str) -> None:
    where = make(tmp_path / "pki")
    for before in taken:
        make(tmp_path / "pki", rotation=before)
    with pytest.raises(CertificateError, match=expected):
        _certificate.plan(where, NAMES, 60, NOW, step)


def test_names_can_change_between_two_steps(tmp_path: Path) -> None:
    wanted = Names(("sea.hub", "hub.example.org"))
    where = make(tmp_path / "pki")
    make(tmp_path / "pki", rotation=CaStep.BEGIN)
    both = blocks(where.ca_certificate)
    make(tmp_path / "pki", wanted)
    assert openssl_trusts(tmp_path, where.certificate, both[0])
    make(tmp_path / "pki", rotation=CaStep.SWITCH)
    make(tmp_path / "pki", wanted)
    assert openssl_trusts(tmp_path, where.certificate, both[1])


def test_a_death_within_a_step_costs_nothing(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    (old,) = blocks(where.ca_certificate)
    make(tmp_path / "pki", rotation=CaStep.BEGIN)
    both = Path(where.ca_certificate).read_bytes()

    # The next key was written, but not the certificate that belongs to it.
    Path(where.ca_certificate).write_bytes(old)
    assert reasons(where) == []
    make(tmp_path / "pki", rotation=CaStep.BEGIN)
    assert Path(where.ca_certificate).read_bytes() != both
    assert len(blocks(where.ca_certificate)) == 2

    # The next CA signs, but nothing was signed.
    os.replace(where.next_ca_key, where.ca_key)
    assert "was not signed by" in reasons(where)[0]
    make(tmp_path / "pki", rotation=CaStep.SWITCH)
    assert openssl_trusts(tmp_path, where.certificate, blocks(where.ca_certificate)[1])


def test_a_ca_that_ends_leaves_its_place_to_the_one_that_is_trusted_already(tmp_path: Path) -> None:
    where = make(tmp_path / "pki")
    make(tmp_path / "pki", now=NOW + datetime.timedelta(days=3000), rotation=CaStep.BEGIN)
    both = blocks(where.ca_certificate)
    make(tmp_path / "pki", now=NOW + datetime.timedelta(days=3600))
    assert blocks(where.ca_certificate) == both
    assert [authority.signs for authority in _certificate.authorities(where.ca_certificate, where.ca_key)] == [
        False,
        True,
    ]


CaKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


def own_ca(folder: Path, key: CaKey, days: int = 3000, is_ca: bool = True) -> tuple[str, str]:
    """Make a CA as a company may have one, and return the files of its certificate and its key."""
    folder.mkdir()
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=400))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
        # Some make it in another way than from the key.
        .add_extension(x509.SubjectKeyIdentifier(b"of our own making"), critical=False)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    )
    (folder / "own.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form, no_password = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "own.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, form, no_password))
    return str(folder / "own.crt"), str(folder / "own.key")


def sign_below(own: tuple[str, str], folder: Path, wanted: Names = NAMES, days: int = 0) -> tuple[Files, list[str]]:
    """Let a user's own CA sign what is missing, as a run of the module would; return why it did."""
    made = _certificate.files(str(folder), wanted.all[0])
    where = Files(*own, made.certificate, made.private_key)
    now = NOW + datetime.timedelta(days=days)
    steps = _certificate.plan_below(where, wanted, 60, now)
    _certificate.carry_out(steps, where, wanted, now)
    return where, steps.reasons


@pytest.mark.parametrize("kind", ["ECDSA", "RSA"])
def test_an_own_ca_signs(tmp_path: Path, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP384R1()) if kind == "ECDSA" else rsa.generate_private_key(65537, 2048)
    own = own_ca(tmp_path / "own", key)
    _certificate.check_own_ca(Files(*own, "", ""), NAMES, NOW)
    where, done = sign_below(own, tmp_path / "pki")
    assert len(done) == 1
    assert openssl_trusts(tmp_path, where.certificate, Path(own[0]).read_bytes())
    assert sorted(path.name for path in (tmp_path / "pki").iterdir()) == ["sea.hub.crt", "sea.hub.key"]
    assert sign_below(own, tmp_path / "pki")[1] == []
    assert "names change" in sign_below(own, tmp_path / "pki", Names(("sea.hub", "x")))[1][0]
    assert "ends on" in sign_below(own, tmp_path / "pki", Names(("sea.hub", "x")), days=800)[1][0]


def test_an_own_ca_that_ends_soon_does_not_sign_at_each_run(tmp_path: Path) -> None:
    own = own_ca(tmp_path / "own", ec.generate_private_key(ec.SECP256R1()), days=30)
    sign_below(own, tmp_path / "pki")
    assert sign_below(own, tmp_path / "pki", days=10)[1] == []


def test_an_own_ca_follows_another(tmp_path: Path) -> None:
    old, new = (own_ca(tmp_path / name, ec.generate_private_key(ec.SECP256R1())) for name in ("old", "new"))
    both = tmp_path / "both.crt"
    both.write_bytes(Path(old[0]).read_bytes() + Path(new[0]).read_bytes())
    sign_below(old, tmp_path / "pki")
    assert sign_below((str(both), old[1]), tmp_path / "pki")[1] == []
    where, done = sign_below((str(both), new[1]), tmp_path / "pki")
    assert len(done) == 1
    assert openssl_trusts(tmp_path, where.certificate, Path(new[0]).read_bytes())
    assert sign_below(new, tmp_path / "pki")[1] == []


def test_an_own_ca_is_checked(tmp_path: Path) -> None:
    good = own_ca(tmp_path / "good", ec.generate_private_key(ec.SECP256R1()))
    other = own_ca(tmp_path / "other", ec.generate_private_key(ec.SECP256R1()))
    cases = [
        (own_ca(tmp_path / "ended", ec.generate_private_key(ec.SECP256R1()), days=-1), "expired"),
        (own_ca(tmp_path / "none", ec.generate_private_key(ec.SECP256R1()), is_ca=False), "invalid CA certificate"),
        (own_ca(tmp_path / "kind", ed25519.Ed25519PrivateKey.generate()), "cannot sign"),
        ((good[0], other[1]), "is not the key of"),
        ((good[0], good[0]), "holds no private key"),
    ]
    for own, expected in cases:
        with pytest.raises(CertificateError, match=expected):
            _certificate.check_own_ca(Files(*own, "", ""), NAMES, NOW)


@pytest.mark.parametrize(
    ("rotation", "days"), [(None, 824), (CaStep.BEGIN, 824), (CaStep.SWITCH, 824)], ids=["none", "begin", "switch"]
)
def test_the_end_is_foretold(tmp_path: Path, rotation: CaStep | None, days: int) -> None:
    where = make(tmp_path / "pki")
    if rotation is CaStep.SWITCH:
        make(tmp_path / "pki", rotation=CaStep.BEGIN)
    steps = _certificate.plan(where, NAMES, 60, NOW, rotation)
    told = _certificate.server_end(steps, where, NOW)
    make(tmp_path / "pki", rotation=rotation)
    assert told == _x509.read(where.certificate).not_after == NOW + datetime.timedelta(days=days)

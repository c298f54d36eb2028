# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The certificates: made once, kept, made anew for a reason; and what is never done by guesswork."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from ansible_collections.seahub.offline.plugins.module_utils import _certificate
from ansible_collections.seahub.offline.plugins.module_utils._certificate import CertificateError, Files, Names

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
NAMES = Names(("sea.hub",), ("10.0.0.5",))


def make(folder: Path, wanted: Names = NAMES, now: datetime.datetime = NOW) -> Files:
    """Make what is missing in a folder at a point in time, as a run of the module would."""
    where = _certificate.files(str(folder), wanted.all[0])
    steps = _certificate.plan(where, wanted, 60, now)
    if steps.reasons:
        _certificate.carry_out(steps, where, wanted, now)
    return where


def reasons(where: Files, wanted: Names = NAMES, days: float = 0) -> list[str]:
    return _certificate.plan(where, wanted, 60, NOW + datetime.timedelta(days=days)).reasons


def load(path: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(Path(path).read_bytes())


@pytest.mark.parametrize(
    ("domain", "dns", "ips", "expected"),
    [
        ("sea.hub", [], [], Names(("sea.hub",))),
        ("Sea.Hub", ["sea.hub", "*.example.org"], ["10.0.0.5"], Names(("sea.hub", "*.example.org"), ("10.0.0.5",))),
        ("10.0.0.5", [], ["10.0.0.5", "fd00:0::1"], Names((), ("10.0.0.5", "fd00::1"))),
    ],
)
def test_names_are_sorted_out(domain: str, dns: list[str], ips: list[str], expected: Names) -> None:
    assert _certificate.names(domain, dns, ips) == expected


@pytest.mark.parametrize(
    ("domain", "dns", "ips"),
    [("sea hub", [], []), ("../x", [], []), ("", [], []), ("sea.hub", ["a..b"], []), ("sea.hub", [], ["10.0.0"])],
)
def test_what_no_certificate_can_carry_is_refused(domain: str, dns: list[str], ips: list[str]) -> None:
    with pytest.raises(CertificateError):
        _certificate.names(domain, dns, ips)


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
    assert _certificate.read(where.certificate).names == wanted


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (700, []),
        (800, ["the server certificate ends"]),
        (3600, ["the CA ends", "the CA is new"]),
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

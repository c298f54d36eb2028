# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust store: found by what is on the host, changed by its own command, proved by its bundle."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _ca_trust
from ansible_collections.seahub.offline.plugins.module_utils.clients._ca_trust import Anchor, NoStore, Store, TrustError
from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from ansible_collections.seahub.offline.plugins.module_utils.serving import _certificate, _x509

WORKS = 'cat "$ANCHORS"/*.crt > "$BUNDLE" 2>/dev/null || : > "$BUNDLE"'


def make_ca(folder: Path) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    names = _x509.names("sea.hub", [], [])
    where = _certificate.files(str(folder), "sea.hub")
    _certificate.carry_out(_certificate.plan(where, names, 60, now), where, names, now)
    return ssl.PEM_cert_to_DER_cert((folder / "ca.crt").read_text())


@pytest.fixture(name="ca", scope="module")
def fixture_ca(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_ca(tmp_path_factory.mktemp("pki"))


@pytest.fixture(name="next_ca", scope="module")
def fixture_next_ca(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_ca(tmp_path_factory.mktemp("next"))


def pem(*certificates: bytes) -> str:
    return "".join(ssl.DER_cert_to_PEM_cert(certificate) for certificate in certificates)


def make_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store, script: str = WORKS) -> Path:
    """Make a root in which one family's command does what the script does."""
    root, commands = tmp_path / "root", tmp_path / "bin"
    for path in (store.marker, store.anchors):
        (root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)
    bundle = root / store.bundle.lstrip("/")
    bundle.parent.mkdir(parents=True, exist_ok=True)
    commands.mkdir()
    command = commands / store.command[0]
    command.write_text(f"#!/bin/sh\nANCHORS={root}{store.anchors} BUNDLE={bundle}\n{script}\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin")
    monkeypatch.setattr(_ca_trust, "_FOLDERS_OF_COMMANDS", ())
    return root


def open_anchor(root: Path, name: str = "sea.hub") -> Anchor:
    return Anchor(_ca_trust.detect(str(root)), name, str(root))


@pytest.mark.parametrize("store", _ca_trust.STORES, ids=lambda store: store.family)
def test_a_ca_comes_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store, ca: bytes) -> None:
    root = make_root(tmp_path, monkeypatch, store)
    found = _ca_trust.detect(str(root))
    assert found == store
    anchor = Anchor(found, "sea.hub", str(root))

    assert anchor.reason_to_set([ca]) == f"{root}{store.anchors}/sea.hub.crt is not there"
    anchor.set([ca])
    assert anchor.reason_to_set([ca]) is None
    assert anchor.is_trusted(ca)

    assert anchor.reason_to_set([]) == f"{root}{store.anchors}/sea.hub.crt is trusted no longer"
    anchor.set([])
    assert anchor.reason_to_set([]) is None
    assert not anchor.is_trusted(ca)
    assert anchor.files() == {}


@pytest.mark.parametrize("store", _ca_trust.STORES, ids=lambda store: store.family)
def test_one_ca_follows_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store, ca: bytes, next_ca: bytes
) -> None:
    anchor = open_anchor(make_root(tmp_path, monkeypatch, store))
    expected = [([ca], [True, False]), ([ca, next_ca], [True, True]), ([next_ca], [False, True]), ([], [False, False])]
    for wanted, trusted in expected:
        assert anchor.reason_to_set(wanted) is not None
        anchor.set(wanted)
        assert anchor.reason_to_set(wanted) is None
        assert [anchor.is_trusted(each) for each in (ca, next_ca)] == trusted
        # Debian's command passes over files with several.
        assert [_tls.certificates(text) for text in anchor.files().values()] == [[each] for each in wanted]


DEBIAN = Path("/usr/sbin/update-ca-certificates")


@pytest.mark.skipif(
    not DEBIAN.exists() or "--localcertsdir" not in DEBIAN.read_text(), reason="this is no Debian with ca-certificates"
)
def test_debians_own_command_takes_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: bytes, next_ca: bytes
) -> None:
    hashes = tmp_path / "root/etc/ssl/certs"
    options = f'--certsconf /dev/null --localcertsdir "$ANCHORS" --etccertsdir {hashes} --hooksdir {tmp_path}/none'
    root = make_root(tmp_path, monkeypatch, _ca_trust.STORES[-1], f'{DEBIAN} "$@" {options}')
    for folder in ("etc/ssl/certs", "usr/local/share/ca-certificates"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    other = make_ca(tmp_path / "other")
    # The command does not write a bundle without any certificate.
    open_anchor(root, "other").set([other])
    anchor = open_anchor(root)
    for wanted in ([ca], [ca, next_ca], [next_ca], []):
        anchor.set(wanted)
        assert anchor.reason_to_set(wanted) is None
        assert [anchor.is_trusted(each) for each in (ca, next_ca)] == [each in wanted for each in (ca, next_ca)]
        # It has made what `openssl rehash` links to.
        assert {path.read_text() for path in hashes.glob("*.pem")} == {pem(each) for each in [other, *wanted]}


def test_the_second_of_two_is_looked_at_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: bytes, next_ca: bytes
) -> None:
    anchor = open_anchor(make_root(tmp_path, monkeypatch, _ca_trust.STORES[-1]))
    anchor.set([ca, next_ca])
    second = list(anchor.files())[1]
    Path(second).write_text(pem(ca))
    assert anchor.reason_to_set([ca, next_ca]) == f"{second} holds something else"
    anchor.set([ca, next_ca])
    Path(anchor.bundle).write_text(pem(ca))
    assert anchor.reason_to_set([ca, next_ca]) == f"{anchor.bundle} does not have what {second} holds"


def test_names_that_look_alike_are_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: bytes, next_ca: bytes
) -> None:
    root = make_root(tmp_path, monkeypatch, _ca_trust.STORES[-1])
    open_anchor(root, "sea.hub-2").set([next_ca])
    Path(open_anchor(root).path).with_name("seaxhub+2.crt").write_text("of somebody else")
    open_anchor(root).set([ca])
    open_anchor(root).set([])
    assert len(open_anchor(root, "sea.hub-2").files()) == 1
    assert Path(open_anchor(root).path).with_name("seaxhub+2.crt").exists()


def test_a_file_with_comments_holds_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: bytes) -> None:
    anchor = open_anchor(make_root(tmp_path, monkeypatch, _ca_trust.STORES[-1]))
    anchor.set([ca])
    Path(anchor.path).write_text(f"# the CA of the registry\n{pem(ca)}")
    assert anchor.reason_to_set([ca]) is None


def test_a_file_that_never_reached_the_bundle_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: bytes
) -> None:
    anchor = open_anchor(make_root(tmp_path, monkeypatch, _ca_trust.STORES[-1]))
    anchor.set([ca])
    Path(anchor.bundle).write_text("")
    assert "does not have" in (anchor.reason_to_set([ca]) or "")


def test_another_certificate_under_the_name_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: bytes
) -> None:
    anchor = open_anchor(make_root(tmp_path, monkeypatch, _ca_trust.STORES[-1]))
    Path(anchor.path).write_text("something else")
    assert "something else" in (anchor.reason_to_set([ca]) or "")


@pytest.mark.parametrize(
    ("script", "expected"), [(": > $BUNDLE", "does not have the certificate"), ("echo broken; exit 3", "3: broken")]
)
def test_a_command_that_does_not_do_it_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: bytes, script: str, expected: str
) -> None:
    anchor = open_anchor(make_root(tmp_path, monkeypatch, _ca_trust.STORES[0], script))
    with pytest.raises(TrustError, match=expected):
        anchor.set([ca])


def test_trust_from_elsewhere_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: bytes, next_ca: bytes
) -> None:
    anchor = open_anchor(make_root(tmp_path, monkeypatch, _ca_trust.STORES[0]))
    for wanted in ([next_ca], []):
        anchor.set([ca])
        Path(anchor.path).with_name("other.crt").write_text(pem(ca))
        with pytest.raises(TrustError, match="another file"):
            anchor.set(wanted)


def test_a_host_without_a_known_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoStore, match="ca-certificates"):
        _ca_trust.detect(str(tmp_path))


@pytest.mark.parametrize("store", _ca_trust.STORES, ids=lambda store: store.family)
def test_without_a_store_nothing_of_ours_may_be_left(tmp_path: Path, store: Store) -> None:
    _ca_trust.require_nothing("sea.hub", str(tmp_path))
    anchors = tmp_path / store.anchors.lstrip("/")
    anchors.mkdir(parents=True)
    (anchors / "other.crt").touch()
    _ca_trust.require_nothing("sea.hub", str(tmp_path))
    (anchors / "sea.hub+2.crt").touch()
    with pytest.raises(NoStore, match=f"sea.hub\\+2.crt is there, but {store.command[0]}"):
        _ca_trust.require_nothing("sea.hub", str(tmp_path))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(TrustError):
        Anchor(_ca_trust.STORES[0], name)


def test_there_has_to_be_a_certificate() -> None:
    with pytest.raises(TrustError, match="the file holds no certificate"):
        _ca_trust.certificates("nonsense", "the file")


def test_comments_damaged_blocks_and_repetitions_in_a_bundle_are_passed_over(ca: bytes, next_ca: bytes) -> None:
    damaged = "-----BEGIN CERTIFICATE-----\n\N{SNOWMAN}\n-----END CERTIFICATE-----\n"
    text = f"# a comment\n{damaged}{pem(ca, next_ca, ca)}"
    assert _ca_trust.certificates(text, "here") == [ca, next_ca]

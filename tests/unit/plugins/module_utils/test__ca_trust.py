# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The trust store: found by what is on the host, changed by its own command, proved by its bundle."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils import _ca_trust, _certificate, _tls
from ansible_collections.seahub.offline.plugins.module_utils._ca_trust import Anchor, Store, TrustError

WORKS = 'cat "$ANCHORS"/*.crt > "$BUNDLE" 2>/dev/null || : > "$BUNDLE"'


@pytest.fixture(name="ca", scope="module")
def fixture_ca(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The PEM text of a CA."""
    folder = tmp_path_factory.mktemp("pki")
    now = datetime.datetime.now(datetime.UTC)
    names = _certificate.names("sea.hub", [], [])
    where = _certificate.files(str(folder), "sea.hub")
    _certificate.carry_out(_certificate.plan(where, names, 60, now), where, names, now)
    return (folder / "ca.crt").read_text()


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


@pytest.mark.parametrize("store", _ca_trust.STORES, ids=lambda store: store.family)
def test_a_ca_comes_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: Store, ca: str) -> None:
    root = make_root(tmp_path, monkeypatch, store)
    found = _ca_trust.detect(str(root))
    assert found == store
    anchor = Anchor(found, "sea.hub", str(root))
    certificate = _ca_trust.one_certificate(ca, "here")

    assert anchor.reason_to_add(ca, certificate) == f"{root}{store.anchors}/sea.hub.crt is not there"
    anchor.add(ca, certificate)
    assert anchor.reason_to_add(ca, certificate) is None
    assert anchor.is_trusted(certificate)

    anchor.remove()
    assert not anchor.is_trusted(certificate)
    assert anchor.text() is None


def test_a_file_that_never_reached_the_bundle_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: str
) -> None:
    root = make_root(tmp_path, monkeypatch, _ca_trust.STORES[-1])
    anchor = Anchor(_ca_trust.detect(str(root)), "sea.hub", str(root))
    certificate = _ca_trust.one_certificate(ca, "here")
    anchor.add(ca, certificate)
    Path(anchor.bundle).write_text("")
    assert "does not have" in (anchor.reason_to_add(ca, certificate) or "")


def test_another_certificate_under_the_name_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: str
) -> None:
    root = make_root(tmp_path, monkeypatch, _ca_trust.STORES[-1])
    anchor = Anchor(_ca_trust.detect(str(root)), "sea.hub", str(root))
    Path(anchor.path).write_text("something else")
    assert "something else" in (anchor.reason_to_add(ca, _ca_trust.one_certificate(ca, "here")) or "")


@pytest.mark.parametrize(
    ("script", "expected"), [(": > $BUNDLE", "does not have the certificate"), ("echo broken; exit 3", "3: broken")]
)
def test_a_command_that_does_not_do_it_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: str, script: str, expected: str
) -> None:
    root = make_root(tmp_path, monkeypatch, _ca_trust.STORES[0], script)
    anchor = Anchor(_ca_trust.detect(str(root)), "sea.hub", str(root))
    with pytest.raises(TrustError, match=expected):
        anchor.add(ca, _ca_trust.one_certificate(ca, "here"))


def test_trust_from_elsewhere_is_not_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ca: str) -> None:
    root = make_root(tmp_path, monkeypatch, _ca_trust.STORES[0])
    anchor = Anchor(_ca_trust.detect(str(root)), "sea.hub", str(root))
    anchor.add(ca, _ca_trust.one_certificate(ca, "here"))
    Path(anchor.path).with_name("other.crt").write_text(ca)
    with pytest.raises(TrustError, match="another file"):
        anchor.remove()


def test_a_host_without_a_known_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="ca-certificates"):
        _ca_trust.detect(str(tmp_path))


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(TrustError):
        Anchor(_ca_trust.STORES[0], name)


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_one_certificate(ca: str, count: int) -> None:
    with pytest.raises(TrustError, match=f"holds {count} certificates"):
        _ca_trust.one_certificate(ca * count, "the file")


def test_comments_and_damaged_blocks_in_a_bundle_are_passed_over(ca: str) -> None:
    damaged = "-----BEGIN CERTIFICATE-----\n\N{SNOWMAN}\n-----END CERTIFICATE-----\n"
    assert _tls.certificates(f"# a comment\n{damaged}{ca}") == [ssl.PEM_cert_to_DER_cert(ca)]

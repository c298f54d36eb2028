# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Provenance files, signed for real with keys that the tests make."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.charts import _provenance
from ansible_collections.seahub.offline.plugins.module_utils.charts._provenance import InvalidProvenance
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from tests.unit.charts import packaged

CHART = packaged("mysql", "8.8.25")
FILE = "mysql-8.8.25.tgz"

pytestmark = pytest.mark.skipif(
    not (shutil.which("gpg") and shutil.which("gpgv")), reason="GnuPG makes and checks the signatures"
)


class Signers:
    """Somebody with a few keys, in a home of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)

    def gpg(self, *arguments: str | Path, data: bytes = b"") -> bytes:
        """Run gpg."""
        options = ["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--trust-model", "always"]
        environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(self.home), "LC_ALL": "C"}
        command = ["gpg", *options, *map(str, arguments)]
        return subprocess.run(command, input=data, env=environment, check=True, capture_output=True).stdout

    def make(self, name: str, *arguments: str, expires: str = "never") -> None:
        """Make a key."""
        self.gpg(*arguments, "--quick-generate-key", f"{name} <{name}@example.com>", "ed25519", "sign", expires)

    def keyring(self, *names: str) -> str:
        """Write the public keys of these into a file; return its path."""
        path = self.home / f"{'-'.join(names)}.gpg"
        path.write_bytes(self.gpg("--export", *(f"{name}@example.com" for name in names)))
        return str(path)

    def sign(self, name: str, text: str) -> bytes:
        """Sign a text in the clear."""
        return self.gpg("--local-user", f"{name}@example.com", "--clearsign", data=text.encode())


@pytest.fixture(name="signers", scope="module")
def fixture_signers() -> Iterator[Signers]:
    # Not in pytest's folder: the path of the agent's socket in it may have a hundred characters only.
    home = Path(f"/tmp/seahub-gpg-{os.getpid()}")
    signers = Signers(home)
    try:
        signers.make("ann")
        signers.make("bob")
        signers.make("old", "--faked-system-time", "20200101T000000", expires="2020-02-01")
        yield signers
    finally:
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False, capture_output=True)
        shutil.rmtree(home)


def statement(digest: str = _digest.hash_bytes(CHART), file: str = FILE, before: str = "") -> str:
    """Return what Helm has signed: the Chart.yaml, three dots, and the digests of files."""
    return f"apiVersion: v2\nname: mysql\nversion: 8.8.25\n{before}\n...\nfiles:\n  {file}: {digest}\n"


def verify(provenance: bytes | None, keyring: str, content: bytes = CHART) -> str:
    return _provenance.verify(FILE, content, provenance, keyring)


def test_a_chart_that_was_signed_holds(signers: Signers) -> None:
    prov = signers.sign("ann", statement())
    assert verify(prov, signers.keyring("ann")) == "ann <ann@example.com>"
    assert verify(prov, signers.keyring("bob", "ann")) == "ann <ann@example.com>"


def test_another_archive_does_not(signers: Signers) -> None:
    with pytest.raises(InvalidProvenance, match="it is another archive"):
        verify(signers.sign("ann", statement()), signers.keyring("ann"), packaged("mysql", "8.8.26"))


@pytest.mark.parametrize("file", ["mysql-8.8.26.tgz", "other/mysql-8.8.25.tgz", "mysql-8.8.25.tgz.bak"])
def test_the_name_is_signed_too(signers: Signers, file: str) -> None:
    with pytest.raises(InvalidProvenance, match="it is another archive"):
        verify(signers.sign("ann", statement(file=file)), signers.keyring("ann"))


def test_somebody_else_is_not_trusted(signers: Signers) -> None:
    with pytest.raises(InvalidProvenance, match="is signed by no key in"):
        verify(signers.sign("bob", statement()), signers.keyring("ann"))


def test_a_chart_that_nobody_signed(signers: Signers) -> None:
    with pytest.raises(InvalidProvenance, match=r"has no provenance file \(\.prov\)"):
        verify(None, signers.keyring("ann"))


@pytest.mark.parametrize(
    "provenance", [b"", statement().encode(), b"\xff" * 100, b"-----BEGIN PGP SIGNED MESSAGE-----"]
)
def test_what_is_no_signature(signers: Signers, provenance: bytes) -> None:
    with pytest.raises(InvalidProvenance, match="is signed by no key in"):
        verify(provenance, signers.keyring("ann"))


def test_a_changed_statement(signers: Signers) -> None:
    prov = signers.sign("ann", statement("sha256:" + "0" * 64))
    changed = prov.replace(b"0" * 64, _digest.hash_bytes(CHART).partition(":")[2].encode())
    with pytest.raises(InvalidProvenance, match="is signed by no key in"):
        verify(changed, signers.keyring("ann"))


def test_a_key_that_has_expired(signers: Signers) -> None:
    signers_then = ["--faked-system-time", "20200115T000000", "--local-user", "old@example.com", "--clearsign"]
    prov = signers.gpg(*signers_then, data=statement().encode())
    with pytest.raises(InvalidProvenance, match="is signed by no key in"):
        verify(prov, signers.keyring("old"))


@pytest.mark.parametrize("where", ["before", "after", "both"])
def test_what_stands_outside_of_the_signed_part_counts_for_nothing(signers: Signers, where: str) -> None:
    forged = f"\n...\nfiles:\n  {FILE}: {_digest.hash_bytes(CHART)}\n".encode()
    prov = signers.sign("ann", statement("sha256:" + "0" * 64))
    prov = (forged if where != "after" else b"") + prov + (forged if where != "before" else b"")
    with pytest.raises(InvalidProvenance):
        verify(prov, signers.keyring("ann"))


def test_a_second_message_by_somebody_else_counts_for_nothing(signers: Signers) -> None:
    good = signers.sign("ann", statement("sha256:" + "0" * 64))
    forged = signers.sign("bob", statement())
    for prov in (good + forged, forged + good):
        with pytest.raises(InvalidProvenance):
            verify(prov, signers.keyring("ann"))


def test_what_the_chart_says_of_itself_is_no_list_of_files(signers: Signers) -> None:
    """The Chart.yaml stands in the statement as well, and whoever writes it may write anything."""
    forged = f"files:\n  {FILE}: {_digest.hash_bytes(CHART)}\n"
    with pytest.raises(InvalidProvenance, match="it is another archive"):
        verify(signers.sign("ann", statement("sha256:" + "0" * 64, before=forged)), signers.keyring("ann"))


def test_lines_may_end_as_on_windows(signers: Signers) -> None:
    prov = signers.sign("ann", statement()).replace(b"\n", b"\r\n")
    assert verify(prov, signers.keyring("ann")) == "ann <ann@example.com>"


def test_a_version_with_build_metadata(signers: Signers) -> None:
    content = packaged("demo", "1.2.3+build.7")
    file = "demo-1.2.3+build.7.tgz"
    prov = signers.sign("ann", statement(_digest.hash_bytes(content), file))
    assert _provenance.verify(file, content, prov, signers.keyring("ann"))


@pytest.mark.parametrize("keyring", ["", "/absent/keyring.gpg", "/"])
def test_a_keyring_that_is_not_there_is_named(signers: Signers, keyring: str) -> None:
    with pytest.raises(InvalidProvenance, match=f"no keyring '{keyring}'.*see 'keyring'"):
        verify(signers.sign("ann", statement()), keyring)


def test_an_empty_keyring_trusts_nobody(signers: Signers, tmp_path: Path) -> None:
    (tmp_path / "empty.gpg").touch()
    with pytest.raises(InvalidProvenance, match="is signed by no key in"):
        verify(signers.sign("ann", statement()), str(tmp_path / "empty.gpg"))


def test_without_gpgv_nothing_holds(signers: Signers, monkeypatch: pytest.MonkeyPatch) -> None:
    prov, keyring = signers.sign("ann", statement()), signers.keyring("ann")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(InvalidProvenance, match="gpgv does not run"):
        verify(prov, keyring)


def test_an_armored_keyring_is_an_error_that_says_what_is_wanted(signers: Signers, tmp_path: Path) -> None:
    (tmp_path / "ann.asc").write_bytes(signers.gpg("--armor", "--export", "ann@example.com"))
    with pytest.raises(InvalidProvenance, match="gpg --export"):
        verify(signers.sign("ann", statement()), str(tmp_path / "ann.asc"))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _signature
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotSigned
from tests.unit.ssh_keys import allow, make_certificate, make_key

MESSAGE = b"sha256:0123"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return make_key(tmp_path / "key")


@pytest.fixture
def signers(key: Path, tmp_path: Path) -> Path:
    return allow(tmp_path / "allowed_signers", build=key)


@pytest.fixture
def signature(key: Path, tmp_path: Path) -> Path:
    (tmp_path / "signature").write_bytes(_signature.sign(MESSAGE, str(key)))
    return tmp_path / "signature"


def test_who_has_signed_is_said(signature: Path, signers: Path) -> None:
    assert _signature.verify(MESSAGE, str(signature), str(signers)) == "build"


def test_another_message_was_not_signed(signature: Path, signers: Path) -> None:
    with pytest.raises(NotSigned, match="is no signature of this bundle by one of the signers"):
        _signature.verify(b"another", str(signature), str(signers))


def test_somebody_else_may_not_sign(signature: Path, tmp_path: Path) -> None:
    signers = allow(tmp_path / "others", other=make_key(tmp_path / "other"))
    with pytest.raises(NotSigned, match="is no signature of this bundle by one of the signers"):
        _signature.verify(MESSAGE, str(signature), str(signers))


def test_a_signature_for_something_else_does_not_count(key: Path, signers: Path, tmp_path: Path) -> None:
    command = ["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(key)]
    done = subprocess.run(command, input=MESSAGE, capture_output=True, check=True)
    (tmp_path / "git").write_bytes(done.stdout)
    with pytest.raises(NotSigned, match="is no signature"):
        _signature.verify(MESSAGE, str(tmp_path / "git"), str(signers))


@pytest.mark.parametrize("data", [b"", b"garbage", b"-----BEGIN SSH SIGNATURE-----\n"])
def test_what_is_no_signature_is_refused(signature: Path, signers: Path, data: bytes) -> None:
    signature.write_bytes(data)
    with pytest.raises(NotSigned, match="is no signature"):
        _signature.verify(MESSAGE, str(signature), str(signers))


@pytest.mark.parametrize("name", ["signature", "allowed_signers"])
def test_a_file_that_is_not_there_is_named(signature: Path, signers: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / name).unlink()
    with pytest.raises(NotSigned, match=f"there is no {tmp_path / name}"):
        _signature.verify(MESSAGE, str(signature), str(signers))


def test_a_certificate_of_an_authority(tmp_path: Path) -> None:
    authority = make_key(tmp_path / "authority")
    certificate = make_certificate(tmp_path / "person", authority, "person@example.com")
    (tmp_path / "signature").write_bytes(_signature.sign(MESSAGE, str(certificate)))
    signers = tmp_path / "signers"
    public = authority.with_suffix(".pub").read_text()
    signers.write_text(f'*@example.com cert-authority,namespaces="{_signature.NAMESPACE}" {public}')
    assert _signature.verify(MESSAGE, str(tmp_path / "signature"), str(signers)) == "person@example.com"


def test_a_key_with_a_passphrase_is_not_asked_for_it(tmp_path: Path) -> None:
    key = make_key(tmp_path / "locked", passphrase="secret")
    with pytest.raises(NotSigned, match=r"cannot sign: .*passphrase has to be in the agent"):
        _signature.sign(MESSAGE, str(key))


def test_a_key_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotSigned, match=f"the key {tmp_path}/nothing cannot sign"):
        _signature.sign(MESSAGE, str(tmp_path / "nothing"))


def test_with_which_key_it_was_signed(key: Path, signature: Path, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    assert _signature.is_signed_with(MESSAGE, str(signature), str(key))
    assert not _signature.is_signed_with(MESSAGE, str(signature), str(other))
    assert not _signature.is_signed_with(b"another", str(signature), str(key))
    assert not _signature.is_signed_with(MESSAGE, str(tmp_path / "nothing"), str(key))


def test_a_host_without_ssh_keygen_is_told(key: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotSigned, match="install the OpenSSH client"):
        _signature.sign(MESSAGE, str(key))

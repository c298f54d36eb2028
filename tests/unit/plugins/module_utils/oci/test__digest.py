# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidDigest
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest

WELL_FORMED: list[str] = ["sha256:" + "0" * 64, "sha384:" + "af" * 48, "sha512:" + "0123456789abcdef" * 8]

MALFORMED: dict[str, object] = {
    "empty": "",
    "no algorithm": "0" * 64,
    "no hexadecimal part": "sha256:",
    "unknown algorithm": "md5:" + "0" * 32,
    "algorithm in capitals": "SHA256:" + "0" * 64,
    "hexadecimal part in capitals": "sha256:" + "A" * 64,
    "too short": "sha256:" + "0" * 63,
    "too long": "sha256:" + "0" * 65,
    "the length of another algorithm": "sha512:" + "0" * 64,
    "line end": "sha256:" + "0" * 64 + "\n",
    "leading space": " sha256:" + "0" * 64,
    "digits of another script": "sha256:" + "\N{ARABIC-INDIC DIGIT ONE}" * 64,
    "path": "sha256:../../" + "0" * 58,
    "null byte": "sha256:" + "0" * 63 + "\0",
    "bytes": b"sha256:" + b"0" * 64,
    "nothing": None,
    "a number": 256,
}


@pytest.mark.parametrize("digest", WELL_FORMED)
def test_well_formed(digest: str) -> None:
    assert ":".join(_digest.split(digest)) == digest
    assert _digest.is_digest(digest)


@pytest.mark.parametrize("digest", MALFORMED.values(), ids=MALFORMED)
def test_malformed(digest: str) -> None:
    """Whatever a registry or a file says is refused, not only text that looks nearly right."""
    assert not _digest.is_digest(digest)
    with pytest.raises(InvalidDigest):
        _digest.split(digest)


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_the_hash_is_that_of_the_algorithm(algorithm: str, tmp_path: Path) -> None:
    data = bytes(range(256)) * 5000  # more than one chunk
    (tmp_path / "data").write_bytes(data)
    expected = f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}"
    hash_object = _digest.hasher(expected)
    hash_object.update(data)
    assert _digest.finish(expected, hash_object) == expected
    assert _digest.hash_file(str(tmp_path / "data"), algorithm) == expected


def test_hash_bytes_is_sha256() -> None:
    """The digest of nothing is a known constant."""
    assert _digest.hash_bytes(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("text", ["x" * 1_000_000, "\x1b[2J\r\n", "\u202e", None, 7, ["a"] * 1000])
def test_shortened_text_is_safe_to_show(text: object) -> None:
    """Neither its length nor control characters get through."""
    shown = _digest.shorten(text)
    assert len(shown) <= 120
    assert shown.isprintable()

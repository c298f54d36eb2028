# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Content digests, as the OCI image specification defines them.

https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md#digests
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import hashlib
import re
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidDigest

CHUNK = 1024 * 1024
"""Bytes read at a time: large enough that hashing runs outside the interpreter lock nearly all the time."""

HEX_LENGTH = {"sha256": 64, "sha384": 96, "sha512": 128}
"""How many hexadecimal digits a digest of each algorithm has."""

_DIGEST = re.compile(r"(sha256|sha384|sha512):([0-9a-f]+)")


def split(digest: str) -> tuple[str, str]:
    """Take a digest apart.

    :returns: the algorithm and the hexadecimal part.
    :raises InvalidDigest: if it is not `algorithm:hex` with a registered algorithm and the right length. What passes
        is safe as a path component.
    """
    match = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if match is None or len(match.group(2)) != HEX_LENGTH[match.group(1)]:
        raise InvalidDigest(
            f"{shorten(digest)} is no digest: expected sha256: (or sha384:, sha512:) and lower case hexadecimal digits"
        )
    return match.group(1), match.group(2)


def is_digest(text: str) -> bool:
    """Tell whether a text is a well-formed digest."""
    try:
        split(text)
    except InvalidDigest:
        return False
    return True


def hasher(digest: str) -> Any:
    """Return a new `hashlib` object of the digest's algorithm."""
    return hashlib.new(split(digest)[0])


def finish(like: str, hash_object: Any) -> str:
    """Return what a hash object has computed as a digest of the same algorithm as `like`."""
    return f"{split(like)[0]}:{hash_object.hexdigest()}"


def hash_bytes(data: bytes) -> str:
    """Return the SHA-256 digest of some bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def hash_file(path: str, algorithm: str = "sha256") -> str:
    """Return the digest of a file, reading it in pieces.

    :raises OSError: if the file cannot be read.
    """
    hash_object = hashlib.new(algorithm)
    buffer = memoryview(bytearray(CHUNK))
    with open(path, "rb", buffering=0) as file:
        while True:
            count = file.readinto(buffer)
            if not count:
                return f"{algorithm}:{hash_object.hexdigest()}"
            hash_object.update(buffer[:count])


def shorten(text: object, limit: int = 120) -> str:
    """Return any value as quoted text that is safe to show: a hostile name cannot fill the screen or control it."""
    try:
        shown = repr(text)
    except RecursionError:
        shown = f"a {type(text).__name__} within others, too deep to show"
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."

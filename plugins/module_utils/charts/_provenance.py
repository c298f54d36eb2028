# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Provenance: whether a chart is what somebody with a known key has signed.

https://helm.sh/docs/topics/provenance/

The signature itself is checked by `gpgv`, which comes with every GnuPG.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import os
import re
import subprocess
import tempfile

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

_TIMEOUT = 60
_ARMOR = b"-----BEGIN PGP"
_GOOD = re.compile(r"^\[GNUPG:\] GOODSIG [0-9A-F]+ (.*)$", re.MULTILINE)
_FILE = re.compile(r"^\s+\"?(?P<name>[^\s\":]+)\"?:\s+\"?(?P<digest>sha256:[0-9a-f]{64})\"?\s*$", re.MULTILINE)


class InvalidProvenance(SeahubError):
    """A chart whose provenance does not hold."""


def verify(file_name: str, content: bytes, provenance: bytes | None, keyring: str) -> str:
    """Verify that a chart's archive is the one that was signed.

    :param file_name: the archive's name, such as `mysql-8.8.25.tgz`, which is signed with it.
    :param keyring: path of a file with the public keys that are trusted, as `gpg --export` writes it.
    :returns: who signed it.
    :raises InvalidProvenance: if nobody did, somebody else did, or it was another archive.
    """
    if provenance is None:
        raise InvalidProvenance(f"{file_name} has no provenance file (.prov), but it is to be verified")
    signer, message = _signed(file_name, provenance, keyring)
    # As Helm does it, the file names and digests stand behind a line of three dots.
    _metadata, _dots, sums = message.partition("\n...\n")
    digests = {match["name"]: match["digest"] for match in _FILE.finditer(sums)}
    found = _digest.hash_bytes(content)
    if digests.get(file_name) != found:
        raise InvalidProvenance(
            f"{file_name} has the digest {found}, but its provenance file was signed for "
            f"{shorten(digests.get(file_name) or digests)}: it is another archive"
        )
    return signer


def _check_keyring(file_name: str, keyring: str) -> None:
    try:
        with open(keyring, "rb") as file:
            start = file.read(len(_ARMOR))
    except OSError as error:
        raise InvalidProvenance(
            f"there is no keyring {shorten(keyring)} to verify {file_name} with ({error.strerror}): see 'keyring'"
        ) from error
    if start == _ARMOR:
        raise InvalidProvenance(
            f"the keyring {keyring} is text, which neither gpgv nor Helm reads: use what 'gpg --export' writes "
            "without --armor"
        )


def _signed(file_name: str, provenance: bytes, keyring: str) -> tuple[str, str]:
    """Return who signed a provenance file, and the text that was signed."""
    _check_keyring(file_name, keyring)
    # What gpgv says of the signature must not be mixed with the text that was signed, which anybody may have written.
    with tempfile.TemporaryDirectory(prefix="seahub-") as folder, tempfile.TemporaryFile() as status:
        command = ["gpgv", "--status-fd", str(status.fileno()), "--keyring", os.path.abspath(keyring), "-o", "-", "-"]
        try:
            done = subprocess.run(
                command,
                input=provenance,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
                pass_fds=(status.fileno(),),
                env={**os.environ, "GNUPGHOME": folder, "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise InvalidProvenance(f"{file_name} cannot be verified: gpgv does not run: {error}") from error
        status.seek(0)
        good = _GOOD.search(status.read().decode(errors="replace"))
    if done.returncode != 0 or good is None:
        said = done.stderr.decode(errors="replace").strip().replace("\n", "; ")
        raise InvalidProvenance(f"the provenance file of {file_name} is signed by no key in {keyring}: {said[-300:]}")
    return good.group(1), done.stdout.decode(errors="replace").replace("\r\n", "\n")

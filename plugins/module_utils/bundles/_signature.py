# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signatures by SSH keys, made and verified by the system's own ssh-keygen, without any service.

https://man.openbsd.org/ssh-keygen#Y, https://man.openbsd.org/ssh-keygen#ALLOWED_SIGNERS
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import os
import subprocess
from typing import Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotSigned

NAMESPACE = "bundle@seahub.offline"
"""What the signatures are for: one for something else, a git commit perhaps, is none for a bundle."""

_SECONDS = 60


def sign(message: bytes, key: str) -> bytes:
    """Return the signature of a message.

    :param key: the file of a private key; or of a public key or certificate, whose private key lies beside it or is
        held by the agent.
    :raises NotSigned: if it cannot be signed.
    """
    done = _run(["-Y", "sign", "-n", NAMESPACE, "-f", key], message)
    if done.returncode != 0:
        raise NotSigned(
            f"the key {key} cannot sign: {_said(done)}; a key with a passphrase has to be in the agent, and its .pub"
            " file is given then"
        )
    return done.stdout


def is_signed_with(message: bytes, signature: str, key: str) -> bool:
    """Tell whether the signature in a file is good and was made with a key."""
    checked = _run(["-Y", "check-novalidate", "-n", NAMESPACE, "-s", signature], message)
    listed = _run(["-l", "-f", key])
    fingerprint = listed.stdout.split()[1:2]
    return checked.returncode == 0 and listed.returncode == 0 and set(fingerprint) <= set(checked.stdout.split())


def verify(message: bytes, signature: str, allowed_signers: str) -> str:
    """Make sure that a message was signed by somebody who may.

    :param signature: the file with the signature.
    :param allowed_signers: the file that says who may.
    :returns: who has signed it.
    :raises NotSigned: if nobody who may has signed it.
    """
    for path in (signature, allowed_signers):
        if not os.access(path, os.R_OK):
            raise NotSigned(f"there is no {path}, or it cannot be read: without it no signature can be verified")
    found = _run(["-Y", "find-principals", "-s", signature, "-f", allowed_signers])
    reason = _said(found)
    for principal in found.stdout.decode("utf-8", "replace").splitlines():
        done = _run(["-Y", "verify", "-n", NAMESPACE, "-f", allowed_signers, "-I", principal, "-s", signature], message)
        if done.returncode == 0:
            return principal
        reason = _said(done)
    raise NotSigned(f"{signature} is no signature of this bundle by one of the signers in {allowed_signers}: {reason}")


def _run(arguments: Sequence[str], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    # Nobody is there to be asked for a passphrase.
    environment = {**os.environ, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["ssh-keygen", *arguments],
            input=data,
            capture_output=True,
            env=environment,
            start_new_session=True,
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise NotSigned("there is no ssh-keygen on this host: install the OpenSSH client") from None
    except subprocess.TimeoutExpired:
        raise NotSigned(
            f"ssh-keygen did not answer within {_SECONDS} seconds: is the agent or the token stuck?"
        ) from None


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = (done.stderr + done.stdout).decode("utf-8", "replace").strip()
    return "; ".join(text.splitlines()[:5]) or f"ssh-keygen ended with status {done.returncode}"

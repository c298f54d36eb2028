# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The certificates that docker keeps for registries, in a folder for each host.

https://docs.docker.com/engine/security/certificates/
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import os

FOLDER = "/etc/docker/certs.d"


@dataclasses.dataclass(frozen=True)
class Certificates:
    """Paths of files: authorities to trust, and a certificate with its key to show; empty where there is none."""

    authorities: tuple[str, ...] = ()
    client_cert: str = ""
    client_key: str = ""


def find(host: str, folder: str = FOLDER) -> Certificates:
    """Return what docker would use for a registry.

    :param host: with its port, as it stands in references.
    """
    directory = os.path.join(folder, host)
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return Certificates()
    # The endings decide: .crt is an authority, .cert and .key of one name are a client's certificate and key.
    pairs = [name[: -len(".cert")] for name in names if name.endswith(".cert")]
    pair = next((name for name in pairs if f"{name}.key" in names), "")
    return Certificates(
        authorities=tuple(os.path.join(directory, name) for name in names if name.endswith(".crt")),
        client_cert=os.path.join(directory, f"{pair}.cert") if pair else "",
        client_key=os.path.join(directory, f"{pair}.key") if pair else "",
    )

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The endings of the files in docker's certs.d decide what they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.registries import _docker_certificates
from ansible_collections.seahub.offline.plugins.module_utils.registries._docker_certificates import Certificates

HOST = "registry.example.com:5000"


@pytest.mark.parametrize(
    ("names", "authorities", "client"),
    [
        ((), (), ("", "")),
        (("ca.crt",), ("ca.crt",), ("", "")),
        (("b.crt", "a.crt"), ("a.crt", "b.crt"), ("", "")),
        (("client.cert", "client.key"), (), ("client.cert", "client.key")),
        (("client.cert",), (), ("", "")),  # docker demands the key of the same name
        (("ca.crt", "one.cert", "two.cert", "two.key", "notes.txt"), ("ca.crt",), ("two.cert", "two.key")),
    ],
)
def test_endings(tmp_path: Path, names: tuple[str, ...], authorities: tuple[str, ...], client: tuple[str, str]) -> None:
    folder = tmp_path / HOST
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    found = _docker_certificates.find(HOST, str(tmp_path))
    assert [Path(path).name for path in found.authorities] == list(authorities)
    assert (Path(found.client_cert).name, Path(found.client_key).name) == client


def test_other_hosts_have_none(tmp_path: Path) -> None:
    (tmp_path / HOST).mkdir()
    (tmp_path / HOST / "ca.crt").touch()
    assert _docker_certificates.find("registry.example.com", str(tmp_path)) == Certificates()

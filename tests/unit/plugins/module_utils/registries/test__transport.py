# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What connections are made with; test__endpoint.py has real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import UntrustedCertificate
from ansible_collections.seahub.offline.plugins.module_utils.registries import _transport
from tests.registry import content, faults
from tests.registry.faults import Fault
from tests.registry.server import Registry

NOBODY = ("", "")


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_an_authority_that_cannot_be_read(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.crt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UntrustedCertificate, match=f"the CA file {path} cannot be read"):
        _transport.session((str(path),), True, NOBODY)


def test_a_client_certificate_that_cannot_be_read(tmp_path: Path) -> None:
    path = str(tmp_path / "client.crt")
    with pytest.raises(UntrustedCertificate, match=f"the client certificate {path} with the key {path} cannot be used"):
        _transport.session((), True, (path, path))


def test_no_cookie_is_kept(tmp_path: Path) -> None:
    content.make(tmp_path / "tree")
    biscuits = Fault(faults.with_headers({"Set-Cookie": "id=1; Path=/"}), times=None)
    with Registry(tmp_path / "tree", [biscuits]) as registry, _transport.session((), True, NOBODY) as session:
        for _time in range(2):
            session.get(f"{registry.base}/v2/", timeout=5)
        assert [request.headers.get("cookie") for request in registry.requests] == [None, None]
        assert registry.requests[0].headers["user-agent"] == "seahub.offline"

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.serving import _x509
from ansible_collections.seahub.offline.plugins.module_utils.serving._x509 import CertificateError, Names


@pytest.mark.parametrize(
    ("domain", "dns", "ips", "expected"),
    [
        ("sea.hub", [], [], Names(("sea.hub",))),
        ("Sea.Hub", ["sea.hub", "*.example.org"], ["10.0.0.5"], Names(("sea.hub", "*.example.org"), ("10.0.0.5",))),
        ("10.0.0.5", [], ["10.0.0.5", "fd00:0::1"], Names((), ("10.0.0.5", "fd00::1"))),
    ],
)
def test_names_are_sorted_out(domain: str, dns: list[str], ips: list[str], expected: Names) -> None:
    assert _x509.names(domain, dns, ips) == expected


@pytest.mark.parametrize(
    ("domain", "dns", "ips"),
    [("sea hub", [], []), ("../x", [], []), ("", [], []), ("sea.hub", ["a..b"], []), ("sea.hub", [], ["10.0.0"])],
)
def test_what_no_certificate_can_carry_is_refused(domain: str, dns: list[str], ips: list[str]) -> None:
    with pytest.raises(CertificateError):
        _x509.names(domain, dns, ips)

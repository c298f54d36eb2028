# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module: what it says, in check mode and in earnest, and which options go together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.modules import registry_certificate
from tests.unit import modules
from tests.unit.https_server import make_certificate


def run(folder: Path, check: bool = False, **options: Any) -> dict[str, Any]:
    outcome = modules.run(registry_certificate.main, {"dir": str(folder), **options}, check=check, diff=True)
    assert not outcome.failed, outcome.message
    return outcome.result


def failure(folder: Path, **options: Any) -> str:
    outcome = modules.run(registry_certificate.main, {"dir": str(folder), **options})
    assert outcome.failed
    return outcome.message


def test_the_diff_shows_changed_names_and_the_end_before_and_after(tmp_path: Path) -> None:
    before = run(tmp_path / "pki")["server"]
    told = run(tmp_path / "pki", check=True, dns_names=["hub.example.org"])
    done = run(tmp_path / "pki", dns_names=["hub.example.org"])
    assert done["reasons"] == ["the names change from sea.hub to sea.hub, hub.example.org"]
    for result in (told, done):
        assert result["changed"]
        assert result["diff"]["before"]["dns_names"] == ["sea.hub"]
        assert result["diff"]["before"]["not_after"] == before["not_after"]
        assert result["diff"]["after"]["dns_names"] == ["sea.hub", "hub.example.org"]
    # Between the two runs the clock may have gone on.
    assert told["diff"]["after"]["not_after"][:10] == done["diff"]["after"]["not_after"][:10]
    assert "PRIVATE" not in str(done)


def test_a_check_changes_nothing(tmp_path: Path) -> None:
    own = make_certificate(tmp_path / "own")
    run(tmp_path / "pki", check=True)
    run(tmp_path / "pki", check=True, ca_certificate=own.ca_certificate, ca_private_key=own.ca_key)
    assert not (tmp_path / "pki").exists()
    run(tmp_path / "pki")
    before = {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()}
    assert run(tmp_path / "pki", check=True, ca_rotation="begin")["changed"]
    assert {path.name: path.read_bytes() for path in (tmp_path / "pki").iterdir()} == before


def test_one_ca_follows_another(tmp_path: Path) -> None:
    (old,) = run(tmp_path / "pki")["authorities"]
    signs = {}
    for step in ("begin", "switch", "finish"):
        result = run(tmp_path / "pki", ca_rotation=step)
        assert result["changed"]
        assert not run(tmp_path / "pki", ca_rotation=step)["changed"]
        assert not run(tmp_path / "pki")["changed"]
        assert len(result["diff"]["after"]["trusted"]) == len(result["authorities"])
        signs[step] = [authority["signs"] for authority in result["authorities"]]
    assert signs == {"begin": [True, False], "switch": [False, True], "finish": [True]}
    assert result["authorities"][0]["fingerprint"] != old["fingerprint"]


def test_an_own_ca_signs_and_its_key_stays_where_it_is(tmp_path: Path) -> None:
    own = make_certificate(tmp_path / "own")
    given: dict[str, Any] = {"ca_certificate": own.ca_certificate, "ca_private_key": own.ca_key}
    result = run(tmp_path / "pki", **given)
    assert result["changed"]
    assert [authority["signs"] for authority in result["authorities"]] == [True]
    assert not run(tmp_path / "pki", **given)["changed"]
    assert sorted(path.name for path in (tmp_path / "pki").iterdir()) == ["ca.crt", "sea.hub.crt", "sea.hub.key"]


def test_an_own_pair_is_used(tmp_path: Path) -> None:
    own = make_certificate(tmp_path / "own")
    given: dict[str, Any] = {
        "ca_certificate": own.ca_certificate,
        "certificate": own.certificate,
        "private_key": own.private_key,
    }
    assert run(tmp_path / "pki", **given)["changed"]
    assert not run(tmp_path / "pki", **given)["changed"]


def test_what_an_own_pair_says_is_told_without_it(tmp_path: Path) -> None:
    own = make_certificate(tmp_path / "own")
    given = {"ca_certificate": own.ca_certificate, "certificate": own.certificate, "private_key": own.private_key}
    expected = modules.run(registry_certificate.main, {"dir": str(tmp_path / "pki"), **given}).result["server"]
    outcome = modules.run(registry_certificate.main, {"dir": str(tmp_path / "pki")}, check=True)
    assert "has no private key beside it" in outcome.message
    assert outcome.result["server"] == expected


@pytest.mark.parametrize(
    "options",
    [
        {"ca_certificate": "ca.crt"},
        {"ca_private_key": "ca.key"},
        {"certificate": "server.crt", "ca_certificate": "ca.crt"},
        {"ca_certificate": "ca.crt", "ca_private_key": "ca.key", "ca_rotation": "begin"},
        {"ca_certificate": "c", "ca_private_key": "k", "certificate": "c", "private_key": "k"},
        {"ca_rotation": "switch"},
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path: Path, options: dict[str, str]) -> None:
    assert failure(tmp_path / "pki", **options)
    assert not (tmp_path / "pki").exists()

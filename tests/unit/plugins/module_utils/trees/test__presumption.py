# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReceipt
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _presumption
from ansible_collections.seahub.offline.plugins.module_utils.trees._presumption import Presumption

ONE, TWO = _digest.hash_bytes(b"1"), _digest.hash_bytes(b"2")
SOME = Presumption((("", ONE), ("oslo", TWO)), {ONE: 1}, {("a/b", "1"): (ONE, TWO)})


@pytest.mark.parametrize("presumption", [Presumption(), SOME])
def test_what_is_written_is_read(presumption: Presumption) -> None:
    assert _presumption.load(presumption.dump()) == presumption


def test_people_are_told_labels_and_fingerprints() -> None:
    assert SOME.shown == f"{ONE}, oslo ({TWO})"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seahub_delta": 2}, "has format 2"),
        ({"since": [{"label": "a\nb", "fingerprint": ONE}]}, "is no label"),
        ({"since": [{"label": "a", "fingerprint": "x"}]}, "is no digest"),
        ({"since": [{"label": "a"}]}, "fingerprint"),
        ({"blobs": {"sha256:1": 1}}, "is no digest"),
        ({"blobs": {ONE: "many"}}, "is no size"),
        ({"blobs": {ONE: -1}}, "is no size"),
        ({"blobs": 7}, "was not written by bundle_pack"),
        ({"tags": {"../a:1": [ONE]}}, "is no tag of a repository"),
        ({"tags": {"a": [ONE]}}, "is no tag of a repository"),
        ({"tags": {"a:1": ["x"]}}, "is no digest"),
    ],
)
def test_what_makes_no_sense_says_so(changes: dict[str, Any], why: str) -> None:
    document = {**json.loads(SOME.dump()), **changes}
    with pytest.raises(InvalidReceipt, match=why):
        _presumption.load(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"rubbish", b"[]", b"{}", b"[" * 100_000])
def test_what_is_something_else_says_so(data: bytes) -> None:
    with pytest.raises(InvalidReceipt, match="cannot be read"):
        _presumption.load(data)

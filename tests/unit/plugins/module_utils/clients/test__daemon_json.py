# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docker's daemon.json: mirrors come and go, and nothing else moves."""

from __future__ import annotations

import json

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _daemon_json
from ansible_collections.seahub.offline.plugins.module_utils.clients._daemon_json import DaemonJsonError

MIRROR = "https://sea.hub:5000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, '{\n  "registry-mirrors": [\n    "https://sea.hub:5000"\n  ]\n}\n'),
        ("", '{\n  "registry-mirrors": [\n    "https://sea.hub:5000"\n  ]\n}\n'),
        ('{"b": 1, "a": "ä"}', '{"b": 1, "a": "ä", "registry-mirrors": ["https://sea.hub:5000"]}'),
        (
            '{\n\t"registry-mirrors": [],\n\t"a": 1\n}\n',
            '{\n\t"registry-mirrors": [\n\t\t"https://sea.hub:5000"\n\t],\n\t"a": 1\n}\n',
        ),
        ('{ "registry-mirrors":["https://sea.hub:5000"]}', '{ "registry-mirrors":["https://sea.hub:5000"]}'),
    ],
)
def test_a_mirror_is_added_in_the_manner_of_the_file(text: str | None, expected: str) -> None:
    assert _daemon_json.with_mirrors(text, [MIRROR]) == expected


def test_ours_comes_first() -> None:
    text = _daemon_json.with_mirrors('{"registry-mirrors": ["https://own", "https://sea.hub:5000"]}', [MIRROR])
    assert _daemon_json.mirrors(text) == [MIRROR, "https://own"]


@pytest.mark.parametrize(
    ("keep_list", "expected"), [(True, {"registry-mirrors": [], "a": 1}), (False, {"a": 1})], ids=["kept", "gone"]
)
def test_a_mirror_goes(keep_list: bool, expected: dict[str, object]) -> None:
    text = _daemon_json.without_mirrors('{"registry-mirrors": ["https://sea.hub:5000"], "a": 1}', [MIRROR], keep_list)
    assert json.loads(text) == expected


@pytest.mark.parametrize("text", ["{", "[]", '{"registry-mirrors": "x"}', '{"registry-mirrors": [1]}'])
def test_what_docker_could_not_read_is_an_error(text: str) -> None:
    with pytest.raises(DaemonJsonError, match="docker"):
        _daemon_json.with_mirrors(text, [MIRROR])

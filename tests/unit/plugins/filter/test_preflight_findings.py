# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

from ansible_collections.seahub.offline.plugins.filter.preflight_findings import preflight_findings

FINDING = {"check": "port", "problem": "port 5000 is in use by nginx (process 812)", "cure": "end that program"}


def test_each_host_says_what_it_has_found() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "run1": {"looked": {"findings": [FINDING, FINDING]}},
        "run2": {"looked": {"findings": []}},
        "run3": {"looked": {"unreachable": True, "msg": "no route to host"}},
        "run4": {},
    }
    sentence = "run1: port 5000 is in use by nginx (process 812). Cure: end that program"
    assert preflight_findings(list(hostvars), hostvars, "looked") == [
        sentence,
        sentence,
        "run3: it could not be looked at: no route to host",
        "run4: it could not be looked at: it returned no result",
    ]

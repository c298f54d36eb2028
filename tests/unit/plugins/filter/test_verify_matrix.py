# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix: every host has its column, and what is wrong is named."""

from __future__ import annotations

from typing import Any

from ansible_collections.seahub.offline.plugins.filter.verify_matrix import verify_matrix

DIGEST = "sha256:" + "ab" * 32


def cell(
    reference: str, client: str, ok: bool | None = True, platform: str | None = None, **more: Any
) -> dict[str, Any]:
    return {
        "reference": reference,
        "client": client,
        "platform": platform,
        "expected": DIGEST,
        "actual": DIGEST,
        "ok": ok,
        "error": "" if ok else "it broke",
        "seconds": 1.5,
        "was_present": False,
        **more,
    }


def matrix(**results: Any) -> dict[str, Any]:
    """Return the matrix of hosts with these results; None stands for a host that was lost."""
    return verify_matrix(
        list(results), {host: {} if r is None else {"pulled": r} for host, r in results.items()}, "pulled"
    )


def test_each_reference_is_a_row_and_each_host_a_column() -> None:
    image, chart = "sea.hub:5000/redis:7", "oci://sea.hub:5000/charts/demo:1"
    found = matrix(
        run1={"cells": [cell(image, "docker"), cell(chart, "helm")]},
        run2={"cells": [cell(image, "docker", ok=False), cell(chart, "helm")]},
    )
    assert found["lines"] == [
        "reference                   client  run1  run2",
        "sea.hub:5000/charts/demo:1  helm    ok    ok",
        "sea.hub:5000/redis:7        docker  ok    WRONG",
    ]
    assert found["wrong"] == ["run2: sea.hub:5000/redis:7 by docker: it broke"]
    assert found["summary"] == "3 of 4 pulls are right; 2 of 2 hosts have answered"


def test_a_lost_host_is_a_wrong_column_and_not_a_missing_one() -> None:
    found = matrix(run1={"cells": [cell("a:1", "docker")]}, run2=None, run3={"unreachable": True, "msg": "no route"})
    assert found["lines"][1] == "a:1        docker  ok    WRONG  WRONG"
    assert found["wrong"] == [
        "run2: nothing was pulled: the host was lost before it could try",
        "run3: nothing was pulled: no route",
    ]


def test_all_hosts_lost_is_not_all_right() -> None:
    found = matrix(run1=None)
    assert len(found["wrong"]) == 1
    assert found["lines"][1].endswith("WRONG")


def test_what_was_not_tried_is_neither_right_nor_wrong() -> None:
    found = matrix(run1={"cells": [cell("a:1", "docker", ok=None)]})
    assert found["lines"][1] == "a:1        docker  -"
    assert found["wrong"] == []


def test_names_are_no_longer_than_they_need_be() -> None:
    found = matrix(
        run1={
            "cells": [
                cell(f"a@{DIGEST}", "docker", platform="linux/amd64"),
                cell("b:1", "docker", platform="linux/amd64"),
                cell("b:1", "docker", platform="linux/arm64"),
            ]
        }
    )
    assert [line.split("  ")[0] for line in found["lines"][1:]] == [
        "a@sha256:abababababab...",
        "b:1 (linux/amd64)",
        "b:1 (linux/arm64)",
    ]


def test_many_hosts_make_several_tables() -> None:
    results = {f"h{number}": {"cells": [cell("a:1", "docker")]} for number in range(9)}
    headings = [line for line in matrix(**results)["lines"] if line.startswith("reference")]
    assert len(headings) == 2
    assert headings[1].endswith("h8")


def test_the_record_is_the_same_for_the_same_outcome() -> None:
    slow, fast = cell("a:1", "docker", seconds=9.0), cell("a:1", "docker", seconds=0.1)
    first, second = matrix(run1={"cells": [slow]}, run2=None), matrix(run1={"cells": [fast]}, run2=None)
    assert first["evidence"] == second["evidence"]
    assert first["evidence"]["hosts"]["run1"]["pulls"][0]["actual"] == DIGEST
    assert first["evidence"]["hosts"]["run2"]["error"]

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import chart_save
from tests.unit import charts, modules
from tests.unit.modules import Outcome
from tests.unit.trees import files

SECRET = "correct-horse-battery"
CLOSED = "127.0.0.1:1"


@pytest.fixture(autouse=True)
def _no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules.without_logins(monkeypatch, tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "tree"


@pytest.fixture
def mysql(tmp_path: Path) -> Path:
    return charts.put(tmp_path, "mysql", "8.8.25")


def run(tree: Path, entries: object, check: bool = False, diff: bool = False, **arguments: Any) -> Outcome:
    """Save without encryption, and without patience."""
    quick = {"dir": str(tree), "charts": entries, "plain_http": True, "retries": 0, "timeout": 5, "signatures": False}
    given = {key: value for key, value in {**quick, **arguments}.items() if value is not None}
    return modules.run(chart_save.main, given, check, diff)


# Entries and other arguments -> a part of the message.
REFUSED: dict[str, tuple[object, dict[str, Any], str]] = {
    "no charts": (None, {}, "missing required arguments: charts"),
    "no folder": (["x.tgz"], {"dir": None}, "missing required arguments: dir"),
    "unknown option": (["x.tgz"], {"chart": "x"}, "Unsupported parameters"),
    "password without name": (["x.tgz"], {"password": SECRET}, "parameters are required together: username, password"),
    "unknown key of a registry": (
        ["x.tgz"],
        {"registries": {"quay.io": {"pass": SECRET}}},
        "registries: quay.io has unknown keys: pass",
    ),
    "unknown key of a chart": ([{"chart": "x.tgz", "sign": True}], {}, "has unknown keys: sign; known: chart, repo"),
    "chart and repository": (
        [{"chart": "x.tgz", "repo": "https://charts.example", "name": "x"}],
        {},
        "give either 'chart', or 'repo' and 'name'",
    ),
    "neither chart nor repository": ([{"name": "x"}], {}, "give either 'chart', or 'repo' and 'name'"),
    "repository without name": ([{"repo": "https://charts.example"}], {}, "'name' is missing"),
    "version as number": (
        [{"repo": "https://charts.example", "name": "x", "version": 1.1}],
        {},
        "write the version in quotes",
    ),
    "repository that is none": ([{"repo": "ftp://charts.example", "name": "x"}], {}, "is no chart repository"),
    "password in an address": (
        [{"repo": f"https://ann:{SECRET}@charts.example", "name": "x"}],
        {},
        "holds a password or a query",
    ),
    "name in the tree that is none": ([{"chart": "oci://quay.io/x:1.0.0", "as": "../x"}], {}, "is no name in a tree"),
    "reference that is none": (["oci://quay.io/X:1.0.0"], {}, "lower case"),
    "truth that is none": (
        [{"chart": "oci://quay.io/x:1.0.0", "verify": "maybe"}],
        {},
        "'verify' has to be true or false",
    ),
    "number as chart": ([7], {}, "neither a text nor a dictionary"),
}


@pytest.mark.parametrize(("entries", "arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_arguments_that_make_no_sense(tree: Path, entries: object, arguments: dict[str, Any], message: str) -> None:
    outcome = run(tree, entries, **arguments)
    assert outcome.failed
    assert message in outcome.message
    assert not tree.exists()


def test_all_bad_entries_are_named_at_once(tree: Path, mysql: Path) -> None:
    outcome = run(tree, [str(mysql), 7, {"name": "x"}, "oci://quay.io/X:1.0.0"])
    lines = outcome.message.splitlines()
    assert len(lines) == 3
    assert not tree.exists()


def test_a_packaged_chart_is_saved(tree: Path, mysql: Path) -> None:
    outcome = run(tree, [str(mysql)])
    saved = Tree(str(tree))
    assert not outcome.failed
    assert outcome.result["changed"] is True
    assert outcome.result["references"] == [
        {
            "reference": "mysql-8.8.25.tgz",
            "source": "mysql-8.8.25.tgz",
            "name": "helm-charts/mysql",
            "tag": "8.8.25",
            "aliases": [],
            "digest": saved.tag("helm-charts/mysql", "8.8.25"),
            "kind": "chart",
            "platforms": [],
            "bytes": sum(size for _digest_, size in saved.blobs()),
            "present": False,
        }
    ]
    assert saved.read_blob(_digest.hash_bytes(mysql.read_bytes())) == mysql.read_bytes()


def test_a_second_time_nothing_changes(tree: Path, mysql: Path) -> None:
    run(tree, [str(mysql)])
    before = files(tree)
    outcome = run(tree, [str(mysql)])
    assert (outcome.result["changed"], outcome.result["references"][0]["present"]) == (False, True)
    assert files(tree) == before


def test_check_mode_says_what_would_be_saved(tree: Path, mysql: Path) -> None:
    checked = run(tree, [str(mysql)], check=True, diff=True)
    assert not tree.exists()
    done = run(tree, [str(mysql)], diff=True)
    assert checked.result["changed"] is done.result["changed"] is True
    assert checked.result["diff"] == done.result["diff"]
    assert run(tree, [str(mysql)], check=True).result["changed"] is False


def test_the_provenance_comes_along(tree: Path, mysql: Path) -> None:
    Path(f"{mysql}.prov").write_bytes(b"signed")
    run(tree, [str(mysql)])
    chart = _lock.read(Tree(str(tree))).references[0].chart
    assert chart is not None
    assert chart.provenance == _digest.hash_bytes(b"signed")


def test_a_folder_of_charts(tree: Path, mysql: Path) -> None:
    charts.put(mysql.parent, "nginx", "1.0.0+b.1")
    outcome = run(tree, [str(mysql.parent)])
    assert [(item["name"], item["tag"]) for item in outcome.result["references"]] == [
        ("helm-charts/mysql", "8.8.25"),
        ("helm-charts/nginx", "1.0.0_b.1"),
    ]


@pytest.mark.parametrize(("repository", "name"), {"team/charts": "team/charts/mysql", "/team/": "team/mysql"}.items())
def test_where_charts_go(tree: Path, mysql: Path, repository: str, name: str) -> None:
    assert run(tree, [str(mysql)], repository=repository).result["references"][0]["name"] == name


@pytest.mark.parametrize("repository", ["../x", "Team", "a b", "_charts"])
def test_charts_go_nowhere_else(tree: Path, mysql: Path, repository: str) -> None:
    outcome = run(tree, [str(mysql)], repository=repository)
    assert "repository" in outcome.message
    assert not list(Tree(str(tree)).repositories())


def test_a_home_is_found(tree: Path, mysql: Path) -> None:
    assert run(tree, [f"~/{mysql.name}"]).result["references"][0]["name"] == "helm-charts/mysql"


def test_everything_else_is_saved_when_something_fails(tree: Path, mysql: Path) -> None:
    """And the message lists all that failed, and why."""
    damaged = mysql.with_name("damaged.tgz")
    damaged.write_bytes(mysql.read_bytes()[:-30])
    missing = mysql.with_name("missing.tgz")
    far = f"oci://{CLOSED}/charts/far:1.0.0"
    outcome = run(tree, [str(damaged), str(mysql), str(missing), far])
    lines = outcome.message.splitlines()
    assert lines[0] == "3 of 4 could not be saved:"
    assert {line.partition(": ")[0] for line in lines[1:]} == {f"- {damaged}", f"- {missing}", f"- {far}"}
    assert [item["name"] for item in outcome.result["references"]] == ["helm-charts/mysql"]
    assert list(Tree(str(tree)).repositories()) == ["helm-charts/mysql"]


def test_two_charts_of_one_name_and_version_are_an_error(tree: Path, mysql: Path) -> None:
    other = mysql.with_name("other.tgz")
    other.write_bytes(charts.tgz(("mysql/Chart.yaml", b"name: mysql\nversion: 8.8.25\n"), ("mysql/x", b"x")))
    outcome = run(tree, [str(mysql), str(other)])
    assert "would both be helm-charts/mysql:8.8.25" in outcome.message
    assert not list(Tree(str(tree)).repositories())


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        {"username": "ann", "password": SECRET},
        {"registries": {CLOSED: {"username": "ann", "password": SECRET, "plain_http": True}}},
        {"registries": {"quay.io": {"token": SECRET}}},
    ],
    ids=["password", "password of a registry", "token"],
)
def test_secrets_are_in_no_result(tree: Path, mysql: Path, arguments: dict[str, Any], check: bool) -> None:
    outcome = run(tree, [str(mysql), f"oci://{CLOSED}/{SECRET}/x:1.0.0"], check, **arguments)
    assert outcome.failed
    assert SECRET not in outcome.printed

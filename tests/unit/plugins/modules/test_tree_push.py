# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import tree_push
from tests.bench import servers
from tests.registry.closure import broken_tags
from tests.registry.content import add_manifest, describe, index_of
from tests.unit import modules
from tests.unit.trees import add_image, layer_bytes, make_tree


@pytest.fixture(name="path")
def fixture_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    modules.without_logins(monkeypatch, tmp_path)
    tree = make_tree(tmp_path / "tree", {"team/app:1": [layer_bytes(1, 3000)], "team/tool:2": [layer_bytes(2, 5000)]})
    add_image(tree, f"team/app:{str(tree.tag('team/app', '1')).replace(':', '-')}.sig", [b"signature"])
    return tmp_path / "tree"


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path) -> Iterator[str]:
    with servers.registry(tmp_path / "storage", tmp_path) as host:
        yield host


def run(path: Path, host: str, check: bool = False, **options: Any) -> modules.Outcome:
    given = {"path": str(path), "registry": host, "registries": {host: {"plain_http": True}}, "retries": 0, **options}
    return modules.run(tree_push.main, given, check=check)


def test_what_would_be_pushed_is_pushed_and_then_there(path: Path, host: str, tmp_path: Path) -> None:
    planned = run(path, host, check=True)
    assert not list((tmp_path / "storage").rglob("link"))
    done = run(path, host)
    again = run(path, host)
    checked = run(path, host, check=True)
    assert [outcome.result["changed"] for outcome in (planned, done, again, checked)] == [True, True, False, False]
    assert planned.result["references"] == done.result["references"]
    assert len(done.result["references"]) == 3
    assert done.result["references"][0]["reference"] == f"{host}/team/app:1"
    assert done.result["sent_bytes"] > 8000
    assert again.result["sent_bytes"] == 0
    assert broken_tags(tmp_path / "storage") == []


def test_signatures_go_with_what_they_belong_to(path: Path, host: str) -> None:
    done = run(path, host, references=["team/app:1"], prefix="project", rename={"team": "group"})
    names = [item["reference"].rpartition(":")[0] for item in done.result["references"]]
    assert names == [f"{host}/project/group/app"] * 2


def test_a_warning_tells_of_another_digest(path: Path, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Not from the result: in a process that has been a controller, too, AnsibleModule shows its warnings at once.
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, warning: warnings.append(warning))
    tree = Tree(str(path))
    child = describe(tree, str(tree.tag("team/tool", "2")), architecture="amd64")
    digest = add_manifest(tree, "team/tool:2", index_of([child, {**child, "digest": f"sha256:{0:064}"}]))
    lock = _lock.read(tree)
    entry = lock.references[-1]
    blobs = {**entry.blobs, digest: tree.blob_size(digest)}
    _lock.write(tree, lock.with_entries([_lock.Entry(**{**vars(entry), "digest": digest, "blobs": blobs})]))
    run(path, host, references=["team/tool:2"])
    (warning,) = warnings
    assert f"team/tool:2 has the digest {child['digest']} in the registry, not {digest}" in str(warning)


def test_failures_are_named(path: Path, host: str) -> None:
    outcome = run(path, host, registries={})
    assert outcome.message.startswith("3 of 3 could not be pushed:\n")
    assert "say so with 'plain_http'" in outcome.message
    assert len(outcome.result["failures"]) == 3


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": "/absent"}, "there is neither a tree nor a bundle at /absent"),
        ({"registry": "https://registry"}, "is no host of a registry"),
        ({"references": ["mistyped"]}, "nothing in the tree is called mistyped"),
        ({"prefix": "UPPER"}, "is no path of a repository"),
        ({"registries": {"a b": {}}}, "'a b' is no registry"),
    ],
)
def test_what_makes_no_sense_is_refused_first(path: Path, options: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {"path": path, "host": "127.0.0.1:9", **options}
    if "registry" in given:
        given["host"] = given.pop("registry")
    assert says in run(**given).message


def test_passwords_are_not_shown(path: Path, host: str) -> None:
    registries = {host: {"plain_http": True, "username": "robot", "password": "secret-word"}}
    assert "secret-word" not in run(path, host, registries=registries).printed

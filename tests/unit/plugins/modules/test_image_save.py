# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import image_save
from tests.registry import content
from tests.registry.guards import Basic
from tests.registry.server import Registry
from tests.unit import modules
from tests.unit.modules import Outcome
from tests.unit.trees import files

SECRET, OTHER_SECRET = "correct-horse-battery", "staple-4711"
CLOSED = "127.0.0.1:1"
BAD_IMAGES = ["MySQL", "mysql:", {"as": "x"}, "../x"]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("upstream") / "tree"
    content.make(root, layer=1000)
    return root


@pytest.fixture
def registry(upstream: Path) -> Iterator[Registry]:
    with Registry(upstream) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_logins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modules.without_logins(monkeypatch, tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tmp_path / "tree"


def run(tree: Path, check: bool = False, diff: bool = False, **arguments: Any) -> Outcome:
    """Save for amd64, without encryption, and without patience."""
    quick = {"dir": str(tree), "plain_http": True, "retries": 0, "timeout": 5, "signatures": False}
    given = {**quick, **({} if "platforms" in arguments else {"arch": "amd64"}), **arguments}
    return modules.run(image_save.main, {key: value for key, value in given.items() if value is not None}, check, diff)


# Arguments -> a part of the message.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no folder": ({"dir": None}, "missing required arguments: dir"),
    "unknown option": ({"image": "mysql"}, "Unsupported parameters"),
    "arch and platforms": (
        {"arch": "amd64", "platforms": ["linux/amd64"]},
        "parameters are mutually exclusive: arch|platforms",
    ),
    "name without password": ({"username": "ann"}, "parameters are required together: username, password"),
    "unknown naming": ({"naming": "keep"}, "value of naming must be one of: drop_host, keep_host"),
    "number as registries": ({"registries": 7}, "registries"),
    "arch that is none": ({"arch": "amd46"}, "'amd46' is no platform"),
    "platform that is none": ({"platforms": ["linux"]}, "'linux' is no platform"),
    "registry in no dictionary": ({"registries": {"quay.io": "ann"}}, "registries: quay.io has to be a dictionary"),
    "unknown key": (
        {"registries": {"quay.io": {"user": "ann", "pass": "x"}}},
        "registries: quay.io has unknown keys: pass, user; known: username, password,",
    ),
    "mirror in no list": (
        {"registries": {"quay.io": {"mirrors": "mirror.example"}}},
        "registries: quay.io: mirrors has to be a list of hosts",
    ),
    "mirror of no text": (
        {"registries": {"quay.io": {"mirrors": [{"host": "x"}]}}},
        "registries: quay.io: mirrors has to be a list of hosts",
    ),
    "text as truth": (
        {"registries": {"quay.io": {"validate_certs": "maybe"}}},
        "registries: quay.io: validate_certs has to be true or false, not 'maybe'",
    ),
    "list that is not there": (
        {"image_list": "/nowhere/images.txt"},
        "the image list /nowhere/images.txt cannot be read",
    ),
    "unknown key of an image": (
        {"images": [{"image": "mysql", "arch": "arm64"}]},
        "has unknown keys: arch; known: image",
    ),
    "image of no text": ({"images": [{"image": 8}]}, "'image'"),
    "name in the tree that is none": ({"images": [{"image": "mysql", "as": "../x"}]}, "is no name in a tree"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED)
def test_arguments_that_make_no_sense(tree: Path, arguments: dict[str, Any], message: str) -> None:
    outcome = run(tree, **{"images": ["mysql"], **arguments})
    assert outcome.failed
    assert message in outcome.message
    assert not tree.exists()


def test_all_bad_images_are_named_at_once(tree: Path) -> None:
    outcome = run(tree, images=["mysql", *BAD_IMAGES])
    assert len(outcome.message.splitlines()) == len(BAD_IMAGES)
    for line, part in zip(outcome.message.splitlines(), ("MySQL", "mysql:", "'image'", "../x"), strict=True):
        assert part in line


def test_all_bad_lines_are_named_at_once(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "images.txt"
    path.write_text("mysql\nMySQL\n# more\nmysql:\n")
    outcome = run(tree, image_list=str(path))
    assert [line.partition(": ")[0] for line in outcome.message.splitlines()] == [f"{path}, line 2", f"{path}, line 4"]


def test_bad_images_and_bad_lines_are_named_at_once(tree: Path, tmp_path: Path) -> None:
    path = tmp_path / "images.txt"
    path.write_text("mysql:\n")
    outcome = run(tree, images=["MySQL"], image_list=str(path))
    assert "MySQL" in outcome.message
    assert f"{path}, line 1" in outcome.message


@pytest.mark.parametrize("key", ["https://quay.io", "quay.io/", "quay.io:port", "quay.io/Team", "", " quay.io"])
def test_a_registry_that_cannot_be_meant_is_refused(tree: Path, key: str) -> None:
    """Else what stands below it, a private authority for one, would silently not count."""
    outcome = run(tree, images=[], registries={key: {"username": "ann", "password": SECRET}})
    assert outcome.failed
    assert repr(key) in outcome.message


# Saving


@pytest.mark.parametrize(
    "key",
    [
        "docker.io",
        "docker.io/team",
        "index.docker.io",
        "registry-1.docker.io",
        "index.docker.io/team",
    ],
)
def test_docker_hub_has_several_names(
    tree: Path, registry: Registry, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings under any of them count. There is no way to the real one."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://{CLOSED}")
    registries = {key: {"mirrors": [f"http://{registry.host}"]}}
    outcome = run(tree, images=["team/app:1"], plain_http=False, registries=registries)
    assert not outcome.failed


def test_images_are_saved(tree: Path, registry: Registry) -> None:
    outcome = run(tree, images=[f"{registry.host}/team/app:1"])
    saved = Tree(str(tree))
    digest = saved.tag("team/app", "1")
    assert not outcome.failed
    assert outcome.result["changed"] is True
    assert outcome.result["received_bytes"] >= 2000
    assert outcome.result["references"] == [
        {
            "reference": f"{registry.host}/team/app:1",
            "source": f"{registry.host}/team/app:1",
            "name": "team/app",
            "tag": "1",
            "aliases": [],
            "digest": digest,
            "kind": "image",
            "platforms": ["linux/amd64"],
            "bytes": sum(size for _digest, size in saved.blobs()),
            "present": False,
        }
    ]


def test_a_second_time_nothing_changes(tree: Path, registry: Registry) -> None:
    images = [f"{registry.host}/{image}" for image in content.IMAGES]
    run(tree, images=images)
    before = files(tree)
    outcome = run(tree, images=images)
    assert outcome.result["changed"] is False
    assert outcome.result["received_bytes"] == 0
    assert all(item["present"] for item in outcome.result["references"])
    assert files(tree) == before


def test_check_mode_says_what_would_be_saved(tree: Path, registry: Registry) -> None:
    images = [f"{registry.host}/team/app:1"]
    checked = run(tree, check=True, diff=True, images=images)
    assert not tree.exists()
    assert checked.result["changed"] is True
    assert registry.sent() == 0
    done = run(tree, diff=True, images=images)
    assert checked.result["diff"] == done.result["diff"]
    assert checked.result["references"][0]["digest"] == done.result["references"][0]["digest"]
    again = run(tree, check=True, images=images)
    assert again.result["changed"] is False
    assert again.result["references"] == [{**done.result["references"][0], "present": True}]


def test_the_diff_shows_what_moved(tree: Path, registry: Registry) -> None:
    images = [f"{registry.host}/team/app:1"]
    first = run(tree, diff=True, images=images).result
    assert first["diff"]["before"] == ""
    assert first["diff"]["after"] == f"team/app:1 {first['references'][0]['digest']}\n"
    second = run(tree, diff=True, images=images).result
    assert second["diff"]["before"] == second["diff"]["after"] == first["diff"]["after"]


def test_everything_else_is_saved_when_something_fails(tree: Path, registry: Registry, tmp_path: Path) -> None:
    """And the message lists all that failed, with where it was asked for, and why."""
    path = tmp_path / "images.txt"
    path.write_text(f"# images\n{registry.host}/team/tool:none\n")
    images = [f"{registry.host}/team/app:1", f"{registry.host}/team/none:1", f"{CLOSED}/team/far:1"]
    outcome = run(tree, images=images, image_list=str(path))
    lines = outcome.message.splitlines()
    assert lines[0] == "3 of 4 could not be saved:"
    assert {line.partition(": ")[0] for line in lines[1:]} == {
        f"- {registry.host}/team/none:1",
        f"- {CLOSED}/team/far:1",
        f"- {registry.host}/team/tool:none ({path}, line 2)",
    }
    assert [item["name"] for item in outcome.result["references"]] == ["team/app"]
    assert outcome.result["changed"] is True
    assert list(Tree(str(tree)).repositories()) == ["team/app"]


def test_what_failed_is_in_the_result_too(tree: Path, registry: Registry) -> None:
    outcome = run(tree, images=[f"{registry.host}/team/none:1"])
    assert [item["reference"] for item in outcome.result["failures"]] == [f"{registry.host}/team/none:1"]


def test_an_image_that_lacks_a_platform_fails(tree: Path, registry: Registry) -> None:
    outcome = run(tree, images=[f"{registry.host}/team/multi:1"], platforms=["linux/amd64", "s390x"])
    assert "it has no linux/s390x, only linux/amd64, linux/arm64" in outcome.message
    outcome = run(
        tree,
        images=[f"{registry.host}/team/multi:1"],
        platforms=["linux/amd64", "s390x"],
        platform_missing="skip",
    )
    assert outcome.result["references"][0]["platforms"] == ["linux/amd64"]


def test_all_platforms(tree: Path, registry: Registry) -> None:
    outcome = run(tree, images=[f"{registry.host}/team/multi:1"], platforms=["all"])
    assert outcome.result["references"][0]["platforms"] == ["linux/amd64", "linux/arm64"]


def test_the_umask_of_the_user_does_not_matter(tree: Path, registry: Registry) -> None:
    before = os.umask(0o077)
    try:
        run(tree, images=[f"{registry.host}/team/app:1"])
    finally:
        os.umask(before)
    assert all(path.stat().st_mode & 0o044 for path in tree.rglob("*") if ".seahub" not in path.parts)


# Secrets

WITH_SECRETS: dict[str, dict[str, Any]] = {
    "password": {"username": "ann", "password": SECRET},
    "password of a registry": {"registries": {CLOSED: {"username": "ann", "password": SECRET, "plain_http": True}}},
    "token of a registry": {"registries": {CLOSED: {"token": SECRET, "plain_http": True}}},
    "password of another registry": {"registries": {"quay.io": {"username": "ann", "password": SECRET}}},
    "password of a mirror": {
        "registries": {
            CLOSED: {"mirrors": ["127.0.0.1:2"], "plain_http": True},
            "127.0.0.1:2": {"username": "ann", "password": SECRET, "plain_http": True},
        }
    },
    "several": {
        "username": "ann",
        "password": OTHER_SECRET,
        "registries": {"a.example": {"token": SECRET}, "b.example": {"username": "bo", "password": OTHER_SECRET}},
    },
}


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("arguments", WITH_SECRETS.values(), ids=WITH_SECRETS)
def test_secrets_are_in_no_result(tree: Path, arguments: dict[str, Any], check: bool) -> None:
    """Not even where somebody has written one into the name of an image."""
    outcome = run(tree, check, images=[f"{CLOSED}/team/{SECRET}:1"], **arguments)
    assert outcome.failed
    assert SECRET not in outcome.printed
    assert OTHER_SECRET not in outcome.printed


def test_secrets_are_in_no_tree(tree: Path, upstream: Path) -> None:
    with Registry(upstream, guard=Basic("ann", SECRET)) as registry:
        outcome = run(tree, images=[f"{registry.host}/team/app:1"], username="ann", password=SECRET)
    assert not outcome.failed
    assert SECRET not in outcome.printed
    assert not [name for name, data in files(tree).items() if SECRET.encode() in data]


def test_secrets_are_not_shown_when_arguments_are_refused(tree: Path) -> None:
    registries = {"quay.io": {"username": "ann", "password": SECRET}}
    outcome = run(tree, arch="amd64", platforms=["linux/amd64"], registries=registries)
    assert SECRET not in outcome.printed


def test_the_password_of_a_proxy_is_a_secret(tree: Path) -> None:
    registries = {CLOSED: {"proxy": f"http://ann:{SECRET}@{CLOSED}", "plain_http": True}}
    outcome = run(tree, images=[f"{CLOSED}/team/app:1"], registries=registries)
    assert SECRET not in outcome.printed


@pytest.mark.parametrize("check", [False, True])
def test_a_password_is_shown_to_one_registry_alone(tree: Path, upstream: Path, check: bool) -> None:
    with Registry(upstream, guard=Basic("ann", SECRET)) as one, Registry(upstream, guard=Basic("x", "y")) as two:
        images = [f"{host}/team/app:1" for host in (one.host, two.host)]
        outcome = run(tree, check, images=images, username="ann", password=SECRET)
        shown = [any("authorization" in request.headers for request in item.requests) for item in (one, two)]
    assert "'username' and 'password' are for one registry" in outcome.message
    assert one.host in outcome.message
    assert two.host in outcome.message
    assert shown.count(True) <= 1


def test_registries_with_entries_of_their_own_do_not_count(tree: Path, upstream: Path) -> None:
    with Registry(upstream, guard=Basic("ann", SECRET)) as one, Registry(upstream, guard=Basic("bo", "pass")) as two:
        images = [f"{one.host}/team/app:1", f"{two.host}/team/tool:2"]
        registries = {two.host: {"username": "bo", "password": "pass"}}
        outcome = run(tree, images=images, username="ann", password=SECRET, registries=registries)
    assert not outcome.failed


def test_a_wrong_password_says_so(tree: Path, upstream: Path) -> None:
    with Registry(upstream, guard=Basic("ann", "right")) as registry:
        outcome = run(tree, images=[f"{registry.host}/team/app:1"], username="ann", password=SECRET)
    assert f"{registry.host}/team/app:1" in outcome.message
    assert "credentials" in outcome.message or "password" in outcome.message
    assert SECRET not in outcome.printed

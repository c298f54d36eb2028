# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pushing to a real registry, the same that serves trees."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReference, NameCollision
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _push, _upload
from ansible_collections.seahub.offline.plugins.module_utils.transfer._push import Names, Pusher, Report
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.bench import servers
from tests.registry.closure import broken_tags
from tests.registry.content import INDEX_TYPE, add_manifest, describe, index_of
from tests.unit.trees import add_image, layer_bytes, make_bundle, make_tree

DIGEST = "sha256:" + "1" * 64
SHARED, OWN, OTHER = (layer_bytes(number, 40_000) for number in range(3))


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    """A tree with two images that share a layer, and an empty one."""
    images = {"team/app:1": [SHARED, OWN], "team/tool:2": [SHARED, OTHER], "team/empty:0": [b""]}
    return make_tree(tmp_path / "tree", images)


@pytest.fixture(name="storage")
def fixture_storage(tmp_path: Path) -> Path:
    """The folder in which the registry keeps what it gets."""
    return tmp_path / "storage"


@pytest.fixture(name="host")
def fixture_host(storage: Path, tmp_path: Path) -> Iterator[str]:
    """A registry that is empty."""
    with servers.registry(storage, tmp_path) as host:
        yield host


def push(path: str, host: str, names: Names | None = None, aliases: bool = False) -> Report:
    source = open_source(path)
    registries = Registries(default=Settings(plain_http=True))
    pusher = Pusher(source, lambda path: registries.destination(host, path), RetryPolicy(attempts=1), 4)
    try:
        return pusher.push(_push.name_all(source.lock.references, (names or Names()).of, aliases))
    finally:
        registries.close()


def served(host: str, path: str, version: str) -> str:
    """Return the digest to which a name leads in the registry."""
    accept = f"{INDEX_TYPE}, application/vnd.oci.image.manifest.v1+json"
    request = urllib.request.Request(f"http://{host}/v2/{path}/manifests/{version}", headers={"Accept": accept})
    with urllib.request.urlopen(request) as answer:
        return str(answer.headers["Docker-Content-Digest"])


def add_index(tree: Tree, children: dict[str, bytes], absent: int = 0) -> str:
    """Add an index team/multi:1 with a child for each architecture, and some that were not saved; return its digest."""
    stored = [
        describe(tree, add_image(tree, f"team/multi:{name}", [layer]), architecture=name)
        for name, layer in children.items()
    ]
    missing = [{**stored[0], "digest": f"sha256:{number:064}"} for number in range(absent)]
    digest = add_manifest(tree, "team/multi:1", index_of([*stored, *missing]))
    lock = _lock.read(tree)
    blobs = {child["digest"]: child["size"] for child in stored} | {digest: tree.blob_size(digest) or 0}
    for entry in lock.references:
        if entry.name == "team/multi":
            blobs.update(entry.blobs)
    kept = [entry for entry in lock.references if entry.name != "team/multi"]
    entry = Entry("team/multi:1", "docker.io/team/multi:1", "image", "team/multi", "1", digest, INDEX_TYPE, blobs=blobs)
    _lock.write(tree, _lock.Lock().with_entries([*kept, entry]))
    return digest


@pytest.mark.parametrize("kind", ["tree", "bundle"])
def test_all_arrives_and_a_second_run_sends_nothing(
    tree: Tree, kind: str, host: str, storage: Path, tmp_path: Path
) -> None:
    path = tree.root if kind == "tree" else str(make_bundle(tree, tmp_path / "bundle.tar"))
    first = push(path, host)
    assert (first.failures, [item.present for item in first.pushed]) == ((), [False] * 3)
    # The shared layer was sent once.
    assert first.mounted == 1
    assert first.sent < 3 * len(OWN) + 1000
    for entry in _lock.read(tree).references:
        assert served(host, entry.name, entry.tag or "") == entry.digest
    assert broken_tags(storage) == []
    second = push(path, host)
    assert (second.sent, second.mounted, [item.present for item in second.pushed]) == (0, 0, [True] * 3)


def test_a_large_blob_goes_in_several_requests(
    tree: Tree, host: str, storage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_upload, "CHUNK", 9_000)
    assert push(tree.root, host).failures == ()
    assert broken_tags(storage) == []


def test_only_what_is_new_is_sent(tree: Tree, host: str, storage: Path) -> None:
    push(tree.root, host)
    add_image(tree, "team/new:1", [SHARED, b"new"])
    done = push(tree.root, host)
    assert [item.push.shown for item in done.pushed if not item.present] == ["team/new:1"]
    assert done.sent < 1000
    assert done.mounted == 1
    assert broken_tags(storage) == []


def test_an_index_comes_after_its_children(tree: Tree, host: str, storage: Path) -> None:
    digest = add_index(tree, {"amd64": OWN, "arm64": OTHER})
    assert push(tree.root, host).failures == ()
    assert served(host, "team/multi", "1") == digest
    assert broken_tags(storage) == []


@pytest.mark.parametrize("children", [{"amd64": OWN}, {"amd64": OWN, "arm64": OTHER}], ids=["one", "two"])
def test_a_registry_that_wants_all_platforms_gets_those_that_there_are(
    tree: Tree, children: dict[str, bytes], host: str, storage: Path
) -> None:
    digest = add_index(tree, children, absent=1)
    done = push(tree.root, host)
    assert done.failures == ()
    (multi,) = [item for item in done.pushed if item.push.path == "team/multi"]
    assert multi.digest == served(host, "team/multi", "1") != digest
    assert broken_tags(storage) == []
    again = push(tree.root, host)
    assert (again.sent, {item.present for item in again.pushed}) == (0, {True})


def test_a_blob_that_is_damaged_fails_alone(tree: Tree, host: str, storage: Path) -> None:
    path = Path(tree.blob_path(_digest.hash_bytes(OTHER)))
    path.write_bytes(OTHER[:-1] + b"?")
    done = push(tree.root, host)
    assert [name for name, _error in done.failures] == ["team/tool:2"]
    assert [item.push.shown for item in done.pushed] == ["team/app:1", "team/empty:0"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        served(host, "team/tool", "2")
    path.write_bytes(OTHER)
    assert push(tree.root, host).failures == ()
    assert broken_tags(storage) == []


def test_names_and_aliases(tree: Tree, host: str) -> None:
    entry = _lock.read(tree).references[0]
    for digest in entry.blobs:
        tree.link_layer("app", digest)
    tree.link_manifest("app", entry.digest)
    tree.set_tag("app", "1", entry.digest)
    _lock.write(tree, _lock.Lock((Entry(**{**vars(entry), "aliases": ("app",)}),)))
    push(tree.root, host, Names("project", {"team": "group/team"}), aliases=True)
    with urllib.request.urlopen(f"http://{host}/v2/_catalog") as answer:
        assert json.load(answer)["repositories"] == ["project/app", "project/group/team/app"]


@pytest.mark.parametrize(
    ("prefix", "rename", "name"),
    [
        ("", {}, "library/mysql"),
        ("offline", {}, "offline/library/mysql"),
        ("/a/b/", {}, "a/b/library/mysql"),
        ("", {"library": "hub"}, "hub/mysql"),
        ("", {"library": ""}, "mysql"),
        ("", {"library": "hub", "library/mysql": "db"}, "db"),
        ("x", {"library": "hub/more"}, "x/hub/more/mysql"),
        ("", {"lib": "hub", "mysql": "db"}, "library/mysql"),
    ],
)
def test_names(prefix: str, rename: dict[str, str], name: str) -> None:
    assert Names(prefix, rename).of("library/mysql") == name


@pytest.mark.parametrize(("prefix", "rename"), [("UP", {}), ("..", {}), ("", {"library": "a//b"}), ("", {"-": "a"})])
def test_what_is_no_name(prefix: str, rename: dict[str, str]) -> None:
    with pytest.raises(InvalidReference, match="is no path of a repository"):
        Names(prefix, rename)


def test_a_name_of_which_nothing_is_left() -> None:
    with pytest.raises(InvalidReference, match="team cannot be called ''"):
        Names("", {"team": ""}).of("team")


def test_two_artifacts_do_not_get_one_name() -> None:
    one = Entry("a/x:1", "docker.io/a/x:1", "image", "a/x", "1", DIGEST, "")
    two = Entry("b/x:1", "docker.io/b/x:1", "image", "b/x", "1", DIGEST.replace("1", "2"), "")
    with pytest.raises(NameCollision, match="would both be x:1"):
        _push.name_all([one, two], Names("", {"a": "", "b": ""}).of, aliases=False)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repairing trees from a real registry: one that calls things as the tree does, and those that they came from."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReference, Unavailable
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check, _donor, _repair
from ansible_collections.seahub.offline.plugins.module_utils.keeping._donor import Donor
from ansible_collections.seahub.offline.plugins.module_utils.keeping._repair import Repair
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.bench import servers
from tests.registry.content import add_manifest, describe, index_of
from tests.unit.trees import files, layer_bytes, make_tree

SHARED, OWN, OTHER = (layer_bytes(number, 4000) for number in range(3))
LAYER = _digest.hash_bytes(OWN)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", {"team/app:1": [SHARED, OWN], "team/tool:2": [SHARED, OTHER]})


@pytest.fixture(name="served", scope="module")
def fixture_served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A registry that has the same images; where they came from, too, once a lock says so."""
    folder = tmp_path_factory.mktemp("served")
    make_tree(folder / "tree", {"team/app:1": [SHARED, OWN], "team/tool:2": [SHARED, OTHER]})
    make_tree(folder / "tree", {"offline/team/app:1": [SHARED, OWN]})
    with servers.registry(folder / "tree", folder) as host:
        yield host


def run(tree: Tree, *places: _donor.Place, mirrors: tuple[str, ...] = ()) -> Repair:
    retry = RetryPolicy(attempts=1)
    registries = Registries(default=Settings(plain_http=True, mirrors=mirrors), retry=retry, timeout=5)
    donor = Donor(_lock.read(tree), places, registries, retry, 4)
    findings = _check.check(tree)
    planned = _repair.plan(tree, findings, [], donor)
    with tree.exclusive():
        done = _repair.repair(tree, findings, [], donor=donor)
    registries.close()
    assert set(done.blobs) <= set(planned.blobs)
    return done


def app(tree: Tree) -> str:
    return str(tree.tag("team/app", "1"))


def change(path: str) -> None:
    data = Path(path).read_bytes()
    Path(path).write_bytes(bytes([data[0] ^ 1]) + data[1:])


def come_from(tree: Tree, source: str) -> None:
    """Let the lock say that of the first image."""
    lock = _lock.read(tree)
    _lock.write(tree, lock.with_entries([replace(lock.references[0], source=source)]))


DAMAGES: list[Callable[[Tree], None]] = [
    lambda tree: os.remove(tree.blob_path(LAYER)),
    lambda tree: change(tree.blob_path(LAYER)),
    lambda tree: change(tree.blob_path(app(tree))),
    lambda tree: os.remove(tree.blob_path(app(tree))),
    lambda tree: shutil.rmtree(f"{tree.root}/docker"),
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_registry_with_the_names_of_the_tree_repairs_it(
    tree: Tree, served: str, damage: Callable[[Tree], None]
) -> None:
    before = files(Path(tree.root))
    damage(tree)
    done = run(tree, _donor.under_own_names(served))
    assert done.findings.ok
    assert not done.refusals
    assert files(Path(tree.root)) == before


def test_an_image_is_brought_back_from_where_it_came_from(tree: Tree, served: str) -> None:
    come_from(tree, f"{served}/team/app:1")
    before = files(Path(tree.root))
    os.remove(tree.blob_path(app(tree)))
    change(tree.blob_path(LAYER))
    assert run(tree, _donor.origin).findings.ok
    assert files(Path(tree.root)) == before


def test_a_mirror_stands_in_for_a_registry_that_cannot_be_reached(tree: Tree, served: str) -> None:
    come_from(tree, "127.0.0.1:9/team/app:1")
    before = files(Path(tree.root))
    shutil.rmtree(tree.repository_path("team/app"))
    for digest in _lock.read(tree).references[0].blobs:
        os.remove(tree.blob_path(digest))
    assert run(tree, _donor.origin, mirrors=(served,)).findings.ok
    assert files(Path(tree.root)) == before


def test_the_images_of_an_index_come_with_it(tree: Tree, tmp_path: Path) -> None:
    child = describe(tree, app(tree), architecture="amd64")
    digest = add_manifest(tree, "team/app:all", index_of([child]))
    lock = _lock.read(tree)
    blobs = {**lock.references[0].blobs, digest: tree.blob_size(digest) or 0}
    _lock.write(tree, lock.with_entries([replace(lock.references[0], tag="all", digest=digest, blobs=blobs)]))
    before = files(Path(tree.root))
    source = shutil.copytree(tree.root, tmp_path / "source")
    shutil.rmtree(f"{tree.root}/docker")
    with servers.registry(Path(source), tmp_path) as host:
        assert run(tree, _donor.under_own_names(host)).findings.ok
    assert files(Path(tree.root)) == before


def test_names_may_have_a_path_before_them(tree: Tree, served: str) -> None:
    os.remove(tree.blob_path(LAYER))
    assert run(tree, _donor.under_own_names(f"{served}/offline")).findings.ok


def test_a_place_that_lacks_it_is_followed_by_the_next(tree: Tree, served: str) -> None:
    come_from(tree, f"{served}/nowhere/app:1")
    os.remove(tree.blob_path(LAYER))
    assert run(tree, _donor.origin, _donor.under_own_names(served)).findings.ok


def test_a_refusal_is_told_and_the_rest_is_repaired(tree: Tree, served: str) -> None:
    come_from(tree, "127.0.0.1:9/team/app:1")
    os.remove(tree.blob_path(LAYER))
    done = run(tree, _donor.origin)
    assert isinstance(done.refusals[LAYER], Unavailable)
    assert done.findings.lacking == {LAYER}
    shutil.rmtree(tree.tag_path("team/app", "1"))
    assert run(tree, _donor.origin, _donor.under_own_names(served)).findings.ok
    assert app(tree)


@pytest.mark.parametrize("source", ["mysql-8.8.25.tgz", "charts/mysql-8.8.25.tgz", "https://example.com/mysql-8.tgz"])
def test_what_came_from_a_file_has_no_registry_to_ask(tree: Tree, source: str) -> None:
    entry: Entry = _lock.read(tree).references[0]
    assert _donor.origin(replace(entry, source=source)) is None


@pytest.mark.parametrize("text", ["https://sea.hub", "sea.hub:5000/", "sea.hub/UPPER", ""])
def test_what_is_no_registry_is_refused(text: str) -> None:
    with pytest.raises(InvalidReference, match="no registry"):
        _donor.under_own_names(text)

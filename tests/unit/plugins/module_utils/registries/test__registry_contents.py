# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Debian's own registry holds, found out by asking it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.registries import _registry, _registry_contents
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry_contents import Contents
from ansible_collections.seahub.offline.plugins.module_utils.trees import _contents, _inventory, _lock, _receipt
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.bench import servers
from tests.registry import content, saving
from tests.registry.content import LAYER
from tests.unit.trees import add_image, layer_bytes


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    """What the registry serves: images under two names, an index, and one of which a child is missing."""
    tree = content.make(tmp_path / "tree")
    add_image(tree, "library/mysql:8", [layer_bytes(1, LAYER), b"mysql"])
    # The alias, as saving makes it.
    repositories = tmp_path / "tree/docker/registry/v2/repositories"
    shutil.copytree(repositories / "library/mysql", repositories / "mysql")
    return tree


@pytest.fixture(name="host")
def fixture_host(tree: Tree, tmp_path: Path) -> Iterator[str]:
    with servers.registry(Path(tree.root), tmp_path) as host:
        yield host


def describe(host: str) -> Contents:
    with saving.registries() as registries:
        return _registry_contents.describe(registries, host, 4, _progress.ignore)


def test_a_registry_tells_what_its_tree_holds(tree: Tree, host: str) -> None:
    found = describe(host)
    assert found.failures == ()
    assert _inventory.gaps(found.inventory, found.lock) == []
    scanned = _inventory.scan(tree)
    assert found.inventory.tags == scanned.tags
    assert found.inventory.layers | found.inventory.manifests == scanned.layers | scanned.manifests
    assert found.inventory.blobs == scanned.blobs
    by_name = {entry.shown: entry for entry in found.lock.references}
    assert by_name["library/mysql:8"].aliases == ("mysql",)
    assert "mysql:8" not in by_name
    assert by_name["team/multi:1"].platforms == ("linux/amd64", "linux/arm64")
    # What the lock of the tree says of those images that it knows.
    for entry in _lock.read(tree).references:
        there = by_name[entry.shown]
        assert there.source == f"{host}/{entry.shown}"
        if entry.name != "team/multi":
            assert (there.digest, there.blobs, there.kind) == (entry.digest, entry.blobs, entry.kind)


def test_its_receipt_is_that_of_the_tree(tree: Tree, host: str) -> None:
    found, source = describe(host), open_source(tree.root)
    of_registry = _receipt.of(found.lock, found.inventory)
    of_tree = _receipt.of(source.lock, source.inventory)
    assert of_tree.blobs.items() <= of_registry.blobs.items()
    assert of_tree.links <= of_registry.links
    assert of_registry.tags["mysql", "8"] == of_registry.tags["library/mysql", "8"]
    shared = next(item for item in _contents.describe(found.lock).items if item.entry.name == "library/mysql")
    assert shared.shared == LAYER


def test_an_index_counts_for_what_is_there_of_it(tree: Tree, host: str) -> None:
    arm = str(tree.tag("team/multi", "arm64"))
    shutil.rmtree(tree.tag_path("team/multi", "arm64"))
    os.unlink(tree.manifest_path("team/multi", arm))
    found = describe(host)
    (entry,) = [entry for entry in found.lock.references if entry.shown == "team/multi:1"]
    assert entry.platforms == ("linux/amd64",)
    assert entry.digest == tree.tag("team/multi", "1")
    assert arm not in entry.blobs
    assert _receipt.of(found.lock, found.inventory).tags["team/multi", "1"] == entry.digest


def test_what_lacks_a_blob_is_not_wholly_there(tree: Tree, host: str) -> None:
    lost = _digest.hash_bytes(layer_bytes(2, LAYER))
    shutil.rmtree(os.path.dirname(tree.blob_path(lost)))
    found = describe(host)
    gaps = _inventory.gaps(found.inventory, found.lock)
    assert any(gap == f"team/app:1 needs the blob {lost}, which is missing" for gap in gaps)
    receipt = _receipt.of(found.lock, found.inventory)
    assert ("team/app", "1") not in receipt.tags
    assert lost not in receipt.blobs
    assert ("team/tool", "2") in receipt.tags


def test_a_damaged_manifest_is_named(tree: Tree, host: str) -> None:
    digest = str(tree.tag("team/app", "1"))
    path = Path(tree.blob_path(digest))
    path.write_bytes(path.read_bytes().replace(b"schemaVersion", b"schemaversion"))
    found = describe(host)
    assert [failure for failure in found.failures if failure.startswith("team/app:1 cannot be read: ")]
    assert ("team/app", "1") not in found.inventory.tags


def test_lists_are_followed_to_their_last_page(tree: Tree, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_registry, "_PAGE", 1)
    found = describe(host)
    assert found.inventory.tags == _inventory.scan(tree).tags


def test_a_registry_that_is_not_there_is_an_error() -> None:
    with pytest.raises(SeahubError, match="cannot be reached"):
        describe(f"127.0.0.1:{servers.free_port()}")

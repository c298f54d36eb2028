# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of a tree as an archive: what an engine would read in it."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    NotInTree,
    PlatformMissing,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _image_archive
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import layer_bytes, make_tree

AMD64, ARM64, S390X = Platform("linux", "amd64"), Platform("linux", "arm64"), Platform("linux", "s390x")
LAYERS = [layer_bytes(1, 3000), layer_bytes(2, 70_000)]
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    """A tree with an image, and an index of it of which the part for arm64 is not stored."""
    tree = make_tree(tmp_path / "tree", {"library/registry:2": LAYERS})
    child = tree.manifest("library/registry", "2")
    media_type = child.media_type
    absent = {"mediaType": media_type, "digest": "sha256:" + "0" * 64, "size": 5}
    index = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": INDEX_TYPE,
            "manifests": [
                {**absent, "platform": {"os": "linux", "architecture": "arm64"}},
                {
                    "mediaType": media_type,
                    "digest": child.digest,
                    "size": len(child.raw),
                    "platform": {"os": "linux", "architecture": "amd64"},
                },
            ],
        }
    ).encode()
    digest = _digest.hash_bytes(index)
    tree.put_blob(digest, index)
    tree.link_manifest("library/registry", digest)
    tree.set_tag("library/registry", "multi", digest)
    return tree


def read(tree: Tree, reference: str) -> tuple[list[dict[str, object]], dict[str, bytes]]:
    """Return the list of contents and the other files of an image's archive."""
    data = b"".join(_image_archive.archive(tree, _image_archive.find(tree, reference, AMD64), "here:1"))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
    return json.loads(files.pop("manifest.json")), files


@pytest.mark.parametrize("reference", ["registry:2", "docker.io/library/registry:2", "registry:multi"])
def test_an_engine_finds_the_image_in_the_archive(tree: Tree, reference: str) -> None:
    contents, files = read(tree, reference)
    (image,) = contents
    assert image["RepoTags"] == ["here:1"]
    assert [files[name] for name in image["Layers"]] == LAYERS  # type: ignore[attr-defined]
    assert json.loads(files[str(image["Config"])])["architecture"] == "amd64"


def test_an_image_is_found_by_its_digest(tree: Tree) -> None:
    digest = tree.tag("library/registry", "2")
    assert _image_archive.find(tree, f"registry@{digest}", AMD64).name == f"library/registry@{digest}"


def test_a_layer_that_is_there_twice_is_sent_once(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", {"library/twice:1": [LAYERS[0], LAYERS[1], LAYERS[0]]})
    (image,), files = read(tree, "twice:1")
    assert len(image["Layers"]) == 3  # type: ignore[arg-type]
    assert len(files) == 3


def test_what_is_not_there_is_an_error_that_says_what_is(tree: Tree) -> None:
    with pytest.raises(
        NotInTree, match=r"'registry:3' is not in the tree .* has library/registry:2, library/registry:m"
    ):
        _image_archive.find(tree, "registry:3", AMD64)


@pytest.mark.parametrize(
    ("reference", "platform", "expected"),
    [("registry:multi", ARM64, "for linux/amd64, but"), ("registry:2", S390X, "for linux/amd64, but")],
)
def test_another_platform_is_an_error_that_names_those_there_are(
    tree: Tree, reference: str, platform: Platform, expected: str
) -> None:
    with pytest.raises(PlatformMissing, match=expected):
        _image_archive.find(tree, reference, platform)


def test_what_no_engine_can_run_is_refused(tree: Tree) -> None:
    config = b"{}"
    chart = json.dumps(
        {
            "schemaVersion": 2,
            "config": {
                "mediaType": "application/vnd.cncf.helm.config.v1+json",
                "digest": _digest.hash_bytes(config),
                "size": len(config),
            },
            "layers": [],
        }
    ).encode()
    digest = _digest.hash_bytes(chart)
    for data in (config, chart):
        tree.put_blob(_digest.hash_bytes(data), data)
    tree.link_manifest("charts/one", digest)
    tree.set_tag("charts/one", "1", digest)
    with pytest.raises(InvalidManifest, match="no image that an engine can run"):
        _image_archive.find(tree, "charts/one:1", AMD64)


def test_a_damaged_blob_makes_no_image(tree: Tree) -> None:
    path = Path(tree.blob_path(_digest.hash_bytes(LAYERS[1])))
    path.write_bytes(b"X" + path.read_bytes()[1:])
    archive = _image_archive.archive(tree, _image_archive.find(tree, "registry:2", AMD64), "here:1")
    seen: list[bytes] = []
    with pytest.raises(DigestMismatch, match="damaged"):
        seen.extend(archive)
    assert b"manifest.json" not in b"".join(seen)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the registry serves: images that share layers, one for two platforms, and artifacts that mean harm."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import CONFIG_TYPE, LAYER_TYPE, MANIFEST_TYPE, add_image, layer_bytes

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LAYER = 192 * 1024
IMAGES = ("team/app:1", "team/tool:2", "team/empty:0", "team/multi:1")


def make(root: Path, layer: int = LAYER) -> Tree:
    """Make a tree with `IMAGES`; five different layers of `layer` bytes, and one that is empty."""
    tree = Tree(str(root))
    root.mkdir(parents=True)
    shared = layer_bytes(1, layer)
    add_image(tree, "team/app:1", [shared, layer_bytes(2, layer)])
    add_image(tree, "team/tool:2", [layer_bytes(3, layer), shared])
    add_image(tree, "team/empty:0", [b""])
    children = [
        describe(tree, add_image(tree, f"team/multi:{name}", [shared, layer_bytes(seed, layer)]), architecture=name)
        for seed, name in ((4, "amd64"), (5, "arm64"))
    ]
    add_manifest(tree, "team/multi:1", index_of(children))
    return tree


def index_of(children: list[dict[str, Any]]) -> bytes:
    """Return an index."""
    return json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": children}).encode()


def describe(tree: Tree, digest: str, architecture: str) -> dict[str, Any]:
    """Return the descriptor of an image in an index."""
    return {
        "mediaType": MANIFEST_TYPE,
        "digest": digest,
        "size": tree.blob_size(digest),
        "platform": {"os": "linux", "architecture": architecture},
    }


def add_manifest(tree: Tree, image: str, data: bytes) -> str:
    """Put a manifest into the tree, whatever it says, and let `name:tag` point to it; return its digest."""
    name, tag = image.rsplit(":", 1)
    digest = _digest.hash_bytes(data)
    tree.put_blob(digest, data)
    tree.link_manifest(name, digest)
    tree.set_tag(name, tag, digest)
    return digest


def image_with(layer: dict[str, Any]) -> dict[str, Any]:
    """Return the manifest of an image that does not exist, with one layer that is described so."""
    config = {"mediaType": CONFIG_TYPE, "digest": _digest.hash_bytes(b"{}"), "size": 2}
    described = {"mediaType": LAYER_TYPE, "digest": _digest.hash_bytes(b""), "size": 0, **layer}
    return {"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "config": config, "layers": [described]}


def nested_index(tree: Tree, image: str, depth: int) -> None:
    """Add an index of an index of an index, and so on."""
    name = image.rsplit(":", 1)[0]
    inner = add_image(tree, f"{name}:inner", [b"layer"])
    kind = MANIFEST_TYPE
    for _level in range(depth):
        child = {"mediaType": kind, "digest": inner, "size": tree.blob_size(inner)}
        inner = add_manifest(tree, image, index_of([child]))
        kind = INDEX_TYPE

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image sets of a known shape, as trees that a registry can serve."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

CHUNK = 1024 * 1024


@dataclass(frozen=True)
class ImageSet:
    """So many images with so many layers, the first `shared` of which are the same in all of them.

    - tags: how many names each image has.
    """

    name: str
    images: int
    layers: int
    shared: int
    layer_bytes: int
    tags: int = 1

    @property
    def references(self) -> Iterator[tuple[str, str]]:
        """Repository and tag of every reference."""
        for image in range(self.images):
            for tag in range(self.tags):
                yield f"bench/{self.name}-{image}", f"1.{tag}"

    @property
    def size(self) -> int:
        """Bytes of all layers."""
        return (self.images * (self.layers - self.shared) + self.shared) * self.layer_bytes

    def make(self, root: Path) -> None:
        """Write the set as a tree; random bytes, like compressed layers, do not shrink."""
        tree = Tree(str(root))
        shared = [_layer(tree, f"{self.name} shared {number}", self.layer_bytes) for number in range(self.shared)]
        for image in range(self.images):
            own = [
                _layer(tree, f"{self.name} {image} {number}", self.layer_bytes)
                for number in range(self.layers - self.shared)
            ]
            self._image(tree, image, [*shared, *own])

    def _image(self, tree: Tree, number: int, layers: list[str]) -> None:
        config = _store(tree, {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers"}, "number": number})
        manifest = _store(
            tree,
            {
                "schemaVersion": 2,
                "mediaType": _media_types.OCI_MANIFEST,
                "config": {"mediaType": _media_types.OCI_CONFIG, **config},
                "layers": [
                    {
                        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                        "digest": digest,
                        "size": self.layer_bytes,
                    }
                    for digest in layers
                ],
            },
        )
        repository = f"bench/{self.name}-{number}"
        for digest in (str(config["digest"]), *layers):
            tree.link_layer(repository, digest)
        tree.link_manifest(repository, str(manifest["digest"]))
        for tag in range(self.tags):
            tree.set_tag(repository, f"1.{tag}", str(manifest["digest"]))


def _layer(tree: Tree, seed: str, size: int) -> str:
    digest = "sha256:" + _hash(seed, size)
    with tree.blob_writer(digest, size) as writer:
        for data in _random(seed, size):
            writer.write(data)
        writer.commit()
    return digest


def _hash(seed: str, size: int) -> str:
    hash_object = _digest.hasher("sha256:" + "0" * 64)
    for data in _random(seed, size):
        hash_object.update(data)
    return str(hash_object.hexdigest())


def _random(seed: str, size: int) -> Iterator[bytes]:
    generator = random.Random(seed)
    for start in range(0, size, CHUNK):
        yield generator.randbytes(min(CHUNK, size - start))


def _store(tree: Tree, document: dict[str, object]) -> dict[str, object]:
    data = json.dumps(document).encode()
    digest = _digest.hash_bytes(data)
    tree.put_blob(digest, data)
    return {"digest": digest, "size": len(data)}

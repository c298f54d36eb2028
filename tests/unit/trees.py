# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes small, real trees for tests: images of one configuration and some layers, with their lock."""

from __future__ import annotations

import json
import random
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _archive
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def make_tree(root: Path, images: dict[str, list[bytes]]) -> Tree:
    """Make a tree with an image `name:tag` of the given layers for each item, and its lock."""
    tree = Tree(str(root))
    root.mkdir(parents=True, exist_ok=True)
    for image, layers in images.items():
        add_image(tree, image, layers)
    if not images:
        _lock.write(tree, _lock.Lock())
    return tree


def add_image(tree: Tree, image: str, layers: list[bytes]) -> str:
    """Add an image to a tree and to its lock, as saving it would; return its digest."""
    name, tag = image.rsplit(":", 1)
    config = json.dumps({"architecture": "amd64", "os": "linux", "comment": image}).encode()
    parts = [config, *layers]
    digests = [_digest.hash_bytes(part) for part in parts]
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": {"mediaType": CONFIG_TYPE, "digest": digests[0], "size": len(config)},
            "layers": [
                {"mediaType": LAYER_TYPE, "digest": digest, "size": len(layer)}
                for digest, layer in zip(digests[1:], layers, strict=True)
            ],
        }
    ).encode()
    digest = _digest.hash_bytes(manifest)
    for part, part_digest in zip(parts, digests, strict=True):
        tree.put_blob(part_digest, part)
        tree.link_layer(name, part_digest)
    tree.put_blob(digest, manifest)
    tree.link_manifest(name, digest)
    tree.set_tag(name, tag, digest)
    entry = _lock.Entry(
        requested=image,
        source=f"docker.io/{image}",
        kind="image",
        name=name,
        tag=tag,
        digest=digest,
        media_type=MANIFEST_TYPE,
        platforms=("linux/amd64",),
        blobs={digest: len(manifest), **{d: len(p) for d, p in zip(digests, parts, strict=True)}},
    )
    _lock.write(tree, _lock.read(tree).with_entries([entry]))
    return digest


def make_bundle(tree: Tree, path: Path) -> Path:
    """Write all of a tree as a bundle, whether it is whole and right or not."""
    inventory = _inventory.scan(tree)
    with path.open("wb") as file:
        writer = _archive.Writer(file)
        writer.lock(_lock.read(tree).dump())
        for digest, size in sorted(inventory.blobs.items()):
            with tree.open_blob(digest) as blob:
                writer.blob(digest, size, blob)
        writer.links(inventory)
        writer.end()
    return path


def layer_bytes(seed: int, size: int) -> bytes:
    """Return bytes that stand for a layer: the same for the same seed, not compressible."""
    return random.Random(seed).randbytes(size)


def files(root: Path) -> dict[str, bytes]:
    """Return every file of a tree with its content, but the private ones."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not str(path.relative_to(root)).startswith(".seahub/")
    }

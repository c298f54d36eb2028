# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository in memory: artifacts made for tests, and everything that saving asks of where they come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.charts._chart import MemoryStream
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotFound
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
# What BuildKit gives to that which it attests about an image.
ATTESTATION = {"platform": {"os": "unknown", "architecture": "unknown"}}
ATTESTED = "vnd.docker.reference.digest"


class Repository:
    """A repository whose artifacts are made by the test.

    - tags: tag -> digest.
    - asked: the digests of the blobs and manifests that were asked for, in this order.
    """

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.asked: list[str] = []

    # Making artifacts

    def blob(self, data: bytes) -> dict[str, Any]:
        """Add a blob; return its descriptor, as that of a layer."""
        digest = _digest.hash_bytes(data)
        self.blobs[digest] = data
        return {"mediaType": LAYER, "digest": digest, "size": len(data)}

    def put(self, document: dict[str, Any], *tags: str) -> str:
        """Add a manifest or an index, under these tags; return its digest."""
        raw = json.dumps(document).encode()
        digest = _digest.hash_bytes(raw)
        self.manifests[digest] = raw
        self.tags.update(dict.fromkeys(tags, digest))
        return digest

    def manifest_of(self, config: dict[str, Any], layers: Sequence[dict[str, Any]], *tags: str, **members: Any) -> str:
        """Add a manifest of blobs that are there; return its digest."""
        return self.put({"schemaVersion": 2, "config": config, "layers": list(layers), **members}, *tags)

    def image(self, platform: str, *tags: str, layers: Sequence[bytes] = (b"layer",)) -> str:
        """Add an image for one platform (`os/architecture[/variant]`); return the digest of its manifest."""
        names = ("os", "architecture", "variant")
        config = json.dumps(dict(zip(names, platform.split("/"), strict=False))).encode()
        descriptor = {**self.blob(config), "mediaType": _media_types.OCI_CONFIG}
        return self.manifest_of(descriptor, [self.blob(layer) for layer in layers], *tags)

    def artifact(self, *tags: str, content: bytes = b"artifact") -> str:
        """Add an artifact that is no image; return the digest of its manifest."""
        config = {**self.blob(b"{}"), "mediaType": _media_types.OCI_EMPTY}
        return self.manifest_of(config, [self.blob(content)], *tags)

    def index(self, children: Sequence[tuple[str, dict[str, Any]]], *tags: str) -> str:
        """Add an index of manifests, each with further members of its descriptor; return its digest."""
        listed = [
            {
                "mediaType": self.manifest(digest).media_type,
                "digest": digest,
                "size": len(self.manifests[digest]),
                **more,
            }
            for digest, more in children
        ]
        self.asked.clear()
        return self.put({"schemaVersion": 2, "mediaType": _media_types.OCI_INDEX, "manifests": listed}, *tags)

    def platforms(self, platforms: Sequence[str], *tags: str) -> str:
        """Add an index of one image for each platform; return its digest."""
        return self.index(
            [(self.image(text, layers=[f"layer of {text}".encode()]), on(text)) for text in platforms], *tags
        )

    # Being read

    def resolve(self, version: str) -> str:
        """Return the digest to which a tag leads."""
        digest = self.tags.get(version, version)
        if digest not in self.manifests:
            raise NotFound(f"there is no {version}")
        return digest

    def manifest(self, version: str) -> Manifest:
        """Return a manifest or an index."""
        digest = self.resolve(version)
        self.asked.append(digest)
        return _manifest.parse(self.manifests[digest])

    def config(self, descriptor: Descriptor) -> bytes:
        """Return a configuration."""
        return self.read_blob(descriptor, descriptor.size)

    def read_blob(self, blob: Descriptor, limit: int) -> bytes:
        """Return a blob."""
        self.asked.append(blob.digest)
        try:
            return self.blobs[blob.digest]
        except KeyError:
            raise NotFound(f"there is no blob {blob.digest}") from None

    def open_blob(self, blob: Descriptor, offset: int) -> MemoryStream:
        """Return a blob as a stream."""
        return MemoryStream(self.read_blob(blob, blob.size), offset)


def on(platform: str) -> dict[str, Any]:
    """Return the member of a descriptor that says for which platform (`os/architecture[/variant]`) it is."""
    return {"platform": dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))}


def attests(digest: str) -> dict[str, Any]:
    """Return the members of the descriptor of an attestation about the image with this digest."""
    return {**ATTESTATION, "annotations": {ATTESTED: digest, "vnd.docker.reference.type": "attestation-manifest"}}


class Upstream:
    """A repository of a registry: what a search may ask of it, and what it answers.

    - listed: the referrers that its API gives, by the digest of their subject; no API if it is None.
    - failures: the error that a kind of question gets.
    - asked: the questions.
    """

    def __init__(self, content: Repository) -> None:
        self.content = content
        self.listed: dict[str, list[str]] | None = None
        self.failures: dict[str, Exception] = {}
        self.asked: list[str] = []

    def _hear(self, question: str, what: str = "") -> None:
        self.asked.append(f"{question} {what}".strip())
        if question in self.failures:
            raise self.failures[question]

    def resolve(self, version: str) -> str:
        self._hear("resolve", version)
        return self.content.resolve(version)

    def manifest(self, version: str) -> Manifest:
        self._hear("manifest", version)
        return self.content.manifest(version)

    def tags(self) -> list[str]:
        self._hear("tags")
        return list(self.content.tags)

    def referrers(self, digest: str) -> Manifest | None:
        self._hear("referrers", digest)
        if self.listed is None:
            return None
        return self.content.manifest(self.content.index([(item, {}) for item in self.listed.get(digest, [])]))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manifests and indexes: what a tag or a digest leads to.

The bytes are kept as they came, because their digest is the truth; this reads them without ever writing them anew.
https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md
https://github.com/opencontainers/image-spec/blob/v1.1.0/image-index.md
https://distribution.github.io/distribution/spec/manifest-v2-2/
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import json
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils import _digest, _media_types, _platform
from ansible_collections.seahub.offline.plugins.module_utils._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils._errors import InvalidDigest, InvalidManifest
from ansible_collections.seahub.offline.plugins.module_utils._platform import Platform

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of the largest manifest read: what registries accept (https://github.com/opencontainers/distribution-spec)."""

DEFAULT_ALGORITHM = "sha256:" + "0" * 64
"""A digest, given where only its algorithm matters."""


@dataclasses.dataclass(frozen=True)
class Descriptor:
    """A pointer to content: its media type, digest and size in bytes.

    `platform` is set for the children of an index that name one. `urls` are set for foreign layers, whose content lies
    outside of the registry.
    """

    media_type: str
    digest: str
    size: int
    platform: Platform | None = None
    urls: tuple[str, ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    artifact_type: str = ""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a manifest says, beside its own bytes.

    A manifest proper has `blobs` (the configuration first, then the layers in their order); an index has `children`.
    """

    raw: bytes
    digest: str
    media_type: str
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    subject: Descriptor | None = None
    artifact_type: str = ""

    @property
    def is_index(self) -> bool:
        """Whether it lists other manifests."""
        return self.media_type in _media_types.INDEXES

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The configuration and the layers."""
        return ((self.config,) if self.config else ()) + self.layers

    @property
    def is_image(self) -> bool:
        """Whether a container engine could run it: its configuration is one of an image."""
        return self.config is not None and self.config.media_type in _media_types.IMAGE_CONFIGS

    @property
    def is_chart(self) -> bool:
        """Whether `helm pull` would take it: it has a layer that is a chart archive."""
        return self.chart_layer is not None

    @property
    def chart_layer(self) -> Descriptor | None:
        """The layer with the chart's archive."""
        return next((layer for layer in self.layers if layer.media_type in _media_types.CHART_LAYERS), None)

    @property
    def provenance_layer(self) -> Descriptor | None:
        """The layer with the chart's provenance file."""
        return next((layer for layer in self.layers if layer.media_type == _media_types.HELM_PROVENANCE), None)


def parse(raw: bytes, media_type: str = "", algorithm_of: str = DEFAULT_ALGORITHM) -> Manifest:
    """Read a manifest or an index.

    :param raw: its bytes, as the registry sent them.
    :param media_type: the `Content-Type` it came with; used where the document names no media type itself, which OCI
        allows.
    :param algorithm_of: a digest whose algorithm the manifest is known by.
    :raises InvalidManifest: if it is none, or one of the old kind (schema 1) that has no stable digest.
    """
    document = _load(raw)
    kind = _kind(document, media_type.partition(";")[0].strip())
    hash_object = _digest.hasher(algorithm_of)
    hash_object.update(raw)
    config = document.get("config")
    subject = document.get("subject")
    return Manifest(
        raw=raw,
        digest=_digest.finish(algorithm_of, hash_object),
        media_type=kind,
        config=_descriptor(config, "config") if kind in _media_types.MANIFESTS else None,
        layers=_descriptors(document, "layers") if kind in _media_types.MANIFESTS else (),
        children=_descriptors(document, "manifests") if kind in _media_types.INDEXES else (),
        subject=_descriptor(subject, "subject") if subject is not None else None,
        artifact_type=str(document.get("artifactType") or ""),
    )


def _load(raw: bytes) -> dict[str, Any]:
    if len(raw) > SIZE_LIMIT:
        raise InvalidManifest(f"a manifest of {len(raw)} bytes is too large: the limit is {SIZE_LIMIT}")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidManifest(f"this is no manifest, but {shorten(raw[:60])}: {error}") from error
    if not isinstance(document, dict):
        raise InvalidManifest(f"this is no manifest, but {shorten(raw[:60])}")
    return document


def _kind(document: dict[str, Any], content_type: str) -> str:
    if document.get("schemaVersion") == 1 or content_type in _media_types.DOCKER_SCHEMA1:
        raise InvalidManifest(
            "the image has a manifest of the old kind (schema 1), which current engines no longer pull: "
            "push it again with a current client"
        )
    declared = document.get("mediaType")
    known = _media_types.MANIFESTS + _media_types.INDEXES
    for candidate in (declared, content_type):
        if candidate in known:
            kind = str(candidate)
            break
    else:
        kind = _media_types.OCI_INDEX if "manifests" in document else _media_types.OCI_MANIFEST
    if (kind in _media_types.INDEXES) != ("manifests" in document) or (
        "manifests" in document and "layers" in document
    ):
        raise InvalidManifest(f"the manifest contradicts its media type {shorten(declared or content_type)}")
    return kind


def _descriptors(document: dict[str, Any], member: str) -> tuple[Descriptor, ...]:
    value = document.get(member)
    if value is None:
        value = []
    if not isinstance(value, list):
        raise InvalidManifest(f"the manifest's {member} is no list")
    return tuple(_descriptor(item, member) for item in value)


def _descriptor(value: Any, member: str) -> Descriptor:
    if not isinstance(value, dict):
        raise InvalidManifest(f"the manifest has no usable {member}")
    digest, size = value.get("digest"), value.get("size")
    try:
        _digest.split(digest if isinstance(digest, str) else "")
    except InvalidDigest as error:
        raise InvalidManifest(f"in the manifest's {member}: {error}") from error
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise InvalidManifest(f"in the manifest's {member}: {shorten(size)} is no size")
    platform, urls, annotations = value.get("platform"), value.get("urls"), value.get("annotations")
    return Descriptor(
        media_type=str(value.get("mediaType") or ""),
        digest=str(digest),
        size=size,
        platform=_platform.from_manifest(platform) if isinstance(platform, dict) else None,
        urls=tuple(str(url) for url in urls) if isinstance(urls, list) else (),
        annotations=tuple(sorted((str(k), str(v)) for k, v in annotations.items()))
        if isinstance(annotations, dict)
        else (),
        artifact_type=str(value.get("artifactType") or ""),
    )

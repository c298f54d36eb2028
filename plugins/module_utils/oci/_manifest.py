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
from typing import Any, TypeVar

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidManifest
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _media_types, _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform

SIZE_LIMIT = 4 * 1024 * 1024
"""Bytes of the largest manifest read: what registries accept (https://github.com/opencontainers/distribution-spec)."""

# Sizes are 64-bit numbers to everybody else.
_LARGEST = 2**63 - 1

Kind = TypeVar("Kind")

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

    @property
    def is_foreign(self) -> bool:
        """Whether it is a layer that lies outside of the registry, such as the base layers of Windows images."""
        return bool(self.urls) and self.media_type in _media_types.FOREIGN_LAYERS


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
    :param media_type: the `Content-Type` it came with, which must not contradict what the document itself says.
    :param algorithm_of: a digest whose algorithm the manifest is known by.
    :raises InvalidManifest: if it is none, or one that a stock registry could not serve, or one of the old kind
        (schema 1) that has no stable digest.
    :raises InvalidPlatform: if an index has a child for a platform that cannot be one.
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
        artifact_type=_typed(document.get("artifactType"), str, "artifactType") or "",
    )


def _load(raw: bytes) -> dict[str, Any]:
    if len(raw) > SIZE_LIMIT:
        raise InvalidManifest(f"a manifest of {len(raw)} bytes is too large: the limit is {SIZE_LIMIT}")
    try:
        document = json.loads(raw.decode())
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
    if document.get("schemaVersion") != 2:
        raise InvalidManifest(f"this is no manifest of schema version 2: {shorten(document)}")
    # The document decides, as it does in the registry that serves it: the same bytes are the same thing in every run.
    # https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/manifeststore.go
    declared = document.get("mediaType") or (
        _media_types.OCI_INDEX if "manifests" in document and not document.get("config") else _media_types.OCI_MANIFEST
    )
    if declared not in _media_types.MANIFESTS + _media_types.INDEXES:
        raise InvalidManifest(f"its media type is {shorten(declared)}, which a registry would not serve as a manifest")
    kind = str(declared)
    if _contradicts(document, kind) or _is_other(content_type, kind):
        raise InvalidManifest(
            f"the manifest contradicts its media type {shorten(document.get('mediaType') or content_type)}"
        )
    return kind


def _contradicts(document: dict[str, Any], kind: str) -> bool:
    """Tell whether a document looks like a manifest to one reader and like an index to another.

    https://github.com/opencontainers/image-spec/security/advisories/GHSA-77vh-xpmg-72qh
    """
    if kind in _media_types.INDEXES:
        return "manifests" not in document or any(document.get(member) is not None for member in ("config", "layers"))
    return document.get("manifests") is not None


def _is_other(content_type: str, kind: str) -> bool:
    other = _media_types.MANIFESTS if kind in _media_types.INDEXES else _media_types.INDEXES
    return content_type in other


def _descriptors(document: dict[str, Any], member: str) -> tuple[Descriptor, ...]:
    return tuple(_descriptor(item, member) for item in _typed(document.get(member), list, member) or ())


def _descriptor(value: Any, member: str) -> Descriptor:
    fields = _typed(value, dict, member)
    if fields is None:
        raise InvalidManifest(f"the manifest has no {member}")
    digest, size = fields.get("digest"), fields.get("size")
    if not isinstance(digest, str) or not _digest.is_digest(digest):
        raise InvalidManifest(f"in the manifest's {member}: {shorten(digest)} is no digest")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= _LARGEST:
        raise InvalidManifest(f"in the manifest's {member}: {shorten(size)} is no size")
    platform = _typed(fields.get("platform"), dict, "platform")
    annotations = _typed(fields.get("annotations"), dict, "annotations") or {}
    return Descriptor(
        media_type=_typed(fields.get("mediaType"), str, "mediaType") or "",
        digest=digest,
        size=size,
        platform=_platform.from_manifest(platform) if platform else None,
        urls=tuple(_typed(url, str, "urls") or "" for url in _typed(fields.get("urls"), list, "urls") or ()),
        annotations=tuple(sorted((name, _typed(text, str, name) or "") for name, text in annotations.items())),
        artifact_type=_typed(fields.get("artifactType"), str, "artifactType") or "",
    )


def _typed(value: Any, kind: type[Kind], member: str) -> Kind | None:
    """Return a member of the document, None where it has none; the registries that read it demand the same types."""
    if value is not None and not isinstance(value, kind):
        raise InvalidManifest(f"the manifest's {shorten(member)} cannot be {shorten(value)}")
    return value

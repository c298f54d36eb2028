# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Companions of an artifact: signatures, attestations, bills of materials, and whatever else refers to it.

They are found in two ways, which are both in use:
- cosign's tags `sha256-<hex>.sig`, `.att` and `.sbom`
  (https://github.com/sigstore/cosign/blob/v2.4.1/specs/SIGNATURE_SPEC.md),
- OCI referrers, by their API or by the tag `sha256-<hex>` where the registry has no such API
  (https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#unavailable-referrers-api).

The registry that serves a tree has no such API, so that what was found by it gets that tag.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import json
import threading
from typing import Protocol

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotFound, RegistryError, Unavailable
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest

_COSIGN = (".sig", ".att", ".sbom")


class SignedRepository(Protocol):
    """A repository that can be searched for companions."""

    def resolve(self, version: str) -> str:
        """Return the digest to which a tag leads."""

    def manifest(self, version: str) -> Manifest:
        """Return a manifest."""

    def tags(self) -> list[str]:
        """Return all tags."""

    def referrers(self, digest: str) -> Manifest | None:
        """Return the index of what refers to a manifest, or None if that is not kept."""


@dataclasses.dataclass(frozen=True)
class Companion:
    """Something that belongs to an artifact: the tag by which it is found, and its digest.

    `index` is set where the repository has no manifest of that digest: a list of referrers that its API gave.
    """

    tag: str
    digest: str
    index: Manifest | None = None


class Search:
    """Searches one repository; what it learns about the repository it asks once."""

    def __init__(self, repository: SignedRepository) -> None:
        self._repository = repository
        self._lock = threading.Lock()
        self._listed = False
        self._tags: frozenset[str] | None = None
        self._has_api = True
        self.refusals: list[str] = []
        """What the registry would not tell; absent and forbidden are both no reason to fail."""

    def of(self, digest: str) -> list[Companion]:
        """Return the companions of a manifest.

        :raises Unavailable: if the registry fails, other than by refusing.
        """
        base = "-".join(_digest.split(digest))
        found = [self._by_tag(f"{base}{suffix}") for suffix in _COSIGN]
        referrers = self._referrers(digest, base)
        return [companion for companion in (*found, referrers) if companion is not None]

    def _by_tag(self, tag: str) -> Companion | None:
        tags = self._known_tags()
        if tags is not None and tag not in tags:
            return None
        try:
            return Companion(tag, self._repository.resolve(tag))
        except NotFound:
            return None
        except RegistryError as error:
            self._refuse(error)
            return None

    def _referrers(self, digest: str, tag: str) -> Companion | None:
        by_tag = self._by_tag(tag)
        by_api = self._by_api(digest)
        if by_api is None or not by_api.children:
            return by_tag
        descriptors = {child.digest: child for child in by_api.children}
        if by_tag is not None:
            listed = self._repository.manifest(by_tag.digest)
            if set(descriptors) <= {child.digest for child in listed.children}:
                return by_tag
            descriptors.update((child.digest, child) for child in listed.children)
        index = _index(list(descriptors.values()))
        return Companion(tag, index.digest, index)

    def _by_api(self, digest: str) -> Manifest | None:
        if not self._has_api:
            return None
        try:
            index = self._repository.referrers(digest)
        except RegistryError as error:
            self._refuse(error)
            index = None
        # A registry that has the API answers with an empty list where there is nothing.
        self._has_api = index is not None
        return index

    def _known_tags(self) -> frozenset[str] | None:
        """Return all tags, or None if the registry does not list them: then each has to be asked for."""
        with self._lock:
            if not self._listed:
                self._listed = True
                try:
                    self._tags = frozenset(self._repository.tags())
                except RegistryError as error:
                    self._refuse(error)
            return self._tags

    def _refuse(self, error: RegistryError) -> None:
        # One that fails for the moment has not refused anything: the next run would be told.
        if isinstance(error, Unavailable):
            raise error
        self.refusals.append(str(error))


def _index(descriptors: list[Descriptor]) -> Manifest:
    """Make the index of referrers that a registry without their API keeps under the tag."""
    document = {
        "schemaVersion": 2,
        "mediaType": _media_types.OCI_INDEX,
        "manifests": [_document(item) for item in sorted(descriptors, key=lambda item: item.digest)],
    }
    return _manifest.parse(json.dumps(document, separators=(",", ":"), sort_keys=True).encode())


def _document(descriptor: Descriptor) -> dict[str, object]:
    fields: dict[str, object] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }
    if descriptor.artifact_type:
        fields["artifactType"] = descriptor.artifact_type
    if descriptor.annotations:
        fields["annotations"] = dict(descriptor.annotations)
    return fields

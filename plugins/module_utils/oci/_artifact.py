# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifacts: everything a manifest needs, for the platforms that are wanted.

An index keeps its bytes, and so its digest, whichever of its children are taken.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import json
from typing import Protocol, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidManifest, PlatformMissing
from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform

# An index of indexes of indexes: deeper than this nobody builds, except to harm.
_DEPTH = 8
# More platforms than there are, with room for all that is attested about them.
_MANIFESTS = 10_000
# BuildKit lists what it attests about an image beside the image, as a child for an unknown platform:
# https://docs.docker.com/build/metadata/attestations/attestation-storage/
_ATTESTED = "vnd.docker.reference.digest"


class Reader(Protocol):
    """Where manifests and configurations are read from."""

    def manifest(self, digest: str) -> Manifest:
        """Return a manifest or an index."""

    def config(self, descriptor: Descriptor) -> bytes:
        """Return the content of a configuration."""


@dataclasses.dataclass(frozen=True)
class Artifact:
    """An artifact, as far as it is wanted.

    - root: the manifest or index that its name leads to.
    - manifests: all manifests and indexes, the root included.
    - blobs: configurations and layers, each once.
    - platforms: those taken; none for what has no platform, such as a chart.
    """

    root: Manifest
    manifests: tuple[Manifest, ...]
    blobs: tuple[Descriptor, ...]
    platforms: tuple[Platform, ...]

    @property
    def kind(self) -> str:
        """`image`, `chart` or `artifact`."""
        if any(manifest.is_image for manifest in self.manifests):
            return "image"
        return "chart" if self.root.is_chart else "artifact"

    @property
    def sizes(self) -> dict[str, int]:
        """Digest and size in bytes of everything in it, manifests included."""
        sizes = {blob.digest: blob.size for blob in self.blobs}
        sizes.update((manifest.digest, len(manifest.raw)) for manifest in self.manifests)
        return sizes


def gather(
    reader: Reader,
    digest: str,
    wanted: Sequence[Platform],
    skip_missing: bool = False,
    foreign_layers: bool = False,
) -> Artifact:
    """Follow a manifest to all that it needs.

    :param wanted: the platforms to take of an image, all of which it must have; none stand for all that it has.
    :param skip_missing: leave out wanted platforms that the image lacks, as long as it has one of them.
    :param foreign_layers: take layers, too, that the manifest says lie outside of the registry.
    :raises PlatformMissing: if the image lacks one of them.
    :raises InvalidManifest: if what is found makes no sense.
    :raises InvalidPlatform: if it is for a platform that cannot be one.
    """
    root = reader.manifest(digest)
    gathering = _Gathering(reader, tuple(wanted))
    gathering.add(root, None, 0)
    if gathering.has_platforms:
        gathering.check(skip_missing)
    return Artifact(
        root=root,
        manifests=tuple(gathering.manifests.values()),
        blobs=tuple(blob for blob in gathering.blobs.values() if foreign_layers or not blob.is_foreign),
        platforms=tuple(sorted(gathering.taken)),
    )


class _Gathering:
    def __init__(self, reader: Reader, wanted: tuple[Platform, ...]) -> None:
        self._reader = reader
        self._wanted = wanted
        self._seen: set[Platform] = set()
        self.manifests: dict[str, Manifest] = {}
        self.blobs: dict[str, Descriptor] = {}
        self.taken: set[Platform] = set()

    @property
    def has_platforms(self) -> bool:
        return bool(self._seen)

    def add(self, manifest: Manifest, platform: Platform | None, depth: int) -> None:
        known = manifest.digest in self.manifests
        if len(self.manifests) >= _MANIFESTS:
            raise InvalidManifest(f"it lists more than {_MANIFESTS} manifests: that is no image")
        self.manifests[manifest.digest] = manifest
        if not manifest.is_index:
            # Again, if it is known: one manifest may serve several platforms.
            self._add_single(manifest, platform)
            return
        if known:
            return
        if depth >= _DEPTH:
            raise InvalidManifest(f"the index {manifest.digest} lies {depth} indexes deep: that is no image")
        for child in self._choose(manifest):
            self.add(self._reader.manifest(child.digest), child.platform, depth + 1)

    def check(self, skip_missing: bool) -> None:
        """Raise PlatformMissing unless each wanted platform was found, or at least one where that is enough."""
        lacking = [wanted for wanted in self._wanted if not self.taken.intersection(_platform.acceptable(wanted))]
        if lacking and not (skip_missing and len(lacking) < len(self._wanted)):
            has = ", ".join(str(platform) for platform in sorted(self._seen))
            raise PlatformMissing(f"it has no {', '.join(map(str, lacking))}, only {has}: ask for what it has")

    def _add_single(self, manifest: Manifest, platform: Platform | None) -> None:
        for blob in manifest.blobs:
            self.blobs.setdefault(blob.digest, blob)
        if platform is None and manifest.is_image and manifest.config is not None:
            platform = _platform_of(self._reader.config(manifest.config))
        if platform is not None:
            self._seen.add(platform)
            self.taken.add(platform)

    def _choose(self, index: Manifest) -> list[Descriptor]:
        self._seen.update(child.platform for child in index.children if child.platform is not None)
        if not self._wanted:
            return list(index.children)
        chosen = [child for wanted in self._wanted for child in _best(index, wanted)]
        digests = {child.digest for child in chosen}
        rest = [child for child in index.children if child.platform is None]
        # Children without a platform: nested indexes and other artifacts belong to all platforms; an attestation
        # belongs to the image that it names.
        return chosen + [child for child in rest if dict(child.annotations).get(_ATTESTED) in (None, *digests)]


def _best(index: Manifest, wanted: Platform) -> list[Descriptor]:
    for acceptable in _platform.acceptable(wanted):
        found = [child for child in index.children if child.platform == acceptable]
        if found:
            return found
    return []


def _platform_of(config: bytes) -> Platform | None:
    try:
        fields = json.loads(config)
    except (ValueError, RecursionError) as error:
        raise InvalidManifest(f"the image's configuration is no JSON, but {shorten(config[:60])}") from error
    return _platform.from_manifest(fields) if isinstance(fields, dict) else None

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An image of a tree as the archive that `docker load` takes.

The archive is made while it is read, from the blobs as they lie in the tree: nothing is unpacked, nothing is written.
The layers stay compressed; engines recognise that by their first bytes.
https://github.com/moby/docker-image-spec/blob/v1.3.1/v1.2.md#combined-image-json--filesystem-changeset-format
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Iterator

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _tar
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    NotInTree,
    PlatformMissing,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _platform, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import CHUNK, shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

_NAMES_SHOWN = 20


@dataclass(frozen=True)
class Image:
    """An image in a tree, for one platform."""

    repository: str
    version: str
    manifest: Manifest
    config: Descriptor

    @property
    def name(self) -> str:
        """What it is called in the tree."""
        return f"{self.repository}{'@' if _digest.is_digest(self.version) else ':'}{self.version}"


def find(tree: Tree, reference: str, platform: Platform) -> Image:
    """Look an image up, and take the one for a platform where there are several.

    :param reference: what to look for: a reference as it was asked for when the tree was made, or its name in the tree.
    :raises InvalidReference: if it is none.
    :raises NotInTree: if the tree has no such image; the error says what it has.
    :raises PlatformMissing: if it has it for other platforms only.
    """
    repository, version = _locate(tree, reference)
    try:
        found = tree.manifest(repository, version)
    except NotInTree as error:
        raise NotInTree(f"{shorten(reference)} is not in the tree {tree.root}; it has {_names(tree)}") from error
    if found.is_index:
        found = _for_platform(tree, repository, found, reference, platform)
    if not found.is_image or found.config is None:
        raise InvalidManifest(f"{shorten(reference)} in the tree {tree.root} is no image that an engine can run")
    own = _platform.from_manifest(json.loads(tree.read_blob(found.config.digest)))
    if own is not None and own != platform:
        raise PlatformMissing(_other_platforms(reference, [own], platform))
    return Image(repository, version, found, found.config)


def _locate(tree: Tree, reference: str) -> tuple[str, str]:
    """Return the repository and the tag or digest; names in the tree may be others than those that were asked for."""
    wanted = _reference.parse(reference)
    for entry in _lock.read(tree).references:
        if str(wanted) == entry.source:
            return entry.name, entry.tag or entry.digest
    return wanted.path, wanted.version


def archive(tree: Tree, image: Image, name: str) -> Iterator[bytes]:
    """Yield the bytes of the archive of an image.

    :param name: the name with tag that the image gets.
    :raises DigestMismatch: in the middle, if a blob is damaged. The list of contents comes last, so that what has been
        yielded until then is no image.
    """
    files = {blob.digest: _file_name(blob) for blob in image.manifest.blobs}
    for blob in {blob.digest: blob for blob in image.manifest.blobs}.values():
        yield from _member(files[blob.digest], blob.size, verified(tree, blob))
    layers = [files[layer.digest] for layer in image.manifest.layers]
    contents = json.dumps([{"Config": files[image.config.digest], "RepoTags": [name], "Layers": layers}]).encode()
    yield from _member("manifest.json", len(contents), iter((contents,)))
    # Two blocks of zeroes end an archive.
    yield bytes(1024)


def _for_platform(tree: Tree, repository: str, index: Manifest, reference: str, platform: Platform) -> Manifest:
    stored = [child for child in index.children if child.platform and tree.has_manifest(repository, child.digest)]
    for child in stored:
        if child.platform == platform:
            return tree.manifest(repository, child.digest)
    raise PlatformMissing(_other_platforms(reference, [child.platform for child in stored if child.platform], platform))


def _other_platforms(reference: str, found: list[Platform], wanted: Platform) -> str:
    names = ", ".join(str(platform) for platform in found) or "no platform"
    return (
        f"{shorten(reference)} is in the tree for {names}, but this host runs {wanted}: "
        f"save it with {wanted} among the platforms"
    )


def _names(tree: Tree) -> str:
    every = (f"{repository}:{tag}" for repository in tree.repositories() for tag in tree.tags(repository))
    shown = list(itertools.islice(every, _NAMES_SHOWN + 1))
    if not shown:
        return "no tagged image at all"
    return ", ".join(shown[:_NAMES_SHOWN]) + (", ..." if len(shown) > _NAMES_SHOWN else "")


def _file_name(blob: Descriptor) -> str:
    return _digest.split(blob.digest)[1]


def _member(name: str, size: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield _tar.header(name, size)
    yield from chunks
    yield _tar.padding(size)


def verified(tree: Tree, blob: Descriptor) -> Iterator[bytes]:
    """Yield the bytes of a blob.

    :raises DigestMismatch: at the end, or where it ends too early, if it is damaged.
    """
    hash_object = _digest.hasher(blob.digest)
    left = blob.size
    with tree.open_blob(blob.digest) as file:
        while left:
            data = file.read(min(CHUNK, left))
            if not data:
                break
            hash_object.update(data)
            left -= len(data)
            yield data
    if left or _digest.finish(blob.digest, hash_object) != blob.digest:
        raise DigestMismatch(f"the blob {blob.digest} in {tree.root} is damaged: save or send it again")

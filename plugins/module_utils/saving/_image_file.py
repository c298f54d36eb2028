# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Images in files: OCI layouts, as folders and archives, and the archives of `docker save`.

They are named as skopeo names them: `oci:DIR[:name]`, `oci-archive:FILE[:name]`, `docker-archive:FILE[:name]`.

https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
https://github.com/moby/docker-image-spec/blob/v1.3.1/spec.md#combined-image-json--filesystem-changeset-format
https://github.com/containers/image/blob/v5.30.0/docs/containers-transports.5.md
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import posixpath
import tarfile
from typing import Any, BinaryIO, Mapping, Protocol, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidReference,
    NotFound,
    SeahubError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import CHUNK, shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest

_NAME = "org.opencontainers.image.ref.name"
# containerd and current docker put the whole name here, and only the tag into the annotation above.
_FULL_NAME = "io.containerd.image.name"
_INDEX_LIMIT = 16 * 1024 * 1024
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


class InvalidImageFile(SeahubError):
    """A file or folder that is no image, or not the one that was named."""


class FileStream:
    """A part of a file, read as a stream: `size` bytes from `position` on, `start` of which are skipped."""

    def __init__(self, path: str, position: int, size: int, start: int) -> None:
        self.start = start
        self._left = size - start
        self._file: BinaryIO = open(path, "rb", buffering=0)  # noqa: SIM115  closed on leaving the context
        self._file.seek(position + start)

    def __enter__(self) -> FileStream:
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def read(self, count: int) -> bytes:
        """Read up to `count` bytes; no bytes mean the end."""
        data = self._file.read(max(0, min(count, self._left)))
        self._left -= len(data)
        return data


class Files(Protocol):
    """A set of files with names, in a folder or in a tar."""

    path: str

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""

    def open(self, name: str, start: int = 0) -> FileStream:
        """Open one of them; raise InvalidImageFile if there is none."""


class Folder:
    """The files below a folder."""

    def __init__(self, path: str) -> None:
        self.path = path

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return os.path.isfile(os.path.join(self.path, name))

    def open(self, name: str, start: int = 0) -> FileStream:
        """Open a file."""
        path = os.path.join(self.path, name)
        try:
            return FileStream(path, 0, os.path.getsize(path), start)
        except OSError as error:
            raise InvalidImageFile(f"{path} cannot be read: {error.strerror}") from error


class Archive:
    """The files in an uncompressed tar, read where they lie: nothing is unpacked."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            with tarfile.open(path, "r:") as tar:
                members = {posixpath.normpath(member.name): _forward(member) for member in tar}
        # The last three are what tarfile says to headers that nobody writes in good faith.
        except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidImageFile(f"{path} cannot be read as an uncompressed tar: {error}") from error
        self._members = {name: _target(name, members) for name in members}

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return self._members.get(posixpath.normpath(name)) is not None

    def open(self, name: str, start: int = 0) -> FileStream:
        """Open a file."""
        member = self._members.get(posixpath.normpath(name))
        if member is None:
            raise InvalidImageFile(f"{self.path} holds no file {shorten(name)}")
        return FileStream(self.path, member.offset_data, member.size, start)


@dataclasses.dataclass(frozen=True)
class ImageInFile:
    """One of the images that lie in files: the name it has there, and what it leads to."""

    name: str
    source: FileSource
    digest: str


class FileSource:
    """An image in files, as a source to save from.

    :param blobs: the name of the file of each blob, by digest; manifests included.
    :param manifests: those that exist nowhere as a file.
    """

    def __init__(self, files: Files, blobs: Mapping[str, str], manifests: Mapping[str, Manifest]) -> None:
        self._files = files
        self._blobs = blobs
        self._manifests = manifests

    @property
    def label(self) -> str:
        """The name of the file or folder, without the folders above it."""
        return os.path.basename(os.path.abspath(self._files.path))

    def resolve(self, version: str) -> str:
        """Return the digest itself, which is the only version that an image in files has.

        :raises NotFound: if the files hold another image by now.
        """
        if version not in self._manifests and not self._files.has(_blob_name(version)):
            raise NotFound(f"{self._files.path} has no {version}: perhaps it was made anew since")
        return version

    def manifest(self, version: str) -> Manifest:
        """Return a manifest or an index."""
        if version in self._manifests:
            return self._manifests[version]
        with self._open(version, 0) as stream:
            raw = _read(stream, _manifest.SIZE_LIMIT)
        manifest = _manifest.parse(raw, algorithm_of=version)
        if manifest.digest != version:
            raise DigestMismatch(
                f"{self._files.path} is damaged: the file of {version} has the digest {manifest.digest}"
            )
        return manifest

    def read_blob(self, blob: Descriptor, limit: int) -> bytes:
        """Return a small blob."""
        with self._open(blob.digest, 0) as stream:
            return _read(stream, limit)

    def open_blob(self, blob: Descriptor, offset: int) -> FileStream:
        """Return a blob as a stream."""
        return self._open(blob.digest, offset)

    def _open(self, digest: str, start: int) -> FileStream:
        name = self._blobs.get(digest) or _blob_name(digest)
        if not self._files.has(name):
            raise NotFound(f"{self._files.path} has no {digest}: it was made without it; make it again")
        return self._files.open(name, start)


def find(text: str) -> ImageInFile:
    """Find the image that `oci:...`, `oci-archive:...` or `docker-archive:...` names.

    :raises InvalidReference: if the text is none of these.
    :raises InvalidImageFile: if there is no such image, or several and none is named.
    """
    transport, _colon, rest = text.partition(":")
    path, _colon, name = _existing(rest)
    if transport == "oci":
        images = _in_layout(Folder(path))
    elif transport == "oci-archive":
        images = _in_layout(Archive(path))
    elif transport == "docker-archive":
        images = _in_docker_archive(Archive(path))
    else:
        raise InvalidReference(f"{shorten(text)} names no kind of file: write oci:, oci-archive: or docker-archive:")
    return _choose(text, images, name)


def is_in_file(text: str) -> bool:
    """Tell whether a reference names an image in files."""
    return text.startswith(("oci:", "oci-archive:", "docker-archive:")) and not text.startswith("oci://")


def _existing(rest: str) -> tuple[str, str, str]:
    """Take the path and the name apart; a path may hold colons, and the longest that exists is meant."""
    colons = [index for index, character in enumerate(rest) if character == ":"]
    for end in [len(rest), *reversed(colons)]:
        path = os.path.expanduser(rest[:end])
        if os.path.exists(path):
            return path, ":", rest[end + 1 :]
    path, colon, name = rest.partition(":")
    return os.path.expanduser(path), colon, name


def _choose(text: str, images: Sequence[ImageInFile], name: str) -> ImageInFile:
    found = [image for image in images if image.name == name] if name else images
    if len(found) == 1 or len({image.digest for image in found}) == 1:
        return found[0]
    names = ", ".join(sorted(image.name or image.digest for image in images))
    if not found:
        raise InvalidImageFile(f"{text} names no image that is there; there are: {names or 'none'}")
    raise InvalidImageFile(f"{text} holds several images; append a colon and the name of one: {names}")


def _in_layout(files: Files) -> list[ImageInFile]:
    if not files.has("index.json"):
        raise InvalidImageFile(f"{files.path} is no OCI layout: it has no index.json")
    index = _manifest.parse(_document(files, "index.json"), _media_types.OCI_INDEX)
    source = FileSource(files, {}, {})
    images = []
    for child in index.children:
        annotations = dict(child.annotations)
        images.append(ImageInFile(annotations.get(_FULL_NAME) or annotations.get(_NAME, ""), source, child.digest))
    return images


def _in_docker_archive(files: Files) -> list[ImageInFile]:
    try:
        entries = json.loads(_document(files, "manifest.json"))
        described = [(entry["Config"], list(entry["Layers"]), list(entry.get("RepoTags") or [""])) for entry in entries]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidImageFile(f"{files.path} is no archive of docker save: its manifest.json is damaged") from error
    images = []
    for config, layers, names in described:
        manifest, blobs = _manifest_of(files, str(config), [str(layer) for layer in layers])
        source = FileSource(files, blobs, {manifest.digest: manifest})
        images += [ImageInFile(str(name), source, manifest.digest) for name in names]
    return images


def _manifest_of(files: Files, config: str, layers: Sequence[str]) -> tuple[Manifest, dict[str, str]]:
    """Make the manifest that an archive of `docker save` lacks; the layers are taken as they are, compressed or not."""
    blobs: dict[str, str] = {}

    def describe(name: str, media_type: str) -> dict[str, Any]:
        digest, size = _hash(files, name)
        blobs[digest] = name
        return {"mediaType": media_type, "digest": digest, "size": size}

    document = {
        "schemaVersion": 2,
        "mediaType": _media_types.OCI_MANIFEST,
        "config": describe(config, _media_types.OCI_CONFIG),
        "layers": [describe(name, _layer_type(files, name)) for name in layers],
    }
    return _manifest.parse(json.dumps(document, separators=(",", ":")).encode()), blobs


def _layer_type(files: Files, name: str) -> str:
    with files.open(name) as stream:
        start = stream.read(4)
    if start.startswith(_GZIP):
        return f"{_LAYER}+gzip"
    return f"{_LAYER}+zstd" if start.startswith(_ZSTD) else _LAYER


def _hash(files: Files, name: str) -> tuple[str, int]:
    hash_object = hashlib.sha256()
    size = 0
    with files.open(name) as stream:
        while True:
            data = stream.read(CHUNK)
            if not data:
                return f"sha256:{hash_object.hexdigest()}", size
            hash_object.update(data)
            size += len(data)


def _document(files: Files, name: str) -> bytes:
    with files.open(name) as stream:
        return _read(stream, _INDEX_LIMIT)


def _read(stream: FileStream, limit: int) -> bytes:
    data = bytearray()
    while len(data) <= limit:
        more = stream.read(limit + 1 - len(data))
        if not more:
            return bytes(data)
        data += more
    raise InvalidManifest(f"a document of more than {limit} bytes is no manifest or configuration")


def _blob_name(digest: str) -> str:
    return posixpath.join("blobs", *_digest.split(digest))


def _forward(member: tarfile.TarInfo) -> tarfile.TarInfo:
    # Older versions of tarfile would go back by that, and round and round (CVE-2025-8194).
    if member.size < 0:
        raise tarfile.ReadError(f"a file of {member.size} bytes")
    return member


def _target(name: str, members: Mapping[str, tarfile.TarInfo]) -> tarfile.TarInfo | None:
    """Follow links to the file that has the bytes; docker has written equal layers once and linked the others."""
    seen = set()
    while name in members and name not in seen:
        seen.add(name)
        member = members[name]
        if member.isreg() and not member.issparse():
            return member
        if member.issym():
            name = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
        elif member.islnk():
            name = posixpath.normpath(member.linkname)
        else:
            return None
    return None

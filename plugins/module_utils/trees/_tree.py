# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tree: a folder in the layout of docker-distribution's filesystem storage driver.

Mounted at `/var/lib/registry`, a stock registry serves it as it is. The layout is described in
https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/paths.go: blobs lie once, by digest; a
repository holds small link files that say which layers, manifests and tags it has. A blob without its link in the
repository is not served there, and a manifest is itself a blob.

Everything of this collection that is not part of that layout lies in `.seahub/` at the top of the tree: half-finished
blobs, temporary files and the lock against a second writer. It is never packed or sent.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from types import TracebackType
from typing import Any, BinaryIO, Iterator

from ansible_collections.seahub.offline.plugins.module_utils.common import _disk
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidReference,
    NotInTree,
    TreeBusy,
    TreeError,
    TreeNotWritable,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Manifest

LAYOUT = "docker/registry/v2"
PRIVATE = ".seahub"
_NEW = "new"
# The registry often runs as another user than the one who saved: whatever the umask, it can read.
_DIRECTORY_MODE = 0o755
_FILE_MODE = 0o644


class Tree:
    """A registry tree below the folder `root`.

    Methods that take a digest, a repository or a tag check them, so that no name can lead out of the tree; they raise
    InvalidDigest or InvalidReference. Writing methods create what folders they need and replace files atomically: a
    registry that serves the tree at that moment sees the old state or the new one.
    """

    def __init__(self, root: str) -> None:
        self.root = os.path.abspath(root)
        self._blobs = os.path.join(self.root, LAYOUT, "blobs")
        self._repositories = os.path.join(self.root, LAYOUT, "repositories")
        self._private = os.path.join(self.root, PRIVATE)

    # Blobs

    def blob_path(self, digest: str) -> str:
        """Return where the blob lies, or would lie."""
        algorithm, encoded = _digest.split(digest)
        return os.path.join(self._blobs, algorithm, encoded[:2], encoded, "data")

    def blob_size(self, digest: str) -> int | None:
        """Return the size of a blob in bytes, or None if it is not in the tree."""
        try:
            return os.stat(self.blob_path(digest)).st_size
        except (FileNotFoundError, NotADirectoryError):
            return None

    def has_blob(self, digest: str, size: int | None = None) -> bool:
        """Tell whether the blob is in the tree, and of this size where one is given."""
        found = self.blob_size(digest)
        return found is not None and size in (None, found)

    def open_blob(self, digest: str) -> BinaryIO:
        """Open a blob for reading.

        :raises NotInTree: if there is none.
        """
        try:
            return open(self.blob_path(digest), "rb", buffering=0)
        except FileNotFoundError:
            raise NotInTree(f"the blob {digest} is not in the tree {self.root}") from None

    def read_blob(self, digest: str, limit: int = _manifest.SIZE_LIMIT) -> bytes:
        """Return the content of a small blob, hashed anew.

        :param limit: the largest size in bytes that is read.
        :raises NotInTree: if there is none.
        :raises DigestMismatch: if the bytes on disk are not those that the digest names.
        """
        with self.open_blob(digest) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise TreeError(f"the blob {digest} in {self.root} is larger than the {limit} bytes expected here")
        hash_object = _digest.hasher(digest)
        hash_object.update(data)
        if _digest.finish(digest, hash_object) != digest:
            raise DigestMismatch(f"the blob {digest} in {self.root} is damaged: save or send it again")
        return data

    def blobs(self) -> Iterator[tuple[str, int]]:
        """Yield the digest and the size in bytes of every blob, in no particular order."""
        for algorithm in _names(self._blobs):
            for prefix in _names(os.path.join(self._blobs, algorithm)):
                folder = os.path.join(self._blobs, algorithm, prefix)
                for name in _names(folder):
                    digest = f"{algorithm}:{name}"
                    if not _digest.is_digest(digest):
                        continue
                    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                        yield digest, os.stat(f"{folder}/{name}/data").st_size

    def blob_writer(self, digest: str, size: int) -> BlobWriter:
        """Return a writer for a blob of `size` bytes that goes on where an earlier one stopped."""
        return BlobWriter(self, digest, size)

    def put_blob(self, digest: str, data: bytes) -> None:
        """Store a small blob, unless it is there.

        :raises DigestMismatch: if the bytes are not those that the digest names.
        """
        if self.has_blob(digest, len(data)):
            return
        hash_object = _digest.hasher(digest)
        hash_object.update(data)
        if _digest.finish(digest, hash_object) != digest:
            raise DigestMismatch(f"{len(data)} bytes for {digest} have another digest")
        self._write(self.blob_path(digest), data)

    def remove_blob(self, digest: str) -> None:
        """Remove a blob, if it is there. Nothing may refer to it any more, or it must be damaged."""
        path = self.blob_path(digest)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
            os.rmdir(os.path.dirname(path))

    def partials(self) -> Iterator[tuple[str, int]]:
        """Yield the digest and the present size in bytes of every half-finished blob."""
        folder = os.path.join(self._private, "partial")
        for name in _names(folder):
            digest = name.replace("-", ":", 1)
            if _digest.is_digest(digest):
                yield digest, os.stat(os.path.join(folder, name)).st_size

    def partial_path(self, digest: str) -> str:
        """Return where a blob is gathered until it is whole."""
        algorithm, encoded = _digest.split(digest)
        return os.path.join(self._private, "partial", f"{algorithm}-{encoded}")

    # Repositories

    def link_layer(self, repository: str, digest: str) -> None:
        """Make a blob (a layer or a configuration) available in a repository."""
        self._link(self._repository(repository, "_layers"), digest)

    def link_manifest(self, repository: str, digest: str) -> None:
        """Make a manifest available in a repository, by its digest."""
        self._link(self._repository(repository, "_manifests", "revisions"), digest)

    def set_tag(self, repository: str, tag: str, digest: str) -> None:
        """Let a tag point to a manifest. Everything it needs has to be in the tree already."""
        folder = self._tag(repository, tag)
        self._link(os.path.join(folder, "index"), digest)
        self._write(os.path.join(folder, "current", "link"), digest.encode())

    def tag(self, repository: str, tag: str) -> str | None:
        """Return the digest to which a tag points, or None if there is no such tag."""
        return _read_link(os.path.join(self._tag(repository, tag), "current", "link"))

    def repositories(self) -> Iterator[str]:
        """Yield the names of all repositories, sorted within each folder."""
        return self._find_repositories("")

    def tags(self, repository: str) -> list[str]:
        """Return the tags of a repository, sorted."""
        folder = self._repository(repository, "_manifests", "tags")
        return [name for name in _names(folder) if _reference.is_tag(name) and self.tag(repository, name)]

    def manifests(self, repository: str) -> list[str]:
        """Return the digests of the manifests that a repository has, sorted."""
        return _linked(self._repository(repository, "_manifests", "revisions"))

    def layers(self, repository: str) -> list[str]:
        """Return the digests of the layers and configurations that a repository has, sorted."""
        return _linked(self._repository(repository, "_layers"))

    def has_layer(self, repository: str, digest: str) -> bool:
        """Tell whether a repository serves a blob."""
        return _read_link(_link_path(self._repository(repository, "_layers"), digest)) == digest

    def has_manifest(self, repository: str, digest: str) -> bool:
        """Tell whether a repository serves a manifest."""
        return _read_link(_link_path(self._repository(repository, "_manifests", "revisions"), digest)) == digest

    def manifest(self, repository: str, version: str) -> Manifest:
        """Read the manifest to which a tag or a digest leads.

        :raises NotInTree: if the repository has no such tag or manifest.
        :raises DigestMismatch: if its bytes are damaged.
        """
        digest = version if _digest.is_digest(version) else self.tag(repository, version)
        if digest is None or not self.has_manifest(repository, digest):
            raise NotInTree(f"{repository} has no {shorten(version)} in the tree {self.root}")
        return _manifest.parse(self.read_blob(digest), algorithm_of=digest)

    # Where things lie, for what moves them as a whole

    def repository_path(self, repository: str) -> str:
        """Return the folder of a repository."""
        return self._repository(repository)

    def tag_path(self, repository: str, tag: str) -> str:
        """Return the folder of a tag."""
        return self._tag(repository, tag)

    def layer_path(self, repository: str, digest: str) -> str:
        """Return the file that makes a blob available in a repository."""
        return _link_path(self._repository(repository, "_layers"), digest)

    def manifest_path(self, repository: str, digest: str) -> str:
        """Return the file that makes a manifest available in a repository."""
        return _link_path(self._repository(repository, "_manifests", "revisions"), digest)

    def private_path(self, *parts: str) -> str:
        """Return a path below the folder of what is this collection's own."""
        return os.path.join(self._private, *parts)

    # The whole

    @contextlib.contextmanager
    def exclusive(self, wait: float = 0) -> Iterator[None]:
        """Keep other writers out of the tree for as long as the context lasts.

        The lock ends with the process, however it ends.

        :param wait: seconds to wait for another writer to finish.
        :raises TreeBusy: if it does not.
        :raises TreeError: if the tree cannot be written at all.
        """
        path = os.path.join(self._private, "writer")
        try:
            _make_folders(os.path.dirname(path))
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise TreeError(f"the tree {self.root} cannot be written: {error.strerror}") from error
        try:
            self._acquire(descriptor, time.monotonic() + wait)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            self._sweep()
            yield
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        """Bring everything written so far to the disk, so that a tag written next never survives what it needs."""
        _disk.sync(self.root)

    def write_file(self, name: str, data: bytes) -> None:
        """Write a file of this collection's own, such as the lock, at the top of the tree."""
        self._write(os.path.join(self.root, name), data)

    def _sweep(self) -> None:
        """Remove what a writer that was killed has left of small files."""
        folder = os.path.join(self._private, _NEW)
        for name in _names(folder):
            os.unlink(os.path.join(folder, name))

    def _acquire(self, descriptor: int, deadline: float) -> None:
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 32, 0).decode(errors="replace")
                    raise TreeBusy(
                        f"process {holder or '(unknown)'} is writing the tree {self.root}: "
                        "try again when it has finished"
                    ) from None
                time.sleep(0.2)

    def _repository(self, repository: str, *parts: str) -> str:
        if not _reference.is_repository(repository):
            raise InvalidReference(f"{shorten(repository)} is no repository path")
        return os.path.join(self._repositories, repository, *parts)

    def _tag(self, repository: str, tag: str) -> str:
        if not _reference.is_tag(tag):
            raise InvalidReference(f"{shorten(tag)} is no tag")
        return self._repository(repository, "_manifests", "tags", tag)

    def _find_repositories(self, parent: str) -> Iterator[str]:
        for name in _names(os.path.join(self._repositories, parent)):
            path = f"{parent}/{name}" if parent else name
            if name == "_manifests" and _reference.is_repository(parent):
                yield parent
            elif not name.startswith("_"):
                yield from self._find_repositories(path)

    def _link(self, folder: str, digest: str) -> None:
        path = _link_path(folder, digest)
        if _read_link(path) != digest:
            self._write(path, digest.encode())

    def _write(self, path: str, data: bytes) -> None:
        temporary = os.path.join(self._private, _NEW, f"{os.getpid()}-{os.urandom(8).hex()}")
        try:
            _make_folders(os.path.dirname(temporary))
            _make_folders(os.path.dirname(path))
            with _create(temporary) as file:
                if file.write(data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.replace(temporary, path)
        except OSError as error:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = "its disk is full: make room and run it again" if full else error.strerror
            raise TreeNotWritable(f"the tree {self.root} cannot be written: {reason}") from error


class BlobWriter:
    """Gathers one blob in a partial file and brings it into the tree when it is whole and right.

    Used as a context manager. Left without `commit`, by an error or by the death of the process, it keeps what has
    arrived: the next writer for the same digest goes on from there, having hashed those bytes anew.
    """

    def __init__(self, tree: Tree, digest: str, size: int) -> None:
        self.digest = digest
        self.size = size
        self.offset = 0
        """How many bytes have been written; the next write continues here."""
        self._tree = tree
        self._path = tree.partial_path(digest)
        self._hash: Any = _digest.hasher(digest)
        self._file: BinaryIO | None = None

    def __enter__(self) -> BlobWriter:
        _make_folders(os.path.dirname(self._path))
        self._file = _create(self._path, truncate=False)
        self._recover()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open_file().close()

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes.

        :raises DigestMismatch: if there are more of them than the blob has.
        """
        if self.offset + len(data) > self.size:
            self._discard()
            raise DigestMismatch(f"more than the {self.size} bytes of {self.digest} arrived")
        file = self._open_file()
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        self._hash.update(data)
        _disk.begin_with_portion(file.fileno(), self.offset, len(data))
        self.offset += len(data)

    def restart(self) -> None:
        """Forget what has arrived, because the source sends the blob from its beginning."""
        file = self._open_file()
        file.seek(0)
        file.truncate()
        self._hash = _digest.hasher(self.digest)
        self.offset = 0

    def commit(self) -> None:
        """Bring the blob into the tree.

        :raises DigestMismatch: if the bytes are not all there, or are not those that the digest names; wrong bytes are
            thrown away, since nothing could be appended to make them right.
        """
        if self.offset != self.size:
            raise DigestMismatch(f"only {self.offset} of the {self.size} bytes of {self.digest} arrived")
        found = _digest.finish(self.digest, self._hash)
        if found != self.digest:
            self._discard()
            raise DigestMismatch(f"the bytes that arrived for {self.digest} have the digest {found}")
        _disk.begin_writing(self._open_file().fileno())
        path = self._tree.blob_path(self.digest)
        _make_folders(os.path.dirname(path))
        os.replace(self._path, path)

    def _recover(self) -> None:
        file = self._open_file()
        buffer = memoryview(bytearray(_digest.CHUNK))
        while True:
            count = file.readinto(buffer)  # type: ignore[attr-defined]
            if not count:
                break
            self._hash.update(buffer[:count])
            self.offset += count
        if self.offset > self.size:
            self.restart()

    def _discard(self) -> None:
        os.unlink(self._path)

    def _open_file(self) -> BinaryIO:
        if self._file is None:
            raise ValueError("a BlobWriter is used as a context manager")
        return self._file


def _make_folders(path: str) -> None:
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    if parent != path:
        _make_folders(parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    os.chmod(path, _DIRECTORY_MODE)


def _create(path: str, truncate: bool = True) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | (os.O_TRUNC if truncate else 0)
    descriptor = os.open(path, flags, _FILE_MODE)
    os.fchmod(descriptor, _FILE_MODE)
    return os.fdopen(descriptor, "r+b", buffering=0)


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _link_path(folder: str, digest: str) -> str:
    return os.path.join(folder, *_digest.split(digest), "link")


def _linked(folder: str) -> list[str]:
    return [
        digest
        for algorithm in _names(folder)
        for name in _names(f"{folder}/{algorithm}")
        for digest in (f"{algorithm}:{name}",)
        if _digest.is_digest(digest) and _read(f"{folder}/{algorithm}/{name}/link") == digest
    ]


def _read_link(path: str) -> str | None:
    text = _read(path)
    return text if text and _digest.is_digest(text) else None


def _read(path: str) -> str | None:
    # A tree has thousands of them: a file object takes more time than the reading.
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return os.read(descriptor, 256).decode("ascii", "replace").strip()
    finally:
        os.close(descriptor)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sending blobs to a registry: large ones in parts, going on after a break, in the manner that the registry takes.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pushing-a-blob-in-chunks

Registries differ:

- distribution 3 keeps what came of a request that broke, and tells how much; distribution 2 drops the whole upload
  (https://github.com/distribution/distribution/pull/3755), and so does Azure
  (https://github.com/Azure/azure-sdk-for-python/issues/29738).
- GHCR takes parts of at most 4 MiB, but any size at once (https://github.com/cirruslabs/tart/pull/179).
- ECR tells of the first part only (https://github.com/aws/containers-roadmap/issues/2831), and wants bytes in the last
  request (https://github.com/cirruslabs/tart/pull/159).
- A proxy before a registry may limit what one request brings.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
import urllib.parse
from typing import Callable, Iterator

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    NotFound,
    RegistryError,
    Unavailable,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.registries._endpoint import Answer, Endpoint
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy

CHUNK = 64 * 1024 * 1024
"""Bytes sent in one request, as long as a registry does not want it otherwise."""

SMALLEST = 1024 * 1024
"""Bytes below which a request is not made smaller for a proxy that finds it too large."""

_TOO_LARGE = 413
# How often the manner of one upload is changed: smaller requests several times, everything in one request at last.
_CHANGES = 6
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")
_LOCATION_LIMIT = 16 * 1024

Count = Callable[[int, int], None]
"""Is told of bytes: how many were sent, and how many more than before the registry has (fewer if it lost some)."""


class Blob:
    """A blob of a tree or a bundle, of which parts are sent."""

    def __init__(self, source: Source, digest: str, size: int) -> None:
        self._source = source
        self.digest = digest
        self.size = size

    def part(self, offset: int, length: int) -> _Part | bytes:
        """Return bytes of it as the body of a request."""
        # Without any bytes, a body of unknown length would be announced.
        return _Part(self._source, self.digest, offset, length) if length else b""


class Memory:
    """Remembers from run to run where uploads to one registry were begun: in files of its own, or not at all.

    What a registry has forgotten meanwhile does no harm: it says so, and the upload begins anew.
    """

    def __init__(self, folder: str | None) -> None:
        """Take note of the place; nothing is created yet.

        :param folder: where the files are, which may be on a medium that cannot be written; None for nowhere.
        """
        self._folder = folder

    def recall(self, path: str, digest: str) -> str:
        """Return where the upload of a blob was begun; nothing if that is not known."""
        file = self._file(path, digest)
        if file is not None:
            with contextlib.suppress(OSError, UnicodeDecodeError), open(file, encoding="utf-8") as opened:
                return opened.read(_LOCATION_LIMIT).strip()
        return ""

    def keep(self, path: str, digest: str, location: str) -> None:
        """Remember where an upload goes on; where nothing can be written, it is forgotten."""
        file = self._file(path, digest)
        if file is None:
            return
        with contextlib.suppress(OSError):
            os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
            # The address alone entitles to write in some registries: nobody else reads it.
            descriptor = os.open(f"{file}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as new:
                new.write(location)
            os.replace(f"{file}.new", file)

    def drop(self, path: str, digest: str) -> None:
        """Forget an upload."""
        file = self._file(path, digest)
        if file is not None:
            with contextlib.suppress(OSError):
                os.unlink(file)

    def clear(self) -> None:
        """Forget everything: all has arrived."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _file(self, path: str, digest: str) -> str | None:
        if self._folder is None:
            return None
        return os.path.join(self._folder, hashlib.sha256(f"{path}@{digest}".encode()).hexdigest())


class Manner:
    """How a registry wants blobs: learned from what it refuses, and then the same for all of them."""

    def __init__(self) -> None:
        self.chunk = CHUNK
        self.in_parts = True


class Uploader:
    """Sends blobs to the repositories of one registry; used by several threads at once."""

    def __init__(self, retry: RetryPolicy, memory: Memory, count: Count) -> None:
        self._retry = retry
        self._memory = memory
        self._count = count
        self._manner = Manner()

    def send(self, endpoint: Endpoint, path: str, blob: Blob, location: str = "") -> None:
        """Send a blob to a repository; what breaks goes on where the registry has it, as far as it can.

        :param location: where the registry wants it, if it has said so already.
        :raises RegistryError: one of its kinds, if it cannot be sent.
        :raises OSError: if the blob cannot be read.
        """
        upload = _Upload(endpoint, path, blob, self._manner, self._memory, self._count)
        upload.begun(location)
        failures = 0
        while True:
            before = upload.furthest
            try:
                self._retry.check()
                upload.go_on()
                return
            except Unavailable as error:
                failures = 1 if upload.furthest > before else failures + 1
                time.sleep(self._retry.delay(failures, error))


class _Upload:
    """One blob on its way into one repository."""

    def __init__(self, endpoint: Endpoint, path: str, blob: Blob, manner: Manner, memory: Memory, count: Count) -> None:
        self._endpoint = endpoint
        self._path = path
        self._blob = blob
        self._manner = manner
        self._memory = memory
        self._count = count
        self._in_parts = True
        # The last request: how many bytes it brought, and whether that was a part only.
        self._length = 0
        self._partly = False
        self._minimum = 0
        self._location = ""
        self._offset = 0
        # Whether it is known how many bytes the registry has: not after a request that broke.
        self._certain = False
        self.furthest = 0

    def begun(self, location: str) -> None:
        """Take note of where the blob is to go, if the registry has said so, and that nothing of it is there yet."""
        self._location = location
        self._certain = bool(location)

    def go_on(self) -> None:
        """Send what the registry lacks; where it refuses how that is done, do it otherwise."""
        for _change in range(_CHANGES):
            if self._arrived():
                return
            if not self._location:
                self._begin()
            try:
                self._send_rest()
                return
            except (AccessDenied, Unavailable):
                raise
            except RegistryError as error:
                if not self._change(error):
                    raise
        raise RegistryError(f"{self._endpoint.access.host} takes the blob {self._blob.digest} in no manner")

    def _arrived(self) -> bool:
        """Find out how far an earlier attempt came, of this run or another; tell whether all is there."""
        if not self._location and not self._certain:
            self._location = self._recall()
        if not self._location or self._certain:
            return False
        try:
            with self._endpoint.send("GET", self._path, self._location, {}) as answer:
                match = _RANGE.fullmatch(answer.headers.get("Range", "").strip())
                # 0-0 stands for nothing, too.
                offset = int(match.group(1)) + 1 if match and match.group(1) != "0" else 0
                self._move(offset, self._next(answer, self._location))
            if offset <= self._blob.size:
                self._certain = True
                return False
        except Unavailable:
            raise
        except RegistryError:
            # Forgotten, dropped, or never told: all of that is no error of the upload that begins now.
            pass
        self._forget()
        # It may be that the registry had everything, and only its answer was lost.
        return self._is_there()

    def _is_there(self) -> bool:
        try:
            with self._endpoint.request("HEAD", self._path, f"blobs/{self._blob.digest}"):
                return True
        except NotFound:
            return False

    def _begin(self) -> None:
        try:
            with self._endpoint.send("POST", self._path, "blobs/uploads/", {}) as answer:
                location = self._next(answer)
                minimum = answer.headers.get("OCI-Chunk-Min-Length", "")
                self._minimum = int(minimum) if minimum.isdigit() else 0
        except NotFound as error:
            raise NotFound(
                f"{self._endpoint.access.host} takes nothing for {self._path}: create the repository there first, or "
                f"what it belongs to, such as the project or the organisation ({error})"
            ) from error
        self._move(0, location)
        self._certain = True

    def _send_rest(self) -> None:
        while True:
            rest = self._blob.size - self._offset
            chunk = max(self._manner.chunk, self._minimum)
            if rest <= chunk or not (self._in_parts and self._manner.in_parts):
                self._finish(rest)
                return
            self._send_part(chunk)

    def _send_part(self, length: int) -> None:
        self._try(length, partly=True)
        body = self._blob.part(self._offset, length)
        with self._endpoint.send("PATCH", self._path, self._location, self._headers(), body) as answer:
            location = self._next(answer, self._location)
        # Not what the registry says about the range: that of ECR stays behind.
        self._count(length, 0)
        self._move(self._offset + length, location)
        self._certain = True

    def _finish(self, rest: int) -> None:
        """Send the rest with the request that ends the upload."""
        self._try(rest, partly=self._offset > 0)
        separator = "&" if "?" in self._location else "?"
        address = f"{self._location}{separator}{urllib.parse.urlencode({'digest': self._blob.digest})}"
        body = self._blob.part(self._offset, rest)
        with self._endpoint.send("PUT", self._path, address, self._headers(), body):
            self._count(rest, 0)
        self._move(self._blob.size, "")
        self._memory.drop(*self._key)

    def _try(self, length: int, partly: bool) -> None:
        """Take note of the request that follows: should it break, nobody knows how far it came."""
        self._length = length
        self._partly = partly
        self._certain = False
        if partly:
            self._memory.keep(*self._key, self._location)

    def _headers(self) -> dict[str, str]:
        # A whole blob has none: registries would take it for a part that is too large.
        place = {"Content-Range": f"{self._offset}-{self._offset + self._length - 1}"} if self._partly else {}
        return {"Content-Type": "application/octet-stream", **place}

    def _change(self, error: RegistryError) -> bool:
        """Choose another manner after a refusal; tell whether there is one left."""
        smaller = max(SMALLEST, self._minimum, self._length // 4)
        if error.status == _TOO_LARGE and self._in_parts and self._manner.in_parts and smaller < self._length:
            self._manner.chunk = min(self._manner.chunk, smaller)
            return True
        if not self._partly:
            return False
        # Whoever does not even take the first part takes none.
        self._manner.in_parts = self._manner.in_parts and self._offset > 0
        self._in_parts = False
        self._forget()
        return True

    def _move(self, offset: int, location: str) -> None:
        self._count(0, offset - self._offset)
        self._offset = offset
        self._location = location
        self.furthest = max(self.furthest, offset)

    def _forget(self) -> None:
        self._move(0, "")
        self._certain = True
        self._memory.drop(*self._key)

    def _recall(self) -> str:
        return self._memory.recall(*self._key) if self._blob.size > self._manner.chunk else ""

    @property
    def _key(self) -> tuple[str, str]:
        return self._path, self._blob.digest

    def _next(self, answer: Answer, otherwise: str = "") -> str:
        """Return the address that an answer gives for what follows."""
        location = answer.headers.get("Location")
        if not location and not otherwise:
            raise RegistryError(f"{self._endpoint.access.host} does not say where a blob for {self._path} is to go")
        return urllib.parse.urljoin(answer.url, location) if location else otherwise


class _Part:
    def __init__(self, source: Source, digest: str, offset: int, length: int) -> None:
        self._open = lambda: source.open_blob(digest, offset)
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[bytes]:
        rest = self._length
        with self._open() as file:
            while rest:
                data = file.read(min(_digest.CHUNK, rest))
                if not data:
                    raise OSError("the blob is shorter than it should be")
                rest -= len(data)
                yield data

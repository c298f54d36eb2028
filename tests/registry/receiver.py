# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry as one that is pushed to, in the manners in which registries differ.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#push
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from tests.registry.guards import Guard
from tests.registry.messages import Reply, Request
from tests.registry.server import Registry

_UPLOADS = re.compile(r"/v2/(?P<name>.+?)/blobs/uploads/(?P<id>[^/]*)")
_MANIFEST = re.compile(r"/v2/(?P<name>.+?)/manifests/(?P<version>[^/]+)")
_PLACE = re.compile(r"(\d+)-(\d+)")


@dataclass(frozen=True)
class Manner:
    """How a registry takes blobs.

    - keeps: what came of a request that broke; else the whole upload is gone after it.
    - tells: how far an upload is; `stale` tells of the first part only.
    - parts: takes parts at all, and `part_limit` how large ones.
    - body_limit: how much the proxy before it lets through in one request.
    - minimum: how small a part may be that is not the last.
    - empty_end: takes an end without bytes.
    - relative: gives addresses without its host.
    - mounts: takes blobs over from other repositories; `begins` answers with the address of an upload if it does not.
    - exists: makes repositories by itself.
    """

    keeps: bool = True
    tells: bool = True
    stale: bool = False
    parts: bool = True
    part_limit: int | None = None
    body_limit: int | None = None
    minimum: int = 0
    empty_end: bool = True
    relative: bool = False
    mounts: bool = True
    begins: bool = True
    exists: bool = True


@dataclass
class _Upload:
    data: bytes = b""
    first: int = 0


class Receiver(Registry):
    """Takes what is pushed into its tree as long as the context lasts.

    :param breaks: after how many bytes of body the first, second, ... request with more of them is cut off.
    """

    def __init__(
        self, root: Path, manner: Manner | None = None, breaks: Sequence[int] = (), guard: Guard | None = None
    ) -> None:
        root.mkdir(parents=True, exist_ok=True)
        super().__init__(root, guard=guard)
        self._lock = threading.Lock()
        self.manner = manner or Manner()
        self.breaks = list(breaks)
        self.received = 0
        self._uploads: dict[str, _Upload] = {}
        self._ids = itertools.count(1)

    def takes(self, request: Request, length: int) -> int:
        """Return how many bytes of the body of a request are read before the connection breaks."""
        with self._lock:
            if self.breaks and length > self.breaks[0]:
                length = self.breaks.pop(0)
            self.received += length
        return length

    def _serve(self, request: Request) -> Reply:
        if self.manner.body_limit is not None and len(request.body) > self.manner.body_limit:
            return Reply(413, {}, b"Request Entity Too Large")
        upload, manifest = _UPLOADS.fullmatch(request.path), _MANIFEST.fullmatch(request.path)
        if upload is not None:
            if request.method == "POST":
                return self._begin(upload["name"], request)
            return self._continue(upload["name"], upload["id"], request)
        if manifest is not None and request.method == "PUT":
            return self._take_manifest(manifest["name"], manifest["version"], request.body)
        return super()._serve(request)

    def _begin(self, name: str, request: Request) -> Reply:
        if not self.manner.exists:
            return _error(404, "NAME_UNKNOWN")
        digest, home = request.query.get("mount", ""), request.query.get("from", "")
        if digest and self.manner.mounts and self.tree.has_layer(home, digest):
            self.tree.link_layer(name, digest)
            return Reply(201)
        if digest and not self.manner.begins:
            return _error(405, "UNSUPPORTED")
        number = f"upload-{next(self._ids)}"
        self._uploads[number] = _Upload()
        reply = self._status(202, name, number)
        minimum = {"OCI-Chunk-Min-Length": str(self.manner.minimum)} if self.manner.minimum else {}
        return Reply(202, {**reply.headers, **minimum})

    def _continue(self, name: str, number: str, request: Request) -> Reply:
        upload = self._uploads.get(number)
        if upload is None or (request.method == "GET" and not self.manner.tells):
            return _error(404, "BLOB_UPLOAD_UNKNOWN")
        if request.method == "GET":
            return self._status(204, name, number)
        refusal = self._refusal(upload, request)
        if refusal is not None:
            return refusal
        if request.broken and not self.manner.keeps:
            del self._uploads[number]
            return Reply(400)
        upload.data += request.body
        upload.first = upload.first or len(request.body)
        if request.broken or request.method == "PATCH":
            return self._status(202, name, number)
        return self._end(name, number, request.query["digest"], upload.data)

    def _refusal(self, upload: _Upload, request: Request) -> Reply | None:
        place = _PLACE.fullmatch(request.headers.get("content-range", ""))
        limit = self.manner.part_limit
        if place is None:
            return _error(416, "RANGE_INVALID") if upload.data else None
        last = request.method == "PUT"
        if not self.manner.parts:
            return _error(405, "UNSUPPORTED")
        if int(place[1]) != len(upload.data) or (limit is not None and len(request.body) > limit):
            return _error(416, "RANGE_INVALID")
        if (len(request.body) < self.manner.minimum and not last) or (not request.body and not self.manner.empty_end):
            return _error(400, "SIZE_INVALID")
        return None

    def _end(self, name: str, number: str, digest: str, data: bytes) -> Reply:
        del self._uploads[number]
        if _digest.hash_bytes(data) != digest:
            return _error(400, "DIGEST_INVALID")
        self.tree.put_blob(digest, data)
        self.tree.link_layer(name, digest)
        return Reply(201)

    def _take_manifest(self, name: str, version: str, data: bytes) -> Reply:
        digest = _digest.hash_bytes(data)
        self.tree.put_blob(digest, data)
        self.tree.link_manifest(name, digest)
        if version != digest:
            self.tree.set_tag(name, version, digest)
        return Reply(201, {"Docker-Content-Digest": digest})

    def _status(self, status: int, name: str, number: str) -> Reply:
        upload = self._uploads[number]
        size = upload.first if self.manner.stale else len(upload.data)
        base = "" if self.manner.relative else self.base
        return Reply(
            status,
            {"Location": f"{base}/v2/{name}/blobs/uploads/{number}?state=1", "Range": f"0-{max(0, size - 1)}"},
        )


def _error(status: int, code: str) -> Reply:
    return Reply(status, {}, json.dumps({"errors": [{"code": code, "message": "no"}]}).encode())

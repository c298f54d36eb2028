# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pushing a tree or a bundle to a registry: only what it lacks, what belongs together in the order that it demands.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#push

A tag that leads to the right digest says that all it needs is there: a second run asks for the tags, and no more. Blobs
come first, each once; where another repository of the registry has a blob, it is mounted from there. Manifests follow,
children before their index, and the tag at last.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import concurrent.futures
import dataclasses
import json
import threading
import urllib.parse
from typing import Callable, Mapping, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    DigestMismatch,
    InvalidReference,
    NameCollision,
    NotFound,
    RegistryError,
    SeahubError,
    Unavailable,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest, _media_types, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Manifest
from ansible_collections.seahub.offline.plugins.module_utils.registries._endpoint import Endpoint
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.transfer._upload import Blob, Memory, Uploader
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry


@dataclasses.dataclass(frozen=True)
class Push:
    """One reference on its way: an entry of the lock, and the repository and version it gets."""

    entry: Entry
    path: str

    @property
    def version(self) -> str:
        """The tag, or the digest where there is none."""
        return self.entry.tag or self.entry.digest

    @property
    def shown(self) -> str:
        """How people write it."""
        return f"{self.path}:{self.entry.tag}" if self.entry.tag else f"{self.path}@{self.entry.digest}"


@dataclasses.dataclass(frozen=True)
class Pushed:
    """A reference that is in the registry now, or would be: its digest there, and whether it was there before."""

    push: Push
    digest: str
    present: bool


@dataclasses.dataclass(frozen=True)
class Report:
    """What came of it: references, failures by what they concern, and bytes sent and blobs mounted."""

    pushed: tuple[Pushed, ...]
    failures: tuple[tuple[str, SeahubError], ...]
    sent: int = 0
    mounted: int = 0


class Names:
    """The names that repositories get in the registry."""

    def __init__(self, prefix: str = "", rename: Mapping[str, str] | None = None) -> None:
        """Take note of the rules.

        :param prefix: a path that goes before each name.
        :param rename: new paths by old ones, each of a repository or of all below it; the longest that fits counts.
        :raises InvalidReference: if one of them is no path.
        """
        self._prefix = prefix.strip("/")
        self._rename = dict(rename or {})
        for path in filter(None, (self._prefix, *self._rename, *self._rename.values())):
            if not _reference.is_repository(path):
                raise InvalidReference(f"{_digest.shorten(path)} is no path of a repository, such as team/app")

    def of(self, repository: str) -> str:
        """Return the name for a repository of the tree.

        :raises InvalidReference: if nothing is left of it, or it would be too long.
        """
        parts = repository.split("/")
        for count in range(len(parts), 0, -1):
            new = self._rename.get("/".join(parts[:count]))
            if new is not None:
                parts = [new, *parts[count:]]
                break
        name = "/".join(filter(None, (self._prefix, *parts)))
        if not _reference.is_repository(name):
            raise InvalidReference(
                f"{repository} cannot be called {_digest.shorten(name)}: change 'prefix' or 'rename'"
            )
        return name


def name_all(entries: Sequence[Entry], name: Callable[[str], str], aliases: bool) -> list[Push]:
    """Return what is to be pushed under which name.

    :param name: gives the repository in the registry for one of the tree.
    :param aliases: push the further names of each entry, too.
    :raises NameCollision: if two different artifacts would get one name.
    """
    pushes: dict[tuple[str, str], Push] = {}
    for entry in entries:
        for own in (entry.name, *(entry.aliases if aliases else ())):
            push = Push(entry, name(own))
            other = pushes.setdefault((push.path, push.version), push)
            if other.entry.digest != entry.digest:
                raise NameCollision(f"{entry.shown} and {other.entry.shown} would both be {push.shown}: rename one")
    return list(pushes.values())


class Pusher:
    """Pushes to one registry."""

    def __init__(
        self,
        source: Source,
        destination: Callable[[str], Endpoint],
        retry: RetryPolicy,
        parallel: int,
        report: _progress.Callback = _progress.ignore,
        memory: Memory | None = None,
    ) -> None:
        """Take note of what is pushed where.

        :param destination: returns the endpoint for a repository.
        :param memory: of uploads that an earlier run has begun, so that this one goes on with them.
        """
        self._source = source
        self._destination = destination
        self._retry = retry
        self._parallel = parallel
        self._report = report
        self._lock = threading.Lock()
        self._homes: dict[str, str] = {}
        self._failed: dict[tuple[str, str], SeahubError] = {}
        self._sent = self._mounted = self._done = 0
        self._memory = memory or Memory(None)
        self._uploader = Uploader(retry, self._memory, self._count)

    def preview(self, pushes: Sequence[Push]) -> Report:
        """Find out what the registry lacks; nothing is changed."""
        asked = self._each(self._look, pushes)
        return _report(list(zip(pushes, asked)), 0, 0)

    def push(self, pushes: Sequence[Push]) -> Report:
        """Bring the registry what it lacks. What fails does not keep the rest from being pushed."""
        asked = self._each(self._look, pushes)
        lacking = [push for push, found in zip(pushes, asked) if isinstance(found, Pushed) and not found.present]
        for push, found in zip(pushes, asked):
            if isinstance(found, Pushed) and found.present:
                self._homes.update(dict.fromkeys(push.entry.blobs, push.path))
        self._bring_blobs(lacking)
        if not self._failed:
            # A run that was killed between the end of an upload and this had no time to forget it.
            self._memory.clear()
        done = dict(zip(map(id, lacking), self._each(self._bring_manifests, lacking)))
        return _report(
            [(push, done.get(id(push), found)) for push, found in zip(pushes, asked)], self._sent, self._mounted
        )

    def _each(self, work: Callable[[Push], Pushed], pushes: Sequence[Push]) -> list[Pushed | SeahubError]:
        def attempt(push: Push) -> Pushed | SeahubError:
            try:
                return self._retry.run(lambda: work(push))
            except SeahubError as error:
                return error

        with concurrent.futures.ThreadPoolExecutor(self._parallel, thread_name_prefix="push") as pool:
            return list(pool.map(attempt, pushes))

    def _look(self, push: Push) -> Pushed:
        """Ask where the name leads in the registry."""
        there = self._repository(push.path).resolve(push.version)
        wanted = [push.entry.digest]
        if there is not None and there not in wanted:
            wanted += [manifest.digest for manifest in self._stand_ins(push)]
        return Pushed(push, there if there in wanted and there else push.entry.digest, there in wanted)

    def _bring_blobs(self, pushes: Sequence[Push]) -> None:
        wanted: dict[str, dict[str, int]] = {}
        for push in pushes:
            manifests = {manifest.digest for manifest in self._manifests(push)}
            for digest, size in push.entry.blobs.items():
                if digest not in manifests:
                    wanted.setdefault(digest, {})[push.path] = size
        self._total = sum(next(iter(paths.values())) for paths in wanted.values())
        # The largest first: the end is then not one large blob on one connection.
        order = sorted(wanted, key=lambda digest: -next(iter(wanted[digest].values())))
        with concurrent.futures.ThreadPoolExecutor(self._parallel, thread_name_prefix="push") as pool:
            list(pool.map(lambda digest: self._bring_blob(digest, wanted[digest]), order))

    def _bring_blob(self, digest: str, paths: Mapping[str, int]) -> None:
        """Bring a blob to all repositories that need it: to the first by sending it, to the others from there."""
        for path, size in paths.items():
            repository = self._repository(path)
            try:
                if not self._retry.run(lambda: repository.has_blob(digest)):  # noqa: B023  called at once
                    self._send_blob(repository, digest, size)
                self._homes.setdefault(digest, path)
            except SeahubError as error:
                self._failed[path, digest] = error
            except OSError as error:
                self._failed[path, digest] = SeahubError(f"the blob {digest} cannot be read: {error.strerror}")

    def _send_blob(self, repository: _Repository, digest: str, size: int) -> None:
        home = self._homes.get(digest)
        mounted, location = repository.mount(digest, home) if home is not None else (False, "")
        if mounted:
            with self._lock:
                self._mounted += 1
        else:
            repository.upload(self._uploader, Blob(self._source, digest, size), location)

    def _bring_manifests(self, push: Push) -> Pushed:
        for digest in push.entry.blobs:
            if (push.path, digest) in self._failed:
                raise self._failed[push.path, digest]
        repository = self._repository(push.path)
        manifests = self._manifests(push)
        for manifest in manifests[:-1]:
            repository.put_manifest(manifest.digest, manifest)
        root = manifests[-1]
        try:
            repository.put_manifest(push.version, root)
        except (AccessDenied, Unavailable):
            raise
        except RegistryError:
            stand_ins = self._stand_ins(push)
            if not stand_ins or push.entry.tag is None:
                raise
            # Many registries take no index unless they have each of its children.
            (root,) = stand_ins
            repository.put_manifest(push.version, root)
        return Pushed(push, root.digest, present=False)

    def _stand_ins(self, push: Push) -> list[Manifest]:
        """Return what is pushed where a registry refuses an index of which only some children were saved.

        It is the one child, or an index of those that are there.
        """
        root = self._manifests(push)[-1]
        present = [child.digest for child in root.children if child.digest in push.entry.blobs]
        if not present or len(present) == len(root.children):
            return []
        if len(present) == 1:
            return [self._manifest(present[0])]
        document = json.loads(root.raw)
        document["manifests"] = [child for child in document["manifests"] if child["digest"] in present]
        return [_manifest.parse(json.dumps(document, separators=(",", ":")).encode(), root.media_type)]

    def _manifests(self, push: Push) -> list[Manifest]:
        """Return the manifests and indexes of a reference, each after its children."""
        found: dict[str, Manifest] = {}

        def visit(digest: str) -> None:
            manifest = self._manifest(digest)
            for child in manifest.children:
                if child.digest in push.entry.blobs and child.digest not in found:
                    visit(child.digest)
            found[digest] = manifest

        visit(push.entry.digest)
        return list(found.values())

    def _manifest(self, digest: str) -> Manifest:
        size = self._source.inventory.blobs.get(digest, 0)
        with self._source.open_blob(digest) as file:
            manifest = _manifest.parse(file.read(min(size, _manifest.SIZE_LIMIT)), algorithm_of=digest)
        if manifest.digest != digest:
            raise DigestMismatch(f"the manifest {digest} in {self._source.path} is damaged: save or repair it")
        return manifest

    def _repository(self, path: str) -> _Repository:
        return _Repository(self._destination(path), path)

    def _count(self, sent: int, gained: int) -> None:
        with self._lock:
            self._sent += sent
            self._done += gained
            self._report(_progress.Progress("pushing", self._done, self._total, label="blobs"))


class _Repository:
    """A repository to which is written. Nothing is tried again here."""

    def __init__(self, endpoint: Endpoint, path: str) -> None:
        self._endpoint = endpoint
        self._path = path

    def resolve(self, version: str) -> str | None:
        """Return the digest to which a tag or a digest leads; nothing if it is not there."""
        accept = {"Accept": _media_types.ACCEPT}
        try:
            with self._endpoint.request("HEAD", self._path, f"manifests/{version}", accept) as answer:
                announced = answer.headers.get("Docker-Content-Digest", "")
            if _digest.is_digest(announced):
                return announced
            with self._endpoint.request("GET", self._path, f"manifests/{version}", accept) as answer:
                return _digest.hash_bytes(answer.read_all(_manifest.SIZE_LIMIT))
        except NotFound:
            return None

    def has_blob(self, digest: str) -> bool:
        """Tell whether the repository has a blob."""
        try:
            with self._endpoint.request("HEAD", self._path, f"blobs/{digest}"):
                return True
        except NotFound:
            return False

    def mount(self, digest: str, home: str) -> tuple[bool, str]:
        """Take over a blob from another repository.

        :returns: whether the registry did so; if not, where it wants the blob sent, if it says that.
        """
        query = urllib.parse.urlencode({"mount": digest, "from": home})
        try:
            with self._endpoint.send("POST", self._path, f"blobs/uploads/?{query}", {}, beside=home) as answer:
                location = answer.headers.get("Location", "")
                return answer.status == 201, urllib.parse.urljoin(answer.url, location) if location else ""
        except RegistryError:
            # It mounts nothing, or the other repository may not be read: the blob is sent, then.
            return False, ""

    def upload(self, uploader: Uploader, blob: Blob, location: str) -> None:
        """Send a blob."""
        uploader.send(self._endpoint, self._path, blob, location)

    def put_manifest(self, version: str, manifest: Manifest) -> None:
        """Send a manifest, which gets a tag if that is its version."""
        headers = {"Content-Type": manifest.media_type}
        with self._endpoint.send("PUT", self._path, f"manifests/{version}", headers, manifest.raw):
            pass


def _report(outcomes: Sequence[tuple[Push, Pushed | SeahubError]], sent: int, mounted: int) -> Report:
    return Report(
        pushed=tuple(found for _push, found in outcomes if isinstance(found, Pushed)),
        failures=tuple((push.shown, found) for push, found in outcomes if isinstance(found, SeahubError)),
        sent=sent,
        mounted=mounted,
    )

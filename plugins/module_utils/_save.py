# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Saving: from references to a tree that a registry can serve.

The order is what makes it safe to stop at any moment: names are resolved to digests; blobs come, each verified; then
the links that make them visible; then, when all that is on the disk, the tags; the lock last.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
from typing import Callable, Iterable, Protocol, Sequence, TypeVar

from ansible_collections.seahub.offline.plugins.module_utils import (
    _artifact,
    _chart,
    _lock,
    _manifest,
    _progress,
    _reference,
)
from ansible_collections.seahub.offline.plugins.module_utils._artifact import Artifact
from ansible_collections.seahub.offline.plugins.module_utils._download import BlobSource, Downloader, Job
from ansible_collections.seahub.offline.plugins.module_utils._errors import (
    DigestMismatch,
    InvalidChart,
    NameCollision,
    NotInTree,
    SeahubError,
)
from ansible_collections.seahub.offline.plugins.module_utils._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils._manifest import Descriptor, Manifest
from ansible_collections.seahub.offline.plugins.module_utils._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils._tree import Tree

Item = TypeVar("Item")
Result = TypeVar("Result")


class Source(BlobSource, Protocol):
    """Where an artifact comes from: a repository of a registry, or files."""

    def resolve(self, version: str) -> str:
        """Return the digest to which a tag or a digest leads."""

    def manifest(self, version: str) -> Manifest:
        """Return the manifest to which a tag or a digest leads."""

    def read_blob(self, blob: Descriptor, limit: int) -> bytes:
        """Return a small blob."""


@dataclasses.dataclass(frozen=True)
class Wish:
    """Something to save.

    - requested: the reference as the user wrote it.
    - where: in which file and line, if it was one.
    - source, version: where it is, and what to ask for there.
    - source_name: what the lock calls that.
    - name, tag: what it is called in the tree; without a tag it gets none.
    - platforms: those that are wanted; none stand for all.
    - kind: `chart` where nothing else will do, else empty.
    """

    requested: str
    source: Source
    source_name: str
    version: str
    name: str
    tag: str | None
    platforms: tuple[Platform, ...] = ()
    kind: str = ""
    where: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All repositories in which the tree shows it."""
        return (self.name, *_reference.aliases(self.name))

    @property
    def label(self) -> str:
        """How errors call it."""
        return f"{self.requested} ({self.where})" if self.where else self.requested


@dataclasses.dataclass(frozen=True)
class Found:
    """A wish with the digest that it leads to now.

    `entry` is what the tree has of it; None if that is not all.
    """

    wish: Wish
    digest: str
    entry: Entry | None


@dataclasses.dataclass(frozen=True)
class Failure:
    """A wish that could not be fulfilled, and why."""

    wish: Wish
    error: SeahubError

    def __str__(self) -> str:
        return f"{self.wish.label}: {self.error}"


@dataclasses.dataclass(frozen=True)
class Saved:
    """A wish that is in the tree. `present` says that it was there, all of it, before."""

    wish: Wish
    entry: Entry
    present: bool


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of all wishes, how many bytes were received for them, and whether the tree changed."""

    saved: tuple[Saved, ...]
    failures: tuple[Failure, ...]
    received: int
    changed: bool


class Saver:
    """Saves artifacts into a tree.

    :param parallel: how many requests are under way at once.
    """

    def __init__(
        self,
        tree: Tree,
        retry: RetryPolicy | None = None,
        parallel: int = 8,
        report: _progress.Callback = _progress.ignore,
    ) -> None:
        self._tree = tree
        self._retry = retry or RetryPolicy()
        self._parallel = parallel
        self._report = report
        self._turns = _Turns()

    def preview(self, wishes: Sequence[Wish]) -> tuple[list[Found], list[Failure]]:
        """Tell what saving would do, asking for digests only and writing nothing.

        :raises NameCollision: as `save` does.
        """
        digests, failures = self._resolve(wishes)
        _check_names(digests, _lock.read(self._tree))
        return [Found(wish, digest, self._present(wish, digest)) for wish, digest in digests], failures

    def save(self, wishes: Sequence[Wish], wait: float = 0) -> Report:
        """Save everything; one wish that fails does not stop the others.

        :param wait: seconds to wait for another process that is writing the tree.
        :raises NameCollision: if two different artifacts would get one name, before anything is downloaded.
        :raises TreeError: if the tree cannot be written.
        """
        with self._tree.exclusive(wait):
            lock = _lock.read(self._tree)
            digests, failures = self._resolve(wishes)
            _check_names(digests, lock)
            gathered, more = self._map(lambda item: self._gather(*item), digests, lambda item: item[0])
            artifacts = [(wish, artifact) for (wish, _digest_), artifact in gathered]
            failures += more
            present = {id(wish): self._is_complete(wish, artifact) for wish, artifact in artifacts}
            downloader = Downloader(self._tree, self._retry, self._parallel, self._report)
            failed = downloader.run(self._jobs(artifacts))
            whole = []
            for wish, artifact in artifacts:
                errors = [failed[blob.digest] for blob in artifact.blobs if blob.digest in failed]
                if errors:
                    failures.append(Failure(wish, errors[0]))
                else:
                    whole.append((wish, artifact))
            entries, more = self._map(lambda item: self._entry(*item), whole, lambda item: item[0])
            failures += more
            saved = [Saved(wish, entry, present[id(wish)]) for (wish, _artifact_), entry in entries]
            changed = self._publish([item for item, _entry in entries if not present[id(item[0])]])
            changed = _lock.write(self._tree, _merged(lock, saved)) or changed
            return Report(tuple(saved), tuple(failures), downloader.received, changed)

    # From names to digests

    def _resolve(self, wishes: Sequence[Wish]) -> tuple[list[tuple[Wish, str]], list[Failure]]:
        return self._map(lambda wish: wish.source.resolve(wish.version), wishes, lambda wish: wish)

    def _map(
        self, action: Callable[[Item], Result], items: Iterable[Item], wish_of: Callable[[Item], Wish]
    ) -> tuple[list[tuple[Item, Result]], list[Failure]]:
        """Do something for each item, several at once; return the results, and the failures beside them."""
        done: list[tuple[Item, Result]] = []
        failures = []
        with concurrent.futures.ThreadPoolExecutor(self._parallel, thread_name_prefix="resolve") as pool:
            for item, future in [(item, pool.submit(action, item)) for item in items]:
                try:
                    done.append((item, future.result()))
                except SeahubError as error:
                    failures.append(Failure(wish_of(item), error))
        return done, failures

    # From digests to what is needed

    def _gather(self, wish: Wish, digest: str) -> Artifact:
        artifact = _artifact.gather(_Fetching(self._tree, wish.source, self._turns), digest, wish.platforms)
        if wish.kind == "chart" and not artifact.root.is_chart:
            raise InvalidChart(f"{digest} is no Helm chart: it has no layer with a chart's archive")
        return artifact

    def _present(self, wish: Wish, digest: str) -> Entry | None:
        """Return what the tree has of a wish, if it has all of it."""
        try:
            artifact = _artifact.gather(_Stored(self._tree), digest, wish.platforms)
            return self._entry(wish, artifact) if self._is_complete(wish, artifact) else None
        except SeahubError:
            return None

    def _is_complete(self, wish: Wish, artifact: Artifact) -> bool:
        """Tell whether the tree shows all of an artifact under all of its names."""
        tree = self._tree
        return (
            all(tree.has_blob(digest, size) for digest, size in artifact.sizes.items())
            and all(tree.has_layer(name, blob.digest) for name in wish.names for blob in artifact.blobs)
            and all(tree.has_manifest(name, item.digest) for name in wish.names for item in artifact.manifests)
            and (wish.tag is None or all(tree.tag(name, wish.tag) == artifact.root.digest for name in wish.names))
        )

    def _jobs(self, artifacts: Sequence[tuple[Wish, Artifact]]) -> list[Job]:
        """List what is to be downloaded: each digest once, with every place where it can be had."""
        sources: dict[str, list[BlobSource]] = {}
        blobs: dict[str, Descriptor] = {}
        for wish, artifact in artifacts:
            for blob in artifact.blobs:
                if not self._tree.has_blob(blob.digest, blob.size):
                    blobs[blob.digest] = blob
                    sources.setdefault(blob.digest, []).append(wish.source)
        return [Job(blob, sources[digest]) for digest, blob in blobs.items()]

    # From blobs to names

    def _entry(self, wish: Wish, artifact: Artifact) -> Entry:
        chart = None
        if artifact.kind == "chart" and artifact.root.config is not None:
            chart = _chart.describe(artifact.root, self._tree.read_blob(artifact.root.config.digest))
        return Entry(
            requested=wish.requested,
            source=wish.source_name,
            kind=artifact.kind,
            name=wish.name,
            tag=wish.tag,
            digest=artifact.root.digest,
            media_type=artifact.root.media_type,
            platforms=tuple(str(platform) for platform in artifact.platforms),
            aliases=wish.names[1:],
            blobs=artifact.sizes,
            chart=chart,
        )

    def _publish(self, artifacts: Sequence[tuple[Wish, Artifact]]) -> bool:
        """Make artifacts visible whose blobs are all there; the tags when everything else is on the disk."""
        if not artifacts:
            return False
        for wish, artifact in artifacts:
            for name in wish.names:
                for blob in artifact.blobs:
                    self._tree.link_layer(name, blob.digest)
                for manifest in artifact.manifests:
                    self._tree.link_manifest(name, manifest.digest)
        self._tree.sync()
        for wish, artifact in artifacts:
            for name in wish.names:
                if wish.tag is not None:
                    self._tree.set_tag(name, wish.tag, artifact.root.digest)
        return True


class _Stored:
    """Reads manifests and configurations of a tree."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def manifest(self, digest: str) -> Manifest:
        return _manifest.parse(self._tree.read_blob(digest), algorithm_of=digest)

    def config(self, descriptor: Descriptor) -> bytes:
        return self._tree.read_blob(descriptor.digest)


class _Turns:
    """Gives each digest a lock, so that of several threads that want it one fetches it and the others find it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def __getitem__(self, digest: str) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(digest, threading.Lock())


class _Fetching:
    """Reads them of a tree, and fetches into the tree what it lacks: nothing is fetched twice, not by a later run."""

    def __init__(self, tree: Tree, source: Source, turns: _Turns) -> None:
        self._tree = tree
        self._source = source
        self._turns = turns

    def manifest(self, digest: str) -> Manifest:
        with self._turns[digest]:
            data = self._stored(digest)
            if data is not None:
                return _manifest.parse(data, algorithm_of=digest)
            manifest = self._source.manifest(digest)
            self._tree.put_blob(digest, manifest.raw)
            return manifest

    def config(self, descriptor: Descriptor) -> bytes:
        with self._turns[descriptor.digest]:
            data = self._stored(descriptor.digest)
            if data is None:
                data = self._source.read_blob(descriptor, _manifest.SIZE_LIMIT)
                self._tree.put_blob(descriptor.digest, data)
            return data

    def _stored(self, digest: str) -> bytes | None:
        try:
            return self._tree.read_blob(digest)
        except NotInTree:
            return None
        except DigestMismatch:
            self._tree.remove_blob(digest)
            return None


def _check_names(digests: Sequence[tuple[Wish, str]], lock: Lock) -> None:
    """Make sure that no two different artifacts get the same name.

    :raises NameCollision: naming all that would.
    """
    locked = {
        (name, entry.tag): (entry.source, entry.digest)
        for entry in lock.references
        for name in (entry.name, *entry.aliases)
    }
    claimed: dict[tuple[str, str | None], tuple[str, str]] = {}
    problems = []
    for wish, digest in digests:
        for key in [(name, wish.tag) for name in wish.names if wish.tag is not None]:
            claim = (wish.source_name, digest)
            rivals = [claimed.setdefault(key, claim)]
            # What is in the tree already may move with its own source, but not be taken over by another one.
            if key in locked and not _same_repository(locked[key][0], wish.source_name):
                rivals.append(locked[key])
            problems += [
                f"{source} ({other}) and {wish.source_name} ({digest}) would both be {key[0]}:{key[1]}"
                for source, other in rivals
                if other != digest
            ]
    if problems:
        raise NameCollision(
            "; ".join(problems) + ". The host is no part of the names in a tree: save them into different trees"
        )


def _same_repository(one: str, other: str) -> bool:
    return _repository_of(one) == _repository_of(other)


def _repository_of(source: str) -> str:
    name = source.partition("@")[0]
    colon = name.find(":", name.rfind("/") + 1)
    return name[:colon] if colon >= 0 else name


def _merged(lock: Lock, saved: Iterable[Saved]) -> Lock:
    """Return the lock with what was saved; what the tree has of the same artifact for other platforms stays."""
    entries: dict[tuple[str, str], Entry] = {}
    for item in saved:
        earlier = entries.get(item.entry.key) or lock.find(*item.entry.key)
        entries[item.entry.key] = _united(earlier, item.entry)
    return lock.with_entries(entries.values())


def _united(earlier: Entry | None, entry: Entry) -> Entry:
    if earlier is None or earlier.digest != entry.digest:
        return entry
    return dataclasses.replace(
        entry,
        platforms=tuple(sorted({*earlier.platforms, *entry.platforms})),
        blobs={**earlier.blobs, **entry.blobs},
    )

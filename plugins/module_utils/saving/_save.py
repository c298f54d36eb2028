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
from typing import Callable, Iterable, Mapping, Protocol, Sequence, TypeVar

from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    DigestMismatch,
    NotFound,
    SeahubError,
    TreeNotWritable,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _artifact, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._artifact import Artifact
from ansible_collections.seahub.offline.plugins.module_utils.oci._companions import Companion, Search, SignedRepository
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.saving._download import BlobSource, Downloader, Job
from ansible_collections.seahub.offline.plugins.module_utils.saving._readers import (
    Fetching,
    ManifestSource,
    Stored,
    Turns,
)
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock, _names
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

Item = TypeVar("Item")
Result = TypeVar("Result")
# A signature of a bill of materials of an image: deeper than this nobody looks.
_COMPANION_DEPTH = 3


class ArtifactSource(BlobSource, ManifestSource, Protocol):
    """Where an artifact comes from: a repository of a registry, or files."""

    def resolve(self, version: str) -> str:
        """Return the digest to which a tag or a digest leads."""


def accept_all(tree: Tree, artifact: Artifact) -> None:
    """Accept whatever is saved."""


@dataclasses.dataclass(frozen=True)
class Wish:
    """Something to save.

    - requested: the reference as the user wrote it.
    - where: in which file and line, if it was one.
    - source, version: where it is, and what to ask for there.
    - source_name: what the lock calls that.
    - name, tag: what it is called in the tree; without a tag it gets none.
    - platforms: those that are wanted; none stand for all.
    - accept: raises an error if what came may not be saved; by then it is in the tree, but nothing shows it.
    - signed: where to look for what signs or describes it; nowhere if it is None.
    - companion: whether it was found there itself.
    """

    requested: str
    source: ArtifactSource
    source_name: str
    version: str
    name: str
    tag: str | None
    platforms: tuple[Platform, ...] = ()
    accept: Callable[[Tree, Artifact], None] = accept_all
    where: str = ""
    signed: SignedRepository | None = None
    companion: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All repositories in which the tree shows it."""
        return (self.name, *_reference.aliases(self.name))

    @property
    def label(self) -> str:
        """How errors call it."""
        return f"{self.requested} ({self.where})" if self.where else self.requested


@dataclasses.dataclass(frozen=True)
class Rules:
    """What may be saved.

    - locked: only the digests that the lock has.
    - skip_missing: leave out wanted platforms that an image does not have; one without any of them still is an error.
    - foreign_layers: fetch layers, too, that manifests say lie outside of the registry.
    """

    locked: bool = False
    skip_missing: bool = False
    foreign_layers: bool = False


@dataclasses.dataclass(frozen=True)
class Found:
    """A wish with the digest that it leads to now.

    `entry` is what the tree has of it; None if that is not all.
    """

    wish: Wish
    digest: str
    entry: Entry | None


@dataclasses.dataclass(frozen=True)
class Preview:
    """What saving would do now: what each wish leads to, what fails already, and whether the tree would change."""

    found: tuple[Found, ...]
    failures: tuple[Failure, ...]
    changed: bool


@dataclasses.dataclass(frozen=True)
class Failure:
    """Something that could not be saved, and why."""

    label: str
    error: SeahubError


@dataclasses.dataclass(frozen=True)
class Saved:
    """A wish that is in the tree. `present` says that it was there, all of it, before."""

    wish: Wish
    entry: Entry
    present: bool


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of all wishes, how many bytes were received for them, and whether the tree changed.

    `refusals` are what registries would not tell about signatures.
    """

    saved: tuple[Saved, ...]
    failures: tuple[Failure, ...]
    refusals: tuple[str, ...]
    received: int
    changed: bool


@dataclasses.dataclass(frozen=True)
class _Gathered:
    """A wish with all that it needs, and what belongs to it. `present` says that the tree shows all of it already."""

    wish: Wish
    artifact: Artifact
    present: bool
    companions: tuple[_Gathered, ...] = ()

    @property
    def all(self) -> Iterable[_Gathered]:
        """What belongs to it, then itself: nothing becomes visible before its signatures."""
        for companion in self.companions:
            yield from companion.all
        yield self


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
        rules: Rules | None = None,
    ) -> None:
        self._tree = tree
        self._retry = retry or RetryPolicy()
        self._parallel = parallel
        self._report = report
        self._rules = rules or Rules()
        self._turns = Turns()
        self._searches: dict[SignedRepository, Search] = {}
        self._refusals: list[str] = []

    def preview(self, wishes: Sequence[Wish]) -> Preview:
        """Tell what saving would do, asking for digests only and writing nothing.

        :raises NameCollision: as `save` does.
        """
        lock = _lock.read(self._tree)
        digests, failures = self._map(lambda wish: self._resolve(wish, lock), wishes, _label)
        _names.check(digests, lock)
        found = [Found(wish, digest, self._present(wish, digest)) for wish, digest in digests]
        present = [item.entry for item in found if item.entry is not None]
        changed = len(present) < len(found) or _merged(lock, present) != lock
        return Preview(tuple(found), tuple(failures), changed)

    def save(self, wishes: Sequence[Wish], wait: float = 0) -> Report:
        """Save everything; one wish that fails does not stop the others.

        :param wait: seconds to wait for another process that is writing the tree.
        :raises NameCollision: if two different artifacts would get one name, before anything is downloaded.
        :raises TreeError: if the tree cannot be written.
        """
        with self._tree.exclusive(wait):
            lock = _lock.read(self._tree)
            digests, failures = self._map(lambda wish: self._resolve(wish, lock), wishes, _label)
            _names.check(digests, lock)
            gathered, more = self._map(lambda item: self._gather(*item, lock), digests, lambda item: item[0].label)
            failures += more
            downloader = Downloader(self._tree, self._retry, self._parallel, self._report)
            failed = downloader.run(self._jobs(_parts(whole for _item, whole in gathered)))
            finished, more = self._map(
                lambda whole: self._finish(whole, failed),
                [whole for _item, whole in gathered],
                lambda whole: whole.wish.label,
            )
            failures += more
            saved = [item for _whole, items in finished for item in items]
            changed = self._publish(_parts(whole for whole, _saved in finished))
            changed = self._write_lock(lock, saved) or changed
            if changed:
                # What is reported as saved is still there after a power cut.
                self._tree.sync()
            return Report(
                saved=tuple(saved),
                failures=tuple(failures),
                refusals=(*self._refusals, *(text for item in self._searches.values() for text in item.refusals)),
                received=downloader.received + self._turns.received,
                changed=changed,
            )

    def _map(
        self, action: Callable[[Item], Result], items: Iterable[Item], label: Callable[[Item], str]
    ) -> tuple[list[tuple[Item, Result]], list[Failure]]:
        """Do something for each item, several at once; return the results, and the failures beside them."""
        done: list[tuple[Item, Result]] = []
        failures = []
        with concurrent.futures.ThreadPoolExecutor(self._parallel, thread_name_prefix="save") as pool:
            for item, future in [(item, pool.submit(action, item)) for item in items]:
                try:
                    done.append((item, future.result()))
                except TreeNotWritable:
                    raise
                except SeahubError as error:
                    failures.append(Failure(label(item), error))
        return done, failures

    # From names to digests

    def _resolve(self, wish: Wish, lock: Lock) -> str:
        """Return the digest of a wish; with `locked`, the one that the lock has, if its source still has it."""
        if not self._rules.locked:
            return wish.source.resolve(wish.version)
        entry = lock.find(wish.name, wish.tag or wish.version)
        if entry is None:
            raise NotFound(f"the lock has no {wish.name}:{wish.tag or wish.version}: save it once without 'locked'")
        digest = wish.source.resolve(entry.digest)
        if digest != entry.digest:
            raise DigestMismatch(f"the lock has {entry.digest}, but {wish.source_name} is {digest} now")
        return digest

    # From digests to what is needed

    def _gather(self, wish: Wish, digest: str, lock: Lock) -> _Gathered:
        return self._gather_one(wish, digest, Fetching(self._tree, wish.source, self._turns), lock, _COMPANION_DEPTH)

    def _gather_one(self, wish: Wish, digest: str, reader: _artifact.Reader, lock: Lock, depth: int) -> _Gathered:
        artifact = _artifact.gather(
            reader, digest, wish.platforms, self._rules.skip_missing, self._rules.foreign_layers
        )
        present = self._is_complete(wish, artifact)
        companions: list[_Gathered] = []
        # What was complete before was searched then: asking again at every run would double its requests.
        for companion in self._companions(wish, artifact) if depth and not present else ():
            if self._is_allowed(wish, companion, lock):
                if companion.index is not None:
                    self._tree.put_blob(companion.digest, companion.index.raw)
                own = _companion_wish(wish, companion)
                try:
                    companions.append(self._gather_one(own, companion.digest, reader, lock, depth - 1))
                except (NotFound, AccessDenied) as error:
                    # Listed, but not to be had: no more of a reason to fail than not being listed.
                    self._refusals.append(f"{own.source_name}: {error}")
        return _Gathered(wish, artifact, present, tuple(companions))

    def _companions(self, wish: Wish, artifact: Artifact) -> list[Companion]:
        if wish.signed is None:
            return []
        search = self._searches.setdefault(wish.signed, Search(wish.signed))
        return [companion for manifest in artifact.manifests for companion in search.of(manifest.digest)]

    def _is_allowed(self, wish: Wish, companion: Companion, lock: Lock) -> bool:
        if not self._rules.locked:
            return True
        entry = lock.find(wish.name, companion.tag)
        if entry is not None and entry.digest != companion.digest:
            raise DigestMismatch(f"the lock has {entry.digest} for {wish.name}:{companion.tag}, now {companion.digest}")
        return entry is not None

    def _present(self, wish: Wish, digest: str) -> Entry | None:
        """Return what the tree has of a wish, if it has all of it."""
        try:
            artifact = _artifact.gather(
                Stored(self._tree), digest, wish.platforms, self._rules.skip_missing, self._rules.foreign_layers
            )
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

    def _jobs(self, parts: Sequence[_Gathered]) -> list[Job]:
        """List what is to be downloaded: each digest once, with every place where it can be had."""
        sources: dict[str, list[BlobSource]] = {}
        blobs: dict[str, Descriptor] = {}
        for part in parts:
            for blob in part.artifact.blobs:
                if not self._tree.has_blob(blob.digest, blob.size):
                    blobs[blob.digest] = blob
                    sources.setdefault(blob.digest, []).append(part.wish.source)
        return [Job(blob, sources[digest]) for digest, blob in blobs.items()]

    # From blobs to names

    def _finish(self, whole: _Gathered, failed: Mapping[str, SeahubError]) -> list[Saved]:
        """Return what the lock is to say of a wish and its companions, if all came and is acceptable."""
        saved = []
        for part in whole.all:
            for blob in part.artifact.blobs:
                if blob.digest in failed:
                    raise failed[blob.digest]
            part.wish.accept(self._tree, part.artifact)
            saved.append(Saved(part.wish, self._entry(part.wish, part.artifact), part.present))
        return saved

    def _entry(self, wish: Wish, artifact: Artifact) -> Entry:
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
            chart=_chart.describe(artifact.root, self._tree.read_blob) if artifact.kind == "chart" else None,
        )

    def _write_lock(self, lock: Lock, saved: Sequence[Saved]) -> bool:
        merged = _merged(lock, [item.entry for item in saved])
        return merged != lock and _lock.write(self._tree, merged)

    def _publish(self, parts: Sequence[_Gathered]) -> bool:
        """Make artifacts visible whose blobs are all there; the tags when everything else is on the disk."""
        new = [part for part in parts if not part.present]
        if not new:
            return False
        for part in new:
            for name in part.wish.names:
                for blob in part.artifact.blobs:
                    self._tree.link_layer(name, blob.digest)
                for manifest in part.artifact.manifests:
                    self._tree.link_manifest(name, manifest.digest)
        self._tree.sync()
        for part in new:
            for name in part.wish.names:
                if part.wish.tag is not None:
                    self._tree.set_tag(name, part.wish.tag, part.artifact.root.digest)
        return True


def _parts(wholes: Iterable[_Gathered]) -> list[_Gathered]:
    return [part for whole in wholes for part in whole.all]


def _label(wish: Wish) -> str:
    return wish.label


def _companion_wish(wish: Wish, companion: Companion) -> Wish:
    return dataclasses.replace(
        wish,
        source_name=f"{_names.repository_of(wish.source_name)}:{companion.tag}",
        version=companion.digest,
        tag=companion.tag,
        platforms=(),
        accept=accept_all,
        companion=True,
    )


def _merged(lock: Lock, entries: Iterable[Entry]) -> Lock:
    """Return the lock with these entries; what the tree has of the same artifact for other platforms stays."""
    merged: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        merged[entry.key] = _united(merged.get(entry.key) or lock.find(*entry.key), entry)
    return lock.with_entries(merged.values())


def _united(earlier: Entry | None, entry: Entry) -> Entry:
    if earlier is None or earlier.digest != entry.digest:
        return entry
    return dataclasses.replace(
        entry,
        platforms=tuple(sorted({*earlier.platforms, *entry.platforms})),
        blobs={**earlier.blobs, **entry.blobs},
    )

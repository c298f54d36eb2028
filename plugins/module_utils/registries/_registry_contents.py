# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a registry holds, as a tree would say it: found out by asking, without reading a layer.

Every manifest is verified. Of an index of which the registry has only some children, these count. Every blob is asked
for, so that nothing is said to be there because a manifest mentions it.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import concurrent.futures
import dataclasses
from typing import Callable, Iterable, Sequence, Tuple, TypeVar

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotFound, SeahubError
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress
from ansible_collections.seahub.offline.plugins.module_utils.oci import _artifact, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._artifact import Artifact
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._reference import Reference
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Repository
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry, Lock

# More than the configuration of any image.
_CONFIG_LIMIT = 16 * 1024 * 1024

Item = TypeVar("Item")
Result = TypeVar("Result")
_Tag = Tuple[str, str]


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a registry holds.

    - lock: its references, as the lock of a tree would have them.
    - inventory: what of them is there.
    - failures: a sentence for each tag that leads to nothing that can be read.
    """

    lock: Lock
    inventory: Inventory
    failures: tuple[str, ...]


def describe(registries: Registries, host: str, parallel: int, report: Callback) -> Contents:
    """Ask a registry for all that it holds. References without a tag cannot be found that way.

    :param host: with its port, as it stands in references.
    :param parallel: how many things are asked for at once.
    :raises RegistryError: one of its kinds, if it does not say which repositories and tags it has.
    """
    return _Inquiry(registries, host, parallel, report).run()


class _Inquiry:
    def __init__(self, registries: Registries, host: str, parallel: int, report: Callback) -> None:
        self._registries = registries
        self._host = host
        self._parallel = parallel
        self._report = report

    def run(self) -> Contents:
        names = self._registries.catalog(self._host)
        repositories = {name: self._repository(name) for name in names}
        listed = self._each("repositories", repositories.values(), _tags)
        tags = [(name, tag) for name, found in zip(repositories, listed) for tag in found]
        readers = {name: _Reader(repository) for name, repository in repositories.items()}
        gathered = self._each("tags", tags, lambda item: _gather(readers[item[0]], item[1]))
        found = {tag: artifact for tag, artifact in zip(tags, gathered) if isinstance(artifact, Artifact)}
        failures = [
            f"{name}:{tag} cannot be read: {error}"
            for (name, tag), error in zip(tags, gathered)
            if isinstance(error, SeahubError)
        ]
        return Contents(self._lock(found), self._inventory(found, readers), tuple(failures))

    def _repository(self, name: str) -> Repository:
        # What a mirror has is not what this registry has.
        return self._registries.repository(Reference(self._host, name)).alone()[-1]

    def _lock(self, found: dict[_Tag, Artifact]) -> Lock:
        entries = {name: self._entry(*name, artifact) for name, artifact in found.items()}
        for (name, tag), entry in sorted(entries.items()):
            twins = [alias for alias in _reference.aliases(name) if _is_twin(entry, entries.get((alias, tag)))]
            if twins:
                entries[name, tag] = dataclasses.replace(entry, aliases=tuple(twins))
                for twin in twins:
                    del entries[twin, tag]
        return Lock().with_entries(entries.values())

    def _entry(self, name: str, tag: str, artifact: Artifact) -> Entry:
        source = f"{self._host}/{name}:{tag}"
        return Entry(
            requested=source,
            source=source,
            kind=artifact.kind,
            name=name,
            tag=tag,
            digest=artifact.root.digest,
            media_type=artifact.root.media_type,
            platforms=tuple(str(platform) for platform in artifact.platforms),
            blobs=artifact.sizes,
        )

    def _inventory(self, found: dict[_Tag, Artifact], readers: dict[str, _Reader]) -> Inventory:
        manifests = {
            (name, manifest.digest): len(manifest.raw)
            for (name, _tag), artifact in found.items()
            for manifest in artifact.manifests
        }
        wanted = {
            (name, blob.digest): blob
            for (name, _tag), artifact in found.items()
            for blob in artifact.blobs
            if (name, blob.digest) not in manifests
        }
        there = self._each("blobs", wanted.items(), lambda item: readers[item[0][0]].has_blob(item[1]))
        layers = {link: blob.size for (link, blob), is_there in zip(wanted.items(), there) if is_there}
        return Inventory(
            blobs={digest: size for (_name, digest), size in {**manifests, **layers}.items()},
            layers=frozenset(layers),
            manifests=frozenset(manifests),
            tags={name: artifact.root.digest for name, artifact in found.items()},
        )

    def _each(self, label: str, items: Iterable[Item], work: Callable[[Item], Result]) -> list[Result]:
        waiting = list(items)
        done: list[Result] = []
        with concurrent.futures.ThreadPoolExecutor(self._parallel, thread_name_prefix="inquiry") as pool:
            for result in pool.map(work, waiting):
                done.append(result)
                self._report(Progress("asking", 0, 0, len(done), len(waiting), label))
        return done


class _Reader:
    """Reads the artifacts of a repository."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository
        self._manifests: dict[str, Manifest | None] = {}

    def manifest(self, digest: str) -> Manifest:
        """Return a manifest; an index only with those children that are there."""
        found = self._find(digest)
        if found is None:
            raise NotFound(f"the registry does not have the manifest {digest}")
        children = tuple(child for child in found.children if self._find(child.digest) is not None)
        return dataclasses.replace(found, children=children)

    def config(self, descriptor: Descriptor) -> bytes:
        """Return the content of a configuration."""
        return self.repository.read_blob(descriptor, _CONFIG_LIMIT)

    def has_blob(self, blob: Descriptor) -> bool:
        """Tell whether the repository has a blob."""
        return self.repository.has_blob(blob)

    def _find(self, digest: str) -> Manifest | None:
        if digest not in self._manifests:
            try:
                self._manifests[digest] = self.repository.manifest(digest)
            except NotFound:
                self._manifests[digest] = None
        return self._manifests[digest]


def _tags(repository: Repository) -> Sequence[str]:
    try:
        return repository.tags()
    except NotFound:
        # A repository whose last tag was removed is still listed.
        return ()


def _gather(reader: _Reader, tag: str) -> Artifact | SeahubError:
    try:
        return _artifact.gather(reader, reader.repository.resolve(tag), ())
    except SeahubError as error:
        return error


def _is_twin(entry: Entry, other: Entry | None) -> bool:
    return other is not None and (other.digest, other.blobs) == (entry.digest, entry.blobs)

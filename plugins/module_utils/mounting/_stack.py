# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bundles mounted one over the other, and seen as one tree.

A folder holds it all: each bundle is mounted at `bundles/<id>`, several of them together at `stacks/<id>` (overlayfs,
the newest on top, without a layer that can be written), and the link `tree` leads to what is served. A new stack is
made beside the old one; then the link is replaced, which is one step; then the old one goes. Whatever is interrupted,
the link leads to a whole stack, and the next run does the rest. Who was reading from the old one reads on: its files
are only gone when nobody has them open any more.

https://docs.kernel.org/filesystems/overlayfs.html#multiple-lower-layers
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import os
import re
import shutil
from typing import Iterable, Iterator, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle_parts, _signature, _squashfs
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import Source, open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import DigestMismatch, TreeBusy, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress
from ansible_collections.seahub.offline.plugins.module_utils.mounting import _join, _mounts
from ansible_collections.seahub.offline.plugins.module_utils.mounting._mounts import Mount, MountError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory, _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock

TREE = "tree"
"""The link that leads to what is served."""

_BUNDLES, _STACKS, _LOCKS, _FILES = "bundles", "stacks", "locks", "files"
_GUARD = ".lock"
_READ_ONLY = ("ro", "nodev", "nosuid", "noexec")
_PATH = re.compile(r"/[A-Za-z0-9._/+@-]+")
_ID_LENGTH = 16
# The kernel takes one page of options.
_OPTIONS_LIMIT = 4000
_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle that is to be mounted.

    - source: what it holds.
    - id: short for its content.
    - file: what is mounted: the bundle itself, or its parts joined into one file.
    - where: at which folder.
    - signer: who has signed it, if that was asked.
    """

    source: Source
    id: str
    file: str
    where: str
    signer: str | None

    @property
    def mount(self) -> Mount:
        """How it is mounted."""
        return Mount(self.file, self.where, "squashfs", ("loop", *_READ_ONLY))


@dataclasses.dataclass(frozen=True)
class Stack:
    """What is to be mounted.

    - folder: in which all of it lies.
    - bundles: oldest first.
    - lock: of all of them together.
    """

    folder: str
    bundles: tuple[Bundle, ...]
    lock: Lock

    @property
    def id(self) -> str:
        """Short for the bundles and their order."""
        return hashlib.sha256(" ".join(bundle.id for bundle in self.bundles).encode()).hexdigest()[:_ID_LENGTH]

    @property
    def lock_folder(self) -> str:
        """Where the lock of all lies that covers those of the bundles."""
        return os.path.join(self.folder, _LOCKS, self.id)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """All that has to be mounted, in this order."""
        lower = tuple(bundle.mount for bundle in self.bundles)
        if len(lower) < 2:
            return lower
        places = [mount.where for mount in lower]
        layers = ":".join([self.lock_folder, *reversed(places)])
        where = os.path.join(self.folder, _STACKS, self.id)
        return (*lower, Mount("overlay", where, "overlay", (*_READ_ONLY, f"lowerdir={layers}"), places))

    @property
    def target(self) -> str:
        """Where the link leads, seen from its own folder: it leads there in a container as well."""
        return os.path.relpath(self.mounts[-1].where, self.folder)


@dataclasses.dataclass(frozen=True)
class Change:
    """What has to be done.

    - broken: places at which something else is mounted than should be, or nothing that can be read any more.
    - missing: what is not mounted yet, or is broken.
    - stale: places that are not needed any more, with what is mounted there.
    - persist: whether what is mounted at boot differs.
    - relink: whether the link leads elsewhere.
    - leftovers: files and folders that are not needed any more.
    """

    broken: tuple[str, ...]
    missing: tuple[Mount, ...]
    stale: tuple[str, ...]
    persist: bool
    relink: bool
    leftovers: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether there is anything to do."""
        return any(dataclasses.astuple(self))


def describe(paths: Sequence[str], folder: str, allowed_signers: str | None) -> Stack:
    """Find out what is to be mounted, and that it can be: nothing is changed.

    :param paths: of bundles, oldest first: a file, one of its parts, or the folder in which these lie.
    :param folder: where they are mounted.
    :param allowed_signers: the file that says whose signature each bundle must have.
    :raises TreeError: if a bundle is none that can be mounted, or if together they lack something.
    :raises NotSigned: if a bundle is not signed by somebody who may.
    """
    folder = _proper(folder)
    bundles = tuple(_bundle(path, folder, allowed_signers) for path in paths)
    twice = sorted({bundle.source.path for bundle in bundles if [other.id for other in bundles].count(bundle.id) > 1})
    if twice:
        raise TreeError(f"these are the same bundle, give it once: {', '.join(twice)}")
    stack = Stack(folder, bundles, _united(bundles))
    gaps = _inventory.gaps(_union(bundles), stack.lock)
    if gaps:
        raise TreeError(
            f"together these bundles are not complete, nothing was changed: {'; '.join(gaps[:_SHOWN])}; give the"
            " bundles that a delta presumes before it"
        )
    if any(len(",".join(mount.options)) > _OPTIONS_LIMIT for mount in stack.mounts):
        raise TreeError(
            f"{len(bundles)} bundles are more than can be mounted over one another: pack all into a new one"
        )
    return stack


def compare(stack: Stack, fstab: str) -> Change:
    """Find out what differs from what is to be mounted."""
    folder = stack.folder
    present = _mounts.mounted_below(folder)
    broken = {bundle.where for bundle in stack.bundles if bundle.where in present and not _is_mounted(bundle)}
    # What is beneath a stack cannot be exchanged while it stands; a place at which things are mounted twice is unclear.
    if broken or any(present.count(bundle.where) > 1 for bundle in stack.bundles):
        broken |= {mount.where for mount in stack.mounts if mount.where in present}
    whole = set(present) - broken
    wanted = {mount.where for mount in stack.mounts}
    return Change(
        broken=_outermost_last(present, broken),
        missing=tuple(mount for mount in stack.mounts if mount.where not in whole),
        stale=_outermost_last(present, set(present) - wanted),
        persist=_mounts.persisted_below(folder, fstab) != [mount.line() for mount in stack.mounts],
        relink=_link(folder) != stack.target,
        leftovers=_leftovers(stack),
    )


def carry_out(stack: Stack, verify: bool, progress: Callback, fstab: str) -> None:
    """Mount what is to be mounted, let the link lead there, and unmount the rest.

    :param verify: whether each blob of a bundle that is not mounted yet is hashed before.
    :raises MountError: if it cannot be mounted; what was served is served on.
    :raises TreeError: if a part is damaged, or there is no room; as before.
    :raises DigestMismatch: if a blob is damaged; as before.
    """
    os.makedirs(stack.folder, mode=0o755, exist_ok=True)
    with _exclusive(stack.folder):
        change = compare(stack, fstab)
        missing = {mount.where for mount in change.missing}
        for bundle in stack.bundles:
            if bundle.where in missing:
                _prepare(bundle, verify, progress)
        _write_lock(stack)
        # Both for a while: whenever the host stops, it finds at boot what the link leads to.
        lines = [mount.line() for mount in stack.mounts]
        old = [line for line in _mounts.persisted_below(stack.folder, fstab) if line not in lines]
        if change.persist:
            _mounts.persist([*old, *lines], stack.folder, fstab)
        for where in change.broken:
            _mounts.unmount(where)
        for mount in change.missing:
            _mounts.mount(mount)
        _require_mounted(stack)
        _relink(stack)
        for where in change.stale:
            _mounts.unmount(where)
        if old:
            _mounts.persist(lines, stack.folder, fstab)
        _clean(_leftovers(stack))


def is_there(folder: str, fstab: str) -> bool:
    """Tell whether anything of a stack is left in a folder, or is mounted at boot."""
    folder = os.path.normpath(folder)
    return os.path.lexists(folder) or bool(_mounts.persisted_below(folder, fstab))


def remove(folder: str, fstab: str) -> None:
    """Unmount all that is mounted in a folder, now and at boot, and remove what was made in it. Bundles stay.

    :raises MountError: if it cannot be unmounted.
    """
    folder = _proper(folder)
    if os.path.isdir(folder):
        with _exclusive(folder):
            _mounts.persist([], folder, fstab)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, TREE))
            for where in reversed(_mounts.mounted_below(folder)):
                _mounts.unmount(where)
            _clean(_everything(folder))
            for name in (_BUNDLES, _STACKS, _LOCKS, _FILES):
                with contextlib.suppress(FileNotFoundError):
                    os.rmdir(os.path.join(folder, name))
            os.unlink(os.path.join(folder, _GUARD))
        os.rmdir(folder)
    elif _mounts.persisted_below(folder, fstab):
        _mounts.persist([], folder, fstab)


def _proper(folder: str) -> str:
    folder = os.path.normpath(folder)
    if not _PATH.fullmatch(folder):
        raise TreeError(
            f"bundles cannot be mounted in {folder}: give the full path of a folder whose name has only letters, digits"
            " and . _ + @ -"
        )
    return folder


def _bundle(path: str, folder: str, allowed_signers: str | None) -> Bundle:
    source = open_source(path)
    if not _is_mountable(source):
        raise TreeError(
            f"the {source.kind} {path} cannot be mounted: pack it with format: squashfs, or use bundle_unpack or"
            " tree_sync instead"
        )
    signer = None
    if allowed_signers:
        signer = _signature.verify(source.identity, source.signature_path, allowed_signers)
    id_ = _digest.split(source.identity.decode())[1][:_ID_LENGTH]
    file = os.path.join(folder, _FILES, f"{id_}.squashfs") if source.parts else os.path.abspath(path)
    return Bundle(source, id_, file, os.path.join(folder, _BUNDLES, id_), signer)


def _is_mountable(source: Source) -> bool:
    path, start = (source.parts[0], _bundle_parts.HEADER) if source.parts else (source.path, 0)
    if not os.path.isfile(path):
        return False
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(len(_squashfs.MAGIC)) == _squashfs.MAGIC


def _united(bundles: Iterable[Bundle]) -> Lock:
    lock = Lock()
    for bundle in bundles:
        entries = []
        for entry in bundle.source.lock.references:
            older = lock.find(*entry.key)
            # Platforms of one image that came in different bundles come together.
            entries.append(older.joined(entry) if older is not None and older.digest == entry.digest else entry)
        lock = lock.with_entries(entries)
    return lock


def _union(bundles: Iterable[Bundle]) -> Inventory:
    union = _inventory.EMPTY
    for bundle in bundles:
        union = _inventory.united(union, bundle.source.everything)
    return union


def _is_mounted(bundle: Bundle) -> bool:
    # A medium that was pulled out leaves its mount behind.
    try:
        with open(os.path.join(bundle.where, _lock.FILE), "rb") as file:
            return file.read() == bundle.source.lock.dump()
    except OSError:
        return False


def _outermost_last(present: Sequence[str], places: Iterable[str]) -> tuple[str, ...]:
    """Return places in the order in which they can be unmounted: stacks stand on bundles."""
    chosen = set(places)
    return tuple(place for place in reversed(present) if place in chosen)


def _link(folder: str) -> str | None:
    try:
        return os.readlink(os.path.join(folder, TREE))
    except OSError:
        return None


def _relink(stack: Stack) -> None:
    if _link(stack.folder) == stack.target:
        return
    new = os.path.join(stack.folder, f".{TREE}.new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    os.symlink(stack.target, new)
    os.replace(new, os.path.join(stack.folder, TREE))


def _prepare(bundle: Bundle, verify: bool, progress: Callback) -> None:
    source = bundle.source
    if source.parts and not os.path.exists(bundle.file):
        os.makedirs(os.path.dirname(bundle.file), mode=0o755, exist_ok=True)
        _join.join(source.parts, bundle.file, progress)
    if source.parts and open_source(bundle.file).identity != source.identity:
        os.unlink(bundle.file)
        raise TreeError(f"{source.path} changed while its parts were joined, nothing was changed: run it again")
    if verify:
        _verify(open_source(bundle.file), progress)


def _verify(source: Source, progress: Callback) -> None:
    done = 0
    for digest, size in sorted(source.inventory.blobs.items()):
        hash_object = _digest.hasher(digest)
        left = size
        with source.open_blob(digest) as file:
            while left:
                data = file.read(min(_digest.CHUNK, left))
                if not data:
                    break
                hash_object.update(data)
                left -= len(data)
                done += len(data)
                progress(Progress("verifying", done, source.inventory.size))
        if left or _digest.finish(digest, hash_object) != digest:
            raise DigestMismatch(f"the blob {digest} in {source.path} is damaged, nothing was changed: copy it again")


def _write_lock(stack: Stack) -> None:
    if len(stack.bundles) < 2:
        return
    os.makedirs(stack.lock_folder, mode=0o755, exist_ok=True)
    path = os.path.join(stack.lock_folder, _lock.FILE)
    # Not changed beneath a mounted stack. With another order or other bundles it is another file.
    if os.path.exists(path):
        return
    with open(f"{path}.new", "wb") as file:
        file.write(stack.lock.dump())
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)


def _require_mounted(stack: Stack) -> None:
    try:
        with open(os.path.join(stack.mounts[-1].where, _lock.FILE), "rb") as file:
            same = file.read() == stack.lock.dump()
    except OSError as error:
        raise MountError(f"what was mounted cannot be read, what was served is served on: {error}") from error
    if not same:
        raise MountError(
            f"{stack.mounts[-1].where} shows something else than the bundles hold: unmount it and try again"
        )


def _everything(folder: str) -> list[str]:
    return [
        os.path.join(folder, kind, name)
        for kind in (_STACKS, _BUNDLES, _LOCKS, _FILES)
        if os.path.isdir(os.path.join(folder, kind))
        for name in sorted(os.listdir(os.path.join(folder, kind)))
    ]


def _leftovers(stack: Stack) -> tuple[str, ...]:
    needed = {mount.where for mount in stack.mounts} | {bundle.file for bundle in stack.bundles}
    if len(stack.bundles) > 1:
        needed.add(stack.lock_folder)
    # What is still being joined begins like its file.
    return tuple(
        path
        for path in _everything(stack.folder)
        if not any(path == keep or path.startswith(f"{keep}.") for keep in needed)
    )


def _clean(paths: Iterable[str]) -> None:
    for path in paths:
        if os.path.basename(os.path.dirname(path)) == _LOCKS:
            shutil.rmtree(path)
        elif os.path.isdir(path):
            # Never what is in it: it may still be mounted there.
            os.rmdir(path)
        else:
            os.unlink(path)


@contextlib.contextmanager
def _exclusive(folder: str) -> Iterator[None]:
    with open(os.path.join(folder, _GUARD), "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TreeBusy(f"another process is mounting bundles in {folder}: try again when it has finished") from None
        yield

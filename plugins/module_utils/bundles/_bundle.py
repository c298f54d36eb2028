# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A tree packed into one file, or into parts of a size that a medium takes, for transport."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from typing import BinaryIO, Iterator, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles import (
    _archive,
    _bundle_parts,
    _mountable,
    _part_size,
    _signature,
    _tar,
)
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle_parts import BundleError, Part
from ansible_collections.seahub.offline.plugins.module_utils.bundles._hashing import Hashing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import (
    DELTA,
    PARTIAL,
    Source,
    signature_path,
)
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Callback, Progress

_CHECKSUM = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_CHECKSUMS_LIMIT = 16 * 1024 * 1024
_STAGED = ".new"

TAR, SQUASHFS = FORMATS = ("tar", "squashfs")
"""What a bundle is: an archive that any tar extracts, or a file system that a host mounts."""


@dataclass(frozen=True)
class File:
    """One file of a bundle.

    - path, size: where it lies, and how large it is in bytes.
    - sha256: its checksum in hexadecimal digits; empty as long as it has not been written.
    """

    path: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Packed:
    """A bundle on disk.

    - changed: whether anything had to be written.
    - files: the bundle itself, or its parts in their order.
    """

    changed: bool
    files: tuple[File, ...]

    @property
    def size(self) -> int:
        """Of all its files together, in bytes."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Packing:
    """How a bundle is to be written.

    - part_size: of each file but the last, in bytes; None for a single file.
    - allow_partial: pack what is there although something is missing; the bundle says so then.
    - sign_key: the file of an SSH key; the signature lies beside the bundle then.
    - format: one of `FORMATS`.
    """

    part_size: int | None = None
    allow_partial: bool = False
    sign_key: str | None = None
    format: str = TAR


PLAIN = Packing()
"""One file of what is complete, not signed."""


@dataclass(frozen=True)
class _Wanted:
    """What a bundle will be.

    - path: of the bundle.
    - format: one of `FORMATS`.
    - comment: what it says of itself.
    - parts: none for a single file.
    - files: path and size in bytes of each file.
    """

    path: str
    format: str
    comment: str
    parts: Sequence[Part]
    files: Sequence[tuple[str, int]]

    def packed(self, changed: bool, checksums: Sequence[str]) -> Packed:
        sums = checksums or [""] * len(self.files)
        return Packed(changed, tuple(File(path, size, checksum) for (path, size), checksum in zip(self.files, sums)))


def checksum_path(path: str) -> str:
    """Return where the checksums of a bundle lie, for `sha256sum -c`."""
    return f"{path}.sha256"


def script_path(path: str) -> str:
    """Return where the script lies that checks a bundle without this collection."""
    return f"{path}{_bundle_parts.SCRIPT}"


def pack(
    source: Source,
    path: str,
    progress: Callback,
    dry_run: bool = False,
    packing: Packing = PLAIN,
) -> Packed:
    """Write a tree into a bundle, unless the bundle there holds the same already.

    The files appear when they are complete. They are written in one pass, with their checksums computed on the way. The
    checksums and a script that checks the bundle lie beside it. What an earlier bundle at the same path consisted of,
    in other parts perhaps, is removed.

    :param dry_run: only tell whether it would be written.
    :raises TreeError: if something is missing in the tree, or there is no room for the bundle.
    :raises NotSigned: if the key cannot sign; nothing is written.
    """
    # What a delta lacks itself is what it presumes.
    if not packing.allow_partial and source.presumption is None:
        source.require_complete()
    lock = source.lock.dump()
    wanted = _wanted(source, lock, path, packing)
    checksums = _up_to_date(wanted)
    sign_key = packing.sign_key
    stale = sign_key and not (checksums and _signature.is_signed_with(source.identity, signature_path(path), sign_key))
    changed = not checksums or bool(stale) or _read(script_path(path)) != _script()
    if dry_run or not changed:
        return wanted.packed(changed, checksums)
    # First, since it takes no time, and a key may not be at hand.
    signature = _signature.sign(source.identity, sign_key) if sign_key else None
    if not checksums:
        _require_room(path, sum(size for _path, size in wanted.files))
        checksums = _pack(source, lock, wanted, _Counter(progress, source))
    _put(script_path(path), _script())
    if signature is not None:
        _put(signature_path(path), signature)
    return wanted.packed(True, checksums)


def _wanted(source: Source, lock: bytes, path: str, packing: Packing) -> _Wanted:
    part_size = packing.part_size
    identity = source.identity.decode()
    comment = f"seahub.offline bundle {identity}{_mark(source)}"
    size = _size(source, lock, comment, packing.format)
    if part_size is None:
        return _Wanted(path, packing.format, comment, (), [(path, size)])
    count = _bundle_parts.count(size, part_size)
    if count > _part_size.LARGEST_COUNT:
        raise TreeError(
            f"the bundle would have {count} parts, more than {_part_size.LARGEST_COUNT}: choose a larger part_size"
        )
    parts = _bundle_parts.split(identity, size, part_size)
    files = [(_bundle_parts.name(path, part), part.file_size) for part in parts]
    return _Wanted(path, packing.format, comment, parts, files)


def _size(source: Source, lock: bytes, comment: str, format_: str) -> int:
    if format_ == SQUASHFS:
        return _mountable.image(source.inventory, lock, comment, source.tools, source.presumption).size
    return _archive.length(source.inventory, lock, comment, source.tools, source.presumption)


def _mark(source: Source) -> str:
    if source.presumption is not None:
        return DELTA
    return PARTIAL if source.gaps() else ""


def _pack(source: Source, lock: bytes, wanted: _Wanted, progress: Callback) -> list[str]:
    with _exclusive(wanted.path) as file:
        paths = [path for path, _size in wanted.files]
        staged = [_staged(path) for path in paths] if wanted.parts else [file.name]
        try:
            if wanted.parts:
                checksums = _write_parts(source, lock, wanted, staged, progress)
            else:
                checksums = [_write_whole(source, lock, wanted, file, progress)]
            # Not earlier: until here the old bundle is as it was. Not later: checksums never tell of other files.
            _remove(checksum_path(wanted.path))
            _remove(signature_path(wanted.path))
            for temporary, path in zip(staged, paths):
                os.replace(temporary, path)
        except BaseException:
            for temporary in staged:
                _remove(temporary)
            raise
        for other in {wanted.path, *_bundle_parts.parts_of(wanted.path)}.difference(paths):
            _remove(other)
        lines = [f"{checksum}  {os.path.basename(path)}\n" for path, checksum in zip(paths, checksums)]
        _put(checksum_path(wanted.path), "".join(lines).encode())
    return checksums


def _write_whole(source: Source, lock: bytes, wanted: _Wanted, file: BinaryIO, progress: Callback) -> str:
    with Hashing(file) as hashing:
        _write(source, lock, wanted, hashing, progress)
    _flush(file)
    return hashing.hexdigest()


def _write_parts(source: Source, lock: bytes, wanted: _Wanted, staged: Sequence[str], progress: Callback) -> list[str]:
    with _PartsWriter(wanted.parts, staged) as out:
        _write(source, lock, wanted, out, progress)
    return out.checksums


def _write(source: Source, lock: bytes, wanted: _Wanted, out: _archive.Sink, progress: Callback) -> None:
    if wanted.format == SQUASHFS:
        image = _mountable.image(source.inventory, lock, wanted.comment, source.tools, source.presumption)
        _mountable.write(image, out, _opened(source), progress)
        return
    writer = _archive.Writer(out)
    writer.comment(wanted.comment)
    writer.lock(lock)
    writer.presumption(source.presumption)
    writer.tools(source.tools)
    for digest, size in sorted(source.inventory.blobs.items()):
        with source.open_blob(digest) as file:
            writer.blob(digest, size, file, progress)
    writer.links(source.inventory)
    writer.end()


def _opened(source: Source) -> Iterator[BinaryIO]:
    for digest in sorted(source.inventory.blobs):
        with source.open_blob(digest) as file:
            yield file


def _up_to_date(wanted: _Wanted) -> list[str]:
    # A bundle says at its beginning what it holds: no need to read gigabytes to learn that they are the same.
    lines = (_read(checksum_path(wanted.path)) or b"").decode("utf-8", "replace").splitlines()
    matches = [match for match in map(_CHECKSUM.fullmatch, lines) if match]
    if len(matches) != len(lines) or [match[2] for match in matches] != [
        os.path.basename(path) for path, _size in wanted.files
    ]:
        return []
    with contextlib.suppress(OSError, _tar.InvalidArchive, BundleError):
        same_sizes = all(os.path.getsize(path) == size for path, size in wanted.files)
        if same_sizes and (_same_parts(wanted) if wanted.parts else _same_whole(wanted)):
            return [match[1] for match in matches]
    return []


def _same_parts(wanted: _Wanted) -> bool:
    return all(_bundle_parts.read_header(path) == part for (path, _size), part in zip(wanted.files, wanted.parts))


def _same_whole(wanted: _Wanted) -> bool:
    with open(wanted.path, "rb") as file:
        if wanted.format == SQUASHFS:
            return _mountable.read_comment(file) == wanted.comment
        reader = _tar.Reader(file)
        next(iter(reader), None)
        return reader.comment == wanted.comment


def _require_room(path: str, size: int) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    try:
        status = os.statvfs(folder)
    except OSError as error:
        raise TreeError(f"the bundle cannot be written to {folder}: {error.strerror}") from error
    free = status.f_bavail * status.f_frsize
    if free < size:
        raise TreeError(
            f"the bundle needs {size} bytes in {folder}, where {free} are free: make room or choose another dest"
        )


def _script() -> bytes:
    # Asked of whatever imported it: a module that Ansible has sent to a host lies within a zip file there.
    spec = _bundle_parts.__spec__
    text: str = spec.loader.get_source(spec.name)  # type: ignore[union-attr]
    return text.encode()


@contextlib.contextmanager
def _exclusive(path: str) -> Iterator[BinaryIO]:
    folder, name = os.path.split(os.path.abspath(path))
    # Always the same name: what a killed run leaves is overwritten by the next one, not kept beside it.
    temporary = os.path.join(folder, f".{name}.part")
    try:
        file = open(temporary, "ab")  # noqa: SIM115  closed below
    except OSError as error:
        raise TreeError(f"nothing can be written to {folder}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TreeError(f"another process is writing {path}: try again when it has finished") from None
        file.truncate(0)
        for entry in os.listdir(folder):
            if entry.startswith(f".{name}.part-") and entry.endswith(_STAGED):
                _remove(os.path.join(folder, entry))
        try:
            yield file
        finally:
            # Once it has become the bundle, another process may have begun a file of this name.
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(temporary), os.fstat(file.fileno())):
                    os.unlink(temporary)


def _staged(path: str) -> str:
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.join(folder, f".{name}{_STAGED}")


def _put(path: str, data: bytes) -> None:
    with open(_staged(path), "wb") as file:
        file.write(data)
        _flush(file)
    os.replace(_staged(path), path)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fchmod(file.fileno(), 0o644)
    os.fsync(file.fileno())


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read(_CHECKSUMS_LIMIT)
    except OSError:
        return None


def _remove(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class _PartsWriter:
    """Distributes what is written over the parts of a bundle; each is finished before the next is begun."""

    def __init__(self, parts: Sequence[Part], paths: Sequence[str]) -> None:
        self.checksums: list[str] = []
        self._waiting = list(zip(parts, paths))[::-1]
        self._left = 0
        self._file: BinaryIO | None = None
        self._hashing: Hashing | None = None

    def __enter__(self) -> _PartsWriter:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._file is not None and self._hashing is not None:
            self._hashing.__exit__()
            self._file.close()

    def write(self, data: bytes) -> None:
        while data:
            if self._hashing is None:
                self._begin()
            first, data = (data, b"") if len(data) <= self._left else (data[: self._left], data[self._left :])
            self._hashing_now().write(first)
            self._left -= len(first)
            if not self._left:
                self._finish()

    def _hashing_now(self) -> Hashing:
        if self._hashing is None:
            raise ValueError("no part has been begun")
        return self._hashing

    def _begin(self) -> None:
        part, path = self._waiting.pop()
        self._file = open(path, "wb")  # noqa: SIM115  closed when it is full
        self._hashing = Hashing(self._file).__enter__()
        self._hashing.write(part.header())
        self._left = part.length

    def _finish(self) -> None:
        hashing, file = self._hashing_now(), self._file
        hashing.__exit__()
        hashing.append(_bundle_parts.trailer(hashing.hexdigest()))
        self.checksums.append(hashing.hexdigest())
        self._hashing = self._file = None
        if file is not None:
            with file:
                _flush(file)


class _Counter:
    def __init__(self, progress: Callback, source: Source) -> None:
        self._progress = progress
        self._total = source.inventory.size
        self._done = 0

    def __call__(self, step: Progress) -> None:
        self._done += step.done_bytes
        self._progress(Progress("packing", self._done, self._total))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks a bundle of the Ansible collection seahub.offline, or its parts, with nothing but Python 3.8 or newer.

    python3 bundle.tar.check.py [FILE ...]
    python3 bundle.tar.check.py --extract-tools FOLDER

Without arguments it checks the bundle beside it. Any part can be checked alone, given as an argument. The exit status
is 0 if everything is right; otherwise each line says what is missing, swapped, foreign or damaged.

With --extract-tools it puts what the bundle carries for a controller into a folder named tools within another: begin
there with README.md.

A part is a header of 1024 bytes that says what it is and of how many, its share of the bundle, and a last line with
the SHA-256 checksum of all that precedes it. The shares, one after the other, are the bundle: an ordinary
tar, or a squashfs image.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.
#
# It is written beside each bundle as it is: it imports nothing of the collection.

from __future__ import annotations

import collections
import dataclasses
import errno
import glob
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
from typing import Any, BinaryIO, Callable, Iterable

MAGIC = b"seahub.offline bundle part\n"
FORMAT = 1
HEADER = 1024
TRAILER = len("sha256:\n") + 64
OVERHEAD = HEADER + TRAILER
SCRIPT = ".check.py"

_CHUNK = 1024 * 1024
_NAME = re.compile(r"(?P<bundle>.+)\.part-(?P<number>\d{3,4})-of-(?P<count>\d{3,4})", re.DOTALL)
_LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
_BLOB = re.compile(r"docker/registry/v2/blobs/(sha256|sha384|sha512)/[0-9a-f]{2}/([0-9a-f]+)/data")
_TOOL = re.compile(r"tools/([A-Za-z0-9][A-Za-z0-9._+-]{0,199})")
_SQUASHFS = b"hsqs"
_BUNDLE_ID = re.compile(r"sha256:[0-9a-f]{64}")


class BundleError(Exception):
    """What is wrong with a bundle: a sentence for each thing."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclasses.dataclass(frozen=True)
class Part:
    """What the header of a part says.

    - bundle: what is unique to the content of the bundle.
    - number, count: which part it is, the first is 1; and of how many.
    - offset, length: its share of the bundle, in bytes.
    - size: of the whole bundle, in bytes.
    """

    bundle: str
    number: int
    count: int
    offset: int
    length: int
    size: int

    def header(self) -> bytes:
        """Return the first bytes of the part's file."""
        text = json.dumps({"seahub_part": FORMAT, **dataclasses.asdict(self)}, sort_keys=True).encode()
        return (MAGIC + text).ljust(HEADER - 1) + b"\n"

    @property
    def file_size(self) -> int:
        """How large its file is, in bytes."""
        return self.length + OVERHEAD


def split(bundle: str, size: int, part_size: int) -> list[Part]:
    """Cut a bundle into parts.

    :param bundle: what is unique to its content.
    :param size: of the bundle in bytes.
    :param part_size: of the file of each part but the last, in bytes.
    """
    share = part_size - OVERHEAD
    number = count(size, part_size)
    return [
        Part(bundle, index + 1, number, index * share, min(share, size - index * share), size)
        for index in range(number)
    ]


def count(size: int, part_size: int) -> int:
    """Return how many parts a bundle has, both sizes in bytes."""
    return -(-size // (part_size - OVERHEAD))


def name(bundle: str, part: Part) -> str:
    """Return the path of a part of the bundle at a path: sorted by names, they are in their order."""
    digits = max(3, len(str(part.count)))
    return f"{bundle}.part-{part.number:0{digits}}-of-{part.count:0{digits}}"


def read_header(path: str) -> Part:
    """Read what a part says of itself.

    :raises BundleError: if it is no part.
    :raises OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(HEADER)
    try:
        if not data.startswith(MAGIC):
            raise ValueError("it does not begin like one")
        fields = json.loads(data[len(MAGIC) :])
        if fields.pop("seahub_part") != FORMAT:
            raise ValueError("it is of a later format; use a newer version of the collection")
        part = Part(**fields)
        if part.header() != data or not _consistent(part):
            raise ValueError("its header contradicts itself")
        return part
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BundleError([f"{path} is no part of a bundle, or its header is damaged: {error}"]) from error


def _consistent(part: Part) -> bool:
    numbers: tuple[Any, ...] = (part.number, part.count, part.offset, part.length, part.size)
    return (
        isinstance(part.bundle, str)
        and _BUNDLE_ID.fullmatch(part.bundle) is not None
        and all(isinstance(number, int) and not isinstance(number, bool) for number in numbers)
        and 1 <= part.number <= part.count
        and 0 <= part.offset < part.offset + part.length <= part.size
        and (part.number == part.count) == (part.offset + part.length == part.size)
        and (part.number == 1) == (part.offset == 0)
    )


def is_part(path: str) -> bool:
    """Tell whether a file has the name of a part."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def find(path: str) -> list[str]:
    """Return the parts of the bundle to which a path leads, in their order; none if there are no parts.

    :param path: of one of its parts, of the folder in which they lie, or of the bundle before it was split; or a
        pattern such as `/media/dvd*` for several of these, when the parts lie on several media.
    :raises BundleError: if there are parts of several bundles, or one part twice.
    """
    if os.path.isdir(path):
        return _one_bundle(path, _in_folder(path))
    if os.path.exists(path) and not is_part(path):
        return []
    found = parts_of(bundle_of(path))
    if found or not glob.has_magic(path):
        return found
    places = sorted(glob.glob(path))
    return _one_bundle(path, [part for place in places for part in (_in_folder(place) or [place]) if is_part(part)])


def _in_folder(folder: str) -> list[str]:
    return [os.path.join(folder, match.string) for match in _parts_in(folder)]


def _one_bundle(path: str, parts: list[str]) -> list[str]:
    names = sorted({os.path.basename(bundle_of(part)) for part in parts})
    if len(names) > 1:
        raise BundleError([f"{path} holds parts of several bundles ({', '.join(names)}): give one part instead"])
    places: dict[str, list[str]] = {}
    for part in sorted(parts):
        places.setdefault(os.path.basename(part), []).append(part)
    twice = [" and ".join(same) for same in places.values() if len(same) > 1]
    if twice:
        raise BundleError([f"{same} are the same part: give a path that leads to one of them" for same in twice])
    return [places[name][0] for name in sorted(places)]


def bundle_of(path: str) -> str:
    """Return the path of the bundle to which a part belongs."""
    folder, own = os.path.split(path)
    match = _NAME.fullmatch(own)
    return os.path.join(folder, match["bundle"]) if match else path


def parts_of(bundle: str) -> list[str]:
    """Return the parts that lie where a bundle would, sorted."""
    folder, own = os.path.split(bundle)
    return sorted(os.path.join(folder, match.string) for match in _parts_in(folder) if match["bundle"] == own)


def _parts_in(folder: str) -> list[re.Match[str]]:
    try:
        names = os.listdir(folder or ".")
    except OSError:
        return []
    return [match for match in map(_NAME.fullmatch, names) if match]


def examine(paths: list[str]) -> list[Part]:
    """Make sure that these files are all the parts of one bundle, without reading their content.

    :param paths: as `find` returns them.
    :returns: what each of them says of itself, in the order of the paths.
    :raises BundleError: naming each part that is missing, swapped, foreign or too short.
    """
    problems: list[str] = []
    parts: dict[str, Part] = {}
    for path in paths:
        try:
            parts[path] = read_header(path)
        except BundleError as error:
            problems += error.problems
    named = {path: _numbers(path) for path in paths}
    # One foreign part among many is foreign, whichever it is, the first included.
    count = _most_common(count for _number, count in named.values())
    bundle = _most_common(part.bundle for part in parts.values())
    for path, part in parts.items():
        problems += _wrong(path, part, named[path], bundle, count)
    present = {number for number, of in named.values() if of == count}
    where = bundle_of(paths[0])
    # As many lines as a person reads.
    missing = [str(number) for number in range(1, (count or 0) + 1) if number not in present]
    if missing:
        more = f" and {len(missing) - 20} more" if len(missing) > 20 else ""
        problems.append(f"of the {count} parts of {where} these are missing: {', '.join(missing[:20])}{more}")
    if not problems and not _adjoin(list(parts.values())):
        problems.append(f"the parts of {where} do not follow one another: pack the bundle again")
    if problems:
        raise BundleError(problems)
    return [parts[path] for path in paths]


def _numbers(path: str) -> tuple[int, int]:
    match = _NAME.fullmatch(os.path.basename(path))
    return (int(match["number"]), int(match["count"])) if match else (0, 0)


def _most_common(values: Iterable[Any]) -> Any:
    counted = collections.Counter(values).most_common(1)
    return counted[0][0] if counted else None


def _wrong(path: str, part: Part, named: tuple[int, int], bundle: str, count: int) -> Iterable[str]:
    if part.bundle != bundle or named[1] != count:
        yield f"{path} is foreign: it belongs to another bundle than the parts beside it"
    elif (part.number, part.count) != named:
        yield f"{path} is swapped: its content is part {part.number} of {part.count}"
    elif os.path.getsize(path) != part.file_size:
        yield f"{path} is damaged: it has {os.path.getsize(path)} bytes instead of {part.file_size}; copy it again"


def _adjoin(parts: list[Part]) -> bool:
    ends = [0, *(part.offset + part.length for part in parts)]
    return all(
        part.offset == end and part.size == parts[0].size and part.number == index
        for index, (part, end) in enumerate(zip(parts, ends), 1)
    )


def verify(path: str, progress: Callable[[int], None] = lambda count: None) -> None:
    """Read a part and compare it with the checksum at its end.

    :param progress: called with the number of bytes that each step has read.
    :raises BundleError: if it is no part, or damaged.
    """
    part = read_header(path)
    left = part.length + HEADER
    hash_object = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while left:
            data = file.read(min(_CHUNK, left))
            if not data:
                break
            hash_object.update(data)
            left -= len(data)
            progress(len(data))
        if left or file.read() != trailer(hash_object.hexdigest()):
            raise BundleError([f"{path} is damaged: its checksum does not match; copy it again"])


def trailer(checksum: str) -> bytes:
    """Return the last bytes of a part."""
    return f"sha256:{checksum}\n".encode()


class PartsFile(io.RawIOBase):
    """Reads a bundle from its parts as if it were one file."""

    def __init__(self, paths: list[str], parts: list[Part]) -> None:
        super().__init__()
        self._paths = paths
        self._parts = parts
        self._share = parts[0].length
        self._position = 0
        self._open: tuple[int, io.FileIO] | None = None

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can be read from anywhere."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a byte of the bundle."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._parts[0].size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read until the buffer is full or the bundle ends, across the ends of parts."""
        view = memoryview(buffer).cast("B")
        done = 0
        while done < len(view) and self._position < self._parts[0].size:
            index = self._position // self._share
            part, file = self._parts[index], self._file(index)
            offset = self._position - part.offset
            file.seek(HEADER + offset)
            count = file.readinto(view[done : done + part.length - offset])
            if not count:
                raise OSError(errno.EIO, "it ends too early: copy it again", self._paths[index])
            done += count
            self._position += count
        return done

    def close(self) -> None:
        """Close the part that is open."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
        super().close()

    def _file(self, index: int) -> io.FileIO:
        if self._open is None or self._open[0] != index:
            if self._open is not None:
                self._open[1].close()
            self._open = index, io.FileIO(self._paths[index])
        return self._open[1]


def check(path: str) -> list[str]:
    """Check what lies at a path, a part, or a bundle, whole or in parts.

    :returns: what was found to be right, a line for each file.
    :raises BundleError: naming what is wrong.
    """
    if is_part(path) and os.path.isfile(path):
        part = read_header(path)
        number, count = _numbers(path)
        if (part.number, part.count) != (number, count):
            raise BundleError([f"{path} is swapped: its content is part {part.number} of {part.count}"])
        verify(path)
        return [f"{path}: part {part.number} of {part.count} is right"]
    paths = find(path)
    return _check_parts(paths) if paths else _check_whole(path)


def _check_parts(paths: list[str]) -> list[str]:
    problems: list[str] = []
    try:
        examine(paths)
    except BundleError as error:
        problems += error.problems
    right = []
    for path in paths:
        try:
            right += check(path)
        except BundleError as error:
            problems += [problem for problem in error.problems if not any(known.startswith(path) for known in problems)]
    if problems:
        raise BundleError(problems)
    return right


def _check_whole(path: str) -> list[str]:
    problems = []
    hash_object = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while True:
                data = file.read(_CHUNK)
                if not data:
                    break
                hash_object.update(data)
        with open(f"{path}.sha256", encoding="utf-8") as file_:
            match = _LINE.match(file_.readline())
    except OSError as error:
        raise BundleError([f"{error.filename or path} cannot be read: {error.strerror}"]) from error
    if match is None or match[1] != hash_object.hexdigest():
        problems.append(f"{path} is damaged: its checksum is not the one in {path}.sha256")
        problems += [] if _is_squashfs(path) else _damaged_blobs(path)
    if problems:
        raise BundleError(problems)
    return [f"{path}: right"]


def _is_squashfs(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(_SQUASHFS)) == _SQUASHFS


def _damaged_blobs(path: str) -> list[str]:
    damaged = []
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                match = _BLOB.fullmatch(member.name)
                file = archive.extractfile(member) if match and member.isfile() else None
                if match is None or file is None:
                    continue
                hash_object = hashlib.new(match[1])
                for data in iter(lambda file=file: file.read(_CHUNK), b""):  # type: ignore[misc]
                    hash_object.update(data)
                if hash_object.hexdigest() != match[2]:
                    damaged.append(f"the blob {match[1]}:{match[2]} in it is damaged")
    except (tarfile.TarError, ValueError, OSError) as error:
        damaged.append(f"from some place on it is no tar any more: {error}")
    return damaged


def extract_tools(path: str, folder: str) -> list[str]:
    """Put what a bundle carries beside its tree into the folder `tools` of a folder.

    :param path: of the bundle, whole or in parts.
    :returns: what was written, a line for each file.
    :raises BundleError: if it carries nothing, or is no bundle.
    :raises OSError: if it cannot be read, or nothing can be written there.
    """
    parts = find(path)
    raw = PartsFile(parts, examine(parts)) if parts else io.FileIO(path)
    with io.BufferedReader(raw) as file:
        if file.peek(len(_SQUASHFS)).startswith(_SQUASHFS):
            raise BundleError([f"{path} is a squashfs image: mount it, or extract tools from it with unsquashfs"])
        try:
            written = _extract_tools(file, folder)
        except tarfile.TarError as error:
            raise BundleError([f"{path} is no bundle, or it is damaged: {error}"]) from error
    if not written:
        raise BundleError([f"{path} carries no tools: pack it with include_tools"])
    return written


def _extract_tools(file: BinaryIO, folder: str) -> list[str]:
    written: list[str] = []
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for member in archive:
            match = _TOOL.fullmatch(member.name)
            source = archive.extractfile(member) if match and member.isreg() and not member.issparse() else None
            if match and source:
                target = os.path.join(folder, "tools", match[1])
                os.makedirs(os.path.dirname(target), exist_ok=True)
                with open(target, "wb") as out:
                    shutil.copyfileobj(source, out, _CHUNK)
                written.append(f"{target}: written")
            elif written:
                # They stand together, before the blobs: no need to go through gigabytes.
                break
    return written


def main(arguments: list[str]) -> int:
    """Do what the arguments say, with the bundle beside this script if they name none; return the exit status."""
    own = os.path.abspath(__file__)[: -len(SCRIPT)]
    extract = arguments[:1] == ["--extract-tools"] and len(arguments) == 2
    paths = [own] if extract else arguments or [own]
    wrong = False
    for path in paths:
        try:
            lines = extract_tools(path, arguments[1]) if extract else check(path)
            sys.stdout.writelines(f"{line}\n" for line in lines)
        except BundleError as error:
            wrong = True
            sys.stderr.writelines(f"{problem}\n" for problem in error.problems)
        except OSError as error:
            wrong = True
            what = f"extracted: {error}" if extract else f"read: {error.strerror}"
            sys.stderr.write(f"{path} cannot be {what}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

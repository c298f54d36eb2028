# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One program out of an image in a tree, for hosts that have no engine to run the image.

All layers are read as they would be laid upon one another, and each is verified; only the program is written.
https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import io
import json
import posixpath
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from typing import IO, Any, Dict, Iterator, cast

from ansible_collections.seahub.offline.plugins.module_utils.common import _host_file
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidManifest, NotInTree
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.serving import _image_archive
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

_ELF = b"\x7fELF"
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
# As many as Linux follows.
_LINKS_FOLLOWED = 40
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class _Entry:
    """What lies under a name: a file (`link` is None) of one of the layers, or a link to another name."""

    layer: Descriptor
    member: str
    link: str | None


# Name -> what lies there, as a container would see it. Not a type annotation alone: Python 3.8 has no dict[...].
_Entries = Dict[str, _Entry]


def extract(tree: Tree, image: Image, program: str, target: str) -> None:
    """Write the program of an image into a file that is executable from the moment in which it appears.

    :param program: its name, for images whose entry point is a script that calls it.
    :raises NotInTree: if the image has no such program.
    :raises InvalidManifest: if a layer is packed in a way that cannot be read here.
    :raises DigestMismatch: if a blob is damaged.
    """
    entries = _entries(tree, image)
    config = json.loads(tree.read_blob(image.config.digest)).get("config") or {}
    for path in _candidates(config, program):
        entry = _resolve(entries, path)
        if entry is not None and _write(tree, entry, target):
            return
    raise NotInTree(f"the image {image.name} in the tree {tree.root} has no program {program}: is it a registry?")


def _candidates(config: dict[str, Any], program: str) -> Iterator[str]:
    environment = dict(line.split("=", 1) for line in config.get("Env") or [] if "=" in line)
    for word in [*(config.get("Entrypoint") or [])[:1], program]:
        if "/" in word:
            yield word
        else:
            for folder in environment.get("PATH", _PATH).split(":"):
                yield posixpath.join(folder, word)


def _entries(tree: Tree, image: Image) -> _Entries:
    entries: _Entries = {}
    for layer in image.manifest.layers:
        added: _Entries = {}
        for _archive, member in _members(tree, layer):
            name = _normal(member.name)
            folder, last = posixpath.split(name)
            if last == _OPAQUE:
                _hide_below(entries, folder)
            elif last.startswith(_WHITEOUT):
                hidden = posixpath.join(folder, last[len(_WHITEOUT) :])
                entries.pop(hidden, None)
                _hide_below(entries, hidden)
            elif member.issym():
                added[name] = _Entry(layer, member.name, posixpath.join(folder, member.linkname))
            elif member.islnk():
                added[name] = _Entry(layer, member.name, posixpath.join("/", member.linkname))
            elif member.isreg():
                added[name] = _Entry(layer, member.name, None)
            else:
                # A folder takes the place of a link.
                entries.pop(name, None)
        # A layer hides what those below it have, and nothing of its own.
        entries.update(added)
    return entries


def _hide_below(entries: _Entries, folder: str) -> None:
    for name in [name for name in entries if name.startswith(folder.rstrip("/") + "/")]:
        del entries[name]


def _resolve(entries: _Entries, path: str) -> _Entry | None:
    """Follow links, of folders on the way too."""
    for _link in range(_LINKS_FOLLOWED):
        name, rest = "/", _normal(path).split("/")[1:]
        while rest:
            name = posixpath.join(name, rest.pop(0))
            entry = entries.get(name)
            if entry is not None and entry.link is not None:
                path = posixpath.join(entry.link, *rest)
                break
        else:
            return entries.get(name)
    return None


def _write(tree: Tree, entry: _Entry, target: str) -> bool:
    """Write a file of a layer, if it is a program and no script.

    The layer is verified to its end before the file appears.
    """
    with contextlib.ExitStack() as stack:
        found = False
        for archive, member in _members(tree, entry.layer):
            if member.name != entry.member or not member.isreg():
                continue
            # Not None: it is a regular file.
            content = cast(IO[bytes], archive.extractfile(member))
            start = content.read(len(_ELF))
            if start != _ELF:
                return False
            if not found:
                file = stack.enter_context(_host_file.replacing(target, 0o755))
            file.seek(0)
            file.truncate()
            file.write(start)
            shutil.copyfileobj(content, file)
            found = True
        return found


def _members(tree: Tree, layer: Descriptor) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    stream = _Stream(_image_archive.verified(tree, layer))
    try:
        with tarfile.open(fileobj=cast(IO[bytes], stream), mode="r|*") as archive:
            for member in archive:
                yield archive, member
    except (tarfile.TarError, zlib.error, EOFError) as error:
        raise InvalidManifest(
            f"the layer {layer.digest} ({layer.media_type}) in {tree.root} cannot be read on a host without an "
            f"engine, which takes layers as tar, packed with gzip or not at all: {error}"
        ) from error
    stream.drain()


def _normal(name: str) -> str:
    return posixpath.normpath(posixpath.join("/", name))


class _Stream(io.RawIOBase):
    """Chunks of bytes as something that can be read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._chunks, b""))
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def drain(self) -> None:
        """Read what follows the end of the archive: only then has every byte been verified."""
        for _data in self._chunks:
            pass

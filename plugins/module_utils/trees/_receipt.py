# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Receipts: what a tree or a registry holds, as one small file that goes back over the gap.

A receipt is compressed JSON, which `zcat` shows. Most of it is digests, which nothing compresses: they stand there as
their bytes in base64, all together, and everything else refers to them by their number.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import base64
import binascii
import json
import os
import zlib
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidDigest, InvalidReceipt
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory, Link, TagName
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock

FORMAT = 1
MAGIC = b"\x1f\x8b"
"""The first bytes of the file, which are those of gzip."""
LABEL_LIMIT = 200
"""How many characters a label has, at most."""

# Some ninety times what a tree of 5,000 blobs needs: what is larger is something else, or meant to fill the memory.
_FILE_LIMIT = 16 * 1024 * 1024
_TEXT_LIMIT = 32 * 1024 * 1024
_LINKS_LIMIT = 4_000_000
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True)
class Receipt:
    """What a tree holds.

    - label: what people call it; may be empty.
    - blobs: digest and size in bytes.
    - links: which repository has which of them.
    - tags: where each tag of each repository points, of references that are wholly there.
    """

    label: str = ""
    blobs: Mapping[str, int] = field(default_factory=dict)
    links: frozenset[Link] = frozenset()
    tags: Mapping[TagName, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """A digest over all but the label: equal where the same is held."""
        plain = {"blobs": sorted(self.blobs.items()), "links": sorted(self.links), "tags": sorted(self.tags.items())}
        return _digest.hash_bytes(json.dumps(plain).encode())

    def dump(self) -> bytes:
        """Return the content of the file: about 40 bytes for a blob. The same receipt gives the same bytes."""
        order = self._order()
        document = {
            "seahub_receipt": FORMAT,
            "label": self.label,
            "digests": _pack_digests(order),
            "sizes": [self.blobs[digest] for digest in order],
            "repositories": _pack_repositories(self, {digest: number for number, digest in enumerate(order)}),
        }
        # Filtered: strings that look alike by chance are not worth referring to in what is mostly noise. Each part is
        # compressed for itself, since each is made of other characters.
        compressor = zlib.compressobj(9, wbits=_GZIP, memLevel=9, strategy=zlib.Z_FILTERED)
        parts = (f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}" for name, value in document.items())
        pieces = [f"{'{' if not number else ','}{part}".encode() for number, part in enumerate(parts)]
        compressed = [compressor.compress(piece) + compressor.flush(zlib.Z_FULL_FLUSH) for piece in [*pieces, b"}"]]
        return b"".join(compressed) + compressor.flush()

    def _order(self) -> list[str]:
        """Return the digests, those of a repository together: its links are then a few runs of numbers."""
        first: dict[str, str] = {}
        for repository, digest in sorted(self.links):
            first.setdefault(digest, repository)
        return sorted(self.blobs, key=lambda digest: (_digest.split(digest)[0], first.get(digest, "~"), digest))


def of_lock(lock: Lock, label: str = "") -> Receipt:
    """Return what a tree holds that has all that a lock says."""
    names = [(entry, name) for entry in lock.references for name in (entry.name, *entry.aliases)]
    return Receipt(
        label,
        blobs={digest: size for entry in lock.references for digest, size in entry.blobs.items()},
        links=frozenset((name, digest) for entry, name in names for digest in entry.blobs),
        tags={(name, entry.tag): entry.digest for entry, name in names if entry.tag is not None},
    )


def of(lock: Lock, inventory: Inventory, label: str = "") -> Receipt:
    """Return what a tree holds of what its lock says."""
    said = of_lock(lock)
    blobs = {digest: size for digest, size in said.blobs.items() if inventory.blobs.get(digest) == size}
    there = inventory.layers | inventory.manifests
    whole = Lock(tuple(entry for entry in lock.references if not _inventory.gaps(inventory, Lock((entry,)))))
    return Receipt(
        label, blobs, frozenset(link for link in said.links & there if link[1] in blobs), of_lock(whole).tags
    )


def common(receipts: Sequence[Receipt]) -> Receipt:
    """Return what all of several trees hold; there is at least one."""
    first, others = receipts[0], receipts[1:]
    return Receipt(
        blobs={k: v for k, v in first.blobs.items() if all(other.blobs.get(k) == v for other in others)},
        links=first.links.intersection(*(other.links for other in others)),
        tags={k: v for k, v in first.tags.items() if all(other.tags.get(k) == v for other in others)},
    )


def read(path: str) -> Receipt:
    """Read a receipt from a file.

    :raises InvalidReceipt: if it is none, or a damaged one.
    :raises OSError: if it cannot be read.
    """
    with open(path, "rb") as file:
        return load(file.read(_FILE_LIMIT + 1), path)


def load(data: bytes, where: str = "the receipt") -> Receipt:
    """Read the content of a receipt.

    :param where: what to call it in an error.
    :raises InvalidReceipt: if it is none, a damaged one, or one of a later format.
    """
    document = _decode(data, where)
    try:
        found = document["seahub_receipt"]
        if found != FORMAT:
            raise InvalidReceipt(
                f"{where} has format {shorten(found)}; this version of the collection reads {FORMAT}: use a newer one"
            )
        return _receipt(document)
    except KeyError as error:
        raise InvalidReceipt(f"{where} is no receipt of this collection, or is damaged: it has no {error}") from error
    except (ValueError, TypeError, AttributeError, IndexError, InvalidDigest) as error:
        raise InvalidReceipt(f"{where} is no receipt of this collection, or is damaged: {error}") from error


def write(path: str, receipt: Receipt) -> None:
    """Write a receipt; the file appears when it is complete.

    :raises OSError: if it cannot be written.
    """
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.new")
    with open(temporary, "wb") as file:
        file.write(receipt.dump())
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        os.fsync(file.fileno())
    os.replace(temporary, path)


def is_written(path: str, receipt: Receipt) -> bool:
    """Tell whether a file holds exactly this receipt."""
    try:
        return read(path) == receipt
    except (OSError, InvalidReceipt):
        return False


def _decode(data: bytes, where: str) -> dict[str, Any]:
    if len(data) > _FILE_LIMIT:
        raise InvalidReceipt(f"{where} has more than {_FILE_LIMIT} bytes: that is no receipt")
    decompressor = zlib.decompressobj(_GZIP)
    try:
        text = decompressor.decompress(data, _TEXT_LIMIT)
    except zlib.error as error:
        raise InvalidReceipt(f"{where} is no receipt of this collection, or is damaged: {error}") from error
    if decompressor.unconsumed_tail:
        raise InvalidReceipt(f"{where} holds more than {_TEXT_LIMIT} bytes: that is no receipt")
    if not decompressor.eof or decompressor.unused_data:
        raise InvalidReceipt(f"{where} did not arrive whole, or has something behind its end: copy it again")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidReceipt(f"{where} is no receipt of this collection, or is damaged: {error}") from error
    if not isinstance(document, dict):
        raise InvalidReceipt(f"{where} is no receipt of this collection, but {shorten(document)}")
    return document


def _receipt(document: Mapping[str, Any]) -> Receipt:
    order = list(_unpack_digests(document["digests"]))
    sizes = [_number(size) for size in document["sizes"]]
    if len(order) != len(sizes) or len(set(order)) != len(order):
        raise ValueError(f"it has {len(set(order))} digests and {len(sizes)} sizes")
    links: set[Link] = set()
    tags: dict[TagName, str] = {}
    for names, numbers, tagged in _unpack_repositories(document["repositories"]):
        for name in names:
            if len(links) + len(numbers) > _LINKS_LIMIT:
                raise ValueError(f"it has more than {_LINKS_LIMIT} links")
            links.update((name, order[number]) for number in numbers)
            tags.update(((name, tag), order[number]) for tag, number in tagged.items())
    return Receipt(_label(document["label"]), dict(zip(order, sizes)), frozenset(links), tags)


def _pack_digests(digests: Iterable[str]) -> dict[str, str]:
    encoded: dict[str, list[str]] = {}
    for digest in digests:
        algorithm, value = _digest.split(digest)
        encoded.setdefault(algorithm, []).append(value)
    return {key: base64.b64encode(bytes.fromhex("".join(values))).decode() for key, values in encoded.items()}


def _unpack_digests(packed: Mapping[str, str]) -> Iterator[str]:
    for algorithm, text in packed.items():
        length = _digest.HEX_LENGTH[algorithm]
        try:
            values = base64.b64decode(text, validate=True).hex()
        except binascii.Error as error:
            raise ValueError(f"its digests are damaged: {error}") from error
        if len(values) % length:
            raise ValueError("its digests are not whole")
        for begin in range(0, len(values), length):
            yield f"{algorithm}:{values[begin : begin + length]}"


def _pack_repositories(receipt: Receipt, numbers: Mapping[str, int]) -> list[Any]:
    """Return for each repository, together with its aliases, its names, its links as runs of numbers, and its tags.

    A run is the distance from the end of the one before, and its length; a tag's number counts from the first link.
    """
    links: dict[str, list[int]] = {}
    tags: dict[str, dict[str, int]] = {}
    for repository, digest in receipt.links:
        links.setdefault(repository, []).append(numbers[digest])
    for (repository, tag), digest in sorted(receipt.tags.items()):
        tags.setdefault(repository, {})[tag] = numbers[digest]
    groups: dict[tuple[Any, ...], list[str]] = {}
    for repository in sorted({*links, *tags}):
        key = (tuple(sorted(links.get(repository, ()))), tuple(tags.get(repository, {}).items()))
        groups.setdefault(key, []).append(repository)
    packed: list[Any] = []
    cursor = 0
    for (linked, tagged), names in groups.items():
        runs: list[int] = []
        for begin, count in _runs(linked):
            runs += (begin - cursor, count)
            cursor = begin + count
        first = linked[0] if linked else 0
        packed.append([names, runs, {tag: number - first for tag, number in tagged}])
    return packed


def _unpack_repositories(packed: Sequence[Any]) -> Iterator[tuple[list[str], list[int], dict[str, int]]]:
    cursor = 0
    for names, runs, tagged in packed:
        numbers: list[int] = []
        for distance, count in zip(runs[::2], runs[1::2]):
            begin = _number(cursor + distance)
            cursor = begin + _number(count)
            if len(numbers) + count > _LINKS_LIMIT:
                raise ValueError(f"it has more than {_LINKS_LIMIT} links")
            numbers += range(begin, cursor)
        first = numbers[0] if numbers else 0
        yield (
            [_repository(name) for name in names],
            numbers,
            {_tag(tag): _number(first + number) for tag, number in tagged.items()},
        )


def _runs(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the first number and the length of each run of consecutive ones among sorted numbers."""
    begin = 0
    for end in range(1, len(numbers) + 1):
        if end == len(numbers) or numbers[end] != numbers[end - 1] + 1:
            yield numbers[begin], end - begin
            begin = end


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{shorten(value)} is no number")
    return value


def _repository(value: Any) -> str:
    if not _reference.is_repository(value):
        raise ValueError(f"{shorten(value)} is no repository path")
    return str(value)


def _tag(value: Any) -> str:
    if not _reference.is_tag(value):
        raise ValueError(f"{shorten(value)} is no tag")
    return str(value)


def require_label(text: str) -> None:
    """Make sure that a text can be a label.

    :raises InvalidReceipt: if it cannot.
    """
    try:
        _label(text)
    except ValueError as error:
        raise InvalidReceipt(f"{error}: write one line of at most {LABEL_LIMIT} characters") from error


def _label(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LABEL_LIMIT or not value.isprintable():
        raise ValueError(f"{shorten(value)} is no label")
    return value

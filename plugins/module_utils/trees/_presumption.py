# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a delta presumes that the tree holds into which it will be put: a small file in it, which people can read."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Tuple

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReceipt
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import TagName

FILE = "seahub.delta.json"
FORMAT = 1

Origin = Tuple[str, str]
"""The label and the fingerprint of the receipt of a tree."""


@dataclass(frozen=True)
class Presumption:
    """What a delta presumes.

    - since: the trees for which it was packed.
    - blobs: digest and size in bytes of what its references need, and those trees held already.
    - tags: where the tags that it moves pointed in those trees.
    """

    since: tuple[Origin, ...] = ()
    blobs: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[TagName, tuple[str, ...]] = field(default_factory=dict)

    @property
    def shown(self) -> str:
        """The trees as people are told of them."""
        return ", ".join(f"{label} ({mark})" if label else mark for label, mark in self.since)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data, as it stands in the file."""
        return {
            "since": [{"label": label, "fingerprint": mark} for label, mark in self.since],
            "blobs": dict(sorted(self.blobs.items())),
            "tags": {f"{name}:{tag}": list(digests) for (name, tag), digests in sorted(self.tags.items())},
        }

    def dump(self) -> bytes:
        """Return the content of the file."""
        return json.dumps({"seahub_delta": FORMAT, **self.as_dict()}, indent=1).encode() + b"\n"


def load(data: bytes) -> Presumption:
    """Read the content of the file.

    :raises InvalidReceipt: if it is something else, or of a later format.
    """
    try:
        document = json.loads(data)
        if document["seahub_delta"] != FORMAT:
            raise InvalidReceipt(
                f"{FILE} has format {shorten(document['seahub_delta'])}; this version of the collection reads {FORMAT}:"
                " use a newer one"
            )
        return Presumption(
            since=tuple((_label(item["label"]), _checked(item["fingerprint"])) for item in document["since"]),
            blobs={_checked(digest): _size(size) for digest, size in document["blobs"].items()},
            tags={_name(name): tuple(map(_checked, digests)) for name, digests in document["tags"].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidReceipt(f"{FILE} cannot be read, so this was not written by bundle_pack: {error!r}") from error


def _checked(digest: Any) -> str:
    if not isinstance(digest, str) or not _digest.is_digest(digest):
        raise ValueError(f"{shorten(digest)} is no digest")
    return digest


def _size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{shorten(value)} is no size")
    return value


def _name(text: str) -> TagName:
    repository, _colon, tag = text.rpartition(":")
    if not (_reference.is_repository(repository) and _reference.is_tag(tag)):
        raise ValueError(f"{shorten(text)} is no tag of a repository")
    return repository, tag


def _label(text: Any) -> str:
    if not isinstance(text, str) or not text.isprintable():
        raise ValueError(f"{shorten(text)} is no label")
    return text

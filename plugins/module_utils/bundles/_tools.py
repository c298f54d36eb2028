# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a bundle carries beside its tree: the files with which somebody behind the gap sets up a controller.

They lie in one flat folder of the bundle and never get into a tree that is served.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import os
from typing import BinaryIO, Callable, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest


@dataclasses.dataclass(frozen=True)
class Tool:
    """A file that a bundle carries beside its tree.

    - name: in its folder.
    - size: in bytes.
    - sha256: its checksum in hexadecimal digits.
    - open: returns a file that stands at its first byte. What follows its last byte is something else.
    """

    name: str
    size: int
    sha256: str
    open: Callable[[], BinaryIO] = dataclasses.field(compare=False, repr=False)


def of_bytes(name: str, data: bytes) -> Tool:
    """Return a tool with this content."""
    return Tool(name, len(data), hashlib.sha256(data).hexdigest(), functools.partial(io.BytesIO, data))


def of_file(path: str) -> Tool:
    """Return the tool that a file is, under its own name.

    :raises OSError: if it cannot be read.
    """
    return read(os.path.basename(path), os.path.getsize(path), lambda: open(path, "rb"))


def read(name: str, size: int, open_: Callable[[], BinaryIO]) -> Tool:
    """Return a tool whose checksum is not known yet: it is read for that.

    :raises TreeError: if it has fewer bytes.
    """
    hash_object = hashlib.sha256()
    left = size
    with open_() as file:
        while left:
            data = file.read(min(_digest.CHUNK, left))
            if not data:
                raise TreeError(f"{name} ends too early: copy it again")
            hash_object.update(data)
            left -= len(data)
    return Tool(name, size, hash_object.hexdigest(), open_)


def fingerprint(tools: Sequence[Tool]) -> str:
    """Return a text that is the same for the same tools, and for none others; empty for no tools."""
    return json.dumps([[tool.name, tool.size, tool.sha256] for tool in tools]) if tools else ""

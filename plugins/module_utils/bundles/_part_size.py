# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How large a part of a bundle may be, as a person says it."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import re

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeError
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

SMALLEST = 64 * 1024
LARGEST_COUNT = 9999

# What a disc holds, less some MiB for its file system.
# https://en.wikipedia.org/wiki/DVD#Capacity, https://en.wikipedia.org/wiki/Blu-ray#Physical_media
MEDIA = {
    "cd": 700 * 1024**2,
    "dvd": 4_680_000_000,
    "dvd-dl": 8_500_000_000,
    "bd": 24_900_000_000,
    "bd-dl": 49_900_000_000,
    # The largest file there: https://learn.microsoft.com/windows/win32/fileio/filesystem-functionality-comparison
    "fat32": 4 * 1024**3 - 1,
}
_UNITS = {
    "": 1,
    "b": 1,
    **{f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", 1)},
    **{f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", 1)},
}
_TEXT = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) *([a-z]*) *(?:- *([0-9]{1,15}))?")


def parse(text: str) -> int:
    """Return a size in bytes.

    :param text: a number with a unit (`25GB`, `4GiB`), perhaps with bytes taken off (`4GiB-1`), or one of `MEDIA`.
    :raises TreeError: if it is something else, or too small for a part.
    """
    lower = text.strip().lower()
    match = _TEXT.fullmatch(lower)
    if lower not in MEDIA and (match is None or match[2] not in _UNITS):
        raise TreeError(
            f"the part_size {shorten(text)} is no size: give one such as 4GiB-1 or 25GB, or one of {', '.join(MEDIA)}"
        )
    size = MEDIA[lower] if match is None else int(float(match[1]) * _UNITS[match[2]]) - int(match[3] or 0)
    if size < SMALLEST:
        raise TreeError(f"the part_size {shorten(text)} is too small: a part has {SMALLEST} bytes at least")
    return size

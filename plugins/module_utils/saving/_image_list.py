# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Image lists: text files with one reference a line."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReference


@dataclasses.dataclass(frozen=True)
class Line:
    """A reference as it was written, and where it stands (for errors)."""

    text: str
    where: str


def read(path: str) -> list[Line]:
    """Read an image list.

    Blank lines, `#` comments, on their own or after a reference, spaces, and line ends of either kind are as people
    write them. Whether a line is a reference is for others to say.

    :raises InvalidReference: if the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            # Not splitlines(): it would end lines where no editor does, and so count them differently.
            lines = file.read().split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidReference(f"the image list {path} cannot be read: {error}") from error
    texts = [_without_comment(line) for line in lines]
    return [Line(text, f"{path}, line {number}") for number, text in enumerate(texts, 1) if text]


def _without_comment(line: str) -> str:
    return line.split("#", 1)[0].strip().strip("\"'").strip()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines in the files of others: what is added carries a mark, and what is in its way is commented out with one.

Both TOML and YAML begin comments with `#`. The standard library writes neither, and a writer would lose the comments
and the order of the user's own text.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

MARK = "# added by seahub.offline"
ASIDE = "#put aside by seahub.offline# "


def added(line: str) -> str:
    """Return a line with the mark of those that were added."""
    return f"{line}  {MARK}" if line else MARK


def aside(line: str) -> str:
    """Return a line commented out."""
    return ASIDE + line


def strip(text: str) -> str:
    """Return the text without added lines, and with those that were put aside back in force."""
    lines = [line for line in text.splitlines(keepends=True) if not line.rstrip().endswith(MARK)]
    return "".join(line[len(ASIDE) :] if line.startswith(ASIDE) else line for line in lines)

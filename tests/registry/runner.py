# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves in processes of their own, which a test can kill: `python -m tests.registry.runner`.

For each line `ROOT HOST` it begins a process that saves everything from that registry into the tree, says its id, and
then how it ended. What takes long to import is imported once.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.registry import saving
from tests.registry.content import IMAGES


def main() -> None:
    """Run until there is no more input."""
    for line in sys.stdin:
        root, host = line.split()
        process = os.fork()
        if not process:
            os._exit(run(Path(root), host))
        sys.stdout.write(f"{process}\n")
        sys.stdout.flush()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}\n")
        sys.stdout.flush()


def run(root: Path, host: str) -> int:
    """Save everything; return the status of the process."""
    with saving.registries() as known:
        return 1 if saving.save(root, host, IMAGES, known).failures else 0


if __name__ == "__main__":
    main()

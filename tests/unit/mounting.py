# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts images for tests, which run as root."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def mounted(image: Path) -> Iterator[Path]:
    """Mounts a squashfs image; gives the folder in which it is seen."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-t", "squashfs", "-o", "loop,ro", image, folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)

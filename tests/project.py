# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkout as the tests of its frame see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]


def load_yaml(path: str | Path) -> Any:
    """Returns what the YAML file at this path, taken from the root of the checkout, holds."""
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def roles() -> list[str]:
    """Returns the names of the collection's roles."""
    return sorted(folder.name for folder in (ROOT / "roles").glob("*") if folder.is_dir())


def playbooks() -> list[str]:
    """Returns the file names of the collection's playbooks."""
    return sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))

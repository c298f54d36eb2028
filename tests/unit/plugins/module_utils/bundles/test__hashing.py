# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import hashlib
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.bundles._hashing import Hashing


def test_what_is_written_is_hashed(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with path.open("wb", buffering=0) as out:
        with Hashing(out) as hashing:
            for number in range(100):
                hashing.write(b"x" * number)
        assert hashing.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()
        hashing.append(b"end")
    assert path.read_bytes().endswith(b"xend")
    assert hashing.hexdigest() == hashlib.sha256(path.read_bytes()).hexdigest()

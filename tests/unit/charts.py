# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes small, real packaged charts for tests."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path


def tar(*members: tuple[str, bytes]) -> bytes:
    """Return a tar of files, each with its name and its content."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def tgz(*members: tuple[str, bytes]) -> bytes:
    """Return the same, compressed; the same members give the same bytes."""
    return gzip.compress(tar(*members), mtime=0)


def packaged(name: str, version: str) -> bytes:
    """Return a packaged chart of this name and version, which must be in need of no quotes in YAML."""
    return tgz((f"{name}/Chart.yaml", f"apiVersion: v2\nname: {name}\nversion: {version}\n".encode()))


def put(folder: Path, name: str, version: str) -> Path:
    """Write a packaged chart as `helm package` calls it; return its path."""
    path = folder / f"{name}-{version}.tgz"
    path.write_bytes(packaged(name, version))
    return path

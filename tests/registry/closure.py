# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether every tag of a tree has all that it needs: read from the files alone, not with the code that is tested."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

LAYOUT = Path("docker/registry/v2")


def broken_tags(root: Path, hashed: bool = True, *, in_place: bool = False) -> list[str]:
    """Return what is wrong with the tags of a tree; nothing if each has all that it needs.

    :param hashed: read the layers too; else only the size of their files is looked at.
    :param in_place: whether a registry writes the tree at this moment: it writes links in place, and one that has no
        content yet is no tag to it.
    """
    repositories = root / LAYOUT / "repositories"
    return [
        f"{link.relative_to(repositories)}: {problem}"
        for link in _tags(repositories)
        for digest in [link.read_text()]
        for problem in (_problems(root, link.parents[4], digest, hashed) if digest else _emptiness(in_place))
    ]


def _emptiness(in_place: bool) -> list[str]:
    return [] if in_place else ["the tag is empty"]


def _tags(repositories: Path) -> Iterator[Path]:
    # Not glob: a registry takes away the folders of uploads while somebody looks, which stops it but not walk.
    for folder, _folders, names in os.walk(repositories):
        if "link" in names and Path(folder).match("_manifests/tags/*/current"):
            yield Path(folder) / "link"


def _problems(root: Path, repository: Path, digest: str, hashed: bool) -> Iterator[str]:
    if not _linked(repository / "_manifests" / "revisions", digest):
        yield f"the manifest {digest} is not linked"
    try:
        data = _blob(root, digest).read_bytes()
    except FileNotFoundError:
        yield f"the manifest {digest} is missing"
        return
    if f"sha256:{hashlib.sha256(data).hexdigest()}" != digest:
        yield f"the manifest {digest} is damaged"
        return
    manifest = json.loads(data)
    for child in manifest.get("manifests", []):
        yield from _problems(root, repository, child["digest"], hashed)
    for blob in [*([manifest["config"]] if "config" in manifest else []), *manifest.get("layers", [])]:
        if not _linked(repository / "_layers", blob["digest"]):
            yield f"the blob {blob['digest']} is not linked"
        yield from _blob_problems(_blob(root, blob["digest"]), blob["digest"], blob["size"], hashed)


def _blob_problems(path: Path, digest: str, size: int, hashed: bool) -> Iterator[str]:
    if not path.exists():
        yield f"the blob {digest} is missing"
    elif path.stat().st_size != size:
        yield f"the blob {digest} has {path.stat().st_size} bytes, not {size}"
    elif hashed and f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" != digest:
        yield f"the blob {digest} is damaged"


def _blob(root: Path, digest: str) -> Path:
    algorithm, encoded = digest.split(":")
    return root / LAYOUT / "blobs" / algorithm / encoded[:2] / encoded / "data"


def _linked(folder: Path, digest: str) -> bool:
    link = folder.joinpath(*digest.split(":")) / "link"
    return link.is_file() and link.read_text() == digest

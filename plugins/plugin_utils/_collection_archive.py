# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A collection as the one file from which it can be installed.

`ansible-galaxy collection build` makes it from a checkout only, and with the time of day in it. Here an installed
collection becomes the file again from which it was installed, and the same collection always gives the same bytes.
"""

# Note that this plugin util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import ToolsUnavailable

MANIFEST, FILES = "MANIFEST.json", "FILES.json"


@dataclass(frozen=True)
class _Member:
    """A file of the archive; a folder has no content."""

    name: str
    content: bytes | None
    executable: bool = False

    def header(self) -> tarfile.TarInfo:
        info = tarfile.TarInfo(self.name)
        if self.content is None:
            info.type, info.mode = tarfile.DIRTYPE, 0o755
        else:
            info.size, info.mode = len(self.content), 0o755 if self.executable else 0o644
        return info


def write(root: Path, folder: Path) -> Path:
    """Write the collection at a place into a file in a folder; return its path.

    :param root: of a checkout, with its galaxy.yml, or of an installed collection.
    :raises ToolsUnavailable: if it is neither, or if it is not what was installed any more.
    """
    if (root / MANIFEST).is_file():
        members = list(_installed(root))
    elif (root / "galaxy.yml").is_file():
        members = list(_built(root))
    else:
        raise ToolsUnavailable(f"{root} is neither a checkout nor an installed collection: it cannot be carried along")
    info = json.loads(next(member.content or b"" for member in members if member.name == MANIFEST))["collection_info"]
    path = folder / f"{info['namespace']}-{info['name']}-{info['version']}.tar.gz"
    path.write_bytes(_archive(members))
    return path


def _archive(members: Iterable[_Member]) -> bytes:
    out = io.BytesIO()
    # Without a name and a time of its own.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=out, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed) as archive,
    ):
        for member in members:
            archive.addfile(member.header(), io.BytesIO(member.content or b""))
    return out.getvalue()


def _installed(root: Path) -> Iterator[_Member]:
    manifest = (root / MANIFEST).read_bytes()
    yield _Member(MANIFEST, manifest)
    files = _checked(root, FILES, json.loads(manifest)["file_manifest_file"]["chksum_sha256"])
    yield files
    for entry in json.loads(files.content or b"")["files"]:
        if entry["ftype"] == "file":
            yield _checked(root, entry["name"], entry["chksum_sha256"])
        elif entry["name"] != ".":
            yield _Member(entry["name"], None)


def _checked(root: Path, name: str, checksum: str) -> _Member:
    path = root / name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ToolsUnavailable(f"{path} cannot be read ({error.strerror}): install the collection again") from error
    if hashlib.sha256(content).hexdigest() != checksum:
        # ansible-galaxy on the other side would refuse it.
        raise ToolsUnavailable(f"{path} is not what was installed: install the collection again")
    return _Member(name, content, bool(path.stat().st_mode & 0o100))


def _built(root: Path) -> Iterator[_Member]:
    with tempfile.TemporaryDirectory(prefix="seahub-collection.") as folder:
        command = [sys.executable, "-m", "ansible", "galaxy", "collection", "build", "--output-path", folder, str(root)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        built = list(Path(folder).glob("*.tar.gz"))
        if done.returncode != 0 or len(built) != 1:
            said = "; ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
            raise ToolsUnavailable(f"no archive can be made of the collection in {root}: {said}")
        with tarfile.open(built[0]) as archive:
            for info in archive:
                file = archive.extractfile(info)
                yield _Member(info.name, file.read() if file else None, bool(info.mode & 0o100))

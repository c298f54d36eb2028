# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import ToolsUnavailable
from ansible_collections.seahub.offline.plugins.plugin_utils import _collection_archive

FILES = {
    "galaxy.yml": "namespace: a\nname: b\nversion: 1.2.3\nreadme: README.md\nauthors: [a]\nbuild_ignore: [left]\n",
    "README.md": "# b\n",
    "requirements.txt": "requests\n",
    "plugins/modules/c.py": "print()\n",
    "files/run": "#!/bin/sh\n",
    "left/out": "",
}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "checkout" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "checkout" / "files" / "run").chmod(0o755)
    return tmp_path / "checkout"


@pytest.fixture
def archive(checkout: Path, tmp_path: Path) -> Path:
    """The archive of the checkout."""
    (tmp_path / "first").mkdir()
    return _collection_archive.write(checkout, tmp_path / "first")


@pytest.fixture
def installed(archive: Path, tmp_path: Path) -> Path:
    """Where that archive is installed."""
    galaxy = [sys.executable, "-m", "ansible", "galaxy", "collection", "install", "--offline"]
    subprocess.run([*galaxy, "--collections-path", tmp_path / "there", archive], check=True, capture_output=True)
    return tmp_path / "there" / "ansible_collections" / "a" / "b"


def content(path: Path) -> dict[str, tuple[int, bytes]]:
    with tarfile.open(path) as archive:
        return {
            member.name: (member.mode, file.read() if (file := archive.extractfile(member)) else b"")
            for member in archive
        }


def test_a_checkout_becomes_what_ansible_galaxy_builds(archive: Path) -> None:
    assert archive.name == "a-b-1.2.3.tar.gz"
    found = content(archive)
    assert {name: data for name, (mode, data) in found.items() if name in FILES and mode == 0o644} == {
        name: FILES[name].encode() for name in ("README.md", "requirements.txt", "plugins/modules/c.py")
    }
    assert found["files/run"] == (0o755, b"#!/bin/sh\n")
    assert not {"galaxy.yml", "left", "left/out"} & set(found)


def test_the_same_checkout_gives_the_same_bytes(checkout: Path, archive: Path, tmp_path: Path) -> None:
    (checkout / "README.md").touch()
    (tmp_path / "second").mkdir()
    assert _collection_archive.write(checkout, tmp_path / "second").read_bytes() == archive.read_bytes()


def test_what_is_installed_becomes_what_it_was_installed_from(installed: Path, archive: Path, tmp_path: Path) -> None:
    (installed / "plugins" / "modules" / "__pycache__").mkdir()
    again = _collection_archive.write(installed, tmp_path)
    assert (again.name, content(again)) == (archive.name, content(archive))


def test_what_was_changed_after_it_was_installed_is_refused(installed: Path, tmp_path: Path) -> None:
    (installed / "README.md").write_text("# c\n")
    with pytest.raises(ToolsUnavailable, match=r"README.md is not what was installed: install the collection again"):
        _collection_archive.write(installed, tmp_path)
    (installed / "README.md").unlink()
    with pytest.raises(ToolsUnavailable, match=r"README.md cannot be read \(No such file or directory\)"):
        _collection_archive.write(installed, tmp_path)


def test_a_checkout_that_cannot_be_built_is_named(checkout: Path, tmp_path: Path) -> None:
    (checkout / "galaxy.yml").write_text("namespace: a\n")
    with pytest.raises(ToolsUnavailable, match=r"no archive can be made of the collection in .*/checkout: .*name"):
        _collection_archive.write(checkout, tmp_path)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(ToolsUnavailable, match="is neither a checkout nor an installed collection"):
        _collection_archive.write(tmp_path, tmp_path)

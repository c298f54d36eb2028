# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _toolbox
from ansible_collections.seahub.offline.plugins.module_utils.bundles._toolbox import Controller
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tools import Tool
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import ToolsUnavailable
from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform
from tests.project import ROOT
from tests.unit.trees import files
from tests.unit.wheels import make_wheels, only_from

REQUIREMENTS = b"# A comment\nalpha >=2,<3\n"
WHEELS = (
    "alpha-1.0-py3-none-any",
    "alpha-2.0-cp311-cp311-manylinux2014_x86_64",
    "alpha-2.0-cp312-cp312-manylinux_2_17_x86_64",
    "alpha-2.0-cp311-cp311-manylinux_2_28_aarch64",
    "alpha-2.5-cp311-cp311-manylinux_2_34_x86_64",
    "alpha-2.5-cp311-cp311-musllinux_1_2_x86_64",
    "pip-25.0-py3-none-any",
)


def write_collection(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


MANIFEST = json.dumps({"collection_info": {"namespace": "seahub", "name": "offline", "version": "0.1.0"}}).encode()


@pytest.fixture
def collection(tmp_path: Path) -> _toolbox.Collection:
    members = {"MANIFEST.json": MANIFEST, "requirements.txt": REQUIREMENTS}
    return _toolbox.read_collection(str(write_collection(tmp_path / "seahub-offline-0.1.0.tar.gz", members)))


@pytest.fixture(autouse=True)
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = make_wheels(tmp_path / "index", WHEELS)
    for name, value in only_from(folder).items():
        monkeypatch.setenv(name, value)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "tree.tools"


def gather(
    collection: _toolbox.Collection, kept: Path, *wanted: tuple[str, str], dry_run: bool = False
) -> tuple[Tool, ...]:
    machines = [Controller(*each) for each in wanted or [("3.11", "amd64")]]
    return _toolbox.gather(collection, machines, str(kept), "bundle.tar", dry_run)


def names(tools: Sequence[Tool]) -> list[str]:
    return [tool.name for tool in tools]


FOREMOST = ["README.md", "requirements.txt", "seahub-offline-0.1.0.tar.gz"]


@pytest.mark.parametrize(
    ("wanted", "wheels"),
    [
        ([("3.11", "amd64")], WHEELS[1:2]),
        ([("3.12", "amd64")], WHEELS[2:3]),
        ([("3.11", "arm64")], WHEELS[3:4]),
        ([("3.12", "amd64"), ("3.11", "arm64"), ("3.11", "amd64")], sorted(WHEELS[1:4])),
    ],
)
def test_wheels_are_those_for_the_controllers(
    collection: _toolbox.Collection, kept: Path, wanted: list[tuple[str, str]], wheels: list[str]
) -> None:
    found = gather(collection, kept, *wanted)
    assert names(found) == [*FOREMOST, *(f"{wheel}.whl" for wheel in [*wheels, "pip-25.0-py3-none-any"])]
    with found[1].open() as file:
        assert file.read() == REQUIREMENTS
    with found[2].open() as file:
        assert file.read() == Path(collection.path).read_bytes()


def test_nothing_is_fetched_twice(collection: _toolbox.Collection, kept: Path, index: Path) -> None:
    first = gather(collection, kept)
    for wheel in index.iterdir():
        wheel.unlink()
    before = files(kept)
    assert gather(collection, kept) == gather(collection, kept, dry_run=True) == first
    assert files(kept) == before


def test_a_dry_run_says_the_same_and_keeps_nothing(collection: _toolbox.Collection, kept: Path) -> None:
    planned = gather(collection, kept, dry_run=True)
    assert not kept.exists()
    assert planned == gather(collection, kept)


def test_what_cannot_be_had_is_named_and_nothing_is_kept(collection: _toolbox.Collection, kept: Path) -> None:
    with pytest.raises(ToolsUnavailable, match=r"with Python 3.13 on amd64 cannot be had, nothing was packed.*alpha"):
        gather(collection, kept, ("3.13", "amd64"))
    assert list(kept.iterdir()) == []


def test_what_a_killed_run_left_is_removed(collection: _toolbox.Collection, kept: Path) -> None:
    (kept / "python3.11-amd64-x.new").mkdir(parents=True)
    gather(collection, kept)
    assert [path.name.rsplit("-", 1)[0] for path in kept.iterdir()] == ["python3.11-amd64"]


def test_other_requirements_are_fetched_anew(collection: _toolbox.Collection, kept: Path, tmp_path: Path) -> None:
    gather(collection, kept)
    members = {"MANIFEST.json": MANIFEST, "requirements.txt": b"alpha <2\n"}
    other = _toolbox.read_collection(str(write_collection(tmp_path / "other.tar.gz", members)))
    assert "alpha-1.0-py3-none-any.whl" in names(gather(other, kept))


def test_the_folder_that_cannot_be_made_is_named(collection: _toolbox.Collection, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ToolsUnavailable, match=r"tools_dir: packages cannot be kept in .*/file/x: Not a directory"):
        gather(collection, tmp_path / "file" / "x")


def test_the_page_has_the_names_of_what_is_there(collection: _toolbox.Collection, kept: Path) -> None:
    wanted = [("3.11", "amd64"), ("3.12", "amd64")]
    found = gather(collection, kept, *wanted)
    with found[0].open() as file:
        page = file.read().decode()
    assert "python3.11 -m venv" in page
    assert "Python 3.11 or 3.12," in page
    assert "tools/pip-25.0-py3-none-any.whl/pip install" in page
    assert "tools/seahub-offline-0.1.0.tar.gz\n" in page
    assert "bundle=/media/usb/bundle.tar\n" in page
    assert len(page.splitlines()) < 90


def test_controllers_are_all_combinations_and_by_default_this_one() -> None:
    assert _toolbox.controllers(["3.12", "3.11"], ["arm64", "amd64"]) == [
        Controller("3.12", "arm64"),
        Controller("3.12", "amd64"),
        Controller("3.11", "arm64"),
        Controller("3.11", "amd64"),
    ]
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert _toolbox.controllers(None, None) == [Controller(own, _platform.local().architecture)]


@pytest.mark.parametrize(
    ("pythons", "architectures", "why"),
    [
        (["3"], None, "tools_python: '3' is no version such as 3.11"),
        (["3.11.2"], None, "tools_python: '3.11.2' is no version"),
        (["3.11 --index-url x"], None, "is no version"),
        (None, ["x86_64"], "tools_arch: there are no tools for x86_64: give one or more of amd64, arm64"),
    ],
)
def test_what_is_no_controller(pythons: list[str] | None, architectures: list[str] | None, why: str) -> None:
    with pytest.raises(ToolsUnavailable, match=why):
        _toolbox.controllers(pythons, architectures)


@pytest.mark.parametrize(
    "members", [{}, {"MANIFEST.json": MANIFEST}, {"MANIFEST.json": b"{}", "requirements.txt": b""}]
)
def test_what_is_no_collection(tmp_path: Path, members: dict[str, bytes]) -> None:
    path = write_collection(tmp_path / "x.tar.gz", members)
    with pytest.raises(ToolsUnavailable, match=r"x.tar.gz is no archive of this collection"):
        _toolbox.read_collection(str(path))


def test_a_collection_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ToolsUnavailable, match="No such file"):
        _toolbox.read_collection(str(tmp_path / "x.tar.gz"))


def test_the_requirements_of_this_collection_name_what_a_controller_needs() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    packages = [line.split()[0] for line in lines if line and not line.startswith("#")]
    assert packages == ["ansible-core", "cryptography", "PyYAML", "requests"]

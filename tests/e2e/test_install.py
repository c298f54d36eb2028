# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The playbooks are found from a checkout and from an installed collection, wherever one stands."""

from __future__ import annotations

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.project import ROOT, playbooks

NAMES = [Path(playbook).stem for playbook in playbooks()]


def run(*command: str | Path, cwd: Path, status: int = 0, **variables: str | Path) -> str:
    """Runs a command as someone would who has set nothing up for this project; returns what it printed."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {**plain, **{name: str(value) for name, value in variables.items()}}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture(name="artifact", scope="module")
def fixture_artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as it is built from the checkout."""
    folder = tmp_path_factory.mktemp("artifact")
    run("ansible-galaxy", "collection", "build", "--output-path", folder, ROOT, cwd=folder)
    (artifact,) = folder.glob("seahub-offline-*.tar.gz")
    return artifact


@pytest.fixture(name="installed", scope="module")
def fixture_installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which nothing but the built collection is installed, from its file alone."""
    folder = tmp_path_factory.mktemp("installed")
    run("ansible-galaxy", "collection", "install", "--offline", "--collections-path", folder, artifact, cwd=folder)
    return folder


def test_the_artifact_holds_what_an_installed_collection_uses(artifact: Path) -> None:
    with tarfile.open(artifact) as archive:
        tops = {name.split("/")[0] for name in archive.getnames()}
        links = [member.name for member in archive if member.issym() or member.islnk()]
    assert links == []
    assert tops == {
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "changelogs",
        "inventory.example",
        "meta",
        "docs",
        "playbooks",
        "plugins",
        "requirements.txt",
        "roles",
    }


@pytest.mark.parametrize("name", NAMES)
def test_an_installed_playbook_is_found_by_its_full_name(installed: Path, tmp_path: Path, name: str) -> None:
    playbook = f"seahub.offline.{name}"
    listed = run("ansible-playbook", playbook, "--list-tasks", cwd=tmp_path, ANSIBLE_COLLECTIONS_PATH=installed)
    assert f"playbook: {installed}" in listed


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("elsewhere", [False, True], ids=["from its root", "from another directory"])
def test_a_checkout_has_playbooks_at_its_top(tmp_path: Path, name: str, elsewhere: bool) -> None:
    run("ansible-playbook", ROOT / f"{name}.yml", "--syntax-check", cwd=tmp_path if elsewhere else ROOT)


# A role is looked for only when its turn comes. One that is found refuses these images before it does anything.
NOT_A_LIST_OF_IMAGES = '{"build_images": {"docker.io/library/busybox": "latest"}}'
REFUSED = "Validation of arguments failed"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["from its root", "from another directory"])
def test_a_checkout_finds_its_own_roles(tmp_path: Path, elsewhere: bool) -> None:
    cwd = tmp_path if elsewhere else ROOT
    assert REFUSED in run("ansible-playbook", ROOT / "build.yml", "-e", NOT_A_LIST_OF_IMAGES, cwd=cwd, status=2)


def test_an_installed_playbook_finds_its_roles(installed: Path, tmp_path: Path) -> None:
    command = ["ansible-playbook", "seahub.offline.build", "-e", NOT_A_LIST_OF_IMAGES]
    assert REFUSED in run(*command, cwd=tmp_path, status=2, ANSIBLE_COLLECTIONS_PATH=installed)

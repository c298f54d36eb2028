# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said in several places is said the same: versions, requirements, the contents of the changelog."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.project import ROOT, load_yaml

VERSION: str = load_yaml("galaxy.yml")["version"]
MODULES = sorted(ROOT.glob("plugins/modules/*.py"))


def as_numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.split("."))


def requirements(path: str) -> dict[str, str]:
    """Returns the requirements of a file: name in lower case -> bounds."""
    lines = (line.split("#")[0].strip() for line in (ROOT / path).read_text(encoding="utf-8").splitlines())
    names = (re.fullmatch(r"([\w-]+)\s*(.*)", line) for line in lines if line and not line.startswith("-"))
    return {match[1].lower(): match[2] for match in names if match}


def newest_release() -> str:
    releases: dict[str, object] = load_yaml("changelogs/changelog.yaml")["releases"]
    return max(releases, key=as_numbers)


def version_added(module: Path) -> str:
    documentation = re.search(r'^DOCUMENTATION = r?"""(.*?)^"""', module.read_text(encoding="utf-8"), re.M | re.S)
    assert documentation, f"{module.name} has no DOCUMENTATION"
    return str(yaml.safe_load(documentation[1])["version_added"])


def test_the_changelog_tells_of_this_version() -> None:
    fragments = list(ROOT.glob("changelogs/fragments/*.yml"))
    assert newest_release() == VERSION or (fragments and as_numbers(newest_release()) < as_numbers(VERSION))


def test_the_changelog_page_is_made_from_its_data() -> None:
    assert f"v{newest_release()}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("\\", "")


def test_the_readme_installs_this_version() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"seahub-offline-([\d.]+)\.tar", readme)) == {VERSION}


def test_the_controller_gets_the_ansible_core_that_the_collection_requires() -> None:
    oldest = re.search(r">=([\d.]+)", load_yaml("meta/runtime.yml")["requires_ansible"])
    installed = re.search(r">=([\d.]+)", requirements("requirements.txt")["ansible-core"])
    assert oldest
    assert installed
    assert as_numbers(oldest[1])[:2] == as_numbers(installed[1])[:2]


def test_an_execution_environment_gets_what_a_controller_gets() -> None:
    controller = requirements("requirements.txt")
    del controller["ansible-core"]  # the environment's own
    assert requirements("meta/ee-requirements.txt") == controller


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_no_module_is_newer_than_the_collection(module: Path) -> None:
    assert as_numbers(version_added(module)) <= as_numbers(VERSION)


def test_the_changelog_lists_each_released_module() -> None:
    releases = load_yaml("changelogs/changelog.yaml")["releases"].values()
    listed = {module["name"] for release in releases for module in release.get("modules", [])}
    newest = as_numbers(newest_release())
    released = {module.stem for module in MODULES if as_numbers(version_added(module)) <= newest}
    assert listed == released, "run `make changelog`"

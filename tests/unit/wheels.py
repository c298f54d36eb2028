# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes small, real wheels for tests, from which pip takes what it would get from an index."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path

# What requirements.txt of this collection asks for, and pip.
CONTROLLER = (
    "ansible_core-2.19.0-py3-none-any",
    "cryptography-45.0.0-cp311-abi3-manylinux_2_28_x86_64.manylinux_2_28_aarch64",
    "pip-25.0-py3-none-any",
    "pyyaml-6.0.2-py3-none-any",
    "requests-2.32.0-py3-none-any",
)


def make_wheels(folder: Path, names: Iterable[str] = CONTROLLER) -> Path:
    """Write empty wheels with these names, without `.whl`, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        package, version, *tags = name.split("-")
        info = f"{package}-{version}.dist-info"
        files = {
            f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n",
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: {'-'.join(tags)}\n",
            f"{info}/RECORD": "",
        }
        with zipfile.ZipFile(folder / f"{name}.whl", "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
    return folder


def only_from(folder: Path) -> dict[str, str]:
    """Return the environment in which pip knows of these wheels and of nothing else."""
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}

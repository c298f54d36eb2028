# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image of the third generation of the registry, which Debian does not have."""

from __future__ import annotations

from .images import OCI, SHELL, File, Image, Layer
from .programs import REGISTRY_3
from .settings import FILES, Settings


def image(settings: Settings) -> Image:
    """An image like Docker Hub's registry:3, with the program itself and the same entry point."""
    return Image(
        repository="library/registry",
        tag="3",
        types=OCI,
        layers=(
            SHELL,
            Layer(programs={"bin/registry": REGISTRY_3.built(settings) / "registry"}),
            Layer(files={"entrypoint.sh": File((FILES / "registry-entrypoint.sh").read_text(), 0o755)}),
        ),
        entrypoint=("/entrypoint.sh",),
        command=("/etc/distribution/config.yml",),
        ports=(5000,),
    )

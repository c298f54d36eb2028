# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The third generation of the registry, which Debian does not have, built from its Go module; and an image of it."""

from __future__ import annotations

from pathlib import Path

from . import golang
from .commands import kept
from .images import OCI, SHELL, File, Image, Layer
from .settings import FILES, GO, REGISTRY_3, Settings

MODULE = "github.com/distribution/distribution/v3"


def can_be_built() -> bool:
    """Whether there is a Go that is new enough."""
    return golang.is_there(GO)


def image(settings: Settings) -> Image:
    """An image like Docker Hub's registry:3, with the program itself and the same entry point."""
    return Image(
        repository="library/registry",
        tag="3",
        types=OCI,
        layers=(
            SHELL,
            Layer(programs={"bin/registry": program(settings)}),
            Layer(files={"entrypoint.sh": File((FILES / "registry-entrypoint.sh").read_text(), 0o755)}),
        ),
        entrypoint=("/entrypoint.sh",),
        command=("/etc/distribution/config.yml",),
        ports=(5000,),
    )


def program(settings: Settings) -> Path:
    """The program, built if it is not in the cache: that takes one to two minutes."""
    return kept(settings.cache / "registry-3" / REGISTRY_3 / "registry", _build)


def _build(unfinished: Path) -> None:
    golang.build([f"{MODULE}/cmd/registry"], REGISTRY_3, unfinished, unfinished.with_name("module"))

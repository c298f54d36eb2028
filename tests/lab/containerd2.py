# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second generation of containerd, which Debian 12 does not have, built from its Go module."""

from __future__ import annotations

from pathlib import Path

from . import golang
from .commands import kept
from .settings import CONTAINERD_2, CONTAINERD_2_GO, FILES, Settings, recipe_key

MODULE = "github.com/containerd/containerd/v2"
PROGRAMS = (f"{MODULE}/cmd/containerd", f"{MODULE}/cmd/ctr")
# It has no client of its own that pulls as Kubernetes does.
CRI_PULL = FILES / "cri-pull.go"
# What has nothing to do with pulling: https://github.com/containerd/containerd/blob/v2.1.9/BUILDING.md#build-containerd
TAGS = ("no_btrfs", "no_devmapper", "no_rdt", "no_systemd", "no_tracing", "no_zfs")


def can_be_built() -> bool:
    """Whether there is a Go that is new enough."""
    return golang.is_there(CONTAINERD_2_GO)


def programs(settings: Settings) -> Path:
    """The folder with `containerd`, `ctr` and `cri-pull`, built if it is not in the cache: that takes minutes."""
    recipe = recipe_key(CONTAINERD_2, PROGRAMS, TAGS, CRI_PULL.read_text())
    return kept(settings.cache / "containerd-2" / recipe, _build)


def _build(unfinished: Path) -> None:
    unfinished.mkdir()
    own = {CRI_PULL.stem: CRI_PULL}
    golang.build(PROGRAMS, CONTAINERD_2, unfinished, unfinished.with_name("module"), TAGS, own)

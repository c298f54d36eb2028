# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark of bundles that are mounted: from a file to a registry that answers, whatever its size."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.mounting import _stack

from .bundling import clear, engine, source_tree
from .measure import Measured, run, show
from .saving import HUGE, MIB, PLAIN, SMALL
from .servers import registry


def mount(work: Path, rounds: int) -> None:
    """Bundles of several sizes packed for mounting, beside tar; and from the file to a registry that answers."""
    for images in (SMALL, PLAIN, HUGE):
        tree, bundle = source_tree(images, work), work / "bundle.squashfs"
        packed, archived, served = [], [], []
        for _round in range(rounds):
            clear(bundle, work / "peer.tar")
            packed.append(engine("pack-squashfs", tree, bundle))
            archived.append(run(["tar", "cf", work / "peer.tar", "-C", tree, "."]))
            served.append(_serve(bundle, work))
        show(
            f"mount: {images.size / MIB:.0f} MiB, {rounds} rounds",
            {"pack": packed, "tar cf": archived, "file to registry": served},
        )
        clear(bundle, work / "peer.tar")


BENCHMARKS: dict[str, Callable[[Path, int], None]] = {"mount": mount}


def _serve(bundle: Path, work: Path) -> Measured:
    """Mount a bundle that is not in memory, start a registry, and ask it for a manifest."""
    entry = open_source(str(bundle)).lock.references[0]
    descriptor = os.open(bundle, os.O_RDONLY)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(descriptor)
    folder = work / "mounted"
    started = time.monotonic()
    mounted = engine("mount", bundle, folder)
    try:
        with registry(folder / _stack.TREE, work) as host:
            request = urllib.request.Request(f"http://{host}/v2/{entry.name}/manifests/{entry.tag}")
            request.add_header("Accept", entry.media_type)
            with urllib.request.urlopen(request) as answer:
                answer.read()
            seconds = time.monotonic() - started
    finally:
        _stack.remove(str(folder), f"{folder}.fstab")
    return Measured(seconds, mounted.mebibytes)

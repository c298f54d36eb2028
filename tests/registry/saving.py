# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving from the registry into a tree, as the modules do it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import Report, Saver, Wish
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

PLAIN = Settings(plain_http=True)
QUICK = RetryPolicy(base=0.01, ceiling=0.05)


@contextmanager
def registries(default: Settings = PLAIN, timeout: float = 5, **options: Any) -> Iterator[Registries]:
    """What is known about registries; their connections are closed afterwards."""
    found = Registries(default=default, timeout=timeout, **{"retry": QUICK, **options})
    try:
        yield found
    finally:
        found.close()


def wishes(known: Registries, host: str, images: Iterable[str]) -> list[Wish]:
    """Return the wishes for some images of a registry, all platforms of each.

    What goes into the lock does not name the host: its port is another one each time.
    """
    references = [_reference.parse(f"{host}/{image}") for image in images]
    return [
        Wish(
            requested=f"{reference.path}:{reference.tag}",
            source=known.repository(reference),
            source_name=f"registry/{reference.path}:{reference.tag}",
            version=reference.version,
            name=reference.path,
            tag=reference.tag,
        )
        for reference in references
    ]


def save(
    root: Path, host: str, images: Iterable[str], known: Registries, wait: float = 0, retry: RetryPolicy = QUICK
) -> Report:
    """Save some images of a registry into a tree."""
    return Saver(Tree(str(root)), retry=retry, parallel=4).save(wishes(known, host, images), wait)

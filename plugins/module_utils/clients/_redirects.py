# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which names of images lead to the offline registry, and where in it.

A tree keeps an image under its path alone, or under its host and path. An image that keeps neither has got a name of
its own, and cannot be found by its original one.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
from typing import Iterable

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReference
from ansible_collections.seahub.offline.plugins.module_utils.oci import _reference
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry

# What containerd and k3s look up for a host that has no configuration of its own.
ANY_HOST = "_default"


@dataclasses.dataclass(frozen=True)
class Redirect:
    """A host whose images are in the registry.

    - host: as it stands in references, with its port, or `_default` for any.
    - prefixes: what the registry's own names have before the path, tried in this order; empty for nothing.
    """

    host: str
    prefixes: tuple[str, ...] = ("",)


@dataclasses.dataclass(frozen=True)
class Registry:
    """The offline registry as its clients see it.

    - endpoints: host and port, in the order in which they are tried. The first is what references name.
    - authorities: the CA certificates in PEM form; empty to leave it to the trust store of the system.
    - redirects: the hosts whose images come from it.
    - short_names: what people write without a host, and the full repository that they mean.
    - sandbox_image: of Kubernetes' pods, where it is not the runtime's own.
    """

    endpoints: tuple[str, ...]
    authorities: str = ""
    redirects: tuple[Redirect, ...] = ()
    short_names: tuple[tuple[str, str], ...] = ()
    sandbox_image: str = ""

    @property
    def name(self) -> str:
        """What references to it begin with."""
        return self.endpoints[0]

    def locations(self, redirect: Redirect) -> list[str]:
        """Return where the images of a host are, each as an endpoint with its prefix."""
        return [
            f"{endpoint}/{prefix}" if prefix else endpoint
            for prefix in redirect.prefixes
            for endpoint in self.endpoints
        ]


@dataclasses.dataclass(frozen=True)
class Sources:
    """The original names of what is in a tree; `renamed` are images that cannot be found by theirs."""

    redirects: tuple[Redirect, ...]
    short_names: tuple[tuple[str, str], ...]
    renamed: tuple[str, ...]


def find(entries: Iterable[Entry]) -> Sources:
    """Find out which hosts the images of a tree came from, and how to find them by their original names."""
    prefixes: dict[str, dict[str, None]] = {}
    short_names: dict[str, str] = {}
    renamed = []
    for entry in entries:
        if entry.kind == "chart":
            continue
        try:
            source = _reference.parse(entry.source)
        except InvalidReference:
            continue  # it came out of a file, and has no other name than that in the tree
        names = (entry.name, *entry.aliases)
        if source.path in names:
            prefixes.setdefault(source.host, {})[""] = None
        elif source.repository in names:
            prefixes.setdefault(source.host, {})[source.host] = None
        else:
            renamed.append(f"{entry.source} is {entry.shown}")
            continue
        if source.host == _reference.DOCKER_HUB:
            for path in (source.path, *_reference.aliases(source.path)):
                short_names[path] = source.repository
    return Sources(
        redirects=tuple(Redirect(host, tuple(sorted(found))) for host, found in sorted(prefixes.items())),
        short_names=tuple(sorted(short_names.items())),
        renamed=tuple(renamed),
    )

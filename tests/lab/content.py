# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the upstream registry holds, and which references a user would ask the build side for."""

from __future__ import annotations

from dataclasses import dataclass

from . import charts
from .images import JQ, OCI, OPEN_IMAGES, PRIVATE_IMAGES, REGISTRY, BuiltImage, Image, build
from .settings import Settings
from .upstream import Part, Upstream

DOCKER_HUB = "docker.io"
DOCKER_HUB_OFFICIAL = "library/"


@dataclass(frozen=True)
class Reference:
    """A reference to ask for, and what it has to resolve to (None: a chart as a local file)."""

    requested: str
    kind: str
    digest: str | None


def fill(settings: Settings, upstream: Upstream) -> list[Reference]:
    """Store everything in the upstream registry; gives the references of it."""
    references = []
    for part, images in ((upstream.open, OPEN_IMAGES), (upstream.private, PRIVATE_IMAGES)):
        for image in images:
            built = build(settings, image)
            upstream.client(part).push(image.repository, image.tag, built.blobs, built.manifests)
            references.append(Reference(_requested(part, built), "image", built.digest))
    charts.prepare(settings)
    charts.push(settings, upstream)
    references += [_chart(settings, upstream, chart) for chart in charts.CHARTS]
    return references


def registry_image() -> str:
    """The reference of the image that serves the tree: the build role asks for it by itself."""
    return _short_name(REGISTRY)


def _requested(part: Part, built: BuiltImage) -> str:
    image = built.image
    if image.repository.startswith(DOCKER_HUB_OFFICIAL):
        return _short_name(image)
    if image is JQ:
        return f"{part.address}/{image.repository}@{built.digest}"
    return f"{part.address}/{image.repository}:{image.tag}"


def _short_name(image: Image) -> str:
    """As one writes an official image of Docker Hub, which the open part stands for."""
    return f"{image.repository.removeprefix(DOCKER_HUB_OFFICIAL)}:{image.tag}"


def _chart(settings: Settings, upstream: Upstream, chart: charts.Chart) -> Reference:
    if not chart.pushed:
        return Reference(str(charts.local_file(settings, chart)), "chart", None)
    digest = upstream.client(upstream.open).digest(f"{charts.UPSTREAM_PATH}/{chart.name}", chart.tag, OCI.manifest)
    return Reference(charts.reference(upstream.open, chart), "chart", digest)

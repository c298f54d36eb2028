# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Helm charts: reading their archives, and making of them what `helm push` stores in a registry.

https://helm.sh/docs/topics/charts/#the-chartyaml-file
https://helm.sh/docs/topics/registries/#helm-chart-manifest
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import functools
import gzip
import io
import json
import os
import re
import tarfile
import traceback
import zlib
from typing import Any, Callable

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidChart, NotFound
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock

try:
    import yaml

    YAML_IMPORT_ERROR = None
except ImportError:
    YAML_IMPORT_ERROR = traceback.format_exc()

# Helm's own limits are of this order; a chart is text, and a bomb must not fill the memory.
ARCHIVE_LIMIT = 20 * 1024 * 1024
"""Bytes of the largest packaged chart."""
_CONTENT_LIMIT = 100 * 1024 * 1024
_METADATA_LIMIT = 1024 * 1024
# With its aliases, a small YAML document can stand for more than fits into any memory.
_VALUES_LIMIT = 100_000
_DEPTH_LIMIT = 100
_NAME = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string
_VERSION = re.compile(
    r"v?(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)"
    r"(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


@dataclasses.dataclass(frozen=True)
class ChartArchive:
    """A packaged chart: the bytes of its `.tgz`, those of its `.prov` if it has one, and what its Chart.yaml says."""

    content: bytes
    provenance: bytes | None
    metadata: dict[str, Any]

    @property
    def name(self) -> str:
        """The chart's name."""
        return str(self.metadata["name"])

    @property
    def version(self) -> str:
        """The chart's version."""
        return str(self.metadata["version"])

    @property
    def tag(self) -> str:
        """The version as a tag: registries do not allow `+`, and Helm writes `_` for it."""
        return self.version.replace("+", "_")


def read_archive(path: str) -> ChartArchive:
    """Read a packaged chart, with the `.prov` that lies beside it.

    :raises InvalidChart: if it is none.
    """
    prov = f"{path}.prov"
    return parse_archive(path, _read_file(path), _read_file(prov) if os.path.exists(prov) else None)


def parse_archive(where: str, content: bytes, provenance: bytes | None) -> ChartArchive:
    """Read the bytes of a packaged chart.

    :param where: where they come from, for errors.
    :raises InvalidChart: if they are none.
    """
    return checked(where, ChartArchive(content, provenance, _metadata(where, content)))


def checked(where: str, chart: ChartArchive) -> ChartArchive:
    """Return the chart.

    :raises InvalidChart: if its name or version is none that Helm and a registry take.
    """
    if not _NAME.fullmatch(chart.name):
        raise InvalidChart(f"{where}: {shorten(chart.name)} is no chart name that a registry can hold")
    if not _VERSION.fullmatch(chart.version):
        raise InvalidChart(f"{where}: its version {shorten(chart.version)} is no semantic version, which Helm demands")
    return chart


class ChartSource:
    """A packaged chart as a source of an artifact, as `helm push` would have made it."""

    def __init__(self, chart: ChartArchive) -> None:
        layers = [(_media_types.HELM_CHART, chart.content)]
        if chart.provenance is not None:
            layers.append((_media_types.HELM_PROVENANCE, chart.provenance))
        config = _json(_config(chart.metadata))
        self._blobs = {_digest.hash_bytes(data): data for data in (config, *(data for _type, data in layers))}
        document = {
            "schemaVersion": 2,
            "mediaType": _media_types.OCI_MANIFEST,
            "config": _describe(_media_types.HELM_CONFIG, config),
            "layers": [_describe(media_type, data) for media_type, data in layers],
            "annotations": _annotations(chart.metadata),
        }
        self._manifest = _manifest.parse(_json(document))

    def resolve(self, version: str) -> str:
        """Return the digest of its manifest, under whatever name."""
        return self._manifest.digest

    def manifest(self, version: str) -> Manifest:
        """Return its manifest."""
        return self._manifest

    def read_blob(self, blob: Descriptor, limit: int) -> bytes:
        """Return its configuration, its archive or its provenance file."""
        try:
            return self._blobs[blob.digest]
        except KeyError:
            raise NotFound(f"the chart has no {blob.digest}") from None

    def open_blob(self, blob: Descriptor, offset: int) -> MemoryStream:
        """Return the same as a stream."""
        return MemoryStream(self.read_blob(blob, blob.size), offset)


class MemoryStream:
    """Bytes that are there already, read like a stream."""

    def __init__(self, data: bytes, start: int) -> None:
        self.start = start
        self._data = memoryview(data)[start:]

    def __enter__(self) -> MemoryStream:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def read(self, count: int) -> bytes:
        """Read up to `count` bytes; no bytes mean the end."""
        data, self._data = bytes(self._data[:count]), self._data[count:]
        return data


def describe(manifest: Manifest, read_blob: Callable[[str, int], bytes]) -> _lock.Chart:
    """Return what the lock says of a chart.

    :param read_blob: gives the content of a blob, by its digest and a limit to its size in bytes.
    :raises InvalidChart: if it is none, or its configuration and its archive call it differently.
    """
    layer, provenance = manifest.chart_layer, manifest.provenance_layer
    if layer is None or manifest.config is None:
        raise InvalidChart(f"{manifest.digest} is no Helm chart: it has no layer with a chart's archive")
    try:
        fields = json.loads(read_blob(manifest.config.digest, _METADATA_LIMIT))
        described = (fields["name"], str(fields["version"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidChart(
            f"{manifest.digest} is no Helm chart: its configuration names no chart and version"
        ) from error
    archive = parse_archive(layer.digest, read_blob(layer.digest, ARCHIVE_LIMIT), None)
    if described != (archive.name, archive.version):
        raise InvalidChart(
            f"{manifest.digest} calls itself {described[0]} {described[1]}, but its archive is "
            f"{archive.name} {archive.version}"
        )
    return _lock.Chart(archive.name, archive.version, layer.digest, provenance.digest if provenance else None)


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(ARCHIVE_LIMIT + 1)
    except OSError as error:
        raise InvalidChart(f"the chart {path} cannot be read: {error.strerror}") from error
    if len(data) > ARCHIVE_LIMIT:
        raise InvalidChart(f"{path} is larger than {ARCHIVE_LIMIT} bytes: Helm takes no such chart")
    return data


def _metadata(where: str, content: bytes) -> dict[str, Any]:
    """Read the Chart.yaml of a packaged chart."""
    try:
        # Not mode "r|gz": tarfile's own reader stumbles over the extra field that Helm writes into the gzip header
        # (https://github.com/python/cpython/issues/107398).
        with gzip.open(io.BytesIO(content)) as unpacked:
            limited: Any = _Limited(where, unpacked)
            with tarfile.open(fileobj=limited, mode="r|") as archive:
                for member in archive:
                    # tarfile would read on beyond the end, for as long as that size says.
                    limited.require(member.size)
                    parts = member.name.split("/")
                    if (
                        member.isfile()
                        and len(parts) == 2
                        and parts[1] == "Chart.yaml"
                        and member.size <= _METADATA_LIMIT
                    ):
                        file = archive.extractfile(member)
                        return parse_metadata(where, file.read() if file else b"")
    # The last three are what tarfile says to headers that nobody writes in good faith.
    except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidChart(f"{where} is no packaged chart (.tgz): {error}") from error
    raise InvalidChart(f"{where} is no packaged chart: it holds no Chart.yaml")


class _Limited:
    """An unpacked archive that ends with an error before it floods the memory, also from within tar's own headers."""

    def __init__(self, where: str, unpacked: gzip.GzipFile) -> None:
        self._where = where
        self._unpacked = unpacked
        self._left = _CONTENT_LIMIT

    def read(self, count: int) -> bytes:
        data = self._unpacked.read(count)
        self._left -= len(data)
        self.require(0)
        return data

    def require(self, count: int) -> None:
        if not 0 <= count <= self._left:
            raise InvalidChart(f"{self._where} unpacks to more than {_CONTENT_LIMIT} bytes: Helm takes no such chart")


def parse_metadata(where: str, data: bytes) -> dict[str, Any]:
    """Read a Chart.yaml.

    :raises InvalidChart: if it is none.
    """
    metadata = parse_yaml(where, data)
    if not metadata.get("name") or not metadata.get("version"):
        raise InvalidChart(f"{where}: its Chart.yaml names no chart and version")
    _check_values(where, metadata)
    return metadata


def _check_values(where: str, metadata: dict[str, Any]) -> None:
    """Make sure that what a Chart.yaml says can be kept as Helm keeps it in registries: as JSON, and annotations."""
    open_values: list[Any] = [metadata]
    count = 0
    while open_values:
        value = open_values.pop()
        count += 1
        if count > _VALUES_LIMIT:
            raise InvalidChart(f"{where}: its Chart.yaml stands for more than {_VALUES_LIMIT} values")
        if isinstance(value, (dict, list)):
            open_values.extend(value.values() if isinstance(value, dict) else value)
    try:
        _json({"metadata": metadata, "annotations": _annotations(metadata)})
    except (TypeError, ValueError) as error:
        raise InvalidChart(f"{where}: its Chart.yaml is none that Helm takes: {error}") from error


def parse_yaml(where: str, data: bytes) -> dict[str, Any]:
    """Read a YAML document that holds a mapping.

    :raises InvalidChart: if it is none.
    """
    try:
        document = yaml.load(data, Loader=_loader())
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InvalidChart(f"{where} cannot be read as YAML: {error}") from error
    if not isinstance(document, dict):
        raise InvalidChart(f"{where} cannot be read: it holds no mapping")
    return document


@functools.lru_cache(maxsize=None)
def _loader() -> Any:
    base: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

    class Loader(base):
        """Refuses a document before its depth exhausts the stack: the one in C would end the whole process."""

        depth = 0

        def descend_resolver(self, *node: Any) -> None:
            self.depth += 1
            if self.depth > _DEPTH_LIMIT:
                raise yaml.YAMLError(f"it is more than {_DEPTH_LIMIT} levels deep")
            super().descend_resolver(*node)

        def ascend_resolver(self) -> None:
            self.depth -= 1
            super().ascend_resolver()

    return Loader


def _config(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration that Helm stores: the Chart.yaml as JSON, name and version as text."""
    return {**metadata, "name": str(metadata["name"]), "version": str(metadata["version"])}


def _annotations(metadata: dict[str, Any]) -> dict[str, str]:
    """Return the annotations that Helm writes, less the time: the same chart has the same digest on every host.

    https://github.com/helm/helm/blob/v3.19.0/pkg/registry/chart.go
    """
    maintainers = [item for item in metadata.get("maintainers") or [] if isinstance(item, dict)]
    authors = ", ".join(
        f"{item.get('name')} ({item['email']})" if item.get("email") else str(item.get("name")) for item in maintainers
    )
    sources = metadata.get("sources") or [""]
    values = {
        "org.opencontainers.image.title": metadata["name"],
        "org.opencontainers.image.version": metadata["version"],
        "org.opencontainers.image.description": metadata.get("description"),
        "org.opencontainers.image.url": metadata.get("home"),
        "org.opencontainers.image.authors": authors,
        "org.opencontainers.image.source": sources[0] if isinstance(sources, list) else sources,
    }
    return {name: str(value) for name, value in values.items() if value}


def _describe(media_type: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest.hash_bytes(data), "size": len(data)}


def _json(document: dict[str, Any]) -> bytes:
    # Dates and the like are values that YAML has and JSON has not.
    return json.dumps(document, sort_keys=True, separators=(",", ":"), default=str, allow_nan=False).encode()

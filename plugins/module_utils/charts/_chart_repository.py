# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Classic chart repositories: a web server with an `index.yaml`.

https://helm.sh/docs/topics/chart_repository/
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import threading
import urllib.parse
from typing import Any, Mapping

from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart, _semver
from ansible_collections.seahub.offline.plugins.module_utils.charts._chart import ChartArchive
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    DigestMismatch,
    InvalidChart,
    NotFound,
    RegistryError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries

_INDEX_LIMIT = 128 * 1024 * 1024
_SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"


@dataclasses.dataclass(frozen=True)
class Listed:
    """A version of a chart in an index: where its archive is, and its digest if the index says it."""

    name: str
    version: str
    url: str
    digest: str


class ChartRepository:
    """A classic chart repository. Its index is read once, when it is first needed."""

    def __init__(self, url: str, registries: Registries) -> None:
        self.url = url.rstrip("/")
        self._registries = registries
        self._index: Mapping[str, Any] | None = None
        self._lock = threading.Lock()

    def find(self, name: str, constraint: str) -> Listed:
        """Return the highest version of a chart that a constraint allows.

        :raises NotFound: if there is no such chart or version.
        :raises InvalidConstraint: if the constraint is none.
        """
        entries = [entry for entry in _list(self._charts().get(name)) if isinstance(entry, dict)]
        by_version = {str(entry.get("version")): entry for entry in reversed(entries)}
        version = constraint if constraint in by_version else _semver.best(constraint, by_version)
        if version is None:
            known = ", ".join(by_version) or "no version of it"
            raise NotFound(f"{self.url} has no chart {name} {constraint or '(any version)'}; it has {known[:300]}")
        entry = by_version[version]
        where = f"the index of {self.url} does not say"
        urls = _list(entry.get("urls"))
        try:
            url = urllib.parse.urljoin(f"{self.url}/", str(urls[0]))
        except (IndexError, ValueError) as error:
            raise InvalidChart(f"{where} where {name} {version} is, but {shorten(urls)}") from error
        digest = _whole_digest(str(entry.get("digest") or ""))
        if digest and not _digest.is_digest(digest):
            raise InvalidChart(f"{where} what the digest of {name} {version} is, but {shorten(digest)}")
        return Listed(name, version, url, digest)

    def fetch(self, chart: Listed) -> ChartArchive:
        """Download a chart, with its provenance file if there is one.

        :raises DigestMismatch: if it is not the one that the index lists.
        :raises InvalidChart: if its archive says another name or version.
        """
        content = self._get(chart.url, _chart.ARCHIVE_LIMIT)
        found = _hash(content, chart.digest)
        if chart.digest and found != chart.digest:
            raise DigestMismatch(f"{chart.url} has the digest {found}, but the index of {self.url} says {chart.digest}")
        archive = _chart.parse_archive(chart.url, content, self._provenance(chart.url))
        if (archive.name, archive.version) != (chart.name, chart.version):
            raise InvalidChart(
                f"{chart.url} is {archive.name} {archive.version}, but the index of {self.url} calls it "
                f"{chart.name} {chart.version}"
            )
        return archive

    def _charts(self) -> Mapping[str, Any]:
        with self._lock:
            if self._index is None:
                url = f"{self.url}/index.yaml"
                document = _chart.parse_yaml(url, self._get(url, _INDEX_LIMIT))
                entries = document.get("entries")
                if not isinstance(entries, dict):
                    raise InvalidChart(f"{url} is no index of a chart repository")
                self._index = entries
            return self._index

    def _provenance(self, url: str) -> bytes | None:
        parts = urllib.parse.urlsplit(url)
        try:
            data = self._get(urllib.parse.urlunsplit(parts._replace(path=f"{parts.path}.prov")), _chart.ARCHIVE_LIMIT)
        except (NotFound, AccessDenied):
            # Storage services refuse whoever asks for what is not there, if he may not list what is.
            return None
        # Other servers answer with a page of their own.
        return data if _SIGNED in data else None

    def _get(self, url: str, limit: int) -> bytes:
        here, there = urllib.parse.urlsplit(self.url), urllib.parse.urlsplit(url)
        if there.scheme not in ("https", here.scheme):
            raise RegistryError(f"{url} is not encrypted, although {self.url} is: refused")
        return self._registries.download(url, limit)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _whole_digest(text: str) -> str:
    """Return the digest of an index entry with its algorithm, which most leave out."""
    return text.lower() if ":" in text or not text else f"sha256:{text.lower()}"


def _hash(data: bytes, like: str) -> str:
    """Return the digest of some bytes, of the algorithm of another if there is one."""
    hash_object = _digest.hasher(like or _manifest.DEFAULT_ALGORITHM)
    hash_object.update(data)
    return _digest.finish(like or _manifest.DEFAULT_ALGORITHM, hash_object)

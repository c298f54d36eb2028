# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From what the user asks for to what is saved: reading entries, finding their sources, and giving them their names."""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import os
import re
import urllib.parse
from typing import Any, Callable, Mapping

from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart, _chart_folder, _provenance, _semver
from ansible_collections.seahub.offline.plugins.module_utils.charts._chart import ChartArchive, ChartSource
from ansible_collections.seahub.offline.plugins.module_utils.charts._chart_repository import ChartRepository, Listed
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidChart,
    InvalidReference,
    NotFound,
    SeahubError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._artifact import Artifact
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._reference import Reference
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Repository
from ansible_collections.seahub.offline.plugins.module_utils.saving import _image_file
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import Wish
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

Accept = Callable[[Tree, Artifact], None]
_IMAGE_KEYS = ("image", "as", "platforms")
_CHART_KEYS = ("chart", "repo", "name", "version", "as", "verify", "keyring")
_CONSTRAINT = re.compile(r"[\^~<>=!*|, ]|(?:^|\.)[xX](?:\.|$)")


class InvalidEntry(SeahubError):
    """An entry of a list of images or charts that makes no sense."""


@dataclasses.dataclass(frozen=True)
class Choices:
    """What holds for all entries that do not say otherwise.

    - keep_host: the source host is the first part of names in the tree.
    - platforms: those wanted of images; none stand for all.
    - repository: where charts from files and classic repositories go in the tree.
    - verify, keyring: refuse charts whose provenance does not hold, by the public keys in that file.
    - signatures: save what signs or describes an artifact with it.
    - lock: where constraints find the version that they led to earlier, instead of the newest.
    """

    keep_host: bool = False
    platforms: tuple[Platform, ...] = ()
    repository: str = "helm-charts"
    verify: bool = False
    keyring: str = ""
    signatures: bool = True
    lock: Lock | None = None


class WishMaker:
    """Reads entries. Asks registries and chart repositories only where a constraint has to be resolved."""

    def __init__(self, registries: Registries, choices: Choices) -> None:
        self._registries = registries
        self._choices = choices
        self._repositories: dict[str, Repository] = {}
        self._chart_repositories: dict[str, ChartRepository] = {}

    # Images

    def image(self, entry: Any, where: str = "") -> Wish:
        """Read an entry of a list of images: a reference, or a dictionary with `image`, `as` and `platforms`.

        :raises SeahubError: one of its kinds, if it makes no sense.
        """
        fields = _fields(entry, "image", _IMAGE_KEYS)
        text = _text(fields, "image")
        name, tag = _as(fields)
        platforms = _platforms(fields["platforms"]) if "platforms" in fields else self._choices.platforms
        if _image_file.is_in_file(text):
            wish = self._image_from_file(text, name)
        else:
            wish = self._from_registry(text, _reference.parse(text))
        return dataclasses.replace(wish, name=name or wish.name, tag=tag or wish.tag, platforms=platforms, where=where)

    def _image_from_file(self, text: str, given_name: str) -> Wish:
        image = _image_file.find(text)
        source_name = ":".join(filter(None, (text.partition(":")[0], image.source.label, image.name)))
        # A layout often says no more than a tag, and sometimes nothing.
        if "/" in image.name or ":" in image.name:
            reference = _reference.parse(image.name)
            name, tag = self._name_of(reference), reference.tag
        elif given_name:
            name, tag = given_name, image.name or "latest"
        else:
            raise InvalidEntry(f"{text} does not say what the image is called: give its name in the tree with 'as'")
        return Wish(text, image.source, source_name, image.digest, name, tag)

    def _from_registry(self, text: str, reference: Reference) -> Wish:
        repository = self._repository(reference)
        return Wish(
            requested=text,
            source=repository,
            source_name=str(reference),
            version=reference.version,
            name=self._name_of(reference),
            tag=reference.tag,
            signed=repository if self._choices.signatures else None,
        )

    def _repository(self, reference: Reference) -> Repository:
        """Return the one object for a repository, which remembers what it has learned."""
        if reference.repository not in self._repositories:
            self._repositories[reference.repository] = self._registries.repository(reference)
        return self._repositories[reference.repository]

    def _name_of(self, reference: Reference) -> str:
        if not self._choices.keep_host:
            return reference.path
        # A port is written with a colon, which a repository path cannot hold.
        host = re.sub(r"[^a-z0-9.-]+", "-", reference.host.lower()).strip("-")
        return f"{host}/{reference.path}"

    # Charts

    def charts(self, entry: Any) -> list[Wish]:
        """Read an entry of a list of charts; a folder of packaged charts gives several wishes.

        :raises SeahubError: one of its kinds, if it makes no sense or cannot be resolved.
        """
        fields = _fields(entry, "chart", _CHART_KEYS)
        if ("repo" in fields) == ("chart" in fields):
            raise InvalidEntry(f"{shorten(entry)}: give either 'chart', or 'repo' and 'name'")
        if "repo" in fields:
            wishes = [self._chart_from_repository(fields)]
        elif _text(fields, "chart").startswith("oci://"):
            wishes = [self._chart_from_registry(fields)]
        elif _image_file.is_in_file(_text(fields, "chart")):
            wishes = [self._image_from_file(fields["chart"], _as(fields)[0])]
        else:
            wishes = self._charts_from_files(fields)
        return [self._finished_chart(wish, fields) for wish in wishes]

    def _finished_chart(self, wish: Wish, fields: Mapping[str, Any]) -> Wish:
        name, tag = _as(fields)
        check = _chart_check(fields.get("verify", self._choices.verify), fields.get("keyring") or self._choices.keyring)

        def accept(tree: Tree, artifact: Artifact) -> None:
            wish.accept(tree, artifact)
            _check_version(wish, _chart.describe(artifact.root, tree.read_blob).version)
            check(tree, artifact)

        return dataclasses.replace(wish, name=name or wish.name, tag=tag or wish.tag, accept=accept)

    def _chart_from_registry(self, fields: Mapping[str, Any]) -> Wish:
        text = str(fields["chart"])
        name, version = _split_chart(text)
        version = _version(fields) or version
        requested = f"{name}:{version}" if version else name
        if "@" in name:
            return self._from_registry(text, _reference.parse_oci(name))
        if "version" in fields or not version or _CONSTRAINT.search(version):
            locked = self._locked_version(requested)
            version = locked or self._best_version(name, version)
        return self._from_registry(requested, _reference.parse_oci(f"{name}:{version}"))

    def _best_version(self, name: str, constraint: str) -> str:
        if _semver.is_exact(constraint):
            return constraint
        repository = self._repository(_reference.parse_oci(f"{name}:0"))
        versions = [tag.replace("_", "+") for tag in repository.tags()]
        best = _semver.best(constraint, versions)
        if best is None:
            known = ", ".join(version for version in versions if _semver.parse(version)) or "none"
            raise NotFound(f"{name} has no version {constraint or '(any)'}; it has {known[:300]}")
        return best

    def _chart_from_repository(self, fields: Mapping[str, Any]) -> Wish:
        url, name = _text(fields, "repo").rstrip("/"), _text(fields, "name")
        constraint = _version(fields)
        _check_url(url)
        requested = f"{url} {name} {constraint}".strip()
        repository = self._chart_repositories.setdefault(url, ChartRepository(url, self._registries))
        chart = repository.find(name, self._locked_version(requested) or constraint)
        tag = chart.version.replace("+", "_")
        wish = Wish(
            requested=requested,
            source=_ListedChart(repository, chart),
            source_name=f"{url}/{name}:{chart.version}",
            version=tag,
            name=self._chart_name(name),
            tag=tag,
        )
        return self._moved(wish, chart) if chart.url.startswith("oci://") else wish

    def _moved(self, wish: Wish, chart: Listed) -> Wish:
        """Return the wish for a chart whose repository says that it lies in a registry by now."""
        found = self._from_registry(wish.requested, _reference.parse_oci(chart.url))
        return dataclasses.replace(
            wish, source=found.source, version=found.version, signed=found.signed, accept=_listed_check(chart)
        )

    def _charts_from_files(self, fields: Mapping[str, Any]) -> list[Wish]:
        path = os.path.expanduser(str(fields["chart"]))
        if not os.path.isdir(path):
            return [self._chart_from_file(path, _chart.read_archive(path))]
        if _chart_folder.is_chart_folder(path):
            return [self._chart_from_file(path, _chart_folder.package(path))]
        paths = _chart_folder.packaged_in(path)
        if not paths:
            raise InvalidChart(
                f"the folder {path} is no chart (it has no Chart.yaml) and holds no packaged chart (.tgz)"
            )
        return [self._chart_from_file(item, _chart.read_archive(item)) for item in paths]

    def _chart_from_file(self, path: str, chart: ChartArchive) -> Wish:
        # The lock is carried over: it names the file, not the folders of this host.
        label = os.path.basename(os.path.abspath(path))
        return Wish(label, ChartSource(chart), label, chart.tag, self._chart_name(chart.name), chart.tag)

    def _chart_name(self, chart: str) -> str:
        return f"{self._choices.repository.strip('/')}/{chart}"

    def _locked_version(self, requested: str) -> str:
        """Return the version to which a constraint led when the lock was written."""
        if self._choices.lock is None:
            return ""
        entries = [entry for entry in self._choices.lock.references if entry.requested == requested and entry.chart]
        if not entries:
            raise NotFound(f"the lock has no {requested}: save it once without 'locked'")
        return entries[0].chart.version if entries[0].chart else ""


class _ListedChart:
    """A chart of a classic repository as a source, downloaded when it is needed."""

    def __init__(self, repository: ChartRepository, chart: Listed) -> None:
        self._repository = repository
        self._chart = chart
        self._fetched: ChartSource | None = None

    def resolve(self, version: str) -> str:
        return self._source().resolve(version)

    def manifest(self, version: str) -> Manifest:
        return self._source().manifest(version)

    def read_blob(self, blob: Descriptor, limit: int) -> bytes:
        return self._source().read_blob(blob, limit)

    def open_blob(self, blob: Descriptor, offset: int) -> _chart.MemoryStream:
        return self._source().open_blob(blob, offset)

    def _source(self) -> ChartSource:
        if self._fetched is None:
            self._fetched = ChartSource(self._repository.fetch(self._chart))
        return self._fetched


def _check_version(wish: Wish, version: str) -> None:
    """Make sure that a tag that is a version is that of the chart; other tags may mean any."""
    asked = wish.version.replace("_", "+")
    if _semver.is_exact(asked) and asked != version.lstrip("v"):
        raise InvalidChart(
            f"{wish.source_name} is version {version} of its chart: ask for that one, "
            "or save it as it is with the module image_save"
        )


def _chart_check(verify: Any, keyring: Any) -> Accept:
    """Return the function that decides whether a chart may be saved."""
    if not isinstance(verify, bool):
        raise InvalidEntry(f"'verify' has to be true or false, not {verify!r}")

    def accept(tree: Tree, artifact: Artifact) -> None:
        chart = _chart.describe(artifact.root, tree.read_blob)
        if verify:
            content = tree.read_blob(chart.content, _chart.ARCHIVE_LIMIT)
            provenance = tree.read_blob(chart.provenance) if chart.provenance else None
            _provenance.verify(
                f"{chart.name}-{chart.version}.tgz", content, provenance, os.path.expanduser(str(keyring))
            )

    return accept


def _listed_check(listed: Listed) -> Accept:
    """Return the function that makes sure that a chart in a registry is the one that an index lists."""

    def accept(tree: Tree, artifact: Artifact) -> None:
        chart = _chart.describe(artifact.root, tree.read_blob)
        if (chart.name, chart.version) != (listed.name, listed.version):
            raise InvalidChart(
                f"{listed.url} is {chart.name} {chart.version}, but the index calls it {listed.name} {listed.version}"
            )
        if listed.digest and listed.digest not in (chart.content, artifact.root.digest):
            raise DigestMismatch(f"{listed.url} has the digest {chart.content}, but the index says {listed.digest}")

    return accept


def _fields(entry: Any, main: str, known: tuple[str, ...]) -> dict[str, Any]:
    if isinstance(entry, str):
        return {main: entry.strip()}
    if not isinstance(entry, dict):
        raise InvalidEntry(f"{shorten(entry)} is neither a text nor a dictionary")
    unknown = sorted(str(key) for key in set(entry) - set(known))
    if unknown:
        raise InvalidEntry(f"{shorten(entry)} has unknown keys: {', '.join(unknown)}; known: {', '.join(known)}")
    return {key: value for key, value in entry.items() if value is not None}


def _text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str) or not value.strip():
        raise InvalidEntry(f"{shorten(dict(fields))}: '{key}' is missing")
    return value.strip()


def _version(fields: Mapping[str, Any]) -> str:
    # YAML reads 1.10 as a number, which is 1.1 by then.
    if isinstance(fields.get("version", ""), (float, bool)):
        raise InvalidEntry(f"{shorten(dict(fields))}: write the version in quotes, else YAML takes it for a number")
    return str(fields.get("version", "")).strip()


def _check_url(url: str) -> None:
    """Make sure that a text is the address of a chart repository; what it holds goes into the lock."""
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        usable = None
    if not usable:
        raise InvalidEntry(f"{shorten(url)} is no chart repository: it has to begin with https://")
    if "@" in parts.netloc or parts.query:
        raise InvalidEntry(
            f"the address of the chart repository at {parts.hostname} holds a password or a query, which everybody "
            "could read in the lock: give user name and password in 'registries'"
        )


def _as(fields: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name, and the tag if one is given, that an entry is to have in the tree; empty if it does not say."""
    if "as" not in fields:
        return "", ""
    text = _text(fields, "as")
    name, colon, tag = text.partition(":")
    if not _reference.is_repository(name) or (colon and not _reference.is_tag(tag)):
        raise InvalidReference(f"'as': {shorten(text)} is no name in a tree, such as team/app or team/app:1.0")
    return name, tag


def _platforms(value: Any) -> tuple[Platform, ...]:
    if not isinstance(value, list) or not value:
        raise InvalidEntry(f"'platforms' has to be a list such as [linux/amd64], not {shorten(value)}")
    return parse_platforms(value)


def parse_platforms(texts: list[Any]) -> tuple[Platform, ...]:
    """Read a list of platforms; `all` among them stands for all, which is no platform in particular.

    :raises InvalidPlatform: if one of them is none.
    """
    return () if "all" in texts else tuple(_platform.parse(str(text)) for text in texts)


def _split_chart(text: str) -> tuple[str, str]:
    """Take the reference of a chart and its version apart."""
    head, slash, last = text.rpartition("/")
    if "@" in last:
        return text, ""
    name, _colon, version = last.partition(":")
    return f"{head}{slash}{name}", version

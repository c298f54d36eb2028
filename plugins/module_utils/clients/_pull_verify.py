# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proves that a host can pull what the lock of a tree lists, and that it gets exactly that.

Each pull makes one cell: a reference, a client, the digest that the lock names and the one that arrived. A cell that is
not right is an ordinary result here. What a pull has brought to the host is removed again; what was there before stays,
and a name that led to another image before leads to it again.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import concurrent.futures
import glob
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from typing import Any, Dict, Iterable, Iterator, Union

from ansible_collections.seahub.offline.plugins.module_utils.clients import _image_clients
from ansible_collections.seahub.offline.plugins.module_utils.clients._clients import ClientError, Helm, Https
from ansible_collections.seahub.offline.plugins.module_utils.clients._image_clients import Image, ImageClient, Place
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials
from ansible_collections.seahub.offline.plugins.module_utils.trees._lock import Entry

HTTPS = "https"
# Seconds without an answer after which a registry host is given up.
_SILENCE = 30.0
# So many references are named of those that a registry host lacks.
_NAMED = 5

_ImageClients = Dict[str, Union[ImageClient, str]]


@dataclass(frozen=True)
class Settings:
    """Where to pull from, and with what.

    `addresses` are those of several registry hosts that serve the same. A client goes on with the next of them where
    one is down, and so proves nothing about each: they are asked one by one, too. A `login` is what
    a registry with users is asked with; docker, podman and helm have their own.
    """

    domain: str
    port: int
    image_clients: tuple[str, ...]
    helm: tuple[str, ...]
    timeout: float
    parallel: int
    addresses: tuple[str, ...] = ()
    login: Credentials | None = None

    @property
    def registry(self) -> str:
        """What a reference begins with."""
        return f"{self.domain}:{self.port}"


@dataclass(frozen=True)
class Pull:
    """One thing to be pulled with one client."""

    entry: Entry
    client: str
    repository: str
    platform: str | None = None

    def reference(self, registry: str) -> str:
        """Return the full name, as one writes it for this client."""
        scheme = "oci://" if self.entry.kind == "chart" else ""
        version = f":{self.entry.tag}" if self.entry.tag else f"@{self.entry.digest}"
        return f"{scheme}{registry}/{self.repository}{version}"


@dataclass(frozen=True)
class Cell:
    """What came of one pull. `ok` is None where nothing was tried.

    One that is about a registry host as a whole has no digests.
    """

    reference: str
    client: str
    platform: str | None
    expected: str | None
    actual: str | None
    ok: bool | None
    error: str
    seconds: float
    was_present: bool

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class _Outcome:
    actual: str | None
    error: str = ""
    was_present: bool = False


def pulls(entry: Entry, settings: Settings, image_clients: Iterable[str]) -> list[Pull]:
    """Return every pull that proves one entry of the lock.

    An image is pulled for each platform that the tree holds, under each of its names.

    :param image_clients: the names of the clients that pull images.
    """
    clients = {"image": image_clients, "chart": settings.helm}.get(entry.kind, (HTTPS,))
    platforms = entry.platforms if entry.kind == "image" and entry.platforms else (None,)
    return [
        Pull(entry, client, repository, platform)
        for client in clients
        for platform in platforms
        for repository in (entry.name, *entry.aliases)
    ]


def planned(entries: list[Entry], settings: Settings) -> list[Cell]:
    """Return the cells of all pulls without trying any."""
    clients = _find_image_clients(entries, settings)
    wanted = [pull for entry in entries for pull in pulls(entry, settings, clients)]
    cells = [_cell(pull, settings, _Outcome(None), None, 0.0) for pull in wanted]
    return cells + [_host_cell(address, settings, None) for address in settings.addresses]


def verify(entries: list[Entry], settings: Settings) -> list[Cell]:
    """Pull everything, a few at a time, and compare it with the lock."""
    clients = _find_image_clients(entries, settings)
    # One repository is pulled by one worker: docker takes digests away from a repository with its last tag, which
    # another worker could be looking at.
    by_name: dict[str, list[Pull]] = {}
    for entry in entries:
        by_name.setdefault(entry.name, []).extend(pulls(entry, settings, clients))
    with concurrent.futures.ThreadPoolExecutor(max_workers=settings.parallel) as pool:
        groups = list(pool.map(lambda group: [_verify(pull, settings, clients) for pull in group], by_name.values()))
        hosts = list(pool.map(lambda address: _verify_host(address, entries, settings), settings.addresses))
    return sorted(
        (cell for group in (*groups, hosts) for cell in group),
        key=lambda cell: (cell.reference, cell.client, cell.platform or ""),
    )


def _find_image_clients(entries: list[Entry], settings: Settings) -> _ImageClients:
    images = any(entry.kind == "image" for entry in entries)
    return _image_clients.find(settings.image_clients, settings.timeout) if images else {}


def _verify(pull: Pull, settings: Settings, clients: _ImageClients) -> Cell:
    start = time.monotonic()
    try:
        if pull.entry.kind == "image":
            outcome = _pull_image(pull, settings, clients[pull.client])
        elif pull.entry.kind == "chart":
            outcome = _pull_chart(pull, settings)
        else:
            outcome = _fetch(pull, settings, pull.entry.blobs)
    except (ClientError, OSError) as error:
        outcome = _Outcome(None, str(error))
    return _cell(pull, settings, outcome, _is_right(pull.entry, outcome), time.monotonic() - start)


def _is_right(entry: Entry, outcome: _Outcome) -> bool:
    return not outcome.error and outcome.actual == entry.digest


def _cell(pull: Pull, settings: Settings, outcome: _Outcome, ok: bool | None, seconds: float) -> Cell:
    error = outcome.error
    if ok is False and not error:
        error = f"{pull.client} got {outcome.actual or 'no digest'}, but the lock says {pull.entry.digest}"
    return Cell(
        reference=pull.reference(settings.registry),
        client=pull.client,
        platform=pull.platform,
        expected=pull.entry.digest,
        actual=outcome.actual,
        ok=ok,
        error=error,
        seconds=round(seconds, 2),
        was_present=outcome.was_present,
    )


# Registry hosts, one by one


def _verify_host(address: str, entries: list[Entry], settings: Settings) -> Cell:
    start = time.monotonic()
    try:
        patience = min(settings.timeout, _SILENCE)
        with Https(settings.domain, settings.port, patience, settings.login, address) as registry:
            lacks = ((entry.shown, next(_lacks(registry, entry), "")) for entry in entries)
            wrong = [f"{shown}: {lack}" for shown, lack in lacks if lack]
        error = "; ".join(wrong[:_NAMED]) + (f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else "")
    except (ClientError, OSError) as reason:
        error = str(reason)
    return _host_cell(address, settings, not error, error, time.monotonic() - start)


def _lacks(registry: Https, entry: Entry) -> Iterator[str]:
    """Yield what a registry host has not of an entry, or not in the size that the lock names.

    The manifest is fetched and hashed, under every name; blobs are only asked for, because to fetch everything from
    every host would multiply what goes over the network.
    """
    for name in (entry.name, *entry.aliases):
        base = f"/v2/{name}"
        manifest = f"{base}/manifests/{entry.tag or entry.digest}"
        if not registry.has(manifest, entry.digest, entry.media_type):
            yield f"it does not have {manifest}"
        for digest, size in sorted(entry.blobs.items()):
            # The lock lists blobs and manifests in one.
            found = registry.size(f"{base}/blobs/{digest}", "*/*")
            if found is None:
                found = registry.size(f"{base}/manifests/{digest}", _media_types.ACCEPT)
            if found != size:
                yield f"of {digest} it has {found or 0} bytes instead of {size}"


def _host_cell(address: str, settings: Settings, ok: bool | None, error: str = "", seconds: float = 0.0) -> Cell:
    reference = f"{settings.registry} at {address}"
    return Cell(reference, HTTPS, None, None, None, ok, error, round(seconds, 2), was_present=False)


# Images


def _pull_image(pull: Pull, settings: Settings, client: ImageClient | str) -> _Outcome:
    if isinstance(client, str):
        return _Outcome(None, client)
    place = Place(settings.domain, settings.port, settings.login)
    distrust = client.distrust(place)
    if distrust:
        return _Outcome(None, distrust)
    image = Image(pull.reference(settings.registry), f"{settings.registry}/{pull.repository}", pull.entry.digest)
    got = client.pull(place, image, _platform_option(pull, client.platform))
    if pull.entry.digest not in got.digests:
        return _Outcome(got.digests[0] if got.digests else None, got.error, was_present=got.was_present)
    error = got.error
    if len(got.digests) > 1 and not error:
        error = _fetch(pull, settings, []).error
    # What the client did not fetch, because the host has it already, may be damaged in the registry all the same.
    rest = [digest for digest in pull.entry.blobs if not got.fetched(digest)]
    return _Outcome(pull.entry.digest, error or _missing(pull, settings, rest), was_present=got.was_present)


def _platform_option(pull: Pull, own: Platform) -> str | None:
    """Name the platform only where a client would not choose it by itself: that is how people pull."""
    if pull.platform is None or (len(pull.entry.platforms) == 1 and pull.platform == str(own)):
        return None
    return pull.platform


# Charts


def _pull_chart(pull: Pull, settings: Settings) -> _Outcome:
    entry, chart = pull.entry, pull.entry.chart
    if chart is None:
        return _Outcome(None, "the lock does not say what the chart's archive is: save the chart again")
    # Helm wants the version as the chart says it, and writes "+" as "_" in the tag itself.
    version = entry.tag.replace("_", "+") if entry.tag else None
    reference = f"oci://{settings.registry}/{pull.repository}" + ("" if version else f"@{entry.digest}")
    with tempfile.TemporaryDirectory(prefix="seahub-pull-") as folder:
        told = Helm(pull.client, settings.timeout).pull(reference, version, chart.provenance is not None, folder)
        wrong = _wrong_file(folder, "*.tgz", chart.content)
        if chart.provenance and not wrong:
            wrong = _wrong_file(folder, "*.prov", chart.provenance)
    # A helm that does not tell the manifest's digest has still brought the very archive that the manifest names.
    return _Outcome(told or (None if wrong else entry.digest), wrong)


def _wrong_file(folder: str, pattern: str, expected: str) -> str:
    found = glob.glob(os.path.join(glob.escape(folder), pattern))
    if len(found) != 1:
        return f"helm left {len(found)} files {pattern} instead of one"
    actual = _digest.hash_file(found[0])
    return "" if actual == expected else f"{os.path.basename(found[0])} is {actual}, but the lock says {expected}"


# Other artifacts


def _fetch(pull: Pull, settings: Settings, blobs: Iterable[str]) -> _Outcome:
    """Fetch what the name leads to, and these blobs."""
    entry = pull.entry
    path = f"/v2/{pull.repository}/manifests/{entry.tag or entry.digest}"
    with Https(settings.domain, settings.port, settings.timeout, settings.login) as registry:
        if not registry.has(path, entry.digest, entry.media_type):
            return _Outcome(None, f"{path}: the registry does not have it")
    return _Outcome(entry.digest, _missing(pull, settings, [digest for digest in blobs if digest != entry.digest]))


def _missing(pull: Pull, settings: Settings, digests: list[str]) -> str:
    """Fetch and hash content of a repository.

    :returns: what the registry does not have, as a sentence; empty if it has all.
    :raises ClientError: if it gives something else.
    """
    base = f"/v2/{pull.repository}"
    if not digests:
        return ""
    with Https(settings.domain, settings.port, settings.timeout, settings.login) as registry:
        for digest in sorted(digests):
            # The lock lists blobs and manifests in one: what is no blob has to be a manifest.
            if not registry.has(f"{base}/blobs/{digest}", digest, "*/*") and not registry.has(
                f"{base}/manifests/{digest}", digest, _media_types.ACCEPT
            ):
                return f"the registry does not have {digest}"
    return ""

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Repositories: which settings hold for them, where they are asked, and what can be asked."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    DigestMismatch,
    InvalidManifest,
    NotFound,
    RegistryError,
    Unavailable,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import (
    Registries,
    Repository,
    Settings,
)
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.registry import content, faults, saving
from tests.registry.content import LAYER
from tests.registry.faults import Fault
from tests.registry.guards import Basic, Bearer
from tests.registry.messages import Reply
from tests.registry.saving import PLAIN
from tests.registry.server import Registry
from tests.unit.trees import layer_bytes

LAYER_BYTES = layer_bytes(2, LAYER)
BLOB = Descriptor("", _digest.hash_bytes(LAYER_BYTES), LAYER)


@pytest.fixture(name="upstream", scope="module")
def fixture_upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("registry") / "tree"
    content.make(root)
    return root


@pytest.fixture(name="digest")
def fixture_digest(upstream: Path) -> str:
    """The digest of team/app:1."""
    return str(Tree(str(upstream)).tag("team/app", "1"))


@pytest.fixture(name="registry")
def fixture_registry(upstream: Path) -> Iterator[Registry]:
    with Registry(upstream) as registry:
        yield registry


@pytest.fixture(name="known")
def fixture_known() -> Iterator[Registries]:
    with saving.registries() as known:
        yield known


@pytest.fixture(name="repository")
def fixture_repository(registry: Registry, known: Registries) -> Repository:
    return repository_of(known, registry)


def repository_of(known: Registries, registry: Registry, path: str = "team/app") -> Repository:
    return known.repository(_reference.parse(f"{registry.host}/{path}"))


# What can be asked


def test_the_list_of_repositories_needs_a_token_of_its_own(upstream: Path, known: Registries) -> None:
    with Registry(upstream, guard=Bearer()) as registry:
        assert known.catalog(registry.host) == ["team/app", "team/empty", "team/multi", "team/tool"]
        assert repository_of(known, registry).tags() == ["1"]


def test_a_registry_may_want_credentials_for_its_list_of_repositories(upstream: Path, known: Registries) -> None:
    wanted = "a user name and a password for its list of repositories"
    with Registry(upstream, guard=Basic("jo", "secret")) as registry, pytest.raises(AccessDenied, match=wanted):
        known.catalog(registry.host)


@pytest.mark.parametrize(
    ("spoil", "asked"),
    [
        ([], ["HEAD"]),
        ([faults.without_header("Docker-Content-Digest")], ["HEAD", "GET"]),
        ([faults.with_headers({"Docker-Content-Digest": "none"})], ["HEAD", "GET"]),
        ([faults.refused(405)], ["HEAD", "GET"]),
    ],
    ids=["announced", "not announced", "nonsense announced", "HEAD not known"],
)
def test_a_tag_leads_to_a_digest(
    registry: Registry, repository: Repository, digest: str, spoil: list[faults.Change], asked: list[str]
) -> None:
    registry.faults = [Fault(change, method="HEAD") for change in spoil]
    assert repository.resolve("1") == digest
    assert [request.method for request in registry.requests] == asked


def test_a_digest_has_to_exist(registry: Registry, repository: Repository, digest: str) -> None:
    assert repository.resolve(digest) == digest
    with pytest.raises(NotFound, match="check the name and the tag"):
        repository.resolve("sha256:" + "0" * 64)
    assert len(registry.requests) == 2


def test_a_manifest(repository: Repository, upstream: Path, digest: str) -> None:
    for version in ("1", digest):
        manifest = repository.manifest(version)
        assert manifest.digest == digest
        assert manifest.raw == Path(Tree(str(upstream)).blob_path(digest)).read_bytes()


@pytest.mark.parametrize(
    ("body", "by_tag", "by_digest"),
    [
        (b"{}", None, DigestMismatch),
        (b"<html>", InvalidManifest, DigestMismatch),
        (b"", InvalidManifest, DigestMismatch),
    ],
)
def test_another_manifest(
    registry: Registry,
    repository: Repository,
    digest: str,
    body: bytes,
    by_tag: type[Exception] | None,
    by_digest: type[Exception],
) -> None:
    registry.faults = [Fault(faults.other_body(body), times=None)]
    if by_tag is not None:
        with pytest.raises(by_tag):
            repository.manifest("1")
    with pytest.raises(by_digest):
        repository.manifest(digest)


def test_wrong_bytes_are_asked_for_once_more(registry: Registry, repository: Repository, digest: str) -> None:
    registry.faults = [Fault(faults.wrong_bytes(), times=1)]
    assert repository.manifest(digest).digest == digest
    registry.faults = [Fault(faults.wrong_bytes(), times=1)]
    assert repository.read_blob(BLOB, LAYER) == LAYER_BYTES
    registry.faults = [Fault(faults.wrong_bytes(), times=2)]
    with pytest.raises(DigestMismatch, match="sent other bytes for team/app@"):
        repository.read_blob(BLOB, LAYER)


def test_a_limit_for_blobs_that_are_read(repository: Repository) -> None:
    with pytest.raises(RegistryError, match=f"more than the {LAYER - 1} bytes"):
        repository.read_blob(BLOB, LAYER - 1)


@pytest.mark.parametrize("offset", [0, 1, LAYER // 2, LAYER - 1])
@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "no ranges"])
def test_a_blob_from_an_offset_on(registry: Registry, repository: Repository, offset: int, ranges: bool) -> None:
    registry.faults = [] if ranges else [Fault(faults.ignored_range, times=None)]
    with repository.open_blob(BLOB, offset) as stream:
        assert stream.start == (offset if ranges else 0)
        assert b"".join(iter(lambda: stream.read(50_000), b"")) == LAYER_BYTES[stream.start :]
    # A range with its end: some servers refuse those without.
    assert registry.requests[0].headers.get("range") == (f"bytes={offset}-{LAYER - 1}" if offset else None)


@pytest.mark.parametrize(
    "content_range",
    ["", "bytes", f"bytes 0-9/{LAYER}", f"bytes 5-{LAYER - 1}/{LAYER - 1}", f"bytes 6-{LAYER - 1}/{LAYER}"],
)
def test_another_range_is_not_taken(registry: Registry, repository: Repository, content_range: str) -> None:
    registry.faults = [Fault(faults.wrong_range(content_range))]
    with repository.open_blob(BLOB, 5) as stream:
        assert stream.start == 0


def test_a_stream_that_breaks_gives_its_place_back(registry: Registry, repository: Repository) -> None:
    registry.faults = [Fault(faults.truncated(10), times=None)]
    for _time in range(12):
        with pytest.raises(Unavailable), repository.open_blob(BLOB, 0) as stream:
            list(iter(lambda: stream.read(LAYER), b""))
    registry.faults = []
    assert repository.read_blob(BLOB, LAYER) == LAYER_BYTES


def test_tags_come_in_pages(upstream: Path, tmp_path: Path, known: Registries) -> None:
    tree = content.make(tmp_path / "tree")
    digest = str(tree.tag("team/app", "1"))
    names = sorted(f"v{number}" for number in range(250))
    for name in names:
        tree.set_tag("team/app", name, digest)
    with Registry(tmp_path / "tree") as registry:
        assert repository_of(known, registry).tags() == ["1", *names]
        assert len(registry.requests) == 3


def test_a_list_of_tags_without_an_end(
    registry: Registry, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = faults.with_headers({"Link": '</v2/team/app/tags/list?n=1000&last=1>; rel="next"'})
    registry.faults = [Fault(endless, times=None)]
    monkeypatch.setattr("ansible_collections.seahub.offline.plugins.module_utils.registries._registry._PAGES", 5)
    with pytest.raises(RegistryError, match="has no end"):
        repository.tags()


def test_referrers(registry: Registry, repository: Repository, digest: str) -> None:
    assert repository.referrers(digest) is None
    index = content.index_of([])
    registry.faults = [Fault(lambda _request, _reply: Reply(200, {"Content-Type": content.INDEX_TYPE}, index))]
    found = repository.referrers(digest)
    assert found is not None
    assert found.raw == index
    registry.faults = [Fault(lambda _request, _reply: Reply(200, {"Content-Type": "text/html"}, b"<html>"))]
    assert repository.referrers(digest) is None


def test_a_document_from_a_web_server(registry: Registry, known: Registries) -> None:
    registry.faults = [
        Fault(lambda _request, _reply: Reply(200, {}, b"entries: {}"), times=2),
        Fault(faults.refused(503)),
    ]
    assert known.download(f"{registry.base}/charts/index.yaml", 100) == b"entries: {}"
    assert [request.path for request in registry.requests] == ["/charts/index.yaml"] * 2


# Settings and mirrors


def test_two_accounts_on_one_host(upstream: Path) -> None:
    with Registry(upstream, guard=Basic("jo", "secret")) as registry:
        right = dataclasses.replace(PLAIN, username="jo", password="secret")
        wrong = dataclasses.replace(PLAIN, username="al", password="secret")
        settings = {registry.host: wrong, f"{registry.host}/team/app": right}
        with saving.registries(default=Settings(), settings=settings) as known:
            assert repository_of(known, registry).manifest("1")
            with pytest.raises(AccessDenied):
                repository_of(known, registry, "team/tool").manifest("2")


def test_one_password_is_for_one_host(registry: Registry, upstream: Path) -> None:
    default = dataclasses.replace(PLAIN, username="jo", password="secret")
    with Registry(upstream) as other, saving.registries(default=default) as known:
        repository_of(known, registry)
        with pytest.raises(AccessDenied, match=f"both {registry.host} and {other.host} would get them"):
            repository_of(known, other)


def test_mirrors_come_first_with_their_path(registry: Registry, upstream: Path, tmp_path: Path, digest: str) -> None:
    with Registry(upstream) as mirror:
        mirror.faults = [Fault(faults.other_body(b""), "/v2/hub/team/app/", method="", times=None)]
        mirrors = (f"{mirror.host}/hub", mirror.host)
        settings = {registry.host: dataclasses.replace(PLAIN, mirrors=mirrors)}
        with saving.registries(settings=settings) as known:
            assert repository_of(known, registry).manifest(digest).digest == digest
        assert [request.path for request in mirror.requests] == [
            f"/v2/hub/team/app/manifests/{digest}",
            f"/v2/team/app/manifests/{digest}",
        ]
    assert registry.requests == []


def test_an_error_tells_what_each_mirror_said(registry: Registry, upstream: Path) -> None:
    with Registry(upstream, [Fault(faults.refused(500), method="", times=None)]) as mirror:
        settings = {registry.host: dataclasses.replace(PLAIN, mirrors=(mirror.host,))}
        with saving.registries(settings=settings) as known, pytest.raises(NotFound) as raised:
            repository_of(known, registry).manifest("nothing")
    for said in (f"{registry.base}/v2/team/app/manifests/nothing: 404", f"{mirror.base}/v2/team/app", "500"):
        assert said in str(raised.value)


def test_a_mirror_that_does_not_answer_is_not_waited_for_each_time(registry: Registry, upstream: Path) -> None:
    with Registry(upstream, [Fault(faults.silent, method="", times=None)]) as mirror:
        settings = {registry.host: dataclasses.replace(PLAIN, mirrors=(mirror.host,))}
        with saving.registries(settings=settings, timeout=0.3) as known:
            for _time in range(5):
                assert repository_of(known, registry).manifest("1")
        assert len(mirror.requests) == 1
    assert len(registry.requests) == 5


def test_requests_to_a_host_share_its_places(registry: Registry) -> None:
    with saving.registries(parallel=1) as known:
        with repository_of(known, registry).open_blob(BLOB, 0) as stream:
            asking = threading.Thread(target=repository_of(known, registry, "team/tool").manifest, args=("2",))
            asking.start()
            asking.join(0.2)
            assert [request.path for request in registry.requests] == [f"/v2/team/app/blobs/{BLOB.digest}"]
            assert stream.read(1)
        asking.join()
    assert len(registry.requests) == 2

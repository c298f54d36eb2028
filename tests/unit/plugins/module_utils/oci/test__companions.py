# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What belongs to an artifact, and how it is found in each kind of registry."""

from __future__ import annotations

import json

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    NotFound,
    RegistryError,
    Unavailable,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _manifest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._companions import Companion, Search
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Manifest
from tests.unit.repository import Repository, Upstream

SBOM = "application/spdx+json"


@pytest.fixture(name="content")
def fixture_content() -> Repository:
    return Repository()


@pytest.fixture(name="image")
def fixture_image(content: Repository) -> str:
    return content.image("linux/amd64", "1")


@pytest.fixture(name="upstream")
def fixture_upstream(content: Repository, image: str) -> Upstream:
    return Upstream(content)


def tag_of(digest: str, suffix: str = "") -> str:
    return digest.replace(":", "-") + suffix


def find(upstream: Upstream, digest: str) -> list[Companion]:
    return Search(upstream).of(digest)


def listed_in(index: Manifest | None) -> set[str]:
    assert index is not None
    return {child.digest for child in index.children}


@pytest.mark.parametrize("api", [None, {}])
def test_most_artifacts_have_none(upstream: Upstream, image: str, api: dict[str, list[str]] | None) -> None:
    upstream.listed = api
    search = Search(upstream)
    assert (search.of(image), search.refusals) == ([], [])
    assert not [question for question in upstream.asked if question.startswith("resolve")]


@pytest.mark.parametrize("suffix", [".sig", ".att", ".sbom"])
def test_cosign_writes_tags(upstream: Upstream, content: Repository, image: str, suffix: str) -> None:
    signature = content.artifact(tag_of(image, suffix), content=b"signature")
    content.artifact(tag_of("sha256:" + "0" * 64, suffix), content=b"of something else")
    assert find(upstream, image) == [Companion(tag_of(image, suffix), signature)]


def test_all_of_cosigns_tags_are_found_at_once(upstream: Upstream, content: Repository, image: str) -> None:
    wanted = {tag_of(image, suffix): content.artifact(tag_of(image, suffix)) for suffix in (".sig", ".att", ".sbom")}
    assert {companion.tag: companion.digest for companion in find(upstream, image)} == wanted


def test_referrers_by_tag_are_taken_as_they_are(upstream: Upstream, content: Repository, image: str) -> None:
    index = content.index([(content.artifact(), {"artifactType": SBOM})], tag_of(image))
    assert find(upstream, image) == [Companion(tag_of(image), index)]


def test_referrers_by_the_api_get_the_tag(upstream: Upstream, content: Repository, image: str) -> None:
    """The registry that serves the tree has no such API: clients look for the tag there."""
    sbom = content.artifact(content=b"sbom")
    upstream.listed = {image: [sbom]}
    (companion,) = find(upstream, image)
    assert companion.tag == tag_of(image)
    assert listed_in(companion.index) == {sbom}
    assert companion.index is not None
    assert companion.digest == companion.index.digest


def test_what_the_api_says_of_referrers_is_kept(content: Repository, image: str) -> None:
    document = {
        "mediaType": _media_types.OCI_MANIFEST,
        "digest": content.artifact(),
        "size": 7,
        "artifactType": SBOM,
        "annotations": {"org.example": "kept"},
    }
    index = {"schemaVersion": 2, "mediaType": _media_types.OCI_INDEX, "manifests": [document]}

    class Describing(Upstream):
        def referrers(self, digest: str) -> Manifest | None:
            return _manifest.parse(json.dumps(index).encode())

    (companion,) = find(Describing(content), image)
    assert companion.index is not None
    assert json.loads(companion.index.raw) == index


def test_the_order_in_which_the_api_lists_them_does_not_matter(
    upstream: Upstream, content: Repository, image: str
) -> None:
    items = [content.artifact(content=bytes([number])) for number in range(5)]
    digests = set()
    for order in (items, items[::-1]):
        upstream.listed = {image: order}
        digests |= {companion.digest for companion in find(upstream, image)}
    assert len(digests) == 1


def test_what_both_ways_find_is_found_once(upstream: Upstream, content: Repository, image: str) -> None:
    sbom = content.artifact(content=b"sbom")
    index = content.index([(sbom, {})], tag_of(image))
    upstream.listed = {image: [sbom]}
    assert find(upstream, image) == [Companion(tag_of(image), index)]


def test_what_only_one_of_both_ways_finds_is_not_lost(upstream: Upstream, content: Repository, image: str) -> None:
    old, both, new = (content.artifact(content=text) for text in (b"old", b"both", b"new"))
    content.index([(old, {}), (both, {})], tag_of(image))
    upstream.listed = {image: [both, new]}
    (companion,) = find(upstream, image)
    assert listed_in(companion.index) == {old, both, new}


def test_a_tag_that_is_no_list_gives_way_to_one(upstream: Upstream, content: Repository, image: str) -> None:
    content.artifact(tag_of(image), content=b"no list")
    sbom = content.artifact(content=b"sbom")
    upstream.listed = {image: [sbom]}
    (companion,) = find(upstream, image)
    assert listed_in(companion.index) == {sbom}


# Registries that will not tell


REFUSALS = [AccessDenied("forbidden"), RegistryError("405 not supported")]


@pytest.mark.parametrize("error", [*REFUSALS, NotFound("no such list")])
def test_without_a_list_of_tags_each_is_asked_for(
    upstream: Upstream, content: Repository, image: str, error: Exception
) -> None:
    upstream.failures["tags"] = error
    signature = content.artifact(tag_of(image, ".sig"))
    search = Search(upstream)
    assert search.of(image) == [Companion(tag_of(image, ".sig"), signature)]
    assert search.refusals == [str(error)]
    assert upstream.asked.count("tags") == 1


@pytest.mark.parametrize("error", REFUSALS)
def test_a_forbidden_signature_is_reported_and_no_failure(
    upstream: Upstream, content: Repository, image: str, error: Exception
) -> None:
    content.artifact(tag_of(image, ".sig"))
    upstream.failures["resolve"] = error
    search = Search(upstream)
    assert (search.of(image), search.refusals) == ([], [str(error)])


@pytest.mark.parametrize("error", REFUSALS)
def test_forbidden_referrers_are_reported_once_and_no_failure(
    upstream: Upstream, content: Repository, image: str, error: Exception
) -> None:
    signature = content.artifact(tag_of(image, ".sig"))
    upstream.failures["referrers"] = error
    search = Search(upstream)
    for _time in range(2):
        assert search.of(image) == [Companion(tag_of(image, ".sig"), signature)]
    assert search.refusals == [str(error)]


@pytest.mark.parametrize("question", ["tags", "resolve", "referrers"])
def test_a_registry_that_fails_for_the_moment_has_not_refused(
    upstream: Upstream, content: Repository, image: str, question: str
) -> None:
    """Else what is signed would be saved without its signature."""
    content.artifact(tag_of(image, ".sig"))
    upstream.failures[question] = Unavailable("503")
    search = Search(upstream)
    with pytest.raises(Unavailable):
        search.of(image)
    assert search.refusals == []


def test_what_a_registry_has_said_it_is_not_asked_again(upstream: Upstream, content: Repository, image: str) -> None:
    search = Search(upstream)
    for _time in range(3):
        search.of(image)
        search.of(content.image("linux/arm64"))
    assert upstream.asked == ["tags", f"referrers {image}"]

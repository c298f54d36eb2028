# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    InvalidManifest,
    InvalidPlatform,
    NotFound,
    PlatformMissing,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _artifact, _digest, _media_types, _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._artifact import Artifact
from tests.unit.repository import Repository, attests, on

AMD64, ARM64, ARMV7 = "linux/amd64", "linux/arm64", "linux/arm/v7"


@pytest.fixture
def repository() -> Repository:
    return Repository()


def gather(repository: Repository, digest: str, *wanted: str, skip_missing: bool = False) -> Artifact:
    return _artifact.gather(repository, digest, [_platform.parse(text) for text in wanted], skip_missing)


def platforms(artifact: Artifact) -> list[str]:
    return [str(platform) for platform in artifact.platforms]


def digests(artifact: Artifact) -> set[str]:
    return {manifest.digest for manifest in artifact.manifests}


def layers(repository: Repository, artifact: Artifact) -> set[bytes]:
    return {repository.blobs[blob.digest] for blob in artifact.blobs if blob.media_type != _media_types.OCI_CONFIG}


# Platforms that an index has, those wanted -> those taken.
CHOICES: dict[str, tuple[Iterable[str], Iterable[str], list[str]]] = {
    "one": ([AMD64, ARM64, ARMV7], [AMD64], [AMD64]),
    "several": ([AMD64, ARM64, ARMV7], [ARM64, AMD64], [AMD64, ARM64]),
    "all": ([AMD64, ARM64, ARMV7], [], [AMD64, ARMV7, ARM64]),
    "other spelling of the wish": ([AMD64, ARM64], ["aarch64"], [ARM64]),
    "other spelling in the index": (["linux/amd64", "linux/aarch64/8"], [ARM64], [ARM64]),
    "arm without a variant is v7": (["linux/arm", "linux/arm/v6"], [ARMV7], [ARMV7]),
    "the newest that runs": (["linux/arm/v5", "linux/arm/v6", ARMV7], ["linux/arm/v8"], [ARMV7]),
    "the newest that runs, in any order": ([ARMV7, "linux/arm/v6", "linux/arm/v5"], ["linux/arm/v6"], ["linux/arm/v6"]),
    "an older one rather than none": ([AMD64], ["linux/amd64/v3"], [AMD64]),
    "one that serves two wishes": ([AMD64], [AMD64, "linux/amd64/v2"], [AMD64]),
    "operating systems": (["windows/amd64", AMD64], ["windows/amd64"], ["windows/amd64"]),
}

# Platforms that an image has, those wanted, and the words of the error.
MISSING: dict[str, tuple[Iterable[str], Iterable[str], str]] = {
    "not there": ([AMD64, ARM64], ["s390x"], "it has no linux/s390x, only linux/amd64, linux/arm64"),
    "one of them": ([AMD64, ARM64], [AMD64, "s390x"], "it has no linux/s390x, only linux/amd64, linux/arm64"),
    "several": ([AMD64], ["s390x", ARM64], "it has no linux/s390x, linux/arm64, only linux/amd64"),
    "a newer variant": (["linux/amd64/v3"], [AMD64], "it has no linux/amd64, only linux/amd64/v3"),
    "another architecture that would run": (["linux/386"], [AMD64], "it has no linux/amd64, only linux/386"),
    "another operating system": (["windows/amd64"], [AMD64], "it has no linux/amd64, only windows/amd64"),
}


@pytest.mark.parametrize(("has", "wanted", "taken"), CHOICES.values(), ids=CHOICES)
def test_of_an_index_the_wanted_platforms_are_taken(
    repository: Repository, has: list[str], wanted: list[str], taken: list[str]
) -> None:
    """And nothing else is even asked for. The index itself is kept, so that its digest stays what it was."""
    root = repository.platforms(has)
    artifact = gather(repository, root, *wanted)
    assert platforms(artifact) == taken
    assert artifact.root.digest == root
    assert artifact.root.raw == repository.manifests[root]
    assert set(repository.asked) == digests(artifact)
    assert len(artifact.manifests) == 1 + len(taken)
    assert len(layers(repository, artifact)) == len(taken)


@pytest.mark.parametrize(("has", "wanted", "message"), MISSING.values(), ids=MISSING)
def test_a_missing_platform_is_an_error_that_says_what_there_is(
    repository: Repository, has: list[str], wanted: list[str], message: str
) -> None:
    with pytest.raises(PlatformMissing, match=message):
        gather(repository, repository.platforms(has), *wanted)


@pytest.mark.parametrize(
    ("has", "wanted", "message"),
    [case for case in MISSING.values() if len(list(case[0])) == 1],
    ids=[name for name, case in MISSING.items() if len(list(case[0])) == 1],
)
def test_an_image_for_one_platform_is_held_to_it(
    repository: Repository, has: list[str], wanted: list[str], message: str
) -> None:
    """Its configuration says for which it is: an image of the wrong architecture would be found out on the far side."""
    with pytest.raises(PlatformMissing, match=message):
        gather(repository, repository.image(has[0]), *wanted)


def test_an_image_for_one_platform(repository: Repository) -> None:
    root = repository.image("linux/arm64/v8", layers=[b"one", b"two"])
    artifact = gather(repository, root, ARM64)
    assert platforms(artifact) == [ARM64]
    assert digests(artifact) == {root}
    assert layers(repository, artifact) == {b"one", b"two"}
    assert artifact.kind == "image"


@pytest.mark.parametrize(("wanted", "taken"), [((AMD64, "s390x"), [AMD64]), ((ARM64, AMD64, "s390x"), [AMD64, ARM64])])
def test_missing_platforms_may_be_skipped(repository: Repository, wanted: tuple[str, ...], taken: list[str]) -> None:
    root = repository.platforms([AMD64, ARM64, ARMV7])
    assert platforms(gather(repository, root, *wanted, skip_missing=True)) == taken


@pytest.mark.parametrize("as_index", [True, False])
def test_an_image_that_has_none_of_them_is_never_skipped(repository: Repository, as_index: bool) -> None:
    """Something has to be saved of what was asked for, and it has to be right."""
    root = repository.platforms([ARM64]) if as_index else repository.image(ARM64)
    with pytest.raises(PlatformMissing, match="it has no linux/amd64, only linux/arm64"):
        gather(repository, root, AMD64, skip_missing=True)


def test_one_manifest_may_serve_several_platforms(repository: Repository) -> None:
    """Data that fits every processor is listed for each."""
    data = repository.image(AMD64)
    artifact = gather(repository, repository.index([(data, on(AMD64)), (data, on(ARM64))]), AMD64, ARM64)
    assert platforms(artifact) == [AMD64, ARM64]
    assert len(artifact.manifests) == 2


def test_several_manifests_may_serve_one_platform(repository: Repository) -> None:
    """Windows lists one for each of its versions."""
    older, newer = (repository.image("windows/amd64", layers=[version]) for version in (b"ltsc2019", b"ltsc2022"))
    windows = on("windows/amd64")["platform"]
    root = repository.index(
        [
            (older, {"platform": {**windows, "os.version": "10.0.17763.1"}}),
            (newer, {"platform": {**windows, "os.version": "10.0.20348.1"}}),
            (repository.image(AMD64), on(AMD64)),
        ]
    )
    assert digests(gather(repository, root, "windows/amd64")) == {root, older, newer}


def test_shared_blobs_are_there_once(repository: Repository) -> None:
    images = [repository.image(text, layers=[b"shared", text.encode()]) for text in (AMD64, ARM64)]
    root = repository.index(list(zip(images, map(on, (AMD64, ARM64)), strict=True)))
    artifact = gather(repository, root)
    assert len(artifact.blobs) == len({blob.digest for blob in artifact.blobs}) == 5
    assert sum(artifact.sizes.values()) == sum(
        len(data) for data in (*repository.blobs.values(), *repository.manifests.values())
    )


def test_attestations_stay_with_their_image(repository: Repository) -> None:
    """BuildKit lists them beside the images, for an unknown platform."""
    images = {text: repository.image(text, layers=[text.encode()]) for text in (AMD64, ARM64)}
    about = {text: repository.artifact(content=f"about {text}".encode()) for text in images}
    root = repository.index(
        [
            *((digest, on(text)) for text, digest in images.items()),
            *((about[text], attests(digest)) for text, digest in images.items()),
        ]
    )
    assert digests(gather(repository, root, AMD64)) == {root, images[AMD64], about[AMD64]}
    assert digests(gather(repository, root)) == {root, *images.values(), *about.values()}


def test_what_has_no_platform_belongs_to_all(repository: Repository) -> None:
    """Among the children of an index there may be anything: it is kept, though its platform was not asked for."""
    image, note = repository.image(AMD64), repository.artifact()
    root = repository.index([(image, on(AMD64)), (note, {}), (repository.image(ARM64, layers=[b"x"]), on(ARM64))])
    assert digests(gather(repository, root, AMD64)) == {root, image, note}


def test_nested_indexes_are_followed(repository: Repository) -> None:
    inner = repository.platforms([AMD64, ARM64])
    root = repository.index([(inner, {}), (repository.image(ARMV7), on(ARMV7))])
    artifact = gather(repository, root, ARM64)
    assert platforms(artifact) == [ARM64]
    assert {root, inner} < digests(artifact)
    assert len(artifact.manifests) == 3


def test_nested_indexes_count_for_what_there_is(repository: Repository) -> None:
    root = repository.index([(repository.platforms([AMD64, ARM64]), {}), (repository.image(ARMV7), on(ARMV7))])
    with pytest.raises(PlatformMissing, match="only linux/amd64, linux/arm/v7, linux/arm64"):
        gather(repository, root, "s390x")


def test_the_same_index_twice_is_read_once(repository: Repository) -> None:
    inner = repository.platforms([AMD64])
    root = repository.index([(inner, {}), (inner, {})])
    gather(repository, root, AMD64)
    assert repository.asked.count(inner) <= 2
    assert len(repository.asked) == len(set(repository.asked)) + 1


def nest(repository: Repository, depth: int) -> str:
    digest = repository.image(AMD64)
    for _level in range(depth):
        digest = repository.index([(digest, {})])
    return digest


def test_reasonable_depth(repository: Repository) -> None:
    assert platforms(gather(repository, nest(repository, 8), AMD64)) == [AMD64]


@pytest.mark.parametrize("depth", [9, 200])
def test_endless_depth_is_refused(repository: Repository, depth: int) -> None:
    root = nest(repository, depth)
    with pytest.raises(InvalidManifest, match="8 indexes deep"):
        gather(repository, root, AMD64)
    assert len(repository.asked) < 12


def test_an_index_of_too_many_is_no_image(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_artifact, "_MANIFESTS", 3)
    root = repository.platforms([AMD64, ARM64, ARMV7])
    with pytest.raises(InvalidManifest, match="more than 3 manifests"):
        gather(repository, root)


def test_an_index_that_names_itself_leads_nowhere(repository: Repository) -> None:
    """No honest digest can do that; a registry that does not check its own could claim it."""
    claimed = _digest.hash_bytes(b"claimed")
    itself = {"mediaType": _media_types.OCI_INDEX, "digest": claimed, "size": 1}
    repository.manifests[claimed] = json.dumps({"schemaVersion": 2, "manifests": [itself, itself]}).encode()
    artifact = gather(repository, claimed, AMD64)
    assert (artifact.kind, len(artifact.manifests)) == ("artifact", 1)
    assert len(repository.asked) == 3


def test_an_empty_index_is_an_artifact_without_content(repository: Repository) -> None:
    artifact = gather(repository, repository.index([]), AMD64)
    assert (artifact.kind, artifact.platforms, artifact.blobs) == ("artifact", (), ())


def test_artifacts_have_no_platform_to_miss(repository: Repository) -> None:
    root = repository.artifact(content=b"anything")
    artifact = gather(repository, root, AMD64)
    assert (artifact.kind, artifact.platforms) == ("artifact", ())
    assert b"anything" in layers(repository, artifact)


def test_charts_are_charts(repository: Repository) -> None:
    config = {**repository.blob(b'{"name": "c", "version": "1.0.0"}'), "mediaType": _media_types.HELM_CONFIG}
    layer = {**repository.blob(b"tgz"), "mediaType": _media_types.HELM_CHART}
    artifact = gather(repository, repository.manifest_of(config, [layer]), AMD64)
    assert (artifact.kind, artifact.platforms) == ("chart", ())


def test_an_index_of_artifacts_is_one(repository: Repository) -> None:
    root = repository.index([(repository.artifact(content=b"1"), {}), (repository.artifact(content=b"2"), {})])
    artifact = gather(repository, root, AMD64)
    assert (artifact.kind, len(artifact.manifests)) == ("artifact", 3)


@pytest.mark.parametrize("config", [b"{}", b"[]", b"null", b'{"os": "linux"}', b'{"os": "", "architecture": ""}'])
def test_an_image_whose_configuration_names_no_platform_runs_anywhere(repository: Repository, config: bytes) -> None:
    descriptor = {**repository.blob(config), "mediaType": _media_types.DOCKER_CONFIG}
    assert platforms(gather(repository, repository.manifest_of(descriptor, []), AMD64)) == []


@pytest.mark.parametrize("config", [b"", b"{", b"\xff\xfe", b"[" * 200_000], ids=["empty", "cut", "binary", "deep"])
def test_an_image_whose_configuration_is_none_is_refused(repository: Repository, config: bytes) -> None:
    descriptor = {**repository.blob(config), "mediaType": _media_types.OCI_CONFIG}
    with pytest.raises(InvalidManifest, match="configuration is no JSON"):
        gather(repository, repository.manifest_of(descriptor, []), AMD64)


def test_an_image_for_a_platform_that_cannot_be_one_is_refused(repository: Repository) -> None:
    with pytest.raises(InvalidPlatform):
        gather(repository, repository.image("linux/amd64\x1b[2J"), AMD64)


def test_a_missing_child_is_an_error(repository: Repository) -> None:
    child = repository.image(AMD64)
    root = repository.index([(child, on(AMD64))])
    del repository.manifests[child]
    with pytest.raises(NotFound):
        gather(repository, root, AMD64)


def test_a_child_that_nobody_wants_may_be_missing(repository: Repository) -> None:
    """Registries hold sparse indexes too."""
    child = repository.image(ARM64, layers=[b"x"])
    root = repository.index([(repository.image(AMD64), on(AMD64)), (child, on(ARM64))])
    del repository.manifests[child]
    assert platforms(gather(repository, root, AMD64)) == [AMD64]

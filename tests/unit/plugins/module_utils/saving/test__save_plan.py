# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What saving decides: names, collisions, platforms, what is there already and what changes.

The sources are in memory; how saving behaves on a bad network is in test__save.py.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart
from ansible_collections.seahub.offline.plugins.module_utils.charts._chart import ChartSource
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidChart, NameCollision, TreeBusy
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _platform
from ansible_collections.seahub.offline.plugins.module_utils.oci._artifact import Artifact
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import (
    ArtifactSource,
    Report,
    Rules,
    Saver,
    Wish,
)
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.charts import packaged
from tests.unit.repository import Repository, Upstream, on
from tests.unit.trees import files

AMD64, ARM64, ARMV7 = "linux/amd64", "linux/arm64", "linux/arm/v7"


@pytest.fixture
def tree() -> Iterator[Tree]:
    """A tree in memory where that can be had: on a disk each saving waits for what others are writing to it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Tree(os.path.join(folder, "tree"))


@pytest.fixture
def upstream() -> Repository:
    return Repository()


def wish(
    source: ArtifactSource,
    name: str = "library/mysql",
    tag: str | None = "8",
    *platforms: str,
    version: str = "",
    host: str = "docker.io",
    requested: str = "",
    where: str = "",
    accept: Callable[[Tree, Artifact], None] = lambda _tree, _artifact: None,
) -> Wish:
    return Wish(
        requested=requested or f"{name}:{tag}",
        source=source,
        source_name=f"{host}/{name}:{tag}" if tag else f"{host}/{name}@{version}",
        version=version or tag or "",
        name=name,
        tag=tag,
        platforms=tuple(_platform.parse(text) for text in platforms),
        where=where,
        accept=accept,
    )


def save(tree: Tree, *wishes: Wish, rules: Rules | None = None) -> Report:
    return Saver(tree, parallel=4, rules=rules).save(wishes)


def failures(report: Report) -> dict[str, str]:
    return {failure.label: str(failure.error) for failure in report.failures}


def would_change(tree: Tree, *wishes: Wish) -> bool:
    return Saver(tree, parallel=4).preview(wishes).changed


def on_disk(tree: Tree) -> dict[str, tuple[int, int]]:
    """Every file with what changes when it is written anew."""
    return {
        str(path): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in Path(tree.root).rglob("*")
        if path.is_file() and ".seahub" not in path.parts
    }


def entry(tree: Tree, name: str = "library/mysql", version: str = "8") -> _lock.Entry:
    found = _lock.read(tree).find(name, version)
    assert found is not None
    return found


# Saving, and saving again


def test_an_image_is_there_under_all_of_its_names(tree: Tree, upstream: Repository) -> None:
    digest = upstream.image(AMD64, "8", layers=[b"one", b"two"])
    report = save(tree, wish(upstream))
    assert [(item.present, item.entry.digest) for item in report.saved] == [(False, digest)]
    assert report.changed
    assert not report.failures
    for name in ("library/mysql", "mysql"):
        assert tree.tags(name) == ["8"]
        manifest = tree.manifest(name, "8")
        assert manifest.digest == digest
        assert tree.layers(name) == sorted(blob.digest for blob in manifest.blobs)
    assert sorted(tree.blobs()) == sorted(
        (name, len(data)) for name, data in (*upstream.blobs.items(), *upstream.manifests.items())
    )


def test_the_lock_says_what_was_saved(tree: Tree, upstream: Repository) -> None:
    digest = upstream.platforms([AMD64, ARM64], "8")
    save(tree, wish(upstream, "library/mysql", "8", ARM64, requested="mysql:8"))
    found = entry(tree)
    assert (found.requested, found.source, found.kind) == ("mysql:8", "docker.io/library/mysql:8", "image")
    assert (found.digest, found.platforms, found.aliases) == (digest, (ARM64,), ("mysql",))
    assert found.blobs == dict(tree.blobs())


def test_a_second_run_changes_nothing_and_fetches_nothing(tree: Tree, upstream: Repository) -> None:
    upstream.platforms([AMD64, ARM64], "8")
    upstream.artifact("9")
    wishes = [wish(upstream), wish(upstream, "team/thing", "9")]
    save(tree, *wishes)
    before = on_disk(tree)
    upstream.asked.clear()
    report = save(tree, *wishes)
    assert (report.changed, report.received) == (False, 0)
    assert [item.present for item in report.saved] == [True, True]
    assert upstream.asked == []
    assert on_disk(tree) == before


def test_a_tag_that_moved_is_followed(tree: Tree, upstream: Repository) -> None:
    upstream.image(AMD64, "8", layers=[b"old"])
    save(tree, wish(upstream))
    digest = upstream.image(AMD64, "8", layers=[b"new"])
    report = save(tree, wish(upstream))
    assert (report.changed, report.saved[0].present) == (True, False)
    assert tree.tag("mysql", "8") == entry(tree).digest == digest


def test_without_a_tag_only_the_digest_is_known(tree: Tree, upstream: Repository) -> None:
    digest = upstream.image(AMD64)
    report = save(tree, wish(upstream, "team/app", None, version=digest))
    assert tree.tags("team/app") == []
    assert tree.manifest("team/app", digest).digest == digest
    assert entry(tree, "team/app", digest).tag is None
    assert not save(tree, report.saved[0].wish).changed


def test_the_same_twice_is_saved_once(tree: Tree, upstream: Repository) -> None:
    upstream.image(AMD64, "8")
    report = save(tree, wish(upstream), wish(upstream))
    assert len(report.saved) == 2
    assert len(_lock.read(tree).references) == 1
    assert len(upstream.asked) == len(set(upstream.asked))
    assert not save(tree, wish(upstream), wish(upstream)).changed


def test_what_images_share_is_fetched_once(tree: Tree, upstream: Repository) -> None:
    other = Repository()
    for number in range(5):
        upstream.image(AMD64, f"{number}", layers=[b"shared", f"own {number}".encode()])
        other.image(AMD64, f"{number}", layers=[b"shared", f"other {number}".encode()])
    save(
        tree,
        *(wish(upstream, "team/app", f"{number}") for number in range(5)),
        *(wish(other, "group/app", f"{number}", host="quay.io") for number in range(5)),
    )
    asked = upstream.asked + other.asked
    assert len(asked) == len(set(asked))


def test_nothing_has_a_tag_before_everything_is_there(tree: Tree, upstream: Repository) -> None:
    seen: list[list[str]] = []

    class Watching(Repository):
        def read_blob(self, blob: object, limit: int) -> bytes:
            seen.append(list(tree.repositories()))
            return super().read_blob(blob, limit)  # type: ignore[arg-type]

    watching = Watching()
    watching.image(AMD64, "8", layers=[b"one", b"two"])
    watching.image(AMD64, "9", layers=[b"three"])
    save(tree, wish(watching), wish(watching, tag="9"))
    assert len(seen) == 4
    assert not any(seen)


# Failures


def missing_blob(upstream: Repository) -> None:
    upstream.image(AMD64, "bad", layers=[b"gone"])
    del upstream.blobs[next(digest for digest, data in upstream.blobs.items() if data == b"gone")]


def wrong_bytes(upstream: Repository) -> None:
    upstream.image(AMD64, "bad", layers=[b"right"])
    upstream.blobs[next(digest for digest, data in upstream.blobs.items() if data == b"right")] = b"wrong"


def wrong_manifest(upstream: Repository) -> None:
    digest = upstream.image(AMD64, "bad", layers=[b"x"])
    upstream.manifests[digest] += b" "


def schema_1(upstream: Repository) -> None:
    upstream.put({"schemaVersion": 1, "fsLayers": []}, "bad")


# What is wrong with one of the images -> a part of the error.
TROUBLE: dict[str, tuple[Callable[[Repository], object], str]] = {
    "no such tag": (lambda upstream: None, "there is no bad"),
    "a blob is missing": (missing_blob, "there is no blob sha256:"),
    "a blob has other bytes": (wrong_bytes, "have the digest sha256:"),
    "a manifest has other bytes": (wrong_manifest, "another digest"),
    "the wrong architecture": (lambda upstream: upstream.image("linux/s390x", "bad"), "it has no linux/amd64"),
    "no such platform": (
        lambda upstream: upstream.platforms([ARM64], "bad"),
        "it has no linux/amd64, only linux/arm64",
    ),
    "schema 1": (schema_1, "schema 1"),
}


@pytest.mark.parametrize(("spoil", "message"), TROUBLE.values(), ids=TROUBLE)
def test_one_failure_does_not_stop_the_others(
    tree: Tree, upstream: Repository, spoil: Callable[[Repository], object], message: str
) -> None:
    """And leaves no tag, no link and no entry of the lock behind."""
    upstream.image(AMD64, "good", layers=[b"good"])
    spoil(upstream)
    wishes = [
        wish(upstream, "team/bad", "bad", AMD64, requested="bad", where="images.txt, line 7"),
        wish(upstream, "team/good", "good", AMD64),
    ]
    report = save(tree, *wishes)
    assert [item.wish.name for item in report.saved] == ["team/good"]
    assert list(failures(report)) == ["bad (images.txt, line 7)"]
    assert message in failures(report)["bad (images.txt, line 7)"]
    assert list(tree.repositories()) == ["team/good"]
    assert [item.name for item in _lock.read(tree).references] == ["team/good"]


def test_what_is_not_accepted_does_not_become_visible(tree: Tree, upstream: Repository) -> None:
    def refuse(_tree: Tree, _artifact: Artifact) -> None:
        raise InvalidChart("nobody vouches for it")

    upstream.image(AMD64, "8")
    report = save(tree, wish(upstream, accept=refuse))
    assert failures(report) == {"library/mysql:8": "nobody vouches for it"}
    assert (list(tree.repositories()), _lock.read(tree).references) == ([], ())


def test_a_tree_that_is_being_written_is_left_alone(tree: Tree, upstream: Repository) -> None:
    upstream.image(AMD64, "8")
    with tree.exclusive(), pytest.raises(TreeBusy):
        save(tree, wish(upstream))
    assert upstream.asked == []


def test_wrong_bytes_in_the_tree_are_fetched_anew(tree: Tree, upstream: Repository) -> None:
    """A damaged manifest would be served as it is, for ever."""
    digest = upstream.image(AMD64, "8")
    save(tree, wish(upstream))
    Path(tree.blob_path(digest)).write_bytes(b"?" * len(upstream.manifests[digest]))
    save(tree, wish(upstream))
    assert tree.read_blob(digest) == upstream.manifests[digest]


# Names


# Name, host and content of two sources -> the name on which they fall together.
COLLISIONS: dict[str, tuple[tuple[str, str, bytes], tuple[str, str, bytes], str]] = {
    "one path at two hosts": (
        ("team/app", "quay.io", b"one"),
        ("team/app", "docker.io", b"two"),
        "quay.io/team/app:8 .* and docker.io/team/app:8 .* would both be team/app:8",
    ),
    "a short name of Docker Hub": (
        ("library/mysql", "docker.io", b"one"),
        ("mysql", "quay.io", b"two"),
        "docker.io/library/mysql:8 .* and quay.io/mysql:8 .* would both be mysql:8",
    ),
    "the short name first": (
        ("mysql", "quay.io", b"one"),
        ("library/mysql", "docker.io", b"two"),
        "quay.io/mysql:8 .* and docker.io/library/mysql:8 .* would both be mysql:8",
    ),
}
NO_COLLISIONS: dict[str, tuple[tuple[str, str, bytes], tuple[str, str, bytes]]] = {
    "the same content": (("team/app", "quay.io", b"one"), ("team/app", "docker.io", b"one")),
    "the same content under an alias": (("library/mysql", "docker.io", b"one"), ("mysql", "quay.io", b"one")),
    "other paths": (("team/app", "quay.io", b"one"), ("group/app", "quay.io", b"two")),
    "no alias below library": (("library/team/app", "docker.io", b"one"), ("team/app", "docker.io", b"two")),
}


def source(content: bytes) -> Repository:
    repository = Repository()
    repository.image(AMD64, "8", layers=[content])
    return repository


@pytest.mark.parametrize("in_two_runs", [False, True], ids=["in one run", "in two runs"])
@pytest.mark.parametrize(("one", "two", "message"), COLLISIONS.values(), ids=COLLISIONS)
def test_two_artifacts_cannot_have_one_name(
    tree: Tree, one: tuple[str, str, bytes], two: tuple[str, str, bytes], message: str, in_two_runs: bool
) -> None:
    """Nothing is downloaded then, and the error names both and the cures."""
    wishes = [wish(source(content), name, host=host) for name, host, content in (one, two)]
    if in_two_runs:
        save(tree, wishes.pop(0))
    before = files(Path(tree.root))
    for attempt in (Saver(tree).preview, Saver(tree).save):
        with pytest.raises(NameCollision, match=f"(?s){message}.*'as'.*keep_host"):
            attempt(wishes)
    assert files(Path(tree.root)) == before
    assert isinstance(wishes[-1].source, Repository)
    assert wishes[-1].source.asked == []


@pytest.mark.parametrize("in_two_runs", [False, True], ids=["in one run", "in two runs"])
@pytest.mark.parametrize(("one", "two"), NO_COLLISIONS.values(), ids=NO_COLLISIONS)
def test_what_does_not_collide(
    tree: Tree, one: tuple[str, str, bytes], two: tuple[str, str, bytes], in_two_runs: bool
) -> None:
    wishes = [wish(source(content), name, host=host) for name, host, content in (one, two)]
    for group in [[item] for item in wishes] if in_two_runs else [wishes]:
        assert not save(tree, *group).failures
    for item in wishes:
        assert {tree.tag(name, "8") for name in item.names} == {item.source.resolve("8")}


def test_all_collisions_are_named(tree: Tree) -> None:
    wishes = [
        wish(source(f"{name} of {host}".encode()), name, host=host) for name in ("a/x", "b/x") for host in ("h1", "h2")
    ]
    with pytest.raises(NameCollision) as caught:
        save(tree, *wishes)
    assert all(f"{host}/{name}:8" in str(caught.value) for name in ("a/x", "b/x") for host in ("h1", "h2"))


# Platforms


def test_platforms_saved_one_after_the_other_are_all_in_the_lock(tree: Tree, upstream: Repository) -> None:
    digest = upstream.platforms([AMD64, ARM64, ARMV7], "8")
    for platforms in ((ARM64,), (AMD64,), (ARM64, AMD64)):
        save(tree, wish(upstream, "library/mysql", "8", *platforms))
    assert entry(tree).platforms == (AMD64, ARM64)
    assert entry(tree).blobs == dict(tree.blobs())
    assert tree.tag("mysql", "8") == digest
    assert not save(tree, wish(upstream, "library/mysql", "8", AMD64)).changed


def test_platforms_asked_for_at_once_are_all_in_the_lock(tree: Tree, upstream: Repository) -> None:
    upstream.platforms([AMD64, ARM64], "8")
    save(tree, wish(upstream, "library/mysql", "8", ARM64), wish(upstream, "library/mysql", "8", AMD64))
    assert entry(tree).platforms == (AMD64, ARM64)
    assert entry(tree).blobs == dict(tree.blobs())


def test_platforms_of_an_earlier_digest_are_forgotten(tree: Tree, upstream: Repository) -> None:
    """The lock must not promise what the tag does not lead to any more."""
    upstream.platforms([AMD64, ARM64], "8")
    save(tree, wish(upstream, "library/mysql", "8", ARM64))
    newer = upstream.image(AMD64, layers=[b"newer"])
    digest = upstream.index([(newer, on(AMD64))], "8")
    save(tree, wish(upstream, "library/mysql", "8", AMD64))
    assert (entry(tree).digest, entry(tree).platforms) == (digest, (AMD64,))


def test_missing_platforms_may_be_skipped(tree: Tree, upstream: Repository) -> None:
    upstream.platforms([AMD64], "8")
    rules = Rules(skip_missing=True)
    assert not save(tree, wish(upstream, "library/mysql", "8", AMD64, ARM64), rules=rules).failures
    assert entry(tree).platforms == (AMD64,)
    assert failures(save(tree, wish(upstream, "library/mysql", "8", ARM64), rules=rules))


# Check mode


def test_a_preview_writes_nothing_and_fetches_nothing(tree: Tree, upstream: Repository) -> None:
    digest = upstream.platforms([AMD64], "8")
    preview = Saver(tree).preview([wish(upstream), wish(upstream, tag="none")])
    assert [(item.digest, item.entry) for item in preview.found] == [(digest, None)]
    assert [failure.label for failure in preview.failures] == ["library/mysql:none"]
    assert not Path(tree.root).exists()
    assert upstream.asked == []


def test_a_preview_of_what_is_there(tree: Tree, upstream: Repository) -> None:
    upstream.platforms([AMD64], "8")
    saved = save(tree, wish(upstream)).saved[0]
    before = on_disk(tree)
    preview = Saver(tree).preview([wish(upstream)])
    assert ([item.entry for item in preview.found], preview.failures) == ([saved.entry], ())
    assert on_disk(tree) == before


def lose(tree: Tree, pattern: str) -> None:
    lost = [path for path in Path(tree.root).glob(pattern) if path.is_file()]
    assert lost
    for path in lost:
        path.unlink()


REPOSITORIES = "docker/registry/v2/repositories"
# What became of a saved tree since.
STATES: dict[str, Callable[[Tree, Repository], object]] = {
    "nothing": lambda tree, upstream: None,
    "the tag moved": lambda tree, upstream: upstream.image(AMD64, "8", layers=[b"new"]),
    "the tag was lost": lambda tree, upstream: lose(tree, f"{REPOSITORIES}/library/**/current/link"),
    "the alias was lost": lambda tree, upstream: lose(tree, f"{REPOSITORIES}/mysql/**/link"),
    "a layer's link was lost": lambda tree, upstream: lose(tree, f"{REPOSITORIES}/library/mysql/_layers/**/link"),
    "a manifest's link was lost": lambda tree, upstream: lose(tree, f"{REPOSITORIES}/library/**/revisions/**/link"),
    "all blobs were lost": lambda tree, upstream: lose(tree, "docker/registry/v2/blobs/**/data"),
    "all was lost": lambda tree, upstream: lose(tree, "**/*"),
}


@pytest.mark.parametrize("change", STATES.values(), ids=STATES)
def test_a_preview_tells_what_saving_then_does(
    tree: Tree, upstream: Repository, change: Callable[[Tree, Repository], object]
) -> None:
    """And saving mends what was lost."""
    upstream.image(AMD64, "8", layers=[b"old"])
    save(tree, wish(upstream))
    change(tree, upstream)
    expected = would_change(tree, wish(upstream))
    report = save(tree, wish(upstream))
    assert report.changed == expected
    assert report.saved[0].present != expected
    assert not would_change(tree, wish(upstream))
    assert not save(tree, wish(upstream)).changed
    assert tree.tag("mysql", "8") == upstream.resolve("8")


@pytest.mark.parametrize(
    "change",
    [
        lambda tree, upstream: lose(tree, _lock.FILE),
        lambda tree, upstream: save(tree, wish(upstream, requested="docker.io/mysql:8")),
    ],
    ids=["the lock was lost", "it was asked for in other words"],
)
def test_a_preview_tells_whether_the_lock_will_change(
    tree: Tree, upstream: Repository, change: Callable[[Tree, Repository], object]
) -> None:
    upstream.image(AMD64, "8")
    save(tree, wish(upstream))
    change(tree, upstream)
    expected = would_change(tree, wish(upstream))
    assert save(tree, wish(upstream)).changed == expected


# What belongs to an artifact


@pytest.fixture(name="signed")
def fixture_signed(upstream: Repository) -> Upstream:
    return Upstream(upstream)


def signature_tag(digest: str, suffix: str = "") -> str:
    return digest.replace(":", "-") + suffix


def save_signed(tree: Tree, signed: Upstream, rules: Rules | None = None) -> Report:
    return save(tree, dataclasses.replace(wish(signed.content, "team/app"), signed=signed), rules=rules)


def test_companions_come_with_what_they_belong_to(tree: Tree, upstream: Repository, signed: Upstream) -> None:
    image = upstream.image(AMD64, "8")
    signature = upstream.artifact(signature_tag(image, ".sig"), content=b"signature")
    sbom = upstream.artifact(content=b"sbom")
    of_sbom = upstream.artifact(signature_tag(sbom, ".sig"), content=b"signature of sbom")
    signed.listed = {image: [sbom]}
    report = save_signed(tree, signed)
    assert failures(report) == {}
    assert [item.wish.companion for item in report.saved].count(False) == 1
    assert tree.tag("team/app", signature_tag(image, ".sig")) == signature
    assert tree.tag("team/app", signature_tag(sbom, ".sig")) == of_sbom
    assert tree.has_manifest("team/app", sbom)
    assert tree.tag("team/app", signature_tag(image)) is not None  # the list that the API gave
    assert _check.check(tree).ok


def test_what_was_complete_is_not_searched_again(tree: Tree, upstream: Repository, signed: Upstream) -> None:
    image = upstream.image(AMD64, "8")
    upstream.artifact(signature_tag(image, ".sig"))
    save_signed(tree, signed)
    signed.asked.clear()
    assert not save_signed(tree, signed).changed
    assert signed.asked == []


def test_a_companion_that_is_listed_but_gone_is_reported(tree: Tree, upstream: Repository, signed: Upstream) -> None:
    image = upstream.image(AMD64, "8")
    sbom = upstream.artifact(content=b"sbom")
    index = upstream.index([(sbom, {})], signature_tag(image))
    del upstream.manifests[sbom]
    report = save_signed(tree, signed)
    assert failures(report) == {}
    assert tree.tag("team/app", "8") == image
    assert tree.tag("team/app", signature_tag(image)) is None
    assert len(report.refusals) == 1
    assert signature_tag(image) in report.refusals[0]
    assert not tree.has_manifest("team/app", index)


def test_the_lock_holds_companions_too(tree: Tree, upstream: Repository, signed: Upstream) -> None:
    image = upstream.image(AMD64, "8")
    upstream.artifact(signature_tag(image, ".sig"), content=b"old")
    save_signed(tree, signed)
    upstream.artifact(signature_tag(image, ".sig"), content=b"new")
    lose(tree, "docker/**/current/link")
    report = save_signed(tree, signed, rules=LOCKED)
    assert "the lock has" in str(failures(report))


# The lock as a rule

LOCKED = Rules(locked=True)


def test_the_lock_holds_a_tag_that_moved(tree: Tree, upstream: Repository) -> None:
    digest = upstream.image(AMD64, "8", layers=[b"old"])
    save(tree, wish(upstream))
    upstream.image(AMD64, "8", layers=[b"new"])
    report = save(tree, wish(upstream), rules=LOCKED)
    assert (report.changed, report.saved[0].entry.digest) == (False, digest)


def test_a_locked_tree_is_made_anew_from_its_lock_alone(tree: Tree, upstream: Repository) -> None:
    digest = upstream.image(AMD64, "8", layers=[b"old"])
    save(tree, wish(upstream))
    lose(tree, "docker/**/*")
    upstream.image(AMD64, "8", layers=[b"new"])
    assert save(tree, wish(upstream), rules=LOCKED).changed
    assert tree.tag("mysql", "8") == digest


def test_what_upstream_no_longer_has_is_an_error(tree: Tree, upstream: Repository) -> None:
    digest = upstream.image(AMD64, "8", layers=[b"old"])
    save(tree, wish(upstream))
    upstream.image(AMD64, "8", layers=[b"new"])
    del upstream.manifests[digest]
    assert failures(save(tree, wish(upstream), rules=LOCKED)) == {"library/mysql:8": f"there is no {digest}"}
    assert tree.tag("mysql", "8") == digest


def test_what_is_not_in_the_lock_is_an_error(tree: Tree, upstream: Repository) -> None:
    upstream.image(AMD64, "8")
    report = save(tree, wish(upstream), rules=LOCKED)
    assert failures(report) == {"library/mysql:8": "the lock has no library/mysql:8: save it once without 'locked'"}


# Charts


def test_charts_from_files_are_saved_like_anything_else(tree: Tree) -> None:
    content = packaged("mysql", "1.0.0+b")
    chart = _chart.parse_archive("mysql.tgz", content, b"signed")
    item = wish(ChartSource(chart), "helm-charts/mysql", chart.tag)
    assert not save(tree, item).failures
    found = entry(tree, "helm-charts/mysql", "1.0.0_b")
    digests = _digest.hash_bytes(content), _digest.hash_bytes(b"signed")
    assert found.chart == _lock.Chart("mysql", "1.0.0+b", *digests)
    assert (found.kind, found.platforms, found.aliases) == ("chart", (), ())
    assert not save(tree, item).changed

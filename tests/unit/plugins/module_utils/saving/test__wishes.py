# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes of entries: from where they are to be saved, and under which names. And what the lock has to say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.charts._provenance import InvalidProvenance
from ansible_collections.seahub.offline.plugins.module_utils.charts._semver import InvalidConstraint
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidChart,
    InvalidPlatform,
    InvalidReference,
    NotFound,
    SeahubError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries
from ansible_collections.seahub.offline.plugins.module_utils.saving import _wishes
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import Report, Rules, Saver, Wish
from ansible_collections.seahub.offline.plugins.module_utils.saving._wishes import Choices, InvalidEntry, WishMaker
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.registry.saving import QUICK, registries
from tests.registry.server import Registry
from tests.unit.chart_site import Site, index, serve
from tests.unit.charts import packaged, put
from tests.unit.plugins.module_utils.saving.test__image_file import saved_new
from tests.unit.trees import add_image, make_tree

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")


@pytest.fixture(name="known")
def fixture_known() -> Iterator[Registries]:
    with registries() as known:
        yield known


def image(known: Registries, entry: Any, **choices: Any) -> Wish:
    return WishMaker(known, Choices(**choices)).image(entry)


def charts(known: Registries, entry: Any, **choices: Any) -> list[Wish]:
    return WishMaker(known, Choices(**choices)).charts(entry)


# Images


NAMES: dict[str, tuple[str, str, str | None]] = {
    "mysql": ("docker.io/library/mysql:latest", "library/mysql", "latest"),
    "index.docker.io/library/mysql:8": ("docker.io/library/mysql:8", "library/mysql", "8"),
    "registry-1.docker.io/team/app:1": ("docker.io/team/app:1", "team/app", "1"),
    "quay.io/team/app:1": ("quay.io/team/app:1", "team/app", "1"),
    "registry.example.com:5000/a/b:1": ("registry.example.com:5000/a/b:1", "a/b", "1"),
}


@pytest.mark.parametrize(("text", "expected"), NAMES.items())
def test_images_lose_their_host(known: Registries, text: str, expected: tuple[str, str, str | None]) -> None:
    wish = image(known, f"  {text} ")
    assert (wish.source_name, wish.name, wish.tag) == expected
    assert wish.requested == text


def test_the_digest_decides_and_the_tag_is_written(known: Registries) -> None:
    digest = "sha256:" + "1" * 64
    both = image(known, f"quay.io/a/b:1@{digest}")
    assert (both.version, both.tag) == (digest, "1")
    alone = image(known, f"quay.io/a/b@{digest}")
    assert (alone.version, alone.tag) == (digest, None)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mysql:8", "docker.io/library/mysql"),
        ("registry-1.docker.io/library/mysql:8", "docker.io/library/mysql"),
        ("quay.io/team/app:1", "quay.io/team/app"),
        ("registry.example.com:5000/a/b:1", "registry.example.com-5000/a/b"),
        ("[::1]:5000/a/b:1", "1-5000/a/b"),
    ],
)
def test_hosts_may_be_kept(known: Registries, text: str, name: str) -> None:
    assert image(known, text, keep_host=True).name == name


def test_official_images_have_two_names(known: Registries) -> None:
    assert image(known, "mysql").names == ("library/mysql", "mysql")
    assert image(known, "mysql", keep_host=True).names == ("docker.io/library/mysql",)


@pytest.mark.parametrize(
    ("name", "expected"), [("web/app", ("web/app", "1")), ("web/app:stable", ("web/app", "stable"))]
)
def test_an_entry_may_say_what_it_is_called(known: Registries, name: str, expected: tuple[str, str]) -> None:
    wish = image(known, {"image": "quay.io/team/app:1", "as": name}, keep_host=True)
    assert (wish.name, wish.tag) == expected
    assert wish.source_name == "quay.io/team/app:1"


def test_an_entry_may_have_platforms_of_its_own(known: Registries) -> None:
    assert image(known, "a/b", platforms=(AMD64,)).platforms == (AMD64,)
    assert image(known, {"image": "a/b", "platforms": ["linux/arm64/v8"]}, platforms=(AMD64,)).platforms == (ARM64,)
    assert image(known, {"image": "a/b", "platforms": ["all"]}, platforms=(AMD64,)).platforms == ()


@pytest.mark.parametrize("signatures", [True, False])
def test_signatures_are_looked_for_where_the_image_is(known: Registries, signatures: bool) -> None:
    wish = image(known, "quay.io/a/b:1", signatures=signatures)
    assert id(wish.signed) == id(wish.source if signatures else None)


SENSELESS: list[tuple[Any, type[SeahubError], str]] = [
    (5, InvalidEntry, "neither a text nor a dictionary"),
    (["a"], InvalidEntry, "neither a text nor a dictionary"),
    (None, InvalidEntry, "neither a text nor a dictionary"),
    ({}, InvalidEntry, "'image' is missing"),
    ("", InvalidEntry, "'image' is missing"),
    ({"image": ""}, InvalidEntry, "'image' is missing"),
    ({"image": 5}, InvalidEntry, "'image' is missing"),
    ({"image": "a", "name": "b", 5: 6}, InvalidEntry, "unknown keys: 5, name; known: image, as, platforms"),
    ({"image": "a", "as": "../b"}, InvalidReference, "no name in a tree"),
    ({"image": "a", "as": "A"}, InvalidReference, "no name in a tree"),
    ({"image": "a", "as": "b:"}, InvalidReference, "no name in a tree"),
    ({"image": "a", "as": "b:c:d"}, InvalidReference, "no name in a tree"),
    ({"image": "a", "as": "b@sha256:1"}, InvalidReference, "no name in a tree"),
    ({"image": "a", "as": ""}, InvalidEntry, "'as' is missing"),
    ({"image": "a", "platforms": "linux/amd64"}, InvalidEntry, "has to be a list"),
    ({"image": "a", "platforms": []}, InvalidEntry, "has to be a list"),
    ({"image": "a", "platforms": ["x\x1b[2J"]}, InvalidPlatform, "platform"),
    ("https://quay.io/a/b", InvalidReference, "no usable reference"),
]


@pytest.mark.parametrize(("entry", "kind", "says"), SENSELESS)
def test_images_that_make_no_sense(known: Registries, entry: Any, kind: type[SeahubError], says: str) -> None:
    with pytest.raises(kind, match=says):
        image(known, entry)


# Images in files


@pytest.mark.parametrize(
    ("inside", "name", "tag"),
    [("team/app:1", "team/app", "1"), ("quay.io/team/app:1", "team/app", "1"), ("redis:7", "library/redis", "7")],
)
def test_an_image_in_a_file_has_the_name_that_it_has_there(
    known: Registries, tmp_path: Path, inside: str, name: str, tag: str
) -> None:
    text = saved_new(tmp_path / "app.tar", [b"layer"], [inside])
    wish = image(known, text)
    assert (wish.name, wish.tag, wish.signed) == (name, tag, None)
    assert wish.source_name == f"docker-archive:app.tar:{inside}"
    assert image(known, f"{text}:{inside}").source_name == wish.source_name


def test_an_image_in_a_file_without_a_name_has_to_be_given_one(known: Registries, tmp_path: Path) -> None:
    text = saved_new(tmp_path / "app.tar", [b"layer"], None)
    with pytest.raises(InvalidEntry, match="give its name in the tree with 'as'"):
        image(known, text)
    wish = image(known, {"image": text, "as": "team/app"})
    assert (wish.name, wish.tag, wish.source_name) == ("team/app", "latest", "docker-archive:app.tar")


# Charts in files


def test_a_packaged_chart(known: Registries, tmp_path: Path) -> None:
    (wish,) = charts(known, str(put(tmp_path, "demo", "1.2.3+build.7")))
    assert (wish.name, wish.tag, wish.requested) == ("helm-charts/demo", "1.2.3_build.7", "demo-1.2.3+build.7.tgz")
    assert (wish.source_name, wish.signed) == (wish.requested, None)


def test_a_folder_of_packaged_charts(known: Registries, tmp_path: Path) -> None:
    for version in ("2.0.0", "1.0.0"):
        put(tmp_path, "demo", version)
    found = charts(known, {"chart": str(tmp_path)}, repository="/charts/ours/")
    assert [(wish.name, wish.tag) for wish in found] == [("charts/ours/demo", "1.0.0"), ("charts/ours/demo", "2.0.0")]


def test_an_unpacked_chart(known: Registries, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here/Chart.yaml").write_text("{apiVersion: v2, name: demo, version: 0.1.0}")
    (wish,) = charts(known, {"chart": f"{tmp_path}/here/", "as": "team/demo:newest"})
    assert (wish.name, wish.tag, wish.requested) == ("team/demo", "newest", "here")


def test_home_is_understood(known: Registries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path, "demo", "1.0.0")
    assert charts(known, "~/demo-1.0.0.tgz")[0].name == "helm-charts/demo"


def test_what_is_no_chart_is_named(known: Registries, tmp_path: Path) -> None:
    with pytest.raises(InvalidChart, match=r"absent\.tgz cannot be read"):
        charts(known, f"{tmp_path}/absent.tgz")
    with pytest.raises(InvalidChart, match="holds no packaged chart"):
        charts(known, str(tmp_path))


# Charts in registries


TAGS = ["8.8.24", "8.8.25", "8.9.0-rc.1", "9.0.0_build.1", "latest", "sha256-0.sig", "1.2"]


@pytest.fixture(name="upstream")
def fixture_upstream(tmp_path: Path) -> Iterator[Registry]:
    tree = make_tree(tmp_path / "upstream", {f"charts/mysql:{tag}": [tag.encode()] for tag in TAGS})
    with Registry(Path(tree.root)) as upstream:
        yield upstream


@pytest.mark.parametrize(
    ("entry", "tag", "requested"),
    [
        ("{mysql}:8.8.24", "8.8.24", "{mysql}:8.8.24"),
        ("{mysql}:9.0.0+build.1", "9.0.0_build.1", "{mysql}:9.0.0+build.1"),
        ("{mysql}:^8.8", "8.8.25", "{mysql}:^8.8"),
        ("{mysql}:8.8.x", "8.8.25", "{mysql}:8.8.x"),
        ("{mysql}:>=8.8 <8.8.25", "8.8.24", "{mysql}:>=8.8 <8.8.25"),
        ("{mysql}:latest", "latest", "{mysql}:latest"),
        ("{mysql}", "9.0.0_build.1", "{mysql}"),
        ({"chart": "{mysql}"}, "9.0.0_build.1", "{mysql}"),
        ({"chart": "{mysql}", "version": "~8.8.0"}, "8.8.25", "{mysql}:~8.8.0"),
        ({"chart": "{mysql}", "version": "8.8"}, "8.8.25", "{mysql}:8.8"),
        ({"chart": "{mysql}", "version": ">8.8.25-0"}, "9.0.0_build.1", "{mysql}:>8.8.25-0"),
        ({"chart": "{mysql}", "version": "8.9.0-rc.1"}, "8.9.0-rc.1", "{mysql}:8.9.0-rc.1"),
        ({"chart": "{mysql}:1.0.0", "version": 8}, "8.8.25", "{mysql}:8"),
    ],
)
def test_the_version_is_a_constraint(
    known: Registries, upstream: Registry, entry: Any, tag: str, requested: str
) -> None:
    mysql = f"oci://{upstream.host}/charts/mysql"
    if isinstance(entry, dict):
        entry = {**entry, "chart": entry["chart"].format(mysql=mysql)}
    else:
        entry = entry.format(mysql=mysql)
    (wish,) = charts(known, entry)
    assert (wish.name, wish.tag, wish.requested) == ("charts/mysql", tag, requested.format(mysql=mysql))
    assert wish.source.resolve(wish.version) == upstream.tree.tag("charts/mysql", tag)


def test_a_whole_version_is_not_looked_for_in_a_list(known: Registries, upstream: Registry) -> None:
    charts(known, {"chart": f"oci://{upstream.host}/charts/mysql", "version": "8.8.24"})
    assert upstream.requests == []


def test_a_version_that_is_not_there_is_an_error_that_says_what_is(known: Registries, upstream: Registry) -> None:
    with pytest.raises(NotFound, match=r"has no version \^10; it has .*8\.8\.24, 8\.8\.25"):
        charts(known, f"oci://{upstream.host}/charts/mysql:^10")
    with pytest.raises(InvalidConstraint):
        charts(known, {"chart": f"oci://{upstream.host}/charts/mysql", "version": ">>1"})


def test_a_digest_decides(known: Registries) -> None:
    digest = "sha256:" + "1" * 64
    (wish,) = charts(known, f"oci://quay.io/charts/mysql:8.8.25@{digest}")
    assert (wish.version, wish.tag) == (digest, "8.8.25")


# Charts in classic repositories


@pytest.fixture(name="site")
def fixture_site() -> Iterator[Site]:
    site = Site({f"/demo-{version}.tgz": packaged("demo", version) for version in ("1.0.0", "1.1.0", "2.0.0+b")})
    site.content["/index.yaml"] = index(
        *({"name": "demo", "version": v, "urls": [f"demo-{v}.tgz"]} for v in ("1.0.0", "1.1.0", "2.0.0+b"))
    )
    with serve(site) as running:
        yield running


def test_a_chart_of_a_classic_repository(known: Registries, site: Site) -> None:
    (wish,) = charts(known, {"repo": f"{site.url}/", "name": "demo", "version": "^1"})
    assert (wish.name, wish.tag, wish.requested) == ("helm-charts/demo", "1.1.0", f"{site.url} demo ^1")
    assert (wish.source_name, wish.signed) == (f"{site.url}/demo:1.1.0", None)
    (newest,) = charts(known, {"repo": site.url, "name": "demo", "as": "ours/demo"})
    assert (newest.name, newest.tag) == ("ours/demo", "2.0.0_b")


def test_a_chart_whose_repository_says_that_it_lies_in_a_registry(
    known: Registries, site: Site, upstream: Registry, tmp_path: Path
) -> None:
    """As the largest of them have done, one after another."""
    content = packaged("demo", "3.0.0")
    (local,) = charts(known, str(put(tmp_path, "demo", "3.0.0")))
    saved = Saver(Tree(upstream.tree.root)).save([local])
    assert not saved.failures
    address = f"oci://{upstream.host}/helm-charts/demo:3.0.0"
    entry = {"name": "demo", "version": "3.0.0", "urls": [address]}
    for digest, failing in ((_digest.hash_bytes(content), False), ("0" * 64, True)):
        site.content["/index.yaml"] = index({**entry, "digest": digest})
        (wish,) = charts(known, {"repo": site.url, "name": "demo"}, repository="ours")
        assert (wish.name, wish.tag) == ("ours/demo", "3.0.0")
        report = Saver(Tree(str(tmp_path / f"tree{failing}")), QUICK).save([wish])
        assert [type(failure.error) for failure in report.failures] == ([DigestMismatch] if failing else [])


@pytest.mark.parametrize(("tag", "fails"), [("1.0.1", True), ("newest", False), ("1.0.0", False)])
def test_a_tag_that_is_a_version_is_that_of_the_chart(
    known: Registries, upstream: Registry, tmp_path: Path, tag: str, fails: bool
) -> None:
    local = {"chart": str(put(tmp_path, "demo", "1.0.0")), "as": f"charts/demo:{tag}"}
    assert not Saver(Tree(upstream.tree.root)).save(charts(known, local)).failures
    wishes = charts(known, f"oci://{upstream.host}/charts/demo:{tag}")
    report = Saver(Tree(str(tmp_path / "tree")), QUICK).save(wishes)
    said = [str(failure.error) for failure in report.failures]
    assert bool(said) is fails
    assert all("is version 1.0.0 of its chart" in text for text in said)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({}, "either 'chart', or 'repo' and 'name'"),
        ({"chart": "a", "repo": "https://b"}, "either 'chart', or 'repo' and 'name'"),
        ({"repo": "https://b"}, "'name' is missing"),
        ({"repo": "charts.example.com", "name": "a"}, "has to begin with https://"),
        ({"repo": "file:///etc", "name": "a"}, "has to begin with https://"),
        ({"repo": "https://", "name": "a"}, "has to begin with https://"),
        ({"repo": "https://[::1", "name": "a"}, "has to begin with https://"),
        ({"repo": "https://b", "name": "a", "version": 1.1}, "in quotes"),
        ({"chart": "oci://b/c", "version": 1.1}, "in quotes"),
        ({"chart": "oci://b/c", "version": True}, "in quotes"),
        ({"repo": "https://b", "name": "a", "chart_name": "c"}, "unknown keys: chart_name"),
    ],
)
def test_charts_that_make_no_sense(known: Registries, entry: Any, says: str) -> None:
    with pytest.raises(InvalidEntry, match=says):
        charts(known, entry)


@pytest.mark.parametrize("address", ["https://ann:secret@b.example/charts", "https://b.example/charts?key=secret"])
def test_no_password_gets_into_the_lock_or_an_error(known: Registries, address: str) -> None:
    with pytest.raises(InvalidEntry, match=r"b\.example .*'registries'") as raised:
        charts(known, {"repo": address, "name": "demo"})
    assert "secret" not in str(raised.value)


# Verifying


@pytest.mark.parametrize(("default", "own"), [(True, None), (False, True)])
def test_what_is_to_be_verified_is_not_saved_without(
    known: Registries, tmp_path: Path, default: bool, own: bool | None
) -> None:
    wishes = charts(known, {"chart": str(put(tmp_path, "demo", "1.0.0")), "verify": own}, verify=default, keyring="k")
    report = Saver(Tree(str(tmp_path / "tree"))).save(wishes)
    (failure,) = report.failures
    assert isinstance(failure.error, InvalidProvenance)
    assert Tree(str(tmp_path / "tree")).tags("helm-charts/demo") == []


def test_an_entry_may_be_excepted(known: Registries, tmp_path: Path) -> None:
    wishes = charts(known, {"chart": str(put(tmp_path, "demo", "1.0.0")), "verify": False}, verify=True)
    assert not Saver(Tree(str(tmp_path / "tree"))).save(wishes).failures


def test_verify_is_no_word(known: Registries, tmp_path: Path) -> None:
    with pytest.raises(InvalidEntry, match="true or false, not 'no'"):
        charts(known, {"chart": str(put(tmp_path, "demo", "1.0.0")), "verify": "no"})


# By the lock


def save(
    known: Registries, tree: Tree, *, locked: bool, images: tuple[str, ...] = (), entries: tuple[Any, ...] = ()
) -> Report:
    """Save images and charts, as the modules do it."""
    maker = WishMaker(known, Choices(lock=_lock.read(tree) if locked else None))
    wishes = [maker.image(text) for text in images] + [wish for entry in entries for wish in maker.charts(entry)]
    return Saver(tree, QUICK, rules=Rules(locked=locked)).save(wishes)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    return Tree(str(tmp_path / "tree"))


def test_by_the_lock_a_moved_tag_stays_where_it_was(known: Registries, upstream: Registry, tree: Tree) -> None:
    image = f"{upstream.host}/team/app:1"
    before = add_image(upstream.tree, "team/app:1", [b"before"])
    assert not save(known, tree, locked=False, images=(image,)).failures
    after = add_image(upstream.tree, "team/app:1", [b"after"])
    report = save(known, tree, locked=True, images=(image,))
    assert [item.entry.digest for item in report.saved] == [before]
    assert tree.tag("team/app", "1") == before
    assert not save(known, tree, locked=False, images=(image,)).failures
    assert tree.tag("team/app", "1") == after


def test_by_the_lock_a_tree_can_be_made_anew(known: Registries, upstream: Registry, tree: Tree, tmp_path: Path) -> None:
    image = f"{upstream.host}/team/app:1"
    before = add_image(upstream.tree, "team/app:1", [b"before"])
    save(known, tree, locked=False, images=(image,))
    add_image(upstream.tree, "team/app:1", [b"after"])
    anew = Tree(str(tmp_path / "anew"))
    os.mkdir(anew.root)
    _lock.write(anew, _lock.read(tree))
    assert not save(known, anew, locked=True, images=(image,)).failures
    assert anew.tag("team/app", "1") == before


def test_what_upstream_has_no_more_is_an_error(known: Registries, upstream: Registry, tree: Tree) -> None:
    image = f"{upstream.host}/team/app:1"
    before = add_image(upstream.tree, "team/app:1", [b"before"])
    save(known, tree, locked=False, images=(image,))
    add_image(upstream.tree, "team/app:1", [b"after"])
    revisions = Path(upstream.tree.root, "docker/registry/v2/repositories/team/app/_manifests/revisions")
    (revisions / before.replace(":", "/") / "link").unlink()
    (failure,) = save(known, tree, locked=True, images=(image,)).failures
    assert isinstance(failure.error, NotFound)


def test_what_the_lock_does_not_have_is_an_error(known: Registries, upstream: Registry, tree: Tree) -> None:
    add_image(upstream.tree, "team/app:1", [b"before"])
    (failure,) = save(known, tree, locked=True, images=(f"{upstream.host}/team/app:1",)).failures
    assert isinstance(failure.error, NotFound)
    assert "the lock has no team/app:1: save it once without 'locked'" in str(failure.error)


def test_by_the_lock_a_constraint_leads_where_it_led(known: Registries, site: Site, tree: Tree) -> None:
    wanted = {"repo": site.url, "name": "demo", "version": "^1"}
    save(known, tree, locked=False, entries=(wanted,))
    site.content["/demo-1.2.0.tgz"] = packaged("demo", "1.2.0")
    versions = ("1.0.0", "1.1.0", "1.2.0")
    site.content["/index.yaml"] = index(*({"name": "demo", "version": v, "urls": [f"demo-{v}.tgz"]} for v in versions))
    report = save(known, tree, locked=True, entries=(wanted,))
    assert [item.entry.tag for item in report.saved] == ["1.1.0"]
    assert save(known, tree, locked=False, entries=(wanted,)).saved[0].entry.tag == "1.2.0"


def test_by_the_lock_a_constraint_that_it_does_not_have_is_an_error(known: Registries, site: Site, tree: Tree) -> None:
    with pytest.raises(NotFound, match=r"the lock has no .* demo \^1: save it once without 'locked'"):
        save(known, tree, locked=True, entries=({"repo": site.url, "name": "demo", "version": "^1"},))


def test_by_the_lock_a_chart_that_was_packed_anew_is_an_error(known: Registries, site: Site, tree: Tree) -> None:
    wanted = {"repo": site.url, "name": "demo", "version": "1.0.0"}
    save(known, tree, locked=False, entries=(wanted,))
    site.content["/demo-1.0.0.tgz"] += bytes(100)
    (failure,) = save(known, tree, locked=True, entries=(wanted,)).failures
    assert isinstance(failure.error, DigestMismatch)
    assert "the lock has sha256:" in str(failure.error)


def test_by_the_lock_a_file_that_was_made_anew_is_an_error(known: Registries, tree: Tree, tmp_path: Path) -> None:
    """Also while the tree has all of what it held before."""
    text = saved_new(tmp_path / "app.tar", [b"before"], ["team/app:1"])
    assert not save(known, tree, locked=False, images=(text,)).failures
    assert not save(known, tree, locked=True, images=(text,)).failures
    saved_new(tmp_path / "app.tar", [b"after"], ["team/app:1"])
    (failure,) = save(known, tree, locked=True, images=(text,)).failures
    assert isinstance(failure.error, NotFound)


def test_a_list_of_platforms_may_say_all() -> None:
    assert _wishes.parse_platforms(["all"]) == ()
    assert _wishes.parse_platforms(["linux/amd64", "arm64"]) == (AMD64, ARM64)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chart folders, and what of them `helm package` takes."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import time
from pathlib import Path

import pytest
import yaml

from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart, _chart_folder
from ansible_collections.seahub.offline.plugins.module_utils.charts._chart import ChartSource
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidChart
from tests.unit.charts import packaged

ALWAYS = {"Chart.yaml", "values.yaml", "templates/app.yaml"}


def make(folder: Path, ignore: str | bytes | None = None, *files: str, **metadata: object) -> Path:
    """Write an unpacked chart with some further files; return where it is."""
    chart = folder / "any name"
    for name in (*ALWAYS, *files):
        (chart / name).parent.mkdir(parents=True, exist_ok=True)
        (chart / name).write_text(f"# {name}\n")
    document = {"apiVersion": "v2", "name": "mysql", "version": "8.8.25", **metadata}
    (chart / "Chart.yaml").write_text(yaml.safe_dump(document))
    if ignore is not None:
        (chart / ".helmignore").write_bytes(ignore if isinstance(ignore, bytes) else ignore.encode())
    return chart


def names(path: Path) -> list[str]:
    """Return the names of the files in the package of a chart, without the chart's own."""
    with tarfile.open(fileobj=io.BytesIO(_chart_folder.package(str(path)).content), mode="r:gz") as archive:
        found = archive.getnames()
    assert all(name.startswith("mysql/") for name in found)
    return [name.removeprefix("mysql/") for name in found]


def test_a_folder_becomes_a_packaged_chart(tmp_path: Path) -> None:
    chart = _chart_folder.package(str(make(tmp_path)))
    assert (chart.name, chart.version, chart.provenance) == ("mysql", "8.8.25", None)
    again = _chart.parse_archive("again", chart.content, None)
    assert again.metadata == chart.metadata


def test_chart_yaml_comes_first(tmp_path: Path) -> None:
    found = names(make(tmp_path, None, "A", "charts/sub/Chart.yaml"))
    assert found == ["Chart.yaml", "A", "charts/sub/Chart.yaml", "templates/app.yaml", "values.yaml"]


def test_the_same_folder_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whenever, wherever, and whosever it is: otherwise each run would make another artifact."""
    one, other = make(tmp_path / "one"), make(tmp_path / "other")
    for path in other.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    os.utime(one / "values.yaml", (time.time() + 100,) * 2)
    packages = [_chart_folder.package(str(path)) for path in (one, other, one)]
    assert len({chart.content for chart in packages}) == 1
    assert len({ChartSource(chart).resolve("") for chart in packages}) == 1


def test_the_header_is_that_of_every_version_of_python(tmp_path: Path) -> None:
    content = _chart_folder.package(str(make(tmp_path))).content
    assert content[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(content))) as archive:
        assert {(member.mtime, member.mode, member.uid, member.uname) for member in archive} == {(0, 0o644, 0, "")}


# What .helmignore leaves out; what it says is what helm 3.19.0 makes of it.
RULES: dict[str, tuple[str | bytes, list[str], list[str]]] = {
    "nothing": ("", [], ["a", "sub/b"]),
    "comments": ("# a\n\n  \n#*\n", [], ["a"]),
    "a name": ("a", ["a", "sub/a"], ["b", "ab"]),
    "spaces": ("  a  ", ["a"], ["b"]),
    "a pattern": ("*.bak", ["a.bak", "sub/b.bak"], ["bak"]),
    "a question": ("a?", ["ab"], ["a", "abc"]),
    "a set": ("a[bc]", ["ab", "ac"], ["ad"]),
    "the other set": ("a[^bc]", ["ad"], ["ab", "ac"]),
    "a folder": ("sub/", ["sub/a", "sub/deep/b"], ["a"]),
    "a folder's name is no file's": ("a/", [], ["a", "sub/a"]),
    "only at the top": ("/a", ["a"], ["sub/a"]),
    "a path": ("sub/a", ["sub/a"], ["a", "sub/b", "sub/deep/a"]),
    "a path with a pattern": ("sub/*", ["sub/a", "sub/deep/b"], ["a"]),
    "wildcards end at a slash": ("sub/*/a", ["sub/deep/a"], ["sub/a", "sub/deep/er/a"]),
    "hidden files": (".*", [".git", ".hidden/x"], ["a.b"]),
    "an escaped character": ("a\\*", ["a*"], ["ab"]),
    "an exclamation mark in a set": ("[!a]b", ["ab", "!b"], ["cb"]),
    "a range": ("[a-c]", ["b"], ["d", "-"]),
    "windows": (b"\xef\xbb\xbfa\r\nb\r\n", ["a", "b"], ["c"]),
    "no text": (b"\xff\xfe\n", [], ["a"]),
}


@pytest.mark.parametrize(("ignore", "left_out", "taken"), RULES.values(), ids=RULES)
def test_helmignore_says_what_is_left_out(
    tmp_path: Path, ignore: str | bytes, left_out: list[str], taken: list[str]
) -> None:
    found = set(names(make(tmp_path, ignore, *left_out, *taken)))
    assert found - {".helmignore"} == {*ALWAYS, *taken}


def test_a_rule_with_an_exclamation_mark_ignores_the_rest(tmp_path: Path) -> None:
    """That is not what git does, but what Helm does; the chart's own folders are among the rest."""
    with pytest.raises(InvalidChart, match=r"ignores its own Chart\.yaml"):
        _chart_folder.package(str(make(tmp_path, "!a", "a", "b")))


@pytest.mark.parametrize("rule", ["a/**/b", "[a", "a\\", "[]", "[z-a]"])
def test_rules_that_helm_refuses_are_refused(tmp_path: Path, rule: str) -> None:
    with pytest.raises(InvalidChart, match=r"\.helmignore cannot be read"):
        _chart_folder.package(str(make(tmp_path, rule)))


def test_hidden_files_among_the_templates_are_left_out(tmp_path: Path) -> None:
    found = names(make(tmp_path, None, "templates/.swp", "templates/_helpers.tpl", "templates/sub/.kept", ".hidden"))
    assert "templates/.swp" not in found
    assert {"templates/_helpers.tpl", "templates/sub/.kept", ".hidden"} < set(found)


# Dependencies


@pytest.mark.parametrize("there", ["charts/common-1.2.3.tgz", "charts/common/Chart.yaml"])
def test_dependencies_that_are_there(tmp_path: Path, there: str) -> None:
    wanted = [{"name": "common", "version": "1.x", "repository": "https://charts.example.com"}]
    assert there in names(make(tmp_path, None, there, dependencies=wanted))


def test_missing_dependencies_are_named(tmp_path: Path) -> None:
    wanted = [{"name": "common", "version": "1.x"}, {"name": "redis", "version": "2"}, {"name": "web", "version": "3"}]
    chart = make(tmp_path, None, "charts/redis-2.0.0.tgz", dependencies=wanted)
    with pytest.raises(InvalidChart, match=r"not in it: common, web; run 'helm dependency build'"):
        _chart_folder.package(str(chart))


def test_another_chart_whose_name_begins_alike_is_no_dependency(tmp_path: Path) -> None:
    wanted = [{"name": "redis", "version": "2"}]
    chart = make(tmp_path, None, "charts/redis-cluster-2.0.0.tgz", dependencies=wanted)
    with pytest.raises(InvalidChart, match="not in it: redis"):
        _chart_folder.package(str(chart))


def test_the_dependencies_of_old_charts_lie_in_a_file_of_their_own(tmp_path: Path) -> None:
    chart = make(tmp_path, apiVersion="v1")
    (chart / "requirements.yaml").write_text("dependencies: [{name: common, version: '1'}]")
    with pytest.raises(InvalidChart, match="not in it: common"):
        _chart_folder.package(str(chart))


@pytest.mark.parametrize("wanted", [[], None, "text", 5, {"a": 1}, [5]])
def test_dependencies_that_are_none(tmp_path: Path, wanted: object) -> None:
    assert set(names(make(tmp_path, dependencies=wanted))) == ALWAYS


# What is no chart, and what cannot be in one


def test_what_is_no_chart(tmp_path: Path) -> None:
    chart = make(tmp_path, name="../evil")
    with pytest.raises(InvalidChart, match="no chart name"):
        _chart_folder.package(str(chart))
    (chart / "Chart.yaml").write_text("- a list")
    with pytest.raises(InvalidChart, match="holds no mapping"):
        _chart_folder.package(str(chart))


def test_links_are_followed_as_helm_does(tmp_path: Path) -> None:
    chart = make(tmp_path)
    (tmp_path / "shared.yaml").write_text("shared")
    (chart / "templates/shared.yaml").symlink_to(tmp_path / "shared.yaml")
    assert "templates/shared.yaml" in names(chart)


@pytest.mark.parametrize("target", ["/absent", "."])
def test_links_that_lead_nowhere_or_round_are_errors(tmp_path: Path, target: str) -> None:
    chart = make(tmp_path)
    (chart / "link").symlink_to(target)
    with pytest.raises(InvalidChart, match="/any name/link is "):
        _chart_folder.package(str(chart))


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    chart = make(tmp_path)
    os.mkfifo(chart / "pipe")
    with pytest.raises(InvalidChart, match="pipe is neither a file nor a folder"):
        _chart_folder.package(str(chart))


def test_a_chart_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_chart, "ARCHIVE_LIMIT", 1000)
    chart = make(tmp_path)
    (chart / "noise").write_bytes(os.urandom(2000))
    with pytest.raises(InvalidChart, match="packs to more than 1000 bytes"):
        _chart_folder.package(str(chart))


# Folders of packaged charts


def test_packaged_charts_in_a_folder(tmp_path: Path) -> None:
    for name in ("b-1.0.0.tgz", "a-2.0.0.tgz", "a-2.0.0.tgz.prov", "notes.txt"):
        (tmp_path / name).write_bytes(packaged("a", "1.0.0"))
    assert _chart_folder.packaged_in(str(tmp_path)) == [f"{tmp_path}/a-2.0.0.tgz", f"{tmp_path}/b-1.0.0.tgz"]


def test_a_chart_folder_is_known_by_its_chart_yaml(tmp_path: Path) -> None:
    assert _chart_folder.is_chart_folder(str(make(tmp_path)))
    assert not _chart_folder.is_chart_folder(str(tmp_path))

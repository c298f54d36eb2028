# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import gzip
import io
import json
import os
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart
from ansible_collections.seahub.offline.plugins.module_utils.charts._chart import ChartArchive, ChartSource
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidChart, NotFound
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from tests.unit.charts import tar, tgz
from tests.unit.repository import Repository

METADATA = {
    "apiVersion": "v2",
    "name": "mysql",
    "version": "8.8.25",
    "appVersion": "8.0.28",
    "description": "A database",
    "home": "https://mysql.example",
    "sources": ["https://code.example/mysql", "https://other.example"],
    "maintainers": [{"name": "Ann", "email": "ann@example.com"}, {"name": "Bo"}],
}


def chart_yaml(**members: object) -> bytes:
    return yaml.safe_dump({**METADATA, **members}).encode()


def chart(**members: object) -> bytes:
    return tgz(("mysql/Chart.yaml", chart_yaml(**members)), ("mysql/values.yaml", b"{}"))


def helm_gzip(data: bytes) -> bytes:
    """Compress with the header that Helm writes: an extra field, and a comment.

    https://github.com/helm/helm/blob/v3.19.0/pkg/chart/chartutil/save.go
    """
    plain = gzip.compress(data, mtime=0)
    extra, comment = b"+aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=", b"Helm\0"
    flags = 0x04 | 0x10
    return plain[:3] + bytes([flags]) + plain[4:10] + struct.pack("<H", len(extra)) + extra + comment + plain[10:]


def linked(name: str) -> bytes:
    """A chart whose Chart.yaml is a link to another file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        member = tarfile.TarInfo("mysql/Chart.yaml")
        member.type, member.linkname = tarfile.SYMTYPE, name
        archive.addfile(member)
    return out.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mysql.tgz"


def read(path: Path, content: bytes) -> ChartArchive:
    path.write_bytes(content)
    return _chart.read_archive(str(path))


# Archives that are charts.
READ: dict[str, bytes] = {
    "plain": chart(),
    "header as Helm writes it": helm_gzip(tar(("mysql/Chart.yaml", chart_yaml()))),
    "Chart.yaml at the end": tgz(("mysql/values.yaml", b"{}"), ("mysql/Chart.yaml", chart_yaml())),
    "charts within": tgz(("mysql/charts/x/Chart.yaml", b"name: x\nversion: 1.0.0"), ("mysql/Chart.yaml", chart_yaml())),
    "another folder": tgz(("whatever/Chart.yaml", chart_yaml())),
    "long names": tgz(("mysql/templates/" + "x" * 200, b""), ("mysql/Chart.yaml", chart_yaml())),
}


def endless() -> bytes:
    """Return a tar that ends after the header of a file of 8 exabytes."""
    member = tarfile.TarInfo("mysql/zeros")
    member.size = 2**63
    return member.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


# Archives that are none, with a part of the reason.
REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "no packaged chart"),
    "text": (b"apiVersion: v2", "no packaged chart"),
    "tar without gzip": (tar(("mysql/Chart.yaml", chart_yaml())), "no packaged chart"),
    "gzip without tar": (gzip.compress(b"x" * 2000), "no packaged chart"),
    "cut off": (chart()[:-40], "no packaged chart"),
    "damaged": (chart()[:60] + b"\0\0\0\0" + chart()[64:], "no packaged chart"),
    "nothing in it": (tgz(), "holds no Chart.yaml"),
    "no Chart.yaml": (tgz(("mysql/values.yaml", b"{}")), "holds no Chart.yaml"),
    "Chart.yaml at the top": (tgz(("Chart.yaml", chart_yaml())), "holds no Chart.yaml"),
    "Chart.yaml too deep": (tgz(("a/b/Chart.yaml", chart_yaml())), "holds no Chart.yaml"),
    "link as Chart.yaml": (linked("/etc/passwd"), "holds no Chart.yaml"),
    "huge Chart.yaml": (tgz(("mysql/Chart.yaml", chart_yaml(description="x" * 1_100_000))), "holds no Chart.yaml"),
    "bomb": (
        tgz(("mysql/zeros", bytes(101 * 1024 * 1024)), ("mysql/Chart.yaml", chart_yaml())),
        "unpacks to more than",
    ),
    "a file without end": (gzip.compress(endless()), "unpacks to more than"),
    "no YAML": (tgz(("mysql/Chart.yaml", b"a: [")), "cannot be read"),
    "not UTF-8": (tgz(("mysql/Chart.yaml", b"name: \xff")), "cannot be read"),
    "list": (tgz(("mysql/Chart.yaml", b"- name: mysql")), "no mapping"),
    "nothing in Chart.yaml": (tgz(("mysql/Chart.yaml", b"")), "no mapping"),
    "code": (tgz(("mysql/Chart.yaml", b"!!python/object/apply:os.system ['true']")), "cannot be read"),
    "no name": (chart(name=None), "names no chart and version"),
    "no version": (chart(version=None), "names no chart and version"),
}

NAMES: tuple[str, ...] = (
    "MySQL",
    "../mysql",
    "my/sql",
    "my sql",
    "-mysql",
    "mysql-",
    "my..",
    "mysql\n",
    "m" + "\N{SNOWMAN}",
)
VERSIONS: tuple[object, ...] = (
    *("8", "8.8", 8.8, "latest", "8.8.25.1", "08.8.25", "8.8.25-", "8.8.25+", "8.8.25 ", "8.8.x", "../1.0.0"),
    *("v", "-1.0.0", "1.0.0\n", "^1.0.0", "1.0.0-a..b"),
)
TAGS: dict[str, str] = {
    "8.8.25": "8.8.25",
    "v1.2.3": "v1.2.3",
    "1.0.0-rc.1": "1.0.0-rc.1",
    "1.0.0+build.5": "1.0.0_build.5",
    "1.0.0-rc.1+a+b".replace("+b", ".b"): "1.0.0-rc.1_a.b",
}


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_packaged_charts_are_read(path: Path, content: bytes) -> None:
    found = read(path, content)
    assert (found.name, found.version, found.content, found.provenance) == ("mysql", "8.8.25", content, None)


@pytest.mark.parametrize(("content", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_chart_is_refused(path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(InvalidChart, match=reason) as caught:
        read(path, content)
    assert str(path) in str(caught.value)


def test_a_chart_yaml_that_is_too_deep_is_refused(path: Path) -> None:
    """Whatever it does, it must not end the process: so it is read in another one."""
    code = """if True:
        import sys
        from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart
        from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidChart
        try:
            _chart.read_archive(sys.argv[1])
        except InvalidChart:
            sys.exit(17)
    """
    path.write_bytes(tgz(("mysql/Chart.yaml", b"[" * 100_000)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(item for item in sys.path if item)}
    reading = subprocess.run([sys.executable, "-c", code, str(path)], env=environment, check=False)
    assert reading.returncode == 17


@pytest.mark.parametrize("name", NAMES)
def test_names_that_a_registry_cannot_hold(path: Path, name: str) -> None:
    with pytest.raises(InvalidChart, match="no chart name that a registry can hold"):
        read(path, chart(name=name))


@pytest.mark.parametrize("version", VERSIONS)
def test_versions_that_helm_does_not_take(path: Path, version: object) -> None:
    with pytest.raises(InvalidChart, match="no semantic version"):
        read(path, chart(version=version))


@pytest.mark.parametrize(("version", "tag"), TAGS.items())
def test_the_version_is_the_tag(path: Path, version: str, tag: str) -> None:
    """But for `+`, which tags cannot have."""
    found = read(path, chart(version=version))
    assert (found.version, found.tag) == (version, tag)


def test_the_provenance_beside_it_comes_along(path: Path) -> None:
    Path(f"{path}.prov").write_bytes(b"-----BEGIN PGP SIGNED MESSAGE-----")
    assert read(path, chart()).provenance == b"-----BEGIN PGP SIGNED MESSAGE-----"


@pytest.mark.parametrize("suffix", ["", ".prov"])
def test_a_file_that_is_too_large_is_not_read(path: Path, suffix: str) -> None:
    path.write_bytes(chart())
    with open(f"{path}{suffix}", "r+b" if not suffix else "wb") as file:
        file.truncate(_chart.ARCHIVE_LIMIT + 1)
    with pytest.raises(InvalidChart, match=f"{path}{suffix} is larger than"):
        _chart.read_archive(str(path))


def test_a_chart_that_is_not_there(path: Path) -> None:
    with pytest.raises(InvalidChart, match=f"the chart {path} cannot be read: No such file"):
        _chart.read_archive(str(path))


# What is stored


def test_a_chart_is_stored_as_helm_does(path: Path) -> None:
    """https://helm.sh/docs/topics/registries/#helm-chart-manifest"""
    Path(f"{path}.prov").write_bytes(b"signed")
    content = chart()
    source = ChartSource(read(path, content))
    document = json.loads(source.manifest("8.8.25").raw)
    assert document["mediaType"] == _media_types.OCI_MANIFEST
    assert document["config"]["mediaType"] == "application/vnd.cncf.helm.config.v1+json"
    assert [(layer["mediaType"], layer["digest"], layer["size"]) for layer in document["layers"]] == [
        ("application/vnd.cncf.helm.chart.content.v1.tar+gzip", _digest.hash_bytes(content), len(content)),
        ("application/vnd.cncf.helm.chart.provenance.v1.prov", _digest.hash_bytes(b"signed"), 6),
    ]
    assert document["annotations"] == {
        "org.opencontainers.image.title": "mysql",
        "org.opencontainers.image.version": "8.8.25",
        "org.opencontainers.image.description": "A database",
        "org.opencontainers.image.url": "https://mysql.example",
        "org.opencontainers.image.authors": "Ann (ann@example.com), Bo",
        "org.opencontainers.image.source": "https://code.example/mysql",
    }


def test_the_configuration_is_the_chart_yaml(path: Path) -> None:
    source = ChartSource(read(path, chart()))
    config = source.manifest("").config
    assert config is not None
    assert json.loads(source.read_blob(config, config.size)) == METADATA


def test_the_same_chart_has_the_same_digest_everywhere(path: Path, tmp_path: Path) -> None:
    """No time and no path gets into it."""
    content = chart()
    other = tmp_path / "other" / "renamed.tgz"
    other.parent.mkdir()
    assert ChartSource(read(path, content)).resolve("a") == ChartSource(read(other, content)).resolve("b")


def test_dates_of_yaml_are_text_in_json(path: Path) -> None:
    source = ChartSource(read(path, tgz(("mysql/Chart.yaml", chart_yaml() + b"\nannotations: {made: 2026-11-21}"))))
    config = source.manifest("").config
    assert config is not None
    assert json.loads(source.read_blob(config, config.size))["annotations"] == {"made": "2026-11-21"}


def test_blobs_are_streamed_from_any_offset(path: Path) -> None:
    content = chart()
    source = ChartSource(read(path, content))
    layer = source.manifest("").layers[0]
    with source.open_blob(layer, 10) as stream:
        assert stream.start == 10
        assert b"".join(iter(lambda: stream.read(7), b"")) == content[10:]


def test_other_blobs_are_not_there(path: Path) -> None:
    source = ChartSource(read(path, chart()))
    with pytest.raises(NotFound):
        source.read_blob(Descriptor("x", _digest.hash_bytes(b"x"), 1), 1)


# Members of a Chart.yaml that YAML knows and JSON does not, or not so -> why reading them is not enough.
BEYOND_JSON: dict[str, bytes] = {
    "circle": b"annotations: &a {b: *a}",
    "keys of several kinds": b"annotations: {1: a, b: c}",
    "date as key": b"annotations: {2026-11-21: a}",
    "number as maintainers": b"maintainers: 7",
    "not a number": b"annotations: {a: .nan}",
    "bomb of references": b"annotations:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    + b"".join(f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n".encode() for i in range(1, 6)),
}


@pytest.mark.parametrize("members", BEYOND_JSON.values(), ids=BEYOND_JSON)
def test_a_chart_yaml_that_is_no_json_is_refused(path: Path, members: bytes) -> None:
    """Helm stores it as JSON; what does not fit there must be an error that names the chart, not a crash."""
    base = yaml.safe_dump({"name": "mysql", "version": "1.0.0"}).encode()
    path.write_bytes(tgz(("mysql/Chart.yaml", base + members)))
    with pytest.raises(InvalidChart, match="mysql"):
        ChartSource(_chart.read_archive(str(path)))


# What the lock says


def stored(config: bytes, content: bytes, *more: tuple[str, bytes], layer: str = _media_types.HELM_CHART) -> Repository:
    """A repository with a chart as somebody has pushed it, under the tag `1`."""
    repository = Repository()
    layers = [{**repository.blob(data), "mediaType": media_type} for media_type, data in ((layer, content), *more)]
    repository.manifest_of({**repository.blob(config), "mediaType": _media_types.HELM_CONFIG}, layers, "1")
    return repository


def describe(repository: Repository) -> object:
    return _chart.describe(repository.manifest("1"), lambda digest, _limit: repository.blobs[digest])


@pytest.mark.parametrize("media_type", _media_types.CHART_LAYERS)
def test_the_lock_says_what_the_archive_says(media_type: str) -> None:
    content = chart()
    config = b'{"name": "mysql", "version": "8.8.25"}'
    repository = stored(config, content, (_media_types.HELM_PROVENANCE, b"signed"), layer=media_type)
    assert describe(repository) == _lock.Chart(
        "mysql", "8.8.25", _digest.hash_bytes(content), _digest.hash_bytes(b"signed")
    )


# Configuration and archive of a chart in a registry -> a part of the reason.
WRONG_CHARTS: dict[str, tuple[bytes, bytes, str]] = {
    "other name": (b'{"name": "nginx", "version": "8.8.25"}', chart(), "calls itself nginx 8.8.25, but its archive is"),
    "other version": (b'{"name": "mysql", "version": "8.8.26"}', chart(), "calls itself mysql 8.8.26"),
    "no archive": (b'{"name": "mysql", "version": "8.8.25"}', b"<html>", "no packaged chart"),
    "no name": (b'{"version": "8.8.25"}', chart(), "names no chart and version"),
    "list": (b"[]", chart(), "names no chart and version"),
    "no JSON": (b"name: mysql", chart(), "names no chart and version"),
    "hostile name": (
        b'{"name": "../x", "version": "8.8.25"}',
        chart(name="../x"),
        "no chart name that a registry can hold",
    ),
}


@pytest.mark.parametrize(("config", "content", "reason"), WRONG_CHARTS.values(), ids=WRONG_CHARTS)
def test_a_chart_that_is_not_what_it_says_is_refused(config: bytes, content: bytes, reason: str) -> None:
    with pytest.raises(InvalidChart, match=reason):
        describe(stored(config, content))


def test_a_chart_whose_configuration_is_too_deep_is_refused() -> None:
    with pytest.raises(InvalidChart, match="names no chart and version"):
        describe(stored(b"[" * 200_000, chart()))

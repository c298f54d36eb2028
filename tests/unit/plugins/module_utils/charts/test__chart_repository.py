# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic chart repositories, served by a real web server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.charts._chart_repository import ChartRepository
from ansible_collections.seahub.offline.plugins.module_utils.charts._semver import InvalidConstraint
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    DigestMismatch,
    InvalidChart,
    NotFound,
    RegistryError,
    SeahubError,
    Unavailable,
    UntrustedCertificate,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from tests.lab import certificates
from tests.lab.certificates import Certificates
from tests.registry.saving import QUICK
from tests.unit.chart_site import Site, index, serve
from tests.unit.charts import packaged

MYSQL = packaged("mysql", "8.8.25")
SIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n..."


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    certificates.make(folder)
    return Certificates(folder)


@pytest.fixture
def site() -> Iterator[Site]:
    with serve(Site()) as running:
        yield running


def entry(version: str = "8.8.25", url: str = "mysql.tgz", name: str = "mysql", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version, "urls": [url], **more}


def repository(site: Site, path: str = "", **settings: Any) -> ChartRepository:
    host = site.url.partition("://")[2]
    known = Registries({host: Settings(**settings)} if settings else {}, retry=QUICK, timeout=5)
    return ChartRepository(site.url + path, known)


def fetch(site: Site, *entries: dict[str, Any], path: str = "", **settings: Any) -> Any:
    """Fetch the newest mysql of an index."""
    site.content[f"{path}/index.yaml"] = index(*entries)
    charts = repository(site, path, **settings)
    return charts.fetch(charts.find("mysql", ""))


# Finding


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        ("", "8.8.25"),
        ("8.8.24", "8.8.24"),
        ("^7", "7.1.0+build.2"),
        (">8.8.25-0", "9.0.0-rc.1"),
        ("7.1.0+build.2",) * 2,
    ],
)
def test_the_highest_version_that_is_allowed_is_found(site: Site, constraint: str, expected: str) -> None:
    versions = ["8.8.24", "8.8.25", "7.1.0+build.2", "9.0.0-rc.1", "7.0.0", "no version"]
    site.content["/index.yaml"] = index(*(entry(version) for version in versions), entry("10.0.0", name="other"))
    assert repository(site).find("mysql", constraint).version == expected


def test_what_there_is_not_is_an_error_that_says_what_there_is(site: Site) -> None:
    site.content["/index.yaml"] = index(entry("8.8.24"), entry("8.8.25"))
    charts = repository(site)
    with pytest.raises(NotFound, match=r"has no chart mysql \^9; it has 8\.8\.2"):
        charts.find("mysql", "^9")
    with pytest.raises(NotFound, match=r"no chart absent \(any version\); it has no version of it"):
        charts.find("absent", "")
    with pytest.raises(InvalidConstraint):
        charts.find("mysql", "newest")


def test_the_index_is_read_once(site: Site) -> None:
    site.content["/index.yaml"] = index(entry())
    charts = repository(site)
    for _time in range(3):
        charts.find("mysql", "")
    assert [path for path, _login in site.asked] == ["/index.yaml"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mysql.tgz", "/stable/mysql.tgz"),
        ("charts/mysql.tgz", "/stable/charts/mysql.tgz"),
        ("../mysql.tgz", "/mysql.tgz"),
        ("/mysql.tgz", "/mysql.tgz"),
        ("{url}/elsewhere/mysql.tgz", "/elsewhere/mysql.tgz"),
        ("mysql.tgz?signature=1", "/stable/mysql.tgz?signature=1"),
    ],
)
def test_addresses_are_relative_to_the_repository_or_whole(site: Site, url: str, expected: str) -> None:
    site.content[expected] = MYSQL
    chart = fetch(site, entry(url=url.format(url=site.url)), path="/stable")
    assert chart.content == MYSQL


def test_a_chart_may_lie_on_another_host_which_gets_no_password(site: Site) -> None:
    site.account = ("ann", "secret")
    with serve(Site({"/mysql.tgz": MYSQL})) as other:
        chart = fetch(site, entry(url=f"{other.url}/mysql.tgz"), username="ann", password="secret")
        assert chart.content == MYSQL
        assert other.asked == [("/mysql.tgz", ""), ("/mysql.tgz.prov", "")]


# Verifying


@pytest.mark.parametrize(
    "digest",
    [
        _digest.hash_bytes(MYSQL),
        hashlib.sha256(MYSQL).hexdigest(),
        hashlib.sha256(MYSQL).hexdigest().upper(),
        "sha512:" + hashlib.sha512(MYSQL).hexdigest(),
        None,
        "",
    ],
)
def test_a_chart_has_the_digest_of_the_index_if_that_says_one(site: Site, digest: str | None) -> None:
    site.content["/mysql.tgz"] = MYSQL
    assert fetch(site, entry(digest=digest)).content == MYSQL


@pytest.mark.parametrize("digest", ["0" * 64, "sha256:" + "0" * 64, "sha512:" + "0" * 128])
def test_another_digest_is_refused(site: Site, digest: str) -> None:
    site.content["/mysql.tgz"] = MYSQL
    with pytest.raises(DigestMismatch, match=f"mysql.tgz has the digest .*, but the index of {site.url} says sha"):
        fetch(site, entry(digest=digest))


@pytest.mark.parametrize("digest", ["md5:d41d8cd98f00b204e9800998ecf8427e", "abc", "sha256:abc", 5])
def test_a_digest_that_is_none_is_not_passed_over(site: Site, digest: object) -> None:
    site.content["/mysql.tgz"] = MYSQL
    with pytest.raises(InvalidChart, match=r"does not say what the digest of mysql 8\.8\.25 is"):
        fetch(site, entry(digest=digest))


@pytest.mark.parametrize("archive", [packaged("mysql", "8.8.24"), packaged("mariadb", "8.8.25")])
def test_another_chart_than_the_index_says_is_refused(site: Site, archive: bytes) -> None:
    site.content["/mysql.tgz"] = archive
    with pytest.raises(InvalidChart, match=r"but the index of .* calls it mysql 8\.8\.25"):
        fetch(site, entry())


@pytest.mark.parametrize("archive", [b"", b"<html>", MYSQL[:100]])
def test_what_is_no_chart_is_refused(site: Site, archive: bytes) -> None:
    site.content["/mysql.tgz"] = archive
    with pytest.raises(InvalidChart, match="no packaged chart"):
        fetch(site, entry())


def test_a_provenance_file_comes_with_its_chart(site: Site) -> None:
    site.content.update({"/mysql.tgz?for=me": MYSQL, "/mysql.tgz.prov?for=me": SIGNED})
    assert fetch(site, entry(url="mysql.tgz?for=me")).provenance == SIGNED


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_chart_without_a_provenance_file_comes_alone(site: Site, status: int) -> None:
    """Storage services answer 403 for what is not there."""
    site.content["/mysql.tgz"] = MYSQL
    site.statuses["/mysql.tgz.prov"] = status
    assert fetch(site, entry()).provenance is None


def test_a_page_is_no_provenance_file(site: Site) -> None:
    site.content.update({"/mysql.tgz": MYSQL, "/mysql.tgz.prov": b"<html>Nothing here</html>"})
    assert fetch(site, entry()).provenance is None


def test_a_provenance_file_that_cannot_be_had_now_is_no_absent_one(site: Site) -> None:
    site.content["/mysql.tgz"] = MYSQL
    site.statuses["/mysql.tgz.prov"] = 503
    with pytest.raises(Unavailable):
        fetch(site, entry())


# Being let in


def test_a_password_is_given_to_who_asks_for_it(site: Site) -> None:
    site.account = ("ann", "secret")
    site.content["/mysql.tgz"] = MYSQL
    assert fetch(site, entry(), username="ann", password="secret").content == MYSQL
    assert ("/mysql.tgz", "Basic " + base64.b64encode(b"ann:secret").decode()) in site.asked


@pytest.mark.parametrize("settings", [{}, {"username": "ann", "password": "wrong"}])
def test_without_the_password_nobody_is_let_in(site: Site, settings: dict[str, str]) -> None:
    site.account = ("ann", "secret")
    with pytest.raises(AccessDenied) as raised:
        fetch(site, entry(), **settings)
    assert "wrong" not in str(raised.value)


def test_certificates_are_verified(authority: Certificates) -> None:
    with serve(Site({"/mysql.tgz": MYSQL}), authority) as site:
        with pytest.raises(UntrustedCertificate, match="ca_cert"):
            fetch(site, entry())
        assert fetch(site, entry(), ca_cert=str(authority.ca)).content == MYSQL


def test_what_is_encrypted_leads_to_nothing_that_is_not(authority: Certificates, site: Site) -> None:
    site.content["/mysql.tgz"] = MYSQL
    with (
        serve(Site(), authority) as encrypted,
        pytest.raises(RegistryError, match="is not encrypted, although https://"),
    ):
        fetch(encrypted, entry(url=f"{site.url}/mysql.tgz"), ca_cert=str(authority.ca))
    assert site.asked == []


# Hostile indexes


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://127.0.0.1/x.tgz", "javascript:1", "http://[::1", "http://"]
)
def test_only_web_servers_are_asked(site: Site, url: str) -> None:
    with pytest.raises(SeahubError):
        fetch(site, entry(url=url))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"entries",
        b"[]",
        b"entries: 5",
        b"entries: []",
        b"{",
        b"\xff\xfe\x00",
        b"entries: {mysql: 5}",
        b"entries: {mysql: {a: b}}",
        b"entries: {mysql: [5, null, []]}",
        b"entries: {mysql: [{version: 1.0.0}]}",
        b"entries: {mysql: [{version: 1.0.0, urls: []}]}",
        b"entries: {mysql: [{version: 1.0.0, urls: text}]}",
        b"entries: {mysql: [{version: 1.0.0, urls: {a: b}}]}",
        b"entries: {mysql: [{version: [1], urls: [a]}]}",
        b"[" * 100_000,
        b"!!python/object/apply:os.getcwd []",
        bytes(1000),
    ],
)
def test_an_index_that_makes_no_sense_is_an_error(site: Site, text: bytes) -> None:
    site.content["/index.yaml"] = text
    with pytest.raises((InvalidChart, NotFound)):
        repository(site).find("mysql", "")


def test_no_index_is_an_error_that_names_it(site: Site) -> None:
    with pytest.raises(NotFound, match=r"/index\.yaml: 404"):
        repository(site).find("mysql", "")

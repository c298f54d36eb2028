# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetching from real registries over TLS, of which one is not what it should be."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path
from subprocess import Popen

import bcrypt
import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _peers
from ansible_collections.seahub.offline.plugins.module_utils.transfer._peers import Fetched, Peers
from ansible_collections.seahub.offline.plugins.module_utils.trees import _inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import BlobWriter, Tree
from tests.bench.servers import free_port, registry_over_tls
from tests.unit.https_server import make_certificate
from tests.unit.trees import layer_bytes, make_tree

FIRST, SECOND = "127.0.0.2", "127.0.0.3"
LARGE = layer_bytes(1, 8 * 1024 * 1024)
IMAGES = {"library/mysql:8": [LARGE, b"two"], "nginx:1": [b"two"]}


class Site:
    """A tree, registries that serve copies of it at several addresses, and a tree that is to get what they have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source = make_tree(folder / "source", IMAGES)
        self.wanted = _inventory.scan(self.source)
        self.target = Tree(str(folder / "target"))
        self.certificate = make_certificate(folder / "pki")
        self.port = free_port()

    @property
    def large(self) -> str:
        return next(digest for digest, size in self.wanted.blobs.items() if size == len(LARGE))

    @contextlib.contextmanager
    def serving(
        self, address: str, images: dict[str, list[bytes]] | None = None, own: str = "pki", htpasswd: Path | None = None
    ) -> Iterator[tuple[Tree, Popen[bytes]]]:
        """Serve a tree at an address, with the certificate of a CA."""
        tree = make_tree(self.folder / address, IMAGES if images is None else images)
        certificate = make_certificate(self.folder / own)
        with registry_over_tls(
            Path(tree.root), self.folder, f"{address}:{self.port}", certificate, htpasswd
        ) as process:
            yield tree, process

    def fetch(self, *addresses: str, wanted: Inventory | None = None, password: str = "") -> Fetched:
        trust = _tls.context(ca_text=Path(self.certificate.ca_certificate).read_text())
        peers = Peers(addresses, "sea.hub", self.port, trust, "admin" if password else "", password)
        with self.target.exclusive():
            return _peers.fetch(self.target, wanted or self.wanted, peers)

    def require_all(self) -> None:
        """Every blob is there with the right bytes, and nothing is half there."""
        assert {digest: self.source.read_blob(digest, 2**30) for digest in self.wanted.blobs} == {
            digest: self.target.read_blob(digest, 2**30) for digest in dict(self.target.blobs())
        }
        assert not list(self.target.partials())


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    # The first address is asked first.
    monkeypatch.setattr(random, "sample", lambda items, _count: list(items))
    monkeypatch.setattr(_peers, "_AT_ONCE", 1)
    return Site(tmp_path)


def test_all_blobs_come_and_no_links(site: Site) -> None:
    with site.serving(FIRST), site.serving(SECOND):
        fetched = site.fetch(FIRST, SECOND)
    site.require_all()
    assert fetched == Fetched(blobs=len(site.wanted.blobs), size=site.wanted.size)
    assert not list(site.target.repositories())


def test_several_come_at_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_peers, "_AT_ONCE", 4)
    with site.serving(FIRST), site.serving(SECOND):
        fetched = site.fetch(FIRST, SECOND)
    site.require_all()
    assert fetched == Fetched(blobs=len(site.wanted.blobs), size=site.wanted.size)


def test_another_goes_on_within_the_blob_when_one_dies(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.serving(FIRST) as (_tree, process), site.serving(SECOND):
        write = BlobWriter.write

        def killing(writer: BlobWriter, data: bytes) -> None:
            write(writer, data)
            if process.poll() is None and writer.offset > len(LARGE) // 4:
                process.kill()
                process.wait()

        monkeypatch.setattr(BlobWriter, "write", killing)
        fetched = site.fetch(FIRST, SECOND)
    site.require_all()
    # Not a byte came twice.
    assert fetched.size == site.wanted.size
    assert list(fetched.left_out) == [FIRST]


def test_one_that_is_not_there_is_replaced(site: Site) -> None:
    with site.serving(SECOND):
        fetched = site.fetch(FIRST, SECOND)
    site.require_all()
    assert fetched.left_out == {FIRST: "[Errno 111] Connection refused"}


def test_another_certificate_is_refused(site: Site) -> None:
    with site.serving(FIRST, own="other"), site.serving(SECOND):
        fetched = site.fetch(FIRST, SECOND)
    site.require_all()
    assert "certificate verify failed" in fetched.left_out[FIRST]


def test_damaged_bytes_are_noticed(site: Site) -> None:
    with site.serving(FIRST) as (tree, _process), site.serving(SECOND):
        Path(tree.blob_path(site.large)).write_bytes(bytes(len(LARGE)))
        fetched = site.fetch(FIRST, SECOND)
    site.require_all()
    assert list(fetched.left_out) == [FIRST]
    assert f"the bytes that arrived for {site.large} have the digest" in fetched.left_out[FIRST]


def test_a_shorter_blob_is_noticed(site: Site) -> None:
    with site.serving(FIRST) as (tree, _process), site.serving(SECOND):
        Path(tree.blob_path(site.large)).write_bytes(LARGE[:-1])
        fetched = site.fetch(FIRST, SECOND)
    site.require_all()
    assert fetched.left_out == {FIRST: f"it ended 1 bytes before the end of {site.large}"}


def test_what_one_lacks_comes_from_another(site: Site) -> None:
    with site.serving(FIRST, {"nginx:1": [b"two"]}), site.serving(SECOND):
        fetched = site.fetch(FIRST, SECOND)
    site.require_all()
    assert fetched.left_out == {}


def test_what_none_has_stays_lacking(site: Site) -> None:
    with site.serving(FIRST, {"nginx:1": [b"two"]}):
        fetched = site.fetch(FIRST)
    assert fetched.left_out == {}
    assert 0 < fetched.blobs < len(site.wanted.blobs)
    assert not site.target.has_blob(site.large)


def test_with_nobody_left_nothing_comes(site: Site) -> None:
    fetched = site.fetch(FIRST, SECOND)
    assert (fetched.blobs, sorted(fetched.left_out)) == (0, [FIRST, SECOND])


@pytest.mark.parametrize(
    ("begun", "size"),
    [
        pytest.param(LARGE[: len(LARGE) // 2], len(LARGE) // 2, id="goes on"),
        pytest.param(LARGE, 0, id="all bytes were there"),
        pytest.param(b"wrong", 2 * len(LARGE) - 5, id="begins anew where what was there is wrong"),
    ],
)
def test_a_blob_that_was_begun(site: Site, begun: bytes, size: int) -> None:
    with site.target.blob_writer(site.large, len(LARGE)) as writer:
        writer.write(begun)
    wanted = Inventory(
        blobs={site.large: len(LARGE)}, layers=frozenset(link for link in site.wanted.layers if link[1] == site.large)
    )
    with site.serving(FIRST):
        fetched = site.fetch(FIRST, wanted=wanted)
    assert fetched == Fetched(blobs=1, size=size)
    assert site.target.read_blob(site.large, 2**30) == LARGE


def test_a_registry_with_users(site: Site, tmp_path: Path) -> None:
    htpasswd = tmp_path / "htpasswd"
    htpasswd.write_text(f"admin:{bcrypt.hashpw(b'secret', bcrypt.gensalt(rounds=4)).decode()}\n")
    with site.serving(FIRST, htpasswd=htpasswd):
        refused = site.fetch(FIRST)
        assert refused.blobs == 0
        assert "it answered 401 Unauthorized" in refused.left_out[FIRST]
        assert site.fetch(FIRST, password="secret").left_out == {}
    site.require_all()

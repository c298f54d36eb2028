# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A registry with one image for tests that need no more, and programs that cannot be built everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest

from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.bench.servers import free_port, registry_over_tls
from tests.lab.golang import Programs
from tests.lab.images import BUSYBOX, BuiltImage, build
from tests.lab.settings import Settings
from tests.unit.https_server import make_certificate


@dataclass(frozen=True)
class Served:
    """A registry over TLS at a loopback address; `digest` is that of its image for machines like this one."""

    address: str
    authorities: str
    digest: str


def needed(programs: Programs) -> Path:
    """Return the folder with programs; the test is skipped where they cannot be built."""
    if not programs.can_be_built():
        pytest.skip(f"there is no Go {'.'.join(map(str, programs.release))} to build {programs.name}")
    return programs.built(Settings())


@contextmanager
def served(folder: Path, names: Sequence[str], login: tuple[str, str] | None = None) -> Iterator[Served]:
    """Serve busybox:1.35 under names, to everybody or to one user."""
    image = build(Settings(), BUSYBOX)
    for name in names:
        put(Tree(str(folder / "tree")), image, name)
    certificate = make_certificate(folder / "pki", "sea.hub", "127.0.0.1")
    htpasswd = None
    if login:
        htpasswd = folder / "htpasswd"
        user, password = login
        htpasswd.write_text(f"{user}:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds=8)).decode()}\n")
    address = f"127.0.0.1:{free_port()}"
    with registry_over_tls(folder / "tree", folder, address, certificate, htpasswd):
        yield Served(address, Path(certificate.ca_certificate).read_text(), image.manifests[0].digest)


def put(tree: Tree, image: BuiltImage, name: str) -> None:
    """Put an image into a tree, which a registry can serve then."""
    for part in (*image.blobs, *image.manifests):
        tree.put_blob(part.digest, part.data)
    for blob in image.blobs:
        tree.link_layer(name, blob.digest)
    for manifest in image.manifests:
        tree.link_manifest(name, manifest.digest)
    tree.set_tag(name, image.image.tag, image.digest)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One program out of an image: the one that a container would run, whatever layers and links lie over it."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    NotInTree,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _image_archive, _image_program
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

PROGRAM = b"\x7fELF the program"
OTHER = b"\x7fELF another one"
SCRIPT = b"#!/bin/sh\nexec registry"


class Link(str):
    """The target of a symbolic link."""


class HardLink(str):
    """The other name of a file."""


Content = bytes | Link | HardLink


def layer(files: Mapping[str, Content], pack: bool = True) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
                continue
            member.type = tarfile.SYMTYPE if isinstance(content, Link) else tarfile.LNKTYPE
            member.linkname = content
            archive.addfile(member)
    return gzip.compress(packed.getvalue()) if pack else packed.getvalue()


def image(folder: Path, layers: Sequence[bytes], **config: Any) -> tuple[Tree, Image]:
    """A tree with an image of these layers."""
    tree = Tree(str(folder / "tree"))
    document = json.dumps({"os": "linux", "architecture": "amd64", "config": config}).encode()

    def put(data: bytes, media_type: str) -> dict[str, Any]:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        tree.put_blob(digest, data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": _media_types.OCI_MANIFEST,
        "config": put(document, _media_types.OCI_CONFIG),
        "layers": [put(data, "application/vnd.oci.image.layer.v1.tar+gzip") for data in layers],
    }
    stored = put(json.dumps(manifest).encode(), _media_types.OCI_MANIFEST)["digest"]
    tree.link_manifest("library/registry", stored)
    tree.set_tag("library/registry", "2", stored)
    return tree, _image_archive.find(tree, "registry:2", Platform("linux", "amd64"))


@pytest.mark.parametrize(
    ("entrypoint", "layers"),
    [
        pytest.param(["registry"], [{"bin/registry": PROGRAM}], id="the entry point, found in PATH"),
        pytest.param(["/opt/r"], [{"opt/r": PROGRAM, "bin/registry": OTHER}], id="the entry point by its path"),
        pytest.param(["/entry.sh"], [{"entry.sh": SCRIPT, "bin/registry": PROGRAM}], id="what a script calls"),
        pytest.param(None, [{"./bin/registry": PROGRAM}], id="no entry point"),
        pytest.param(["registry"], [{"bin/registry": OTHER}, {"bin/registry": PROGRAM}], id="a later layer"),
        pytest.param(
            ["registry"],
            [{"bin/registry": OTHER, "usr/bin/registry": PROGRAM}, {"bin/.wh.registry": b""}],
            id="a whiteout",
        ),
        pytest.param(
            ["registry"],
            [{"bin/registry": OTHER, "usr/bin/registry": PROGRAM}, {"bin/.wh..wh..opq": b""}],
            id="an opaque folder",
        ),
        pytest.param(
            ["registry"],
            [{"bin/registry": OTHER}, {"bin/.wh..wh..opq": b"", "bin/registry": PROGRAM}],
            id="an opaque folder with a file of its own",
        ),
        pytest.param(
            ["registry"], [{"bin": Link("usr/bin")}, {"usr/bin/registry": PROGRAM}], id="a link in place of a folder"
        ),
        pytest.param(
            ["registry"],
            [{"bin/registry": Link("/usr/lib/r")}, {"usr/lib/r": Link("r-3"), "usr/lib/r-3": PROGRAM}],
            id="links over layers",
        ),
        pytest.param(
            ["registry"], [{"usr/bin/r": PROGRAM, "bin/registry": HardLink("usr/bin/r")}], id="another name of a file"
        ),
    ],
)
def test_it_is_the_one_that_a_container_would_run(
    tmp_path: Path, entrypoint: list[str] | None, layers: list[dict[str, Content]]
) -> None:
    tree, found = image(tmp_path, [layer(files) for files in layers], Entrypoint=entrypoint, Env=["PATH=/bin:/usr/bin"])
    target = tmp_path / "out" / "registry"
    _image_program.extract(tree, found, "registry", str(target))
    assert target.read_bytes() == PROGRAM
    assert os.access(target, os.X_OK)
    assert list(target.parent.iterdir()) == [target]


def test_a_layer_need_not_be_packed(tmp_path: Path) -> None:
    tree, found = image(tmp_path, [layer({"bin/registry": PROGRAM}, pack=False)])
    _image_program.extract(tree, found, "registry", str(tmp_path / "registry"))
    assert (tmp_path / "registry").read_bytes() == PROGRAM


@pytest.mark.parametrize(
    "files",
    [{"bin/sh": PROGRAM}, {"bin/registry": SCRIPT}, {"bin/registry": Link("registry")}, {"bin/registry": Link("x")}],
)
def test_an_image_without_the_program_is_an_error(tmp_path: Path, files: dict[str, Content]) -> None:
    tree, found = image(tmp_path, [layer(files)])
    with pytest.raises(NotInTree, match="has no program registry"):
        _image_program.extract(tree, found, "registry", str(tmp_path / "registry"))
    assert not (tmp_path / "registry").exists()


@pytest.mark.parametrize("damage", [lambda data: data[:-9] + b"x" + data[-8:], lambda data: data[:-20]])
def test_of_a_damaged_layer_nothing_is_taken(tmp_path: Path, damage: Any) -> None:
    tree, found = image(tmp_path, [layer({"bin/registry": PROGRAM, "more": os.urandom(100_000)})])
    path = Path(tree.blob_path(found.manifest.layers[0].digest))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises((DigestMismatch, InvalidManifest)):
        _image_program.extract(tree, found, "registry", str(tmp_path / "registry"))
    assert not (tmp_path / "registry").exists()


def test_a_layer_packed_otherwise_is_an_error(tmp_path: Path) -> None:
    tree, found = image(tmp_path, [b"\x28\xb5\x2f\xfd" + bytes(2000)])
    with pytest.raises(InvalidManifest, match="packed with gzip or not at all"):
        _image_program.extract(tree, found, "registry", str(tmp_path / "registry"))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Images in files: OCI layouts in folders and tars, the chart cache of the first Helm 3, and what docker saves."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidManifest,
    InvalidReference,
    NotFound,
    SeahubError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _artifact, _digest, _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.saving import _image_file
from ansible_collections.seahub.offline.plugins.module_utils.saving._image_file import ImageInFile, InvalidImageFile
from tests.unit.repository import Repository
from tests.unit.trees import layer_bytes

AMD64 = Platform("linux", "amd64")
NAME = "org.opencontainers.image.ref.name"
CONFIG = b'{"os": "linux", "architecture": "amd64"}'
LAYERS = [layer_bytes(1, 3000), layer_bytes(2, 5000)]

Files = Mapping[str, bytes]


class Reader:
    """Reads an image in files as saving does."""

    def __init__(self, image: ImageInFile) -> None:
        self.manifest = image.source.manifest
        self._source = image.source

    def config(self, descriptor: Descriptor) -> bytes:
        return self._source.read_blob(descriptor, 1 << 20)


def content(image: ImageInFile, *platforms: Platform) -> list[bytes]:
    """Return the bytes of the configurations and layers of an image, each of which has the digest that it should."""
    found = []
    for blob in _artifact.gather(Reader(image), image.digest, platforms).blobs:
        with image.source.open_blob(blob, 0) as stream:
            data = b"".join(iter(lambda: stream.read(1000), b""))
        assert (_digest.hash_bytes(data), len(data)) == (blob.digest, blob.size)
        found.append(data)
    return found


# OCI layouts


def layout_files(repository: Repository, listed: Sequence[Mapping[str, Any]]) -> Files:
    """Return the files of a layout with everything of a repository, whose index lists these."""
    blobs = {**repository.blobs, **repository.manifests}
    return {
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": list(listed)}).encode(),
        **{"blobs/" + digest.replace(":", "/"): data for digest, data in blobs.items()},
    }


def listed(repository: Repository, digest: str, **annotations: str) -> dict[str, Any]:
    """Return how an index lists a manifest."""
    return {
        "mediaType": repository.manifest(digest).media_type,
        "digest": digest,
        "size": len(repository.manifests[digest]),
        "annotations": annotations,
    }


def write_folder(path: Path, files: Files) -> str:
    """Write files below a folder."""
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return f"oci:{path}"


def write_tar(path: Path, files: Files, prefix: str = "") -> str:
    """Write files into a tar."""
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            add(archive, prefix + name, data)
    return f"oci-archive:{path}"


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file to a tar."""
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


Writer = Callable[[Path, Files], str]
AS_FOLDER: Writer = write_folder
AS_TAR: Writer = write_tar


def as_dotted_tar(path: Path, files: Files) -> str:
    """As `tar -C folder .` names its members."""
    return write_tar(path, files, "./")


@pytest.fixture
def repository() -> Repository:
    return Repository()


@pytest.mark.parametrize("write", [AS_FOLDER, AS_TAR, as_dotted_tar])
def test_a_layout_holds_an_image(tmp_path: Path, repository: Repository, write: Writer) -> None:
    root = repository.image("linux/amd64", layers=LAYERS)
    text = write(tmp_path / "x", layout_files(repository, [listed(repository, root, **{NAME: "quay.io/team/app:1"})]))
    image = _image_file.find(text)
    assert (image.name, image.digest) == ("quay.io/team/app:1", root)
    assert image.source.manifest(root).raw == repository.manifests[root]
    assert content(image, AMD64)[1:] == LAYERS


@pytest.mark.parametrize("write", [AS_FOLDER, AS_TAR])
def test_an_index_in_a_layout_keeps_its_bytes(tmp_path: Path, repository: Repository, write: Writer) -> None:
    root = repository.platforms(["linux/amd64", "linux/arm64"])
    image = _image_file.find(write(tmp_path / "x", layout_files(repository, [listed(repository, root)])))
    assert (image.name, image.digest) == ("", root)
    assert content(image, AMD64)[1:] == [b"layer of linux/amd64"]
    assert len(content(image)) == 4


def test_of_several_images_one_has_to_be_named(tmp_path: Path, repository: Repository) -> None:
    roots = [repository.image("linux/amd64", layers=[layer]) for layer in LAYERS]
    names = ["team/app:1", "127.0.0.1:5000/team/app:2"]
    entries = [listed(repository, root, **{NAME: name}) for root, name in zip(roots, names, strict=True)]
    text = write_folder(tmp_path / "with:colon", layout_files(repository, entries))
    for root, name in zip(roots, names, strict=True):
        assert _image_file.find(f"{text}:{name}").digest == root
    with pytest.raises(InvalidImageFile, match=r"several images.*127.0.0.1:5000/team/app:2, team/app:1"):
        _image_file.find(text)
    with pytest.raises(InvalidImageFile, match=r"no image that is there; there are: 127.0.0.1:5000/team/app:2, team/a"):
        _image_file.find(f"{text}:team/app:3")


def test_two_names_of_one_image_are_no_riddle(tmp_path: Path, repository: Repository) -> None:
    root = repository.image("linux/amd64")
    entries = [listed(repository, root, **{NAME: name}) for name in ("a/b:1", "a/b:2")]
    assert _image_file.find(write_folder(tmp_path / "x", layout_files(repository, entries))).digest == root


def test_the_full_name_counts_before_the_tag(tmp_path: Path, repository: Repository) -> None:
    """Current docker writes both, the second for readers that know no better."""
    names = {"io.containerd.image.name": "docker.io/library/app:1", NAME: "1"}
    root = repository.image("linux/amd64")
    text = write_folder(tmp_path / "x", layout_files(repository, [listed(repository, root, **names)]))
    assert _image_file.find(text).name == "docker.io/library/app:1"


def test_the_chart_cache_of_the_first_helm_3_is_a_layout(tmp_path: Path, repository: Repository) -> None:
    """Helm 3.0 to 3.6: full names in the index, layers of a type that no other has."""
    config = {**repository.blob(b'{"name": "veteran"}'), "mediaType": _media_types.HELM_CONFIG}
    layer = {**repository.blob(b"tgz"), "mediaType": "application/tar+gzip"}
    root = repository.manifest_of(config, [layer])
    name = "registry.example.com:5000/charts/veteran:0.2.0"
    text = write_folder(tmp_path / "cache", layout_files(repository, [listed(repository, root, **{NAME: name})]))
    image = _image_file.find(f"{text}:{name}")
    assert image.name == name
    artifact = _artifact.gather(Reader(image), image.digest, [AMD64])
    assert artifact.kind == "chart"
    assert content(image)[1:] == [b"tgz"]


def test_a_blob_is_read_from_the_middle(tmp_path: Path, repository: Repository) -> None:
    root = repository.image("linux/amd64", layers=LAYERS)
    files = layout_files(repository, [listed(repository, root)])
    for text in (write_folder(tmp_path / "f", files), write_tar(tmp_path / "t", files)):
        image = _image_file.find(text)
        blob = image.source.manifest(root).layers[0]
        with image.source.open_blob(blob, 1000) as stream:
            assert (stream.start, stream.read(1 << 20), stream.read(1)) == (1000, LAYERS[0][1000:], b"")
        with image.source.open_blob(blob, blob.size + 10) as stream:
            assert stream.read(1 << 20) == b""


def test_a_missing_blob_is_named(tmp_path: Path, repository: Repository) -> None:
    root = repository.image("linux/amd64", layers=LAYERS)
    text = write_folder(tmp_path / "x", layout_files(repository, [listed(repository, root)]))
    image = _image_file.find(text)
    layer = image.source.manifest(root).layers[1]
    (tmp_path / "x" / "blobs" / layer.digest.replace(":", "/")).unlink()
    with pytest.raises(NotFound, match=f"has no {layer.digest}"):
        image.source.open_blob(layer, 0)


def test_a_changed_manifest_is_found_out(tmp_path: Path, repository: Repository) -> None:
    root = repository.image("linux/amd64")
    text = write_folder(tmp_path / "x", layout_files(repository, [listed(repository, root)]))
    path = tmp_path / "x" / "blobs" / root.replace(":", "/")
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(DigestMismatch, match=f"{tmp_path}/x is damaged"):
        _image_file.find(text).source.manifest(root)


def test_a_digest_that_files_do_not_have_any_more_does_not_resolve(tmp_path: Path, repository: Repository) -> None:
    root = repository.image("linux/amd64")
    source = _image_file.find(write_folder(tmp_path, layout_files(repository, [listed(repository, root)]))).source
    assert source.resolve(root) == root
    with pytest.raises(NotFound, match="made anew"):
        source.resolve("sha256:" + "0" * 64)


# What docker saves


def saved_old(path: Path, layers: Sequence[bytes], names: Sequence[str] | None) -> str:
    """What `docker save` wrote up to version 24: a folder for each layer, and links where two layers are equal."""
    config = _digest.hash_bytes(CONFIG).partition(":")[2] + ".json"
    first: dict[bytes, str] = {}
    listed = []
    with tarfile.open(path, "w") as archive:
        for number, layer in enumerate(layers):
            folder = f"{number:064x}"
            listed.append(f"{folder}/layer.tar")
            add(archive, f"{folder}/VERSION", b"1.0")
            if layer in first:
                link = tarfile.TarInfo(listed[-1])
                link.type, link.linkname = tarfile.SYMTYPE, f"../{first[layer]}/layer.tar"
                archive.addfile(link)
            else:
                add(archive, listed[-1], layer)
            first.setdefault(layer, folder)
        add(archive, config, CONFIG)
        entry = {"Config": config, "RepoTags": names, "Layers": listed}
        add(archive, "manifest.json", json.dumps([entry]).encode())
    return f"docker-archive:{path}"


def saved_new(path: Path, layers: Sequence[bytes], names: Sequence[str] | None) -> str:
    """What `docker save` writes since version 25: blobs by digest, each once."""
    blobs = {"blobs/" + _digest.hash_bytes(data).replace(":", "/"): data for data in (CONFIG, *layers)}
    entry = {
        "Config": next(iter(blobs)),
        "RepoTags": names,
        "Layers": ["blobs/" + _digest.hash_bytes(layer).replace(":", "/") for layer in layers],
    }
    write_tar(path, {**blobs, "manifest.json": json.dumps([entry]).encode()})
    return f"docker-archive:{path}"


SAVED = pytest.mark.parametrize("save", [saved_old, saved_new])


@SAVED
def test_docker_archives_hold_images(tmp_path: Path, save: Callable[..., str]) -> None:
    layers = [LAYERS[0], LAYERS[1], LAYERS[0]]
    image = _image_file.find(save(tmp_path / "a.tar", layers, ["team/app:1"]))
    assert image.name == "team/app:1"
    manifest = image.source.manifest(image.digest)
    assert manifest.config is not None
    assert manifest.config.digest == _digest.hash_bytes(CONFIG)
    assert [layer.digest for layer in manifest.layers] == [_digest.hash_bytes(layer) for layer in layers]
    assert set(content(image, AMD64)) == {CONFIG, *LAYERS}


@SAVED
def test_the_same_archive_always_gives_the_same_digest(tmp_path: Path, save: Callable[..., str]) -> None:
    digests = {_image_file.find(save(tmp_path / name, LAYERS, ["a/b:1"])).digest for name in ("one", "two")}
    assert len(digests) == 1


def test_both_kinds_of_archives_give_the_same_image(tmp_path: Path) -> None:
    old = _image_file.find(saved_old(tmp_path / "old", LAYERS, ["a/b:1"]))
    new = _image_file.find(saved_new(tmp_path / "new", LAYERS, ["a/b:1"]))
    assert old.digest == new.digest


@SAVED
def test_an_archive_without_a_name(tmp_path: Path, save: Callable[..., str]) -> None:
    assert _image_file.find(save(tmp_path / "a.tar", LAYERS, None)).name == ""


@SAVED
def test_an_image_with_two_names(tmp_path: Path, save: Callable[..., str]) -> None:
    text = save(tmp_path / "a.tar", LAYERS, ["a/b:1", "a/b:2"])
    assert _image_file.find(f"{text}:a/b:2").name == "a/b:2"
    with pytest.raises(InvalidImageFile, match="there are: a/b:1, a/b:2"):
        _image_file.find(f"{text}:a/b:3")


@pytest.mark.parametrize(
    ("layer", "suffix"),
    [(b"plain", ""), (gzip.compress(b"x", mtime=0), "+gzip"), (b"\x28\xb5\x2f\xfd....", "+zstd"), (b"", "")],
)
def test_layers_are_called_what_they_are(tmp_path: Path, layer: bytes, suffix: str) -> None:
    image = _image_file.find(saved_new(tmp_path / "a.tar", [layer], ["a/b:1"]))
    (found,) = image.source.manifest(image.digest).layers
    assert found.media_type == f"application/vnd.oci.image.layer.v1.tar{suffix}"


def test_hard_links_are_followed_too(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        add(archive, "one/layer.tar", LAYERS[0])
        link = tarfile.TarInfo("two/layer.tar")
        link.type, link.linkname = tarfile.LNKTYPE, "one/layer.tar"
        archive.addfile(link)
        add(archive, "c.json", CONFIG)
        entry = {"Config": "c.json", "RepoTags": ["a/b:1"], "Layers": ["one/layer.tar", "two/layer.tar"]}
        add(archive, "manifest.json", json.dumps([entry]).encode())
    assert set(content(_image_file.find(f"docker-archive:{tmp_path}/a.tar"))) == {CONFIG, LAYERS[0]}


# Hostile ones, and such that are none


def archive_of(path: Path, manifest: object, **links: str) -> str:
    """Write a docker archive with this list of contents, and symbolic links."""
    data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    with tarfile.open(path, "w") as archive:
        add(archive, "manifest.json", data)
        add(archive, "c.json", CONFIG)
        for name, target in links.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return f"docker-archive:{path}"


def lists(*layers: object, config: object = "c.json") -> list[dict[str, object]]:
    """Return a list of contents with one image."""
    return [{"Config": config, "RepoTags": ["a/b:1"], "Layers": list(layers)}]


HOSTILE: dict[str, object] = {
    "no JSON": b"{",
    "too deep": b"[" * 200_000,
    "not text": b"\xff\xfe",
    "a number": 5,
    "a dictionary": {"Config": "c.json"},
    "an entry that is none": [5],
    "layers that are none": [{"Config": "c.json", "Layers": 7}],
    "names that are none": [{"Config": "c.json", "Layers": [], "RepoTags": 7}],
    "nothing": [],
    "outside": lists("../../../../etc/passwd"),
    "absolute": lists("/etc/passwd"),
    "configuration outside": lists(config="/etc/passwd"),
    "link outside": lists("outside"),
    "absolute link": lists("absolute"),
    "link to itself": lists("itself"),
    "links in a circle": lists("circle"),
    "a number for a name": lists(5),
    "an empty name": lists(""),
}


@pytest.mark.parametrize("manifest", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_gives_nothing_but_an_error(tmp_path: Path, manifest: object) -> None:
    links = {
        "outside": "../../../../../../etc/passwd",
        "absolute": "/etc/passwd",
        "itself": "itself",
        "circle": "elcric",
        "elcric": "circle",
    }
    with pytest.raises(InvalidImageFile, match=str(tmp_path)):
        _image_file.find(archive_of(tmp_path / "a.tar", manifest, **links))


def test_a_list_of_contents_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(InvalidManifest, match="more than"):
        _image_file.find(archive_of(tmp_path / "a.tar", b" " * (17 * 1024 * 1024)))


@pytest.mark.parametrize("index", [b"", b"[]", b"{}", b'{"schemaVersion": 1}', b'{"schemaVersion":2,"manifests":[{}]}'])
def test_a_layout_whose_index_is_none(tmp_path: Path, index: bytes) -> None:
    with pytest.raises(SeahubError):
        _image_file.find(write_folder(tmp_path, {"index.json": index}))


def test_a_digest_in_a_layout_leads_to_no_other_place(tmp_path: Path, repository: Repository) -> None:
    root = repository.image("linux/amd64")
    entry = {**listed(repository, root), "digest": "sha256:../../../../etc/passwd"}
    with pytest.raises(InvalidManifest, match="is no digest"):
        _image_file.find(write_folder(tmp_path, layout_files(repository, [entry])))


@pytest.mark.parametrize(
    "data", [b"", b"no tar", gzip.compress(b"x" * 2000, mtime=0), b"\0" * 10_240, os.urandom(5000)]
)
def test_what_is_no_tar(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    for transport in ("oci-archive", "docker-archive"):
        with pytest.raises(InvalidImageFile):
            _image_file.find(f"{transport}:{tmp_path}/a.tar")


def test_a_header_that_makes_no_sense(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("manifest.json")
        member.pax_headers = {"GNU.sparse.map": "a,b", "GNU.sparse.size": "c"}
        archive.addfile(member)
    with pytest.raises(InvalidImageFile, match="cannot be read as an uncompressed tar"):
        _image_file.find(f"docker-archive:{tmp_path}/a.tar")


def hostile_header(kind: bytes, size: bytes) -> bytes:
    """Return the header of a member of a tar, of a kind and a size that are written as they are."""
    member = tarfile.TarInfo("x")
    member.type = kind
    data = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    data[124:136] = size
    data[148:156] = b"%06o\0 " % (sum(data[:148]) + 256 + sum(data[156:]))
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        hostile_header(b"x", b"%011o\0" % 0) * 3000,
        hostile_header(b"L", b"\x80" + b"\xff" * 11),
        hostile_header(b"x", b"\xff" * 12),
        hostile_header(b"0", b"\xff" * 10 + b"\xfc\x00"),
    ],
    ids=["headers of headers", "a name of all memory", "a negative header", "a file that leads back"],
)
def test_headers_that_nobody_writes_in_good_faith(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data + bytes(1024))
    with pytest.raises(InvalidImageFile, match=str(tmp_path)):
        _image_file.find(f"docker-archive:{tmp_path}/a.tar")


def test_a_tar_that_was_cut_off(tmp_path: Path) -> None:
    text = saved_new(tmp_path / "a.tar", LAYERS, ["a/b:1"])
    data = (tmp_path / "a.tar").read_bytes()
    for size in range(0, len(data) - 10_240, 701):
        (tmp_path / "a.tar").write_bytes(data[:size])
        with pytest.raises(InvalidImageFile):
            _image_file.find(text)


@pytest.mark.parametrize("text", ["oci:{}", "oci:{}:1", "oci-archive:{}", "docker-archive:{}:a:1", "oci:"])
def test_what_is_not_there_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidImageFile, match=r"index\.json|cannot be read"):
        _image_file.find(text.format(tmp_path / "absent"))


def test_another_transport_is_none_of_these() -> None:
    with pytest.raises(InvalidReference, match="oci:, oci-archive: or docker-archive:"):
        _image_file.find("dir:/somewhere")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oci:/a/b", True),
        ("oci-archive:x.tar", True),
        ("docker-archive:x.tar:a:1", True),
        ("oci://host/chart:1", False),
        ("docker:27", False),
        ("oci", False),
        ("registry.example.com:5000/oci:1", False),
    ],
)
def test_references_are_told_from_files(text: str, expected: bool) -> None:
    assert _image_file.is_in_file(text) is expected

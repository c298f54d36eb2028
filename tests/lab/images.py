# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images made from Debian packages: real programs in real layers, without a container engine.

A layer is the contents of a few packages; images share layers as images built on one another do.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .commands import LabError, kept, say
from .packages import Archive
from .settings import FILES, Settings, recipe_key

# Part of every cached layer's key: change it when the code below writes other bytes for the same recipe.
WRITER = 1

CREATED = "2026-01-01T00:00:00Z"
UNWANTED = ("./usr/share/doc/", "./usr/share/man/", "./usr/share/locale/", "./usr/share/lintian/")

DEBIAN_ARCHITECTURE = {"linux/amd64": "amd64", "linux/arm64": "arm64", "linux/arm/v7": "armhf"}
AMD64 = ("linux/amd64",)


@dataclass(frozen=True)
class MediaTypes:
    """The media types of one of the two families."""

    manifest: str
    index: str
    config: str
    layer: str


DOCKER = MediaTypes(
    manifest="application/vnd.docker.distribution.manifest.v2+json",
    index="application/vnd.docker.distribution.manifest.list.v2+json",
    config="application/vnd.docker.container.image.v1+json",
    layer="application/vnd.docker.image.rootfs.diff.tar.gzip",
)
OCI = MediaTypes(
    manifest="application/vnd.oci.image.manifest.v1+json",
    index="application/vnd.oci.image.index.v1+json",
    config="application/vnd.oci.image.config.v1+json",
    layer="application/vnd.oci.image.layer.v1.tar+gzip",
)


@dataclass(frozen=True)
class File:
    """A file that no package carries."""

    content: str
    mode: int = 0o644


@dataclass(frozen=True)
class Layer:
    """What one layer holds: packages, files and symbolic links (path -> target)."""

    packages: tuple[str, ...] = ()
    files: dict[str, File] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    directories: tuple[str, ...] = ()
    # Files of this machine, whose paths say what they are (path in the image -> path here).
    programs: dict[str, Path] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Image:
    """An image: its name in the upstream registry, and what it is made of."""

    repository: str
    tag: str
    types: MediaTypes
    layers: tuple[Layer, ...]
    command: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    platforms: tuple[str, ...] = AMD64
    ports: tuple[int, ...] = ()
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Built:
    """A document of a registry: its bytes, and what they are."""

    data: bytes
    media_type: str

    @property
    def digest(self) -> str:
        """The digest by which a registry knows it."""
        return "sha256:" + hashlib.sha256(self.data).hexdigest()

    @property
    def descriptor(self) -> dict[str, object]:
        """How other documents point to it."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


@dataclass(frozen=True)
class BuiltImage:
    """Everything that a registry has to hold for an image."""

    image: Image
    blobs: list[Built]
    manifests: list[Built]  # the last one is the image's own: a manifest, or the index of those before it

    @property
    def digest(self) -> str:
        """What the tag resolves to."""
        return self.manifests[-1].digest


SHELL = Layer(
    packages=("busybox-static",),
    files={
        "etc/passwd": File(
            "root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/false\nnobody:x:65534:65534::/:/bin/false\n"
        ),
        "etc/group": File("root:x:0:\nadm:x:4:\nwww-data:x:33:\nnogroup:x:65534:\n"),
    },
    links={
        f"bin/{applet}": "busybox"
        for applet in (
            "sh",
            "ls",
            "cat",
            "cp",
            "echo",
            "env",
            "id",
            "mkdir",
            "mv",
            "rm",
            "sleep",
            "true",
            "uname",
            "wget",
        )
    },
    directories=("tmp", "root", "run", "proc", "sys", "dev", "var/log"),
)
C_LIBRARY = Layer(packages=("libc6", "libgcc-s1", "libcrypt1", "zlib1g"))
TLS_LIBRARY = Layer(packages=("libssl3", "libstdc++6"))

REGISTRY = Image(
    repository="library/registry",
    tag="2",
    types=DOCKER,
    layers=(
        SHELL,
        C_LIBRARY,
        Layer(packages=("docker-registry",), links={"bin/registry": "/usr/bin/docker-registry"}),
        Layer(files={"entrypoint.sh": File((FILES / "registry-entrypoint.sh").read_text(), 0o755)}),
    ),
    entrypoint=("/entrypoint.sh",),
    command=("/etc/docker/registry/config.yml",),
    ports=(5000,),
    volumes=("/var/lib/registry",),
)
REDIS = Image(
    repository="library/redis",
    tag="7",
    types=OCI,
    layers=(
        SHELL,
        C_LIBRARY,
        TLS_LIBRARY,
        Layer(
            packages=(
                "redis-server",
                "redis-tools",
                "libatomic1",
                "libcap2",
                "libgcrypt20",
                "libgpg-error0",
                "libhiredis0.14",
                "libjemalloc2",
                "liblua5.1-0",
                "liblz4-1",
                "liblzf1",
                "liblzma5",
                "libsystemd0",
                "libzstd1",
                "lua-bitop",
                "lua-cjson",
            )
        ),
    ),
    command=("redis-server", "--protected-mode", "no"),
    ports=(6379,),
    volumes=("/data",),
)
NGINX = Image(
    repository="library/nginx",
    tag="1.22",
    types=DOCKER,
    layers=(
        SHELL,
        C_LIBRARY,
        TLS_LIBRARY,
        Layer(
            packages=("nginx", "nginx-common", "nginx-light", "libpcre2-8-0"),
            directories=("var/log/nginx", "var/lib/nginx"),
        ),
    ),
    command=("nginx", "-g", "daemon off;"),
    ports=(80,),
)
BUSYBOX = Image(
    repository="library/busybox",
    tag="1.35",
    types=DOCKER,
    layers=(SHELL,),
    command=("sh",),
    platforms=("linux/amd64", "linux/arm64", "linux/arm/v7"),
)
APP = Image(
    repository="team/project/app",
    tag="1.0",
    types=OCI,
    layers=(
        SHELL,
        Layer(files={"usr/bin/app": File('#!/bin/sh\necho "app 1.0 on $(uname -m)"\n', 0o755)}),
    ),
    command=("/usr/bin/app",),
    platforms=("linux/amd64", "linux/arm64"),
)
JQ = Image(
    repository="tools/jq",
    tag="1.6",
    types=OCI,
    layers=(SHELL, C_LIBRARY, Layer(packages=("jq", "libjq1", "libonig5"))),
    entrypoint=("/usr/bin/jq",),
    command=("--version",),
)
REPORTS = Image(
    repository="private/reports",
    tag="2.1",
    types=DOCKER,
    layers=(SHELL, C_LIBRARY, Layer(packages=("sqlite3", "libsqlite3-0", "libreadline8", "libtinfo6"))),
    entrypoint=("/usr/bin/sqlite3",),
    command=("--version",),
)

OPEN_IMAGES = (REGISTRY, REDIS, NGINX, BUSYBOX, APP, JQ)
PRIVATE_IMAGES = (REPORTS,)


def build(settings: Settings, image: Image) -> BuiltImage:
    """Make an image for all of its platforms."""
    blobs: dict[str, Built] = {}
    manifests: list[Built] = []
    for platform in image.platforms:
        manifest, parts = _for_platform(settings, image, platform)
        manifests.append(manifest)
        blobs.update((part.digest, part) for part in parts)
    if len(manifests) > 1:
        manifests.append(_index(image, manifests))
    return BuiltImage(image, list(blobs.values()), manifests)


def _for_platform(settings: Settings, image: Image, platform: str) -> tuple[Built, list[Built]]:
    layers = [
        Built(_layer(settings, layer, DEBIAN_ARCHITECTURE[platform]).read_bytes(), image.types.layer)
        for layer in image.layers
    ]
    config = Built(_json(_config(image, platform, layers)), image.types.config)
    manifest = {
        "schemaVersion": 2,
        "mediaType": image.types.manifest,
        "config": config.descriptor,
        "layers": [layer.descriptor for layer in layers],
    }
    return Built(_json(manifest), image.types.manifest), [config, *layers]


def _config(image: Image, platform: str, layers: Sequence[Built]) -> dict[str, object]:
    return {
        **_platform_fields(platform),
        "created": CREATED,
        "config": {
            "Cmd": list(image.command),
            "Entrypoint": list(image.entrypoint) or None,
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "ExposedPorts": {f"{port}/tcp": {} for port in image.ports},
            "Volumes": {volume: {} for volume in image.volumes},
            "WorkingDir": "/",
        },
        "rootfs": {
            "type": "layers",
            "diff_ids": ["sha256:" + hashlib.sha256(gzip.decompress(layer.data)).hexdigest() for layer in layers],
        },
        "history": [{"created": CREATED, "created_by": "seahub.offline lab"} for _layer in layers],
    }


def _index(image: Image, manifests: Sequence[Built]) -> Built:
    document = {
        "schemaVersion": 2,
        "mediaType": image.types.index,
        "manifests": [
            {**manifest.descriptor, "platform": _platform_fields(platform)}
            for platform, manifest in zip(image.platforms, manifests, strict=True)
        ],
    }
    return Built(_json(document), image.types.index)


def _platform_fields(platform: str) -> dict[str, str]:
    return dict(zip(("os", "architecture", "variant"), platform.split("/"), strict=False))


def _json(document: object) -> bytes:
    return json.dumps(document, indent=2).encode()


def _layer(settings: Settings, layer: Layer, architecture: str) -> Path:
    debs = Archive(settings, architecture).download(layer.packages) if layer.packages else []
    key = recipe_key(WRITER, layer, [deb.name for deb in debs], *([layer.programs] if layer.programs else []))

    def write(unfinished: Path) -> None:
        say(f"making a layer of {' '.join(layer.packages) or ' '.join(layer.files)} ({architecture})")
        # the same bytes each time: no name and no time in the gzip header
        with (
            unfinished.open("wb") as file,
            gzip.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed,
        ):
            packed.write(_tar(layer, debs))

    return kept(settings.cache / "layers" / f"{key}.tar.gz", write)


def _tar(layer: Layer, debs: Sequence[Path]) -> bytes:
    """Directories come first, hard links last (after what they link to); within each, sorted by name."""
    members: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
    for deb in debs:
        members.update((member.name, (member, data)) for member, data in _packaged(deb))
    members.update((member.name, (member, data)) for member, data in _own(layer))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member, data in sorted(members.values(), key=lambda pair: _position(pair[0])):
            member.mtime = 0
            archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def _position(member: tarfile.TarInfo) -> tuple[int, str]:
    return (0 if member.isdir() else 2 if member.islnk() else 1, member.name)


def _packaged(deb: Path) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as unpack,
        tarfile.open(fileobj=unpack.stdout, mode="r|") as archive,
    ):
        for member in archive:
            if member.name == "." or f"{member.name}/".startswith(UNWANTED):
                continue
            content = archive.extractfile(member) if member.isreg() else None
            member.name = member.name.removeprefix("./")
            if member.islnk():
                member.linkname = member.linkname.removeprefix("./")
            yield member, content.read() if content else b""
    if unpack.returncode != 0:
        raise LabError(f"dpkg-deb cannot read {deb}; remove it and try again")


def _own(layer: Layer) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    for name in layer.directories:
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755
        yield member, b""
    for name, file in layer.files.items():
        member = tarfile.TarInfo(name)
        member.size, member.mode = len(file.content.encode()), file.mode
        yield member, file.content.encode()
    for name, path in layer.programs.items():
        member = tarfile.TarInfo(name)
        member.size, member.mode = path.stat().st_size, 0o755
        yield member, path.read_bytes()
    for name, target in layer.links.items():
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
        yield member, b""

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import platform as python_platform
from collections.abc import Mapping

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidPlatform
from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform

# As written -> the normal form, as containerd has it.
READ: dict[str, str] = {
    # An architecture alone is one of Linux.
    "amd64": "linux/amd64",
    "arm64": "linux/arm64",
    "s390x": "linux/s390x",
    " riscv64\n": "linux/riscv64",
    # Machine names and other spellings.
    "x86_64": "linux/amd64",
    "x86-64": "linux/amd64",
    "aarch64": "linux/arm64",
    "i386": "linux/386",
    "i686": "linux/386",
    "armhf": "linux/arm/v7",
    "armel": "linux/arm/v6",
    "loongarch64": "linux/loong64",
    "Linux/X86_64": "linux/amd64",
    "macOS/arm64": "darwin/arm64",
    "windows/amd64": "windows/amd64",
    # The usual variant of an architecture is left out, but that of arm is always said.
    "linux/amd64/v1": "linux/amd64",
    "linux/amd64/v2": "linux/amd64/v2",
    "linux/x86_64/V3": "linux/amd64/v3",
    "linux/arm64/v8": "linux/arm64",
    "linux/arm64/8": "linux/arm64",
    "linux/arm64/v8.0": "linux/arm64",
    "linux/aarch64/v8": "linux/arm64",
    "linux/arm64/v8.2": "linux/arm64/v8.2",
    "linux/arm64/9": "linux/arm64/v9",
    "linux/arm64/v9.0": "linux/arm64/v9",
    "linux/arm": "linux/arm/v7",
    "linux/arm/7": "linux/arm/v7",
    "linux/arm/6": "linux/arm/v6",
    "linux/arm/v5": "linux/arm/v5",
    "linux/arm/8": "linux/arm/v8",
    # A machine name that means a variant decides it.
    "linux/armhf/v6": "linux/arm/v7",
    "linux/armel/v7": "linux/arm/v6",
    # What has a name of two parts may be one that nobody knows yet.
    "plan10/quantum128": "plan10/quantum128",
    "wasip1/wasm": "wasip1/wasm",
}

REFUSED: tuple[str, ...] = (
    *("", " ", "/", "linux/", "/amd64", "linux//v8", "linux/arm/v7/x", "linux/amd64/"),
    *("linux", "windows", "amd46", "all", "*", "linux/*"),
    *("linux/amd64,linux/arm64", "linux amd64", "linux/../x", "linux/amd64\0", "linux/" + "x" * 129, "lïnux/amd64"),
)

# The members of a descriptor's platform, or of an image's configuration -> the platform, if they name one.
FROM_MANIFEST: tuple[tuple[Mapping[str, object], str | None], ...] = (
    ({"os": "linux", "architecture": "amd64"}, "linux/amd64"),
    ({"os": "linux", "architecture": "arm64", "variant": "v8"}, "linux/arm64"),
    ({"os": "linux", "architecture": "arm"}, "linux/arm/v7"),
    ({"os": "linux", "architecture": "arm", "variant": ""}, "linux/arm/v7"),
    ({"os": "linux", "architecture": "arm", "variant": None}, "linux/arm/v7"),
    ({"os": "windows", "architecture": "amd64", "os.version": "10.0.20348.1"}, "windows/amd64"),
    ({"os": "linux", "architecture": "amd64", "variant": 2, "rootfs": {}}, "linux/amd64"),
    ({"os": "unknown", "architecture": "unknown"}, None),
    ({"os": "", "architecture": ""}, None),
    ({"os": "linux"}, None),
    ({"architecture": "amd64"}, None),
    ({"os": None, "architecture": 64}, None),
    ({}, None),
)

FROM_HOSTILE_MANIFEST: tuple[Mapping[str, object], ...] = (
    {"os": "linux\x1b[2J", "architecture": "amd64"},
    {"os": "linux", "architecture": "../amd64"},
    {"os": "linux", "architecture": "amd64", "variant": "v" * 1_048_576},
    {"os": "linux", "architecture": "amd64", "variant": "\ud800"},
    {"os": "linux\n", "architecture": "amd64"},
)

# What is wanted -> what serves it, the best first, in the order of containerd.
ACCEPTABLE: dict[str, tuple[str, ...]] = {
    "linux/amd64": ("linux/amd64",),
    "linux/amd64/v2": ("linux/amd64/v2", "linux/amd64"),
    "linux/amd64/v4": ("linux/amd64/v4", "linux/amd64/v3", "linux/amd64/v2", "linux/amd64"),
    "linux/arm/v5": ("linux/arm/v5",),
    "linux/arm/v7": ("linux/arm/v7", "linux/arm/v6", "linux/arm/v5"),
    "linux/arm/v8": ("linux/arm/v8", "linux/arm/v7", "linux/arm/v6", "linux/arm/v5"),
    "linux/arm64": ("linux/arm64",),
    "linux/arm64/v8.2": ("linux/arm64/v8.2", "linux/arm64/v8.1", "linux/arm64"),
    "linux/arm64/v9": (
        *("linux/arm64/v9", "linux/arm64/v8.5", "linux/arm64/v8.4", "linux/arm64/v8.3", "linux/arm64/v8.2"),
        *("linux/arm64/v8.1", "linux/arm64"),
    ),
    "linux/arm64/v9.6": (
        *("linux/arm64/v9.6", "linux/arm64/v9.5", "linux/arm64/v9.4", "linux/arm64/v9.3", "linux/arm64/v9.2"),
        *("linux/arm64/v9.1", "linux/arm64/v9", "linux/arm64/v8.9", "linux/arm64/v8.8", "linux/arm64/v8.7"),
        *("linux/arm64/v8.6", "linux/arm64/v8.5", "linux/arm64/v8.4", "linux/arm64/v8.3", "linux/arm64/v8.2"),
        *("linux/arm64/v8.1", "linux/arm64"),
    ),
    "linux/386": ("linux/386",),
    "linux/ppc64le": ("linux/ppc64le",),
    "linux/amd64/unheard-of": ("linux/amd64/unheard-of",),
    "windows/amd64": ("windows/amd64",),
}

# What `uname -m` says -> the platform of containers there.
MACHINES: dict[str, str] = {
    "x86_64": "linux/amd64",
    "aarch64": "linux/arm64",
    "armv7l": "linux/arm/v7",
    "armv6l": "linux/arm/v6",
    "armv8l": "linux/arm/v8",
    "i586": "linux/386",
    "ppc64le": "linux/ppc64le",
    "s390x": "linux/s390x",
    "riscv64": "linux/riscv64",
}


@pytest.mark.parametrize(("text", "expected"), READ.items())
def test_read_and_normalised_as_containerd_does(text: str, expected: str) -> None:
    platform = _platform.parse(text)
    assert str(platform) == expected
    assert _platform.parse(str(platform)) == platform


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_platform_is_refused(text: str) -> None:
    """Among that, a single word that is no architecture: `linux` alone does not mean a processor called linux."""
    with pytest.raises(InvalidPlatform, match="is no platform"):
        _platform.parse(text)


@pytest.mark.parametrize(("fields", "expected"), FROM_MANIFEST)
def test_manifests_say_it_in_three_members(fields: Mapping[str, object], expected: str | None) -> None:
    """What names none is none: attestations are `unknown/unknown`, artifacts have nothing."""
    platform = _platform.from_manifest(fields)
    assert (str(platform) if platform else None) == expected


@pytest.mark.parametrize("fields", FROM_HOSTILE_MANIFEST, ids=range(len(FROM_HOSTILE_MANIFEST)))
def test_a_manifest_cannot_smuggle_text_in(fields: Mapping[str, object]) -> None:
    with pytest.raises(InvalidPlatform) as caught:
        _platform.from_manifest(fields)
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("wanted", "expected"), ACCEPTABLE.items())
def test_older_variants_serve_newer_processors(wanted: str, expected: tuple[str, ...]) -> None:
    assert tuple(str(platform) for platform in _platform.acceptable(_platform.parse(wanted))) == expected


@pytest.mark.parametrize(("machine", "expected"), MACHINES.items())
def test_the_local_platform_is_that_of_containers(machine: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python_platform, "machine", lambda: machine)
    assert str(_platform.local()) == expected


def test_platforms_have_an_order() -> None:
    """So that lists of them are the same in every run."""
    texts = ("windows/amd64", "linux/arm64", "linux/arm/v7", "linux/arm/v6", "linux/amd64")
    assert [str(item) for item in sorted(map(_platform.parse, texts))] == sorted(texts)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: reading, normalising and comparing them.

The rules are those of containerd, which docker shares:
https://github.com/containerd/platforms/blob/v1.0.0-rc.4/database.go
https://github.com/containerd/platforms/blob/v1.0.0-rc.4/compare.go
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import platform as _python_platform
import re
from dataclasses import dataclass
from typing import Mapping

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidPlatform
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

# name or machine name -> (architecture, variant where the name implies one)
_ARCHITECTURES = {
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "loongarch64": ("loong64", ""),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv6l": ("arm", "v6"),
    "armv8l": ("arm", "v8"),
}
# Architectures that may stand alone: a single word that is none of them is more likely a mistake than a new one.
_KNOWN = (
    *("386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le"),
    *("riscv64", "s390x", "sparc64", "wasm"),
)
# Other spellings of a variant; the one that an architecture has when none is written is left out.
_VARIANTS = {
    "amd64": {"v1": ""},
    "arm": {"": "v7", "5": "v5", "6": "v6", "7": "v7", "8": "v8"},
    "arm64": {"8": "", "v8": "", "v8.0": "", "9": "v9", "9.0": "v9", "v9.0": "v9"},
}
# Newest first; each runs what is made for those after it. The unnamed variant is the oldest.
_ARM64_V9 = (*(f"v9.{minor}" for minor in range(7, 0, -1)), "v9")
_ARM64_V8 = (*(f"v8.{minor}" for minor in range(9, 0, -1)), "")
_OLDER_VARIANTS = {"amd64": ("v4", "v3", "v2", ""), "arm": ("v8", "v7", "v6", "v5"), "arm64": _ARM64_V8}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, order=True)
class Platform:
    """An operating system and a processor architecture, in containerd's normal form."""

    os: str
    architecture: str
    variant: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def normalise(os: str, architecture: str, variant: str = "") -> Platform:
    """Return the normal form: `aarch64` is `arm64`, `arm64/v8` is `arm64`, `arm` is `arm/v7`."""
    os = os.lower()
    if os == "macos":
        os = "darwin"
    architecture, implied = _ARCHITECTURES.get(architecture.lower(), (architecture.lower(), ""))
    variant = implied or variant.lower()
    return Platform(os, architecture, _VARIANTS.get(architecture, {}).get(variant, variant))


def parse(text: str) -> Platform:
    """Read `os/architecture[/variant]`, or an architecture alone, which then is one of Linux.

    :raises InvalidPlatform: if it is neither.
    """
    words = text.strip().split("/")
    if len(words) <= 3 and all(_WORD.fullmatch(word) for word in words):
        platform = normalise(*words) if len(words) > 1 else normalise("linux", words[0])
        if len(words) > 1 or platform.architecture in _KNOWN:
            return platform
    raise InvalidPlatform(f"{shorten(text)} is no platform: write for example linux/amd64, linux/arm64/v8 or amd64")


def from_manifest(fields: Mapping[str, object]) -> Platform | None:
    """Read the `platform` object of a descriptor, or an image configuration, which has the same members.

    :returns: None where it names no platform; attestations are listed as `unknown/unknown`.
    :raises InvalidPlatform: if what it names cannot be one: it would stand in the lock and in messages.
    """
    os, architecture, variant = (fields.get(name) for name in ("os", "architecture", "variant"))
    if not isinstance(os, str) or not isinstance(architecture, str) or not os or not architecture:
        return None
    if os == "unknown" or architecture == "unknown":
        return None
    parts = [part for part in (os, architecture, variant) if isinstance(part, str) and part]
    if not all(_WORD.fullmatch(part) for part in parts):
        raise InvalidPlatform(f"{shorten('/'.join(parts))} is no platform")
    return normalise(*parts)


def acceptable(wanted: Platform) -> list[Platform]:
    """Return what a machine of the wanted platform can run, the best first: older variants serve newer processors.

    Another architecture is never among them, though containerd takes 386 for amd64: that is for the user to ask for.
    """
    return [Platform(wanted.os, wanted.architecture, variant) for variant in _older_variants(wanted)]


def local() -> Platform:
    """Return the platform of the machine that this runs on, as a container on it would have it."""
    return normalise("linux", _python_platform.machine())


def _older_variants(wanted: Platform) -> tuple[str, ...]:
    variant = wanted.variant
    if wanted.architecture == "arm64" and variant in _ARM64_V9:
        newer = _ARM64_V9.index(variant)
        # v9.x has all that v8.(x + 5) has.
        return _ARM64_V9[newer:] + _ARM64_V8[max(0, newer - 3) :]
    older = _OLDER_VARIANTS.get(wanted.architecture, ())
    return older[older.index(variant) :] if variant in older else (variant,)

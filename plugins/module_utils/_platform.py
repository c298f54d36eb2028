# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Platforms: reading, normalising and comparing them.

The rules are those of containerd, which docker shares:
https://github.com/containerd/platforms/blob/v1.0.0/database.go
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import platform as _python_platform
import re
from dataclasses import dataclass
from typing import Mapping

from ansible_collections.seahub.offline.plugins.module_utils._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils._errors import InvalidPlatform

# name or machine name -> (architecture, variant where the name implies one)
_ARCHITECTURES = {
    "i386": ("386", ""),
    "i486": ("386", ""),
    "i586": ("386", ""),
    "i686": ("386", ""),
    "x86_64": ("amd64", ""),
    "x86-64": ("amd64", ""),
    "aarch64": ("arm64", ""),
    "armhf": ("arm", "v7"),
    "armv7l": ("arm", "v7"),
    "armel": ("arm", "v6"),
    "armv6l": ("arm", "v6"),
    "armv8l": ("arm", "v8"),
}
# The variant that an architecture has when none is written, which therefore is left out.
_DEFAULT_VARIANTS = {"arm64": ("8", "v8"), "amd64": ("v1",)}
_ARM_VARIANTS = {"5": "v5", "6": "v6", "7": "v7", "8": "v8"}
# Newest first; the unnamed variant of amd64 is its oldest.
_OLDER_VARIANTS = {"arm": ("v8", "v7", "v6", "v5"), "amd64": ("v4", "v3", "v2", "")}
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
    variant = variant.lower()
    architecture, implied = _ARCHITECTURES.get(architecture.lower(), (architecture.lower(), ""))
    variant = variant or implied
    if architecture == "arm":
        variant = _ARM_VARIANTS.get(variant, variant) or "v7"
    elif variant in _DEFAULT_VARIANTS.get(architecture, ()):
        variant = ""
    return Platform(os, architecture, variant)


def parse(text: str) -> Platform:
    """Read `os/architecture[/variant]`, or an architecture alone, which then is one of Linux.

    :raises InvalidPlatform: if it is neither.
    """
    parts = text.strip().split("/")
    if len(parts) == 1:
        parts.insert(0, "linux")
    if len(parts) > 3 or not all(_WORD.fullmatch(part) for part in parts):
        raise InvalidPlatform(f"{shorten(text)} is no platform: write for example linux/amd64 or linux/arm64/v8")
    return normalise(*parts)


def from_manifest(fields: Mapping[str, object]) -> Platform | None:
    """Read the `platform` object of a descriptor, or an image configuration, which has the same members.

    :returns: None where it names no platform; attestations are listed as `unknown/unknown`.
    """
    os, architecture, variant = (fields.get(name) for name in ("os", "architecture", "variant"))
    if not isinstance(os, str) or not isinstance(architecture, str) or not os or not architecture:
        return None
    if os == "unknown" or architecture == "unknown":
        return None
    return normalise(os, architecture, variant if isinstance(variant, str) else "")


def acceptable(wanted: Platform) -> list[Platform]:
    """Return what a machine of the wanted platform can run, the best first: older variants serve newer processors."""
    older = _OLDER_VARIANTS.get(wanted.architecture, ())
    variants = older[older.index(wanted.variant) :] if wanted.variant in older else (wanted.variant,)
    return [Platform(wanted.os, wanted.architecture, variant) for variant in variants]


def local() -> Platform:
    """Return the platform of the machine that this runs on, as a container on it would have it."""
    return normalise("linux", _python_platform.machine())

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References: the names of images and charts, by docker's rules.

https://pkg.go.dev/github.com/distribution/reference has the grammar and the rules for short names.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import re

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidReference
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten

DOCKER_HUB = "docker.io"
LIBRARY = "library/"
# Names under which people and `docker login` write Docker Hub.
_DOCKER_HUB_ALIASES = ("docker.io", "index.docker.io", "registry-1.docker.io")

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*|\[[0-9A-Fa-f:]+\])"
    r"(?::[0-9]+)?"
)
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")
_NAME_LIMIT = 255


@dataclasses.dataclass(frozen=True, order=True)
class Reference:
    """Where an artifact is: a registry host, a repository path, and a tag, a digest or both.

    With both, the digest decides what is fetched and the tag is the name it gets.
    """

    host: str
    path: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.host}/{self.path}{tag}{digest}"

    @property
    def repository(self) -> str:
        """Host and path."""
        return f"{self.host}/{self.path}"

    @property
    def version(self) -> str:
        """What to ask the registry for: the digest where there is one, else the tag."""
        return self.digest or self.tag or "latest"


def parse(text: str) -> Reference:
    """Read a reference as `docker pull` does.

    `mysql` is `docker.io/library/mysql:latest`; without a tag and a digest, the tag is `latest`.

    :raises InvalidReference: if docker would not accept it, with the reason.
    """
    name, tag, digest = _split_version(text)
    host, path = _split_host(name)
    if host == DOCKER_HUB and path and "/" not in path:
        path = LIBRARY + path
    if tag is None and digest is None:
        tag = "latest"
    return _checked(text, Reference(host, path, tag, digest))


def parse_oci(text: str) -> Reference:
    """Read the `oci://` reference of a chart, as `helm pull` takes it, with the version as tag.

    The host is always written out, and `+` in a version, but nowhere else, is `_` in the tag
    (https://github.com/helm/helm/blob/v3.19.0/pkg/registry/reference.go).

    :raises InvalidReference: if it is no such reference, or names no version.
    """
    if not text.startswith("oci://"):
        raise InvalidReference(f"{shorten(text)} is no chart reference: it has to begin with oci://")
    name, tag, digest = _split_version(text[len("oci://") :])
    host, slash, path = name.partition("/")
    if not slash:
        raise InvalidReference(f"{shorten(text)} names no repository: write oci://host/path/chart:version")
    if tag is None and digest is None:
        raise InvalidReference(f"{shorten(text)} names no version: write oci://host/path/chart:version")
    return _checked(text, Reference(canonical_host(host), path, tag and tag.replace("+", "_"), digest))


def is_host(text: str) -> bool:
    """Tell whether a text can be a registry host, with a port or without."""
    return _HOST.fullmatch(text) is not None


def is_tag(text: str) -> bool:
    """Tell whether a text can be a tag."""
    return _TAG.fullmatch(text) is not None


def is_repository(text: str) -> bool:
    """Tell whether a text can be a repository path. What passes is safe as a relative file path."""
    return len(text) <= _NAME_LIMIT and _PATH.fullmatch(text) is not None


def aliases(path: str) -> tuple[str, ...]:
    """Return the other names under which a tree shows a repository.

    Official images of Docker Hub answer with and without `library/`: containerd asks for the first, people type the
    second.
    """
    if path.startswith(LIBRARY) and "/" not in path[len(LIBRARY) :]:
        return (path[len(LIBRARY) :],)
    return ()


def _split_version(text: str) -> tuple[str, str | None, str | None]:
    name, at, digest = text.partition("@")
    slash = name.rfind("/")
    colon = name.find(":", slash + 1)
    tag = None
    if colon >= 0:
        name, tag = name[:colon], name[colon + 1 :]
    return name, tag, digest if at else None


def _split_host(name: str) -> tuple[str, str]:
    first, slash, rest = name.partition("/")
    is_host = slash and ("." in first or ":" in first or first == "localhost" or first != first.lower())
    return (canonical_host(first), rest) if is_host else (DOCKER_HUB, name)


def canonical_host(host: str) -> str:
    """Return the one name of a registry host that may be written in several ways."""
    return DOCKER_HUB if host in _DOCKER_HUB_ALIASES else host


def _checked(text: str, reference: Reference) -> Reference:
    reason = _objection(text, reference)
    if reason:
        raise InvalidReference(f"{shorten(text)} is no usable reference: {reason}")
    return reference


def _objection(text: str, reference: Reference) -> str:
    """Return what is wrong with a reference; nothing if it is all right."""
    checks = (
        (_HOST.fullmatch(reference.host), f"{shorten(reference.host)} is no registry host"),
        (reference.path, "it names no repository"),
        (reference.path == reference.path.lower(), "a repository is written in lower case"),
        (_PATH.fullmatch(reference.path), f"{shorten(reference.path)} is no repository path"),
        (len(reference.path) <= _NAME_LIMIT, f"its repository is longer than {_NAME_LIMIT} characters"),
        (not _IMAGE_ID.fullmatch(text), "it is an image ID; registries know names only"),
        (reference.tag is None or is_tag(reference.tag), f"{shorten(reference.tag)} is no tag"),
        (
            reference.digest is None or _digest.is_digest(reference.digest),
            f"{shorten(reference.digest)} is no digest",
        ),
    )
    return next((reason for passed, reason in checks if not passed), "")

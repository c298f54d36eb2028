# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The configuration of the registry, and the file of its users.

https://distribution.github.io/distribution/about/configuration/
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError

# The registry knows no other kind of hash (https://distribution.github.io/distribution/about/configuration/#htpasswd).
_BCRYPT = re.compile(r"\$2[abxy]?\$[0-3][0-9]\$[./A-Za-z0-9]{53}")
_NAME = re.compile(r"[^\s:]+")


class ConfigError(SeahubError):
    """What was asked for makes no configuration."""


@dataclass(frozen=True)
class Paths:
    """Where the registry finds its files. They are the same in a container and on a host without an engine."""

    folder: str

    @property
    def config(self) -> str:
        """The configuration itself."""
        return f"{self.folder}/config.yml"

    @property
    def certificate(self) -> str:
        """The certificate of the server."""
        return f"{self.folder}/tls.crt"

    @property
    def private_key(self) -> str:
        """The private key of the server."""
        return f"{self.folder}/tls.key"

    @property
    def htpasswd(self) -> str:
        """Who may use it."""
        return f"{self.folder}/htpasswd"

    @property
    def storage_ca(self) -> str:
        """The CA that vouches for the storage on S3."""
        return f"{self.folder}/storage-ca.crt"


@dataclass(frozen=True)
class Wishes:
    """What the configuration is to say. `text` stands for all the rest."""

    port: int
    tree: str
    domain: str = "sea.hub"
    read_only: bool = True
    users: bool = False
    s3: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    text: str = ""


def render(wishes: Wishes, paths: Paths) -> bytes:
    """Return the configuration file. It is YAML, of which JSON is a part."""
    if wishes.text:
        return wishes.text.rstrip("\n").encode() + b"\n"
    document: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "info", "accesslog": {"disabled": True}},
        "storage": {
            **_driver(wishes),
            # No cache: the tree is changed from outside, and asking the filesystem costs next to nothing.
            "delete": {"enabled": False},
            "maintenance": {"readonly": {"enabled": wishes.read_only}, "uploadpurging": {"enabled": False}},
        },
        "http": {
            "addr": f":{wishes.port}",
            "headers": {"X-Content-Type-Options": ["nosniff"]},
            "tls": {"certificate": paths.certificate, "key": paths.private_key, "minimumtls": "tls1.2"},
        },
        "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
    }
    if wishes.users:
        document["auth"] = {"htpasswd": {"realm": wishes.domain, "path": paths.htpasswd}}
    return json.dumps(_merged(document, wishes.extra), indent=2).encode() + b"\n"


def htpasswd(users: Sequence[tuple[str, str]]) -> bytes:
    """Return the file of users.

    :param users: names and bcrypt hashes.
    :raises ConfigError: if the registry would not understand one. The message has no hash in it.
    """
    names = [name for name, _hash in users]
    for name, password_hash in users:
        if not _NAME.fullmatch(name):
            raise ConfigError(f"{name!r} is no name for a user: it must have no colon and no space")
        if names.count(name) > 1:
            raise ConfigError(f"the user {name} is there twice")
        if not _BCRYPT.fullmatch(password_hash):
            raise ConfigError(
                f"the password hash of the user {name} is no bcrypt hash, the only kind that the registry knows: "
                "make one with htpasswd -nB, it begins with $2y$"
            )
    return "".join(f"{name}:{password_hash}\n" for name, password_hash in users).encode()


def _driver(wishes: Wishes) -> dict[str, Any]:
    if not wishes.s3:
        return {"filesystem": {"rootdirectory": wishes.tree}}
    for name in ("region", "bucket"):
        if not wishes.s3.get(name):
            raise ConfigError(f"the storage on S3 needs a {name}")
    driver = dict(wishes.s3)
    if driver.get("regionendpoint"):
        # Few services but AWS's have a name for each bucket. The registry itself presumes that since version 3:
        # https://github.com/distribution/distribution/blob/v3.0.0/docs/content/storage-drivers/s3.md
        driver.setdefault("forcepathstyle", True)
    # Clients know the registry, and trust it; of the storage behind it they know nothing.
    return {"s3": driver, "redirect": {"disable": True}}


def _merged(document: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one document over another: dictionaries are merged, a null takes away, anything else takes the place."""
    result = dict(document)
    for key, value in extra.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _merged(result[key], value)
        else:
            result[key] = value
    return result

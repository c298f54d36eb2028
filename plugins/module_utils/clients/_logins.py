# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files in which clients keep the passwords for registries: a JSON object with `auths`, by host.

docker, podman and its kin, and helm share the format; only the places differ.
https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import base64
import contextlib
import json
import os
import tempfile
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError

# Below the home of a user. Podman's own default lies in /run and is lost when the host starts anew; it reads this one
# next. Helm's and docker's are those that `helm registry login` and `docker login` write.
PLACES = {
    "docker": ".docker/config.json",
    "containers": ".config/containers/auth.json",
    "helm": ".config/helm/registry/config.json",
}


class LoginError(SeahubError):
    """A file of passwords that cannot be read or written."""


def with_login(text: str, registry: str, username: str, password: str) -> str:
    """Return the text with a password for a registry; what is there for others stays.

    :raises LoginError: if the text is none that a client could read.
    """
    document = _load(text)
    login = {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}
    document["auths"] = {**_table(document, "auths"), registry: login}
    # A helper for all registries would be asked in place of this file: an empty one sends docker back to it.
    helpers = _table(document, "credHelpers")
    if (document.get("credsStore") or registry in helpers) and helpers.get(registry) != "":
        document["credHelpers"] = {**helpers, registry: ""}
    return text if document == _load(text) else _dump(document, text)


def without_login(text: str, before: str, registry: str, is_new: bool) -> str:
    """Return the text with what it had for a registry before, and nothing where it had nothing.

    :param before: the text before there was a login of ours in it.
    :param is_new: whether there was no file before: then what is empty goes.
    :raises LoginError: if a text is none that a client could read.
    """
    document, earlier = _load(text), _load(before)
    for name in ("auths", "credHelpers"):
        table, old = _table(document, name), _table(earlier, name)
        table = {host: said for host, said in table.items() if host != registry}
        table.update({registry: old[registry]} if registry in old else {})
        if table or (name in earlier and not is_new):
            document[name] = table
        else:
            document.pop(name, None)
    if document == _load(text):
        return text
    return "" if is_new and not document else _dump(document, text)


def pull_secret(name: str, namespace: str, registry: str, username: str, password: str) -> str:
    """Return the manifest of a Kubernetes secret to pull with.

    It is JSON, which is YAML, too: `kubectl apply` takes both.
    https://kubernetes.io/docs/tasks/configure-pod-container/pull-image-private-registry/
    """
    data = base64.b64encode(with_login("", registry, username, password).encode()).decode()
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata,
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": data},
    }
    return json.dumps(manifest, indent=2) + "\n"


def read(path: str) -> str:
    """Return what a file holds; nothing if there is none.

    :raises LoginError: if it cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise LoginError(f"{path} cannot be read: {error}") from error


def write(path: str, text: str) -> None:
    """Write a file that only its owner may read, who is the owner of the nearest folder above; none without text.

    :raises LoginError: if it cannot be written.
    """
    path = os.path.realpath(path)
    if not text:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        return
    temporary = ""
    try:
        owner = _make_folders(os.path.dirname(path))
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".seahub-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o600)
        os.chown(temporary, *owner)
        os.replace(temporary, path)
    except OSError as error:
        if temporary:
            os.unlink(temporary)
        raise LoginError(f"{path} cannot be written: {error}") from error


def is_private(path: str) -> bool:
    """Tell whether nobody but its owner may read a file, or there is none."""
    try:
        return os.stat(path).st_mode & 0o077 == 0
    except FileNotFoundError:
        return True


def _make_folders(folder: str) -> tuple[int, int]:
    """Make folders that only the owner of the one above may enter; return who that is."""
    if not os.path.isdir(folder):
        owner = _make_folders(os.path.dirname(folder))
        os.mkdir(folder, 0o700)
        os.chown(folder, *owner)
        return owner
    found = os.stat(folder)
    return found.st_uid, found.st_gid


def _load(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text) if text.strip() else {}
    except ValueError as error:
        # The error's own words name a place in the text, never a piece of it.
        raise LoginError(f"a file of passwords is no JSON: {error}. Repair or remove it") from None
    if not isinstance(document, dict):
        raise LoginError("a file of passwords holds no object: no client can read it. Repair or remove it")
    return document


def _table(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise LoginError(f"{name} in a file of passwords is no object: no client can read it. Repair or remove it")
    return found


def _dump(document: dict[str, Any], like: str) -> str:
    indent = "\t" if "\n\t" in like else 2
    return json.dumps(document, indent=indent, ensure_ascii=False) + "\n"

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The registry mirrors in docker's daemon.json; every other key stays, in its order.

https://docs.docker.com/reference/cli/dockerd/#daemon-configuration-file
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import json
import re
from typing import Any, Collection, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError

KEY = "registry-mirrors"
_INDENT = re.compile(r"^\{\s*?\n([ \t]+)\S")


class DaemonJsonError(SeahubError):
    """A daemon.json that docker could not read either."""


def with_mirrors(text: str | None, wanted: Sequence[str]) -> str:
    """Return the text with mirrors put before those that are there.

    :param text: the content of daemon.json; None where there is no such file.
    :raises DaemonJsonError: if it cannot be understood.
    """
    document = _load(text or "")
    present = _list(document)
    document[KEY] = [*wanted, *(mirror for mirror in present if mirror not in wanted)]
    return text if text is not None and document[KEY] == present else _dump(document, text or "")


def without_mirrors(text: str, unwanted: Collection[str], keep_list: bool) -> str:
    """Return the text without some mirrors.

    :param keep_list: whether a list that becomes empty stays.
    """
    document = _load(text)
    rest = [mirror for mirror in _list(document) if mirror not in unwanted]
    if rest or keep_list:
        document[KEY] = rest
    else:
        document.pop(KEY, None)
    return _dump(document, text)


def mirrors(text: str) -> list[str]:
    """Return the mirrors, in their order."""
    return _list(_load(text))


def has_mirrors(text: str) -> bool:
    """Tell whether the list of mirrors is there, were it empty."""
    return KEY in _load(text)


def _list(document: dict[str, Any]) -> list[str]:
    found = document.get(KEY) or []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise DaemonJsonError(f"{KEY} in docker's daemon.json is no list of addresses: docker would refuse it, too")
    return found


def _load(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        document = json.loads(text)
    except ValueError as error:
        raise DaemonJsonError(
            f"docker's daemon.json is no JSON ({error}): docker cannot read it either; repair it first"
        ) from error
    if not isinstance(document, dict):
        raise DaemonJsonError("docker's daemon.json holds no object: docker cannot read it either; repair it first")
    return document


def _dump(document: dict[str, Any], like: str) -> str:
    """Write it as it was written: with its indentation, or in one line."""
    match = _INDENT.match(like)
    indent: Any = match.group(1) if match else (None if like.strip() and "\n" not in like.strip() else 2)
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    return text + ("" if like.strip() and not like.endswith("\n") else "\n")

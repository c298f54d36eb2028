# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names of files in a tree and beside it, as they stand in an archive.

https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/paths.go
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import re

from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _reference
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock, _presumption
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import LAYOUT

LOCK = _lock.FILE
DELTA = _presumption.FILE
_SINGLE = {LOCK: "lock", DELTA: "delta"}
TOOLS = "tools"
"""The folder with what a bundle carries beside its tree."""
_DIGEST = r"(?P<algorithm>[a-z0-9]+)/(?P<encoded>[0-9a-f]+)"
_REPOSITORY = re.escape(LAYOUT) + r"/repositories/(?P<repository>[^_][^\0]*?)"
_KINDS = {
    "blob": re.escape(LAYOUT) + r"/blobs/(?P<algorithm>[a-z0-9]+)/(?P<prefix>[0-9a-f]{2})/(?P<encoded>[0-9a-f]+)/data",
    "layer": _REPOSITORY + r"/_layers/" + _DIGEST + "/link",
    "manifest": _REPOSITORY + r"/_manifests/revisions/" + _DIGEST + "/link",
    "tag": _REPOSITORY + r"/_manifests/tags/(?P<tag>[^/]+)/current/link",
    "tag_index": _REPOSITORY + r"/_manifests/tags/(?P<tag>[^/]+)/index/" + _DIGEST + "/link",
}
# The names of wheels and of collections: no folder, nothing hidden, nothing that a shell or another system takes amiss.
_TOOL = re.compile(re.escape(TOOLS) + r"/(?P<name>[A-Za-z0-9][A-Za-z0-9._+-]{0,199})")
_PATTERNS = {kind: re.compile(pattern) for kind, pattern in _KINDS.items()}


@dataclasses.dataclass(frozen=True)
class Item:
    """What a file in a tree is.

    - kind: `lock`, `blob`, `layer`, `manifest`, `tag` (where it points now) or `tag_index` (a manifest it had);
      `delta`, which says what a delta presumes; or `tool`, which lies beside the tree.
    - repository, tag, digest: of what; empty where the kind has none.
    - name: of a tool.
    """

    kind: str
    repository: str = ""
    tag: str = ""
    digest: str = ""
    name: str = ""


def blob(digest: str) -> str:
    """Return the name of a blob."""
    algorithm, encoded = _digest.split(digest)
    return f"{LAYOUT}/blobs/{algorithm}/{encoded[:2]}/{encoded}/data"


def layer(repository: str, digest: str) -> str:
    """Return the name of the link that makes a blob available in a repository."""
    return f"{LAYOUT}/repositories/{repository}/_layers/{_path(digest)}/link"


def manifest(repository: str, digest: str) -> str:
    """Return the name of the link that makes a manifest available in a repository."""
    return f"{LAYOUT}/repositories/{repository}/_manifests/revisions/{_path(digest)}/link"


def tag(repository: str, name: str) -> str:
    """Return the name of the link that says where a tag points."""
    return f"{LAYOUT}/repositories/{repository}/_manifests/tags/{name}/current/link"


def tag_index(repository: str, name: str, digest: str) -> str:
    """Return the name of the link that says that a tag had a manifest."""
    return f"{LAYOUT}/repositories/{repository}/_manifests/tags/{name}/index/{_path(digest)}/link"


def tool(name: str) -> str:
    """Return the name of a file that is carried beside the tree."""
    return f"{TOOLS}/{name}"


def parse(name: str) -> Item | None:
    """Tell what a file is by its name, or None if neither a tree nor what is carried beside it has such a file.

    What passes holds a proper digest, repository, tag or plain file name: no other name can be made of it than one
    inside a tree or the folder beside it.
    """
    if name in _SINGLE:
        return Item(_SINGLE[name])
    match = _TOOL.fullmatch(name)
    if match is not None:
        return Item("tool", name=match["name"])
    for kind, pattern in _PATTERNS.items():
        match = pattern.fullmatch(name)
        if match is not None:
            return _item(kind, match.groupdict())
    return None


def _item(kind: str, parts: dict[str, str]) -> Item | None:
    digest = f"{parts['algorithm']}:{parts['encoded']}" if "encoded" in parts else ""
    item = Item(kind, parts.get("repository", ""), parts.get("tag", ""), digest)
    good = (
        (not digest or _digest.is_digest(digest))
        and parts.get("prefix", "") in ("", parts.get("encoded", "")[:2])
        and (kind == "blob" or _reference.is_repository(item.repository))
        and (not item.tag or _reference.is_tag(item.tag))
    )
    return item if good else None


def _path(digest: str) -> str:
    return "/".join(_digest.split(digest))

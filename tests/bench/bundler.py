# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules do, without Ansible around it: `python -m tests.bench.bundler pack TREE FILE`.

The others are `unpack FILE TREE`, `check PATH`, `push PATH HOST`, `pack-squashfs TREE FILE` and `mount FILE FOLDER`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _check
from ansible_collections.seahub.offline.plugins.module_utils.mounting import _stack
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.saving import _save_module
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _push, _unpack
from ansible_collections.seahub.offline.plugins.module_utils.transfer._push import Names, Pusher
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree


def pack(tree: str, path: str) -> bool:
    """Pack a tree; tell whether all went well."""
    return _bundle.pack(open_source(tree), path, _progress.ignore).changed


def pack_squashfs(tree: str, path: str) -> bool:
    """Pack a tree for mounting."""
    return _bundle.pack(open_source(tree), path, _progress.ignore, packing=Packing(format=_bundle.SQUASHFS)).changed


def mount(path: str, folder: str) -> bool:
    """Mount a bundle, but not at boot."""
    stack = _stack.describe([path], folder, None)
    _stack.carry_out(stack, False, _progress.ignore, f"{folder}.fstab")
    return True


def unpack(path: str, tree: str) -> bool:
    """Unpack a bundle."""
    return _unpack.unpack(open_source(path), Tree(tree), _unpack.ERROR, _progress.ignore).plan.changed


def check(path: str) -> bool:
    """Read and hash all of a tree or a bundle."""
    return _check.check_source(open_source(path)).ok


def push(path: str, host: str) -> bool:
    """Push a tree or a bundle to a registry."""
    parallel = int(_save_module.ARGUMENTS["parallel"]["default"])
    registries = Registries(default=Settings(plain_http=True), parallel=parallel)
    source = open_source(path)
    pusher = Pusher(source, lambda path: registries.destination(host, path), RetryPolicy(), parallel)
    return not pusher.push(_push.name_all(source.lock.references, Names().of, aliases=False)).failures


WORKS: dict[str, Callable[..., bool]] = {
    "pack": pack,
    "pack-squashfs": pack_squashfs,
    "mount": mount,
    "unpack": unpack,
    "check": check,
    "push": push,
}


if __name__ == "__main__":
    sys.exit(not WORKS[sys.argv[1]](*sys.argv[2:]))

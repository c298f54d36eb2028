# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Packs, unpacks, prunes and pushes in processes of their own, which a test can kill: `python -m tests.registry.works`.

For each line, such as `pack TREE BUNDLE`, it begins a process, says its id, and then how it ended.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _bundle
from ansible_collections.seahub.offline.plugins.module_utils.bundles._bundle import Packing
from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.module_utils.keeping import _prune
from ansible_collections.seahub.offline.plugins.module_utils.keeping._quarantine import Batch
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _push, _unpack, _upload
from ansible_collections.seahub.offline.plugins.module_utils.transfer._push import Names, Pusher
from ansible_collections.seahub.offline.plugins.module_utils.trees._selection import Selection
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

CHUNK = 16 * 1024
"""Bytes of a part of a blob that is pushed."""


def main() -> None:
    """Run until there is no more input."""
    for line in sys.stdin:
        name, *arguments = line.split()
        process = os.fork()
        if not process:
            os._exit(run(name, arguments))
        sys.stdout.write(f"{process}\n")
        sys.stdout.flush()
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])}\n")
        sys.stdout.flush()


def run(name: str, arguments: list[str]) -> int:
    """Do one work; return the status of the process."""
    try:
        WORKS[name](*arguments)
    except Exception:  # noqa: BLE001  whatever it is, the test shall see it
        traceback.print_exc()
        return 1
    return 0


def pack(tree: str, bundle: str, part_size: str = "") -> None:
    """Pack a tree."""
    _bundle.pack(open_source(tree), bundle, _slowly, packing=Packing(int(part_size) if part_size else None))


def unpack(bundle: str, tree: str) -> None:
    """Unpack a bundle."""
    _unpack.unpack(open_source(bundle), Tree(tree), _unpack.ERROR, _slowly)


def prune(path: str, *keep: str) -> None:
    """Remove what is not to be kept."""
    tree = Tree(path)
    with tree.exclusive():
        _prune.prune(tree, _prune.plan(tree, Selection(keep)), Batch(tree))


def push(path: str, host: str) -> None:
    """Push a tree, its blobs in small parts."""
    _upload.CHUNK = CHUNK
    source = open_source(path)
    registries = Registries(default=Settings(plain_http=True))
    memory = _upload.Memory(Tree(path).private_path("uploads"))
    pusher = Pusher(source, lambda path: registries.destination(host, path), RetryPolicy(), 3, _slowly, memory)
    report = pusher.push(_push.name_all(source.lock.references, Names().of, aliases=False))
    if report.failures:
        raise RuntimeError(report.failures)


def _slowly(progress: Progress) -> None:
    """Wait a little at each step: the moments between them are hit more often then."""
    time.sleep(0.001)


WORKS: dict[str, Callable[..., None]] = {"pack": pack, "unpack": unpack, "prune": prune, "push": push}


if __name__ == "__main__":
    main()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The quarantine of a tree: what was removed lies there for a while, and can be put back.

A batch holds what one run removed, each file in the place that it had in the tree: copying the content of a batch over
the tree (`cp -a`) undoes the run. Moving is a rename within one filesystem, which takes no room and no time.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from typing import Iterator

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeNotWritable
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

_QUARANTINE, _DOOMED = "quarantine", "doomed"
_STAMP = "%Y%m%dT%H%M%SZ"
_BATCH = re.compile(r"(\d{8}T\d{6}Z)-\d+")
_DAY = 24 * 3600


class Batch:
    """Takes in what one run removes from a tree."""

    def __init__(self, tree: Tree, purge: bool = False) -> None:
        """Choose the place; nothing is created yet.

        :param purge: whether `sweep` removes the batch, whatever its age.
        """
        name = f"{time.strftime(_STAMP, time.gmtime())}-{os.getpid()}"
        self.path = tree.private_path(_DOOMED if purge else _QUARANTINE, name)
        self._root = tree.root

    def take(self, path: str) -> None:
        """Move a file or folder of the tree into the batch, atomically; it may be gone already.

        :raises TreeNotWritable: if that is not possible.
        """
        target = self._target(path)
        with _writing(self._root):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                os.rename(path, target)

    def copy(self, path: str) -> None:
        """Keep a copy of a file that will be replaced."""
        target = self._target(path)
        with _writing(self._root), contextlib.suppress(FileNotFoundError):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copy2(path, target)

    def _target(self, path: str) -> str:
        return os.path.join(self.path, os.path.relpath(path, self._root))


def expired(tree: Tree, days: int, now: float | None = None) -> dict[str, int]:
    """Return the batches that have lain there for longer than some days, with their sizes in bytes.

    What an earlier run began to delete is among them, whatever its age.
    """
    limit = time.strftime(_STAMP, time.gmtime((time.time() if now is None else now) - days * _DAY))
    old = [path for path in _batches(tree, _QUARANTINE) if os.path.basename(path)[: len(limit)] < limit]
    return {path: _size(path) for path in [*old, *_batches(tree, _DOOMED)]}


def batches(tree: Tree) -> list[str]:
    """Return the paths of all batches, the oldest first."""
    return list(_batches(tree, _QUARANTINE))


def sweep(tree: Tree, paths: Iterator[str] | list[str]) -> None:
    """Delete batches for good.

    :raises TreeNotWritable: if that is not possible.
    """
    with _writing(tree.root):
        for path in paths:
            doomed = tree.private_path(_DOOMED, os.path.basename(path))
            if path != doomed:
                # At once, so that no half of a batch is ever taken for the whole.
                os.makedirs(os.path.dirname(doomed), exist_ok=True)
                os.rename(path, doomed)
            shutil.rmtree(doomed)


def _batches(tree: Tree, kind: str) -> Iterator[str]:
    folder = tree.private_path(kind)
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return (os.path.join(folder, name) for name in names if _BATCH.fullmatch(name))


def _size(path: str) -> int:
    return sum(
        os.lstat(os.path.join(folder, name)).st_size for folder, _folders, names in os.walk(path) for name in names
    )


@contextlib.contextmanager
def _writing(root: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise TreeNotWritable(
            f"something in the tree {root} cannot be removed: {error.strerror} ({error.filename})"
        ) from error

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks of sending, beside `rsync -a` over the same sshd in the same run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.lab import packages

from .content import ImageSet
from .measure import Measured, ratio, run, show
from .sshd import SSHD, Server, sshd

MIB = 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]
LARGE = ImageSet("sent", images=32, layers=4, shared=0, layer_bytes=14400 * 1024)
MANY = ImageSet("blobs", images=1000, layers=3, shared=0, layer_bytes=1024)
PLAY = Path(__file__).with_name("sync.yml")


def sync(work: Path, rounds: int) -> None:
    """A first send of 1.8 GiB: the task, the playbook with nothing but it, rsync, and rsync until the disk has it."""
    source = source_tree(LARGE, work)
    target = work / "target"
    task, whole = [], []
    peer: list[Measured] = []
    flushed: list[Measured] = []
    with sshd(work) as server:
        for _round in range(rounds):
            shutil.rmtree(target, ignore_errors=True)
            whole.append(_play(server, work, source, target))
            task.append(_task(work, whole[-1]))
            for measured, command in ((peer, "true"), (flushed, f"sync -f {target}")):
                shutil.rmtree(target, ignore_errors=True)
                measured.append(_rsync(server, source, target, command))
    show(
        f"sync: {LARGE.size / MIB:.0f} MiB, {rounds} rounds",
        {"task": task, "playbook": whole, "rsync -a": peer, "rsync -a; sync": flushed},
    )
    ratio("task / rsync -a", task, peer)
    ratio("task / (rsync -a; sync)", task, flushed)


def unchanged(work: Path, rounds: int) -> None:
    """A tree of 5,000 blobs that is there already."""
    source = source_tree(MANY, work)
    target = work / "unchanged"
    with sshd(work) as server:
        _play(server, work, source, target)
        task, whole, peer = [], [], []
        for _round in range(rounds):
            whole.append(_play(server, work, source, target))
            task.append(_task(work, whole[-1]))
            peer.append(_rsync(server, source, target))
    show("unchanged: 5000 blobs", {"task": task, "playbook": whole, "rsync -a": peer})


BENCHMARKS: dict[str, Callable[[Path, int], None]] = {"sync": sync, "unchanged": unchanged}


def source_tree(images: ImageSet, work: Path) -> Path:
    """Make a tree with its lock, unless it is there."""
    packages.install([name for name, path in (("openssh-server", SSHD), ("rsync", "rsync")) if not shutil.which(path)])
    path = work / f"source-{images.name}"
    if not path.exists():
        images.make(path)
        tree = Tree(str(path))
        _lock.write(tree, _lock.Lock().with_entries(_entry(tree, *reference) for reference in images.references))
    return path


def _entry(tree: Tree, name: str, tag: str) -> _lock.Entry:
    manifest = tree.manifest(name, tag)
    return _lock.Entry(
        requested=f"{name}:{tag}",
        source=f"localhost/{name}:{tag}",
        kind="image",
        name=name,
        tag=tag,
        digest=manifest.digest,
        media_type=manifest.media_type,
        platforms=("linux/amd64",),
        blobs={manifest.digest: len(manifest.raw), **{blob.digest: blob.size for blob in manifest.blobs}},
    )


def _play(server: Server, work: Path, source: Path, target: Path) -> Measured:
    variables = {
        "source": str(source),
        "target": str(target),
        "work": str(work),
        "ansible_ssh_args": f"{server.options} -o ControlMaster=auto -o ControlPersist=60s",
        "ansible_control_path_dir": str(server.folder),
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    (work / "sync.json").write_text(json.dumps(variables))
    return run(["ansible-playbook", "-i", "127.0.0.1,", "-e", f"@{work / 'sync.json'}", PLAY], cwd=ROOT)


def _task(work: Path, whole: Measured) -> Measured:
    began, ended = (float((work / name).read_text()) for name in ("began", "ended"))
    return Measured(ended - began, whole.mebibytes)


def _rsync(server: Server, source: Path, target: Path, afterwards: str = "true") -> Measured:
    command = f'rsync -a --rsh "ssh {server.options}" {source}/ root@127.0.0.1:{target}/ && {afterwards}'
    return run(["sh", "-c", command])

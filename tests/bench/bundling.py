# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks of bundles and trees, beside tar, sha256sum and skopeo on the same bytes in the same run.

What the collection writes is on the disk when it says so. Of its peers that is measured as well, beside what they do by
themselves: `tar` leaves it to the system.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

from .content import ImageSet
from .measure import Measured, ratio, run, show
from .saving import HUGE, MIB, PLAIN, ROOT
from .servers import registry

# As the collection, the peers hash what has been read: cores are there for both.
_TAR = 'tar cf "$2" -C "$1" . && sha256sum "$2" > "$2.sha256"'
_UNTAR = 'mkdir "$2" && sha256sum "$1" > "$2.sha256" && tar xf "$1" -C "$2"'
_SUMS = 'find "$1/docker/registry/v2/blobs" -name data -print0 | xargs -0 -n 4 -P "$(nproc)" sha256sum > /dev/null'


def pack(work: Path, rounds: int) -> None:
    """A tree of 1.8 GiB into a bundle with its checksum: the engine, and tar and sha256sum."""
    tree, bundle, archive = source_tree(PLAIN, work), work / "bundle.tar", work / "peer.tar"
    own, peer, synced = _turns(
        rounds,
        lambda: engine("pack", tree, bundle),
        lambda: _shell(_TAR, tree, archive),
        lambda: _shell(f'{_TAR} && sync -f "$2"', tree, archive),
        outputs=[bundle, archive],
    )
    _report("pack", PLAIN, "tar cf; sha256sum", own, peer, synced)


def unpack(work: Path, rounds: int) -> None:
    """A bundle of 1.8 GiB into a tree, verified: the engine, and sha256sum and tar."""
    bundle, tree, folder = _bundle(PLAIN, work), work / "unpacked", work / "peer"
    own, peer, synced = _turns(
        rounds,
        lambda: engine("unpack", bundle, tree),
        lambda: _shell(_UNTAR, bundle, folder),
        lambda: _shell(f'{_UNTAR} && sync -f "$2"', bundle, folder),
        outputs=[tree, folder],
    )
    _report("unpack", PLAIN, "sha256sum; tar xf", own, peer, synced)


def check(work: Path, rounds: int) -> None:
    """A tree of 1.8 GiB read and hashed: the engine, and sha256sum on all processors."""
    tree = source_tree(PLAIN, work)
    own, peer = _turns(rounds, lambda: engine("check", tree), lambda: _shell(_SUMS, tree))
    _report("check", PLAIN, "sha256sum", own, peer)


def push(work: Path, rounds: int) -> None:
    """A tree of 1.8 GiB to an empty registry: the engine, and skopeo from its own layout on disk."""
    tree, folder = source_tree(PLAIN, work), _skopeo_folder(PLAIN, work)
    own, peer = _turns(rounds, lambda: _push(work, tree), lambda: _skopeo(work, folder))
    _report("push", PLAIN, "skopeo sync", own, peer)


def memory_of_bundles(work: Path, rounds: int) -> None:
    """One blob of 4 GiB packed, checked, unpacked and pushed: the engine's memory."""
    tree, bundle, unpacked = source_tree(HUGE, work), work / "huge.tar", work / "huge"
    measured: dict[str, list[Measured]] = {"pack": [], "check": [], "unpack": [], "push": []}
    for _round in range(min(rounds, 2)):
        clear(bundle, unpacked)
        measured["pack"].append(engine("pack", tree, bundle))
        measured["check"].append(engine("check", bundle))
        measured["unpack"].append(engine("unpack", bundle, unpacked))
        measured["push"].append(_push(work, bundle))
    show(f"memory of bundles: one blob of {HUGE.size // MIB} MiB", measured)


BENCHMARKS: dict[str, Callable[[Path, int], None]] = {
    "pack": pack,
    "unpack": unpack,
    "check": check,
    "push": push,
    "bundle-memory": memory_of_bundles,
}


def _turns(rounds: int, *works: Callable[[], Measured], outputs: list[Path] | None = None) -> Iterator[list[Measured]]:
    """Do the works in turn; return what was measured of each. None begins with what another has left to the disk."""
    measured: list[list[Measured]] = [[] for _work in works]
    for _round in range(rounds):
        for work, values in zip(works, measured, strict=True):
            clear(*(outputs or []))
            os.sync()
            values.append(work())
    return iter(measured)


def _report(
    name: str,
    images: ImageSet,
    peer_name: str,
    engine: list[Measured],
    peer: list[Measured],
    synced: list[Measured] | None = None,
) -> None:
    more = {f"{peer_name}; sync": synced} if synced else {}
    title = f"{name}: {images.size / MIB:.0f} MiB, {len(engine)} rounds"
    show(title, {"engine": engine, peer_name: peer, **more})
    ratio(f"engine / ({peer_name})", engine, peer)
    if synced:
        ratio(f"engine / ({peer_name}; sync)", engine, synced)


def source_tree(images: ImageSet, work: Path) -> Path:
    """Return a tree of these images with its lock."""
    root = work / f"source-{images.name}"
    if not root.exists():
        images.make(root)
    if not (root / _lock.FILE).exists():
        tree = Tree(str(root))
        entries = [_entry(tree, *reference) for reference in images.references]
        _lock.write(tree, _lock.Lock().with_entries(entries))
    return root


def _entry(tree: Tree, name: str, tag: str) -> _lock.Entry:
    manifest = tree.manifest(name, tag)
    blobs = {blob.digest: blob.size for blob in manifest.blobs} | {manifest.digest: len(manifest.raw)}
    shown = f"{name}:{tag}"
    return _lock.Entry(shown, shown, "image", name, tag, manifest.digest, manifest.media_type, blobs=blobs)


def _bundle(images: ImageSet, work: Path) -> Path:
    path = work / f"{images.name}.tar"
    if not path.exists():
        engine("pack", source_tree(images, work), path)
    return path


def _skopeo_folder(images: ImageSet, work: Path) -> Path:
    """Return the images as skopeo keeps them: a folder for each, here with links to the blobs of the tree."""
    folder = work / "skopeo-source"
    tree = Tree(str(source_tree(images, work)))
    for name, tag in images.references:
        image = folder / f"{name}:{tag}"
        if image.exists():
            continue
        image.mkdir(parents=True)
        manifest = tree.manifest(name, tag)
        (image / "version").write_text("Directory Transport Version: 1.1\n")
        (image / "manifest.json").write_bytes(manifest.raw)
        for blob in manifest.blobs:
            os.link(tree.blob_path(blob.digest), image / blob.digest.partition(":")[2])
    return folder


def engine(*arguments: str | Path) -> Measured:
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}"}
    return run([sys.executable, "-m", "tests.bench.bundler", *arguments], cwd=ROOT, env=path)


def _shell(script: str, *arguments: Path) -> Measured:
    return run(["sh", "-c", script, "peer", *arguments])


def _push(work: Path, source: Path) -> Measured:
    with registry(_empty(work), work) as host:
        return engine("push", source, host)


def _skopeo(work: Path, folder: Path) -> Measured:
    command = ["skopeo", "sync", "--src", "dir", "--dest", "docker", "--dest-tls-verify=false"]
    with registry(_empty(work), work) as host:
        return run([*command, folder, f"{host}/bench"])


def _empty(work: Path) -> Path:
    storage = work / "storage"
    clear(storage)
    return storage


def clear(*paths: Path) -> None:
    for path in paths:
        shutil.rmtree(path, ignore_errors=True)
        for file in path.parent.glob(f"{path.name}*"):
            if file.is_file():
                file.unlink()

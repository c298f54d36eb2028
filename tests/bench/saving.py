# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmarks of saving, each beside a peer in the same run: machines are noisy, ratios hold."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .content import ImageSet
from .line import bad_line
from .measure import Measured, ratio, run, show
from .servers import registry

MIB = 1024 * 1024
ROOT = Path(__file__).resolve().parents[2]
PLAIN = ImageSet("plain", images=30, layers=6, shared=2, layer_bytes=15 * MIB)
SMALL = ImageSet("small", images=30, layers=6, shared=2, layer_bytes=64 * 1024)
HUGE = ImageSet("huge", images=1, layers=1, shared=0, layer_bytes=4096 * MIB)
MANY = ImageSet("many", images=100, layers=3, shared=1, layer_bytes=4096, tags=10)


def save(work: Path, pairs: int) -> None:
    """30 images of 6 layers of 15 MiB: the engine, skopeo sync, cp and sha256sum, and the whole build.yml, in turn."""
    with _served(PLAIN, work) as (storage, host):
        engine, peer, limit, whole = [], [], [], []
        for _pair in range(pairs):
            engine.append(_engine(PLAIN, work, host))
            peer.append(_skopeo(PLAIN, work, host))
            limit.append(_copy(storage, work))
            whole.append(_build(PLAIN, work, host))
    show(
        f"save: {PLAIN.images} images, {PLAIN.size / MIB:.0f} MiB, {pairs} rounds",
        {"engine": engine, "skopeo sync": peer, "cp and sha256sum": limit, "build.yml": whole},
    )
    ratio("engine / skopeo sync", engine, peer)
    ratio("engine / (cp and sha256sum)", engine, limit)
    ratio("build.yml / skopeo sync", whole, peer)


def memory(work: Path, pairs: int) -> None:
    """One blob of 4 GiB: the engine's memory."""
    with _served(HUGE, work) as (_storage, host):
        engine = [_engine(HUGE, work, host) for _round in range(min(pairs, 2))]
    show("memory: one blob of 4096 MiB", {"engine": engine})


def again(work: Path, pairs: int) -> None:
    """1,000 references with nothing new."""
    with _served(MANY, work) as (_storage, host):
        tree = work / "again"
        _engine(MANY, work, host, tree)
        engine = [_engine(MANY, work, host, tree, keep=True) for _round in range(pairs)]
    show("again: 1000 references, nothing new", {"engine": engine})


def line(work: Path, pairs: int) -> None:
    """30 images of small layers over a line with 50 ms round trips and 1 % broken connections: the engine, skopeo."""
    with _served(SMALL, work) as (_storage, near), bad_line(near, round_trip=0.05, broken=0.01) as host:
        engine, peer = [], []
        for _pair in range(pairs):
            engine.append(_engine(SMALL, work, host))
            peer.append(_skopeo(SMALL, work, host))
    show(f"line: {SMALL.images} images of small layers, 50 ms, 1 % broken", {"engine": engine, "skopeo sync": peer})
    ratio("skopeo sync / engine", peer, engine)


BENCHMARKS: dict[str, Callable[[Path, int], None]] = {"save": save, "memory": memory, "again": again, "line": line}


@contextmanager
def _served(images: ImageSet, work: Path) -> Iterator[tuple[Path, str]]:
    storage = work / f"source-{images.name}"
    if not storage.exists():
        images.make(storage)
    (work / f"{images.name}.txt").write_text("".join(f"{name}:{tag}\n" for name, tag in images.references))
    with registry(storage, work) as host:
        yield storage, host


def _engine(images: ImageSet, work: Path, host: str, tree: Path | None = None, keep: bool = False) -> Measured:
    tree = tree or work / "tree"
    if not keep:
        shutil.rmtree(tree, ignore_errors=True)
    path = {"PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}"}
    return run(
        [sys.executable, "-m", "tests.bench.engine", tree, host, work / f"{images.name}.txt"], cwd=ROOT, env=path
    )


def _skopeo(images: ImageSet, work: Path, host: str) -> Measured:
    storage = work / "skopeo"
    shutil.rmtree(storage, ignore_errors=True)
    source = work / "skopeo.yml"
    listed: dict[str, list[str]] = {}
    for name, tag in images.references:
        listed.setdefault(name, []).append(tag)
    source.write_text(json.dumps({host: {"images": listed, "tls-verify": False}}))
    command = ["skopeo", "sync", "--retry-times", "5", "--src", "yaml", "--dest", "docker", "--dest-tls-verify=false"]
    with registry(storage, work) as target:
        return run([*command, source, f"{target}/copy"])


def _copy(storage: Path, work: Path) -> Measured:
    target = work / "copy"
    shutil.rmtree(target, ignore_errors=True)
    script = 'cp -r "$1" "$2" && find "$2" -name data -print0 | xargs -0 sha256sum > /dev/null'
    return run(["sh", "-c", script, "copy", storage, target])


def _build(images: ImageSet, work: Path, host: str) -> Measured:
    site = work / "site"
    shutil.rmtree(site, ignore_errors=True)
    references = [f"{host}/{name}:{tag}" for name, tag in images.references]
    variables = {
        "seahub_tree": str(site / "tree"),
        "seahub_bundle": str(site / "bundle.tar"),
        "seahub_images": references[1:],
        "seahub_registry_image": references[0],
        "seahub_registries": {host: {"plain_http": True}},
    }
    (work / "build.json").write_text(json.dumps(variables))
    return run(["ansible-playbook", "build.yml", "-e", f"@{work / 'build.json'}"], cwd=ROOT)

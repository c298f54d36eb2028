# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Saving from a registry that misbehaves: what heals, what is an error, and that no tag ever lacks anything."""

from __future__ import annotations

import dataclasses
import email.utils
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import TreeBusy, TreeError
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Settings
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.saving import _download
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import Report
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.lab import certificates
from tests.lab.certificates import Certificates
from tests.registry import content, faults, saving
from tests.registry.closure import broken_tags
from tests.registry.content import IMAGES, LAYER
from tests.registry.faults import BLOBS, MANIFESTS, Fault
from tests.registry.guards import Basic, Bearer
from tests.registry.messages import Ending, Reply, Request
from tests.registry.server import Registry
from tests.unit.trees import files, layer_bytes

# The digest of the layer that three of the images share, and one that is in team/app alone.
SHARED = _digest.hash_bytes(layer_bytes(1, LAYER))
OWN = _digest.hash_bytes(layer_bytes(2, LAYER))
HALF = LAYER // 2

Faults = Callable[[], list[Fault]]


@pytest.fixture(name="tmp_path")
def fixture_tmp_path(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: on a disk each saving waits for what others are writing to it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(name="upstream", scope="module")
def fixture_upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree that the registries serve."""
    root = tmp_path_factory.mktemp("registry") / "tree"
    content.make(root)
    return root


@pytest.fixture(name="undisturbed", scope="module")
def fixture_undisturbed(upstream: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of a tree into which everything was saved without any fault."""
    root = tmp_path_factory.mktemp("undisturbed") / "tree"
    with Registry(upstream) as registry:
        save(root, registry)
    return files(root)


@pytest.fixture(name="certificates", scope="module")
def fixture_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """What a registry needs that speaks https."""
    directory = tmp_path_factory.mktemp("certificates")
    certificates.make(directory)
    return Certificates(directory)


@pytest.fixture(name="registry")
def fixture_registry(upstream: Path) -> Iterator[Registry]:
    """A registry without faults as yet."""
    with Registry(upstream) as registry:
        yield registry


def save(root: Path, registry: Registry, images: tuple[str, ...] = IMAGES, **options: Any) -> Report:
    """Save images of a registry; whatever comes of it, each tag has all that it needs."""
    with saving.registries(**options) as known:
        try:
            return saving.save(root, registry.host, images, known)
        finally:
            assert broken_tags(root) == []


def errors(report: Report) -> dict[str, str]:
    """Return what could not be saved, by image, and why."""
    return {failure.label: str(failure.error) for failure in report.failures}


def once(change: faults.Change, path: str = OWN, **when: Any) -> Faults:
    """One answer is spoiled."""
    return lambda: [Fault(change, path, **when)]


def resumed(change: faults.Change) -> Faults:
    """A layer is cut in its middle, and the request for the rest is answered wrongly."""
    return lambda: [Fault(faults.truncated(HALF), OWN), Fault(change, OWN, first=2)]


def in_seconds(seconds: float) -> str:
    """Return a moment as `Retry-After` gives it."""
    return email.utils.formatdate(time.time() + seconds, usegmt=True)


HEALING: dict[str, Faults] = {
    "a body cut at its start": once(faults.truncated(0)),
    "a body cut in the middle": once(faults.truncated(HALF)),
    "a body cut before its last byte": once(faults.truncated(LAYER - 1)),
    "a connection reset in the middle": once(faults.truncated(HALF, Ending.RESET)),
    "a connection reset before the answer": once(faults.truncated(0, Ending.RESET)),
    "a connection that falls silent": once(faults.truncated(HALF, Ending.STALL)),
    "a connection that falls silent again and again": once(faults.truncated(HALF, Ending.STALL), times=2),
    "a slow drip": once(faults.dripping(300)),
    "a slow drip of headers": once(faults.dripping_head(30)),
    "a slow drip after a cut": resumed(faults.dripping(300)),
    "cuts at every 40 kB": once(faults.truncated(40_000), times=4),
    "a layer that ends early": once(faults.shortened(HALF)),
    "a layer that goes on": once(faults.lengthened(10)),
    "a wrong byte": once(faults.wrong_bytes(HALF)),
    "a wrong byte in the rest": resumed(faults.wrong_bytes(10)),
    "200 instead of 206": resumed(faults.ignored_range),
    "200 instead of 206, cut too": lambda: [
        Fault(faults.truncated(HALF), OWN),
        Fault(faults.ignored_range, OWN, first=2, times=2),
        Fault(faults.truncated(HALF // 2), OWN, first=2, times=1),
    ],
    "another range": resumed(faults.wrong_range(f"bytes 0-{HALF}/{LAYER}")),
    "a range of another size": resumed(faults.wrong_range(f"bytes {HALF}-{LAYER - 1}/{LAYER + 1}")),
    "a range that is none": resumed(faults.wrong_range("pages 3-4")),
    "a range that is refused": resumed(faults.refused(416)),
    "a range that is a bad request": resumed(faults.refused(400)),
    "429": once(faults.refused(429), times=2),
    "429 with seconds": once(faults.refused(429, {"Retry-After": "1"})),
    "429 with a date": lambda: [Fault(faults.refused(429, {"Retry-After": in_seconds(1)}), OWN)],
    "429 with nonsense": once(faults.refused(429, {"Retry-After": "soon"})),
    "429 with an error of the registry": once(faults.refused(429, {}, "TOOMANYREQUESTS", "slow down")),
    "429 as a page": once(faults.refused(429, {"Content-Type": "text/html"}, "", "<html>Too Many Requests</html>")),
    "429 as 403": once(faults.refused(403, {}, "TOOMANYREQUESTS", "slow down")),
    "429 as 403 in words": once(faults.refused(403, {}, "", "toomanyrequests: you have reached your limit")),
    "429 for a tag": once(faults.refused(429), MANIFESTS, method="HEAD", times=3),
    "a storm of 429": lambda: [Fault(faults.refused(429), "/v2/", method="", times=None, probability=0.3, seed=7)],
    "a storm of resets": lambda: [Fault(faults.truncated(9, Ending.RESET), times=None, probability=0.3, seed=5)],
    **{f"{status} for a layer": once(faults.refused(status), times=2) for status in (500, 502, 503, 504)},
    **{f"{status} for a manifest": once(faults.refused(status), MANIFESTS) for status in (500, 502, 503)},
    "a manifest cut in the middle": once(faults.truncated(50), MANIFESTS),
    "a manifest that ends early": once(faults.shortened(50), MANIFESTS),
    "a manifest with a wrong byte": once(faults.wrong_bytes(), MANIFESTS),
    "a configuration with a wrong byte": once(faults.wrong_bytes(), "team/empty/blobs"),
    "no digest in the header": once(faults.without_header("Docker-Content-Digest"), MANIFESTS, method="HEAD"),
    "no digest, but text, in the header": once(
        faults.with_headers({"Docker-Content-Digest": "../../x"}), MANIFESTS, method="HEAD"
    ),
}


@pytest.mark.parametrize("make", HEALING.values(), ids=HEALING)
def test_what_heals(registry: Registry, tmp_path: Path, undisturbed: dict[str, bytes], make: Faults) -> None:
    registry.faults = make()
    assert errors(save(tmp_path / "tree", registry, timeout=0.4)) == {}
    assert files(tmp_path / "tree") == undisturbed
    assert list(Tree(str(tmp_path / "tree")).partials()) == []


def always(change: faults.Change, path: str = OWN, **when: Any) -> Faults:
    """All answers are spoiled."""
    return lambda: [Fault(change, path, times=None, **when)]


LASTING: dict[str, tuple[Faults, str]] = {
    "bodies cut at their start": (always(faults.truncated(0)), "broke"),
    "silence": (always(faults.truncated(0, Ending.STALL)), "broke"),
    "a drip": (always(faults.dripping(300)), "sent only"),
    "a layer without any bytes": (always(faults.shortened(0)), f"ended after 0 of {LAYER} bytes"),
    "a layer that goes on": (always(faults.lengthened(10)), f"more than the {LAYER} bytes"),
    "wrong bytes": (always(faults.wrong_bytes()), "have the digest"),
    "a layer that is not there": (always(faults.refused(404)), "it is not there"),
    "a layer that is refused": (always(faults.refused(403, {}, "DENIED", "no")), "403 DENIED no"),
    "a layer that is gone": (always(faults.refused(410)), "410"),
    "429 for ever": (always(faults.refused(429, {}, "TOOMANYREQUESTS", "no more")), "429 TOOMANYREQUESTS no more"),
    "503 for ever": (always(faults.refused(503)), "503"),
    "a manifest of 100 MiB": (always(faults.other_body(bytes(100 << 20)), "team/app/manifests"), "sent more than"),
    "another manifest": (always(faults.other_body(b"{}"), "team/app/manifests"), "sent other bytes"),
    "a page for a manifest": (always(faults.other_body(b"<html>"), "team/app/manifests"), "sent other bytes"),
    "a wrong digest in the header": (
        always(faults.with_headers({"Docker-Content-Digest": SHARED}), "team/app/manifests", method="HEAD"),
        "it is not there",
    ),
    "a redirect in a circle": (
        always(lambda request, _reply: Reply(307, {"Location": request.path})),
        "redirects more than 5 times",
    ),
    **{
        f"a redirect to {name}": (always(faults.redirected(target)), "which is no address|no address that can be asked")
        for name, target in {
            "a file": "file:///etc/passwd",
            "another protocol": "gopher://127.0.0.1/",
            "a port that is none": "http://127.0.0.1:99999999/",
        }.items()
    },
    "a redirect to no host": (always(faults.redirected("http:///x")), "it is not there"),
    "a redirect out of the repository": (always(faults.redirected("/v2/../../../etc/passwd")), "it is not there"),
    "a redirect with control characters": (always(faults.redirected("/\x01\x1b[2J\x7f")), "it is not there"),
    "a redirect of 1 MiB": (always(faults.redirected("/" + "a" * (1 << 20))), "LineTooLong|header"),
}


@pytest.mark.parametrize(("make", "reason"), LASTING.values(), ids=LASTING)
def test_what_lasts_is_an_error_until_it_is_mended(
    registry: Registry, tmp_path: Path, undisturbed: dict[str, bytes], make: Faults, reason: str
) -> None:
    registry.faults = make()
    report = save(tmp_path / "tree", registry, timeout=0.2)
    assert list(errors(report)) == ["team/app:1"]
    assert re.search(reason, errors(report)["team/app:1"])
    assert_showable(errors(report)["team/app:1"])
    registry.faults = []
    assert errors(save(tmp_path / "tree", registry)) == {}
    assert files(tmp_path / "tree") == undisturbed


def assert_showable(text: str) -> None:
    """Whatever a registry sends, an error neither fills the screen nor controls it."""
    assert len(text) < 1000
    assert text.isprintable()


HOSTILE: dict[str, tuple[Any, str]] = {
    **{
        f"a layer called {name}": (content.image_with({"digest": digest}), "is no digest")
        for name, digest in {
            "..": "sha256:../../../../etc/passwd",
            "by an absolute path": "/etc/passwd",
            "by control characters": "sha256:\x00\x1b[2J",
            "in upper case": OWN.upper(),
            "by 1 MiB": "sha256:" + "a" * (1 << 20),
            "by a list": ["sha256"],
        }.items()
    },
    "a layer of less than nothing": (content.image_with({"size": -1}), "is no size"),
    "a layer of half a byte": (content.image_with({"size": 0.5}), "is no size"),
    "an index with a child called ..": (
        {"schemaVersion": 2, "mediaType": content.INDEX_TYPE, "manifests": [{"digest": "sha256:..", "size": 1}]},
        "is no digest",
    ),
    "an index whose children are none": (
        {"schemaVersion": 2, "mediaType": content.INDEX_TYPE, "manifests": "all"},
        "manifests",
    ),
    "a manifest that is a list": ([], "no manifest"),
    "schema 1": ({"schemaVersion": 1, "fsLayers": []}, "schema 1"),
}


@pytest.mark.parametrize(("document", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_hostile_manifests(tmp_path: Path, document: Any, reason: str) -> None:
    upstream = content.make(tmp_path / "upstream")
    content.add_manifest(upstream, "team/bad:1", json.dumps(document).encode())
    assert_refused(tmp_path, reason)


def test_a_manifest_deeper_than_a_parser_goes(tmp_path: Path) -> None:
    content.add_manifest(content.make(tmp_path / "upstream"), "team/bad:1", b"[" * 100_000)
    assert_refused(tmp_path, "no manifest")


def assert_refused(tmp_path: Path, reason: str) -> None:
    """What is called team/bad:1 is not saved, and leaves nothing anywhere; the others are."""
    with Registry(tmp_path / "upstream") as registry:
        report = save(tmp_path / "tree", registry, (*IMAGES, "team/bad:1"))
    assert list(errors(report)) == ["team/bad:1"]
    assert reason in errors(report)["team/bad:1"]
    assert_showable(errors(report)["team/bad:1"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tree", "upstream"]
    assert Tree(str(tmp_path / "tree")).tag("team/bad", "1") is None


def test_an_index_that_refers_to_itself(tmp_path: Path) -> None:
    upstream = content.make(tmp_path / "upstream")
    child = {"mediaType": content.INDEX_TYPE, "digest": OWN, "size": LAYER}
    index = content.index_of([child])
    content.add_manifest(upstream, "team/round:1", index)
    # No bytes can name their own digest: the registry has to send the index again under the name of its child.
    circle = Fault(faults.other_body(index), f"team/round/manifests/{OWN}", times=None)
    upstream.link_manifest("team/round", OWN)
    with Registry(tmp_path / "upstream", [circle]) as registry:
        report = save(tmp_path / "tree", registry, (*IMAGES, "team/round:1"))
    assert list(errors(report)) == ["team/round:1"]
    assert "sent other bytes" in errors(report)["team/round:1"]


@pytest.mark.parametrize(("depth", "failing"), [(3, []), (40, ["team/deep:1"])])
def test_indexes_of_indexes(tmp_path: Path, depth: int, failing: list[str]) -> None:
    content.nested_index(content.make(tmp_path / "upstream"), "team/deep:1", depth)
    with Registry(tmp_path / "upstream") as registry:
        report = save(tmp_path / "tree", registry, (*IMAGES, "team/deep:1"))
    assert list(errors(report)) == failing


def test_hostile_tags_are_left_out_of_a_list(registry: Registry) -> None:
    names = ["1", "..", "/etc/passwd", "a\x00b", "\x1b[2J", "a" * (1 << 20), None, 7, "v2"]
    registry.faults = [Fault(faults.other_body(json.dumps({"tags": names}).encode()), "tags/list")]
    with saving.registries() as known:
        [wish] = saving.wishes(known, registry.host, ["team/app:1"])
        assert wish.source.tags() == ["1", "v2"]  # type: ignore[attr-defined]


# What goes over the line


def test_each_thing_is_asked_for_once(registry: Registry, upstream: Path, tmp_path: Path) -> None:
    report = save(tmp_path / "tree", registry)
    assert {request for request, count in registry.counted().items() if count > 1} == set()
    by_digest = [request.digest for request in registry.requests if request.digest]
    # What is empty is known without asking.
    assert sorted(by_digest) == sorted(digest for digest, size in Tree(str(upstream)).blobs() if size)
    registry.forget()
    again = save(tmp_path / "tree", registry)
    assert sorted(registry.counted()) == sorted(
        ("HEAD", f"/v2/{image.replace(':', '/manifests/')}") for image in IMAGES
    )
    assert (report.changed, again.changed, again.received) == (True, False, 0)


def test_connections_are_kept(registry: Registry, tmp_path: Path) -> None:
    save(tmp_path / "tree", registry)
    # As many as there were requests at once.
    assert registry.connections <= 4
    assert len(registry.requests) > 15


def test_a_cut_layer_goes_on_where_it_was_cut(registry: Registry, tmp_path: Path) -> None:
    registry.faults = [Fault(faults.truncated(HALF), OWN)]
    save(tmp_path / "tree", registry)
    asked = [request.headers.get("range") for request in registry.requests if request.digest == OWN]
    assert asked == [None, f"bytes={HALF}-{LAYER - 1}"]


# Who is there


GUARDS = {
    "basic": lambda: Basic("jo", "secret"),
    "bearer": lambda: Bearer(),
    "bearer with an account": lambda: Bearer(account=Basic("jo", "secret")),
}


@pytest.mark.parametrize("guard", GUARDS.values(), ids=GUARDS)
def test_no_authorization_at_another_host(upstream: Path, tmp_path: Path, guard: Callable[[], Any]) -> None:
    with Registry(upstream) as elsewhere, Registry(upstream, guard=guard()) as registry:
        registry.faults = [Fault(faults.redirected(elsewhere.base), BLOBS, times=None)]
        settings = dataclasses.replace(saving.PLAIN, username="jo", password="secret")
        assert errors(save(tmp_path / "tree", registry, default=settings)) == {}
        assert elsewhere.sent() > 4 * LAYER
        assert [request for request in elsewhere.requests if "authorization" in request.headers] == []
        assert registry.sent() == 0


def test_nobody_else_may_ask_for_the_password(upstream: Path, tmp_path: Path) -> None:
    with Registry(upstream, guard=Bearer()) as elsewhere, Registry(upstream, guard=Basic("jo", "secret")) as registry:
        registry.faults = [Fault(faults.redirected(elsewhere.base), OWN, times=None)]
        settings = dataclasses.replace(saving.PLAIN, username="jo", password="secret")
        report = save(tmp_path / "tree", registry, default=settings)
        assert list(errors(report)) == ["team/app:1"]
        assert [request for request in elsewhere.requests if "authorization" in request.headers] == []


def test_a_signed_address_that_has_expired_is_asked_for_anew(upstream: Path, tmp_path: Path) -> None:
    with Registry(upstream) as elsewhere, Registry(upstream) as registry:
        registry.faults = [Fault(faults.redirected(elsewhere.base), BLOBS, times=None)]
        elsewhere.faults = [Fault(faults.refused(403, {}, "", "Request has expired"), OWN)]
        assert errors(save(tmp_path / "tree", registry)) == {}


def test_a_token_that_ends_in_the_middle(upstream: Path, tmp_path: Path) -> None:
    guard = Bearer()

    def expire(_request: Request, reply: Reply) -> Reply:
        guard.expire()
        return reply

    with Registry(upstream, [Fault(expire, BLOBS, first=2, times=3)], guard) as registry:
        assert errors(save(tmp_path / "tree", registry)) == {}
    assert any(request.status == 401 for request in registry.requests if request.is_blob)


def test_tokens_that_live_shorter_than_they_say(upstream: Path, tmp_path: Path) -> None:
    slow = Fault(faults.paced(LAYER / 0.2), BLOBS, times=None)
    with Registry(upstream, [slow], Bearer(lifetime=0.1)) as registry:
        assert errors(save(tmp_path / "tree", registry)) == {}


def test_one_token_serves_all_threads(upstream: Path, tmp_path: Path) -> None:
    with Registry(upstream, guard=Bearer()) as registry:
        save(tmp_path / "tree", registry, ("team/multi:1",))
    assert len([request for request in registry.requests if request.path == "/token"]) == 1
    assert len([request for request in registry.requests if request.status == 401]) == 1


# Encryption


def test_a_certificate_is_verified(upstream: Path, certificates: Certificates, tmp_path: Path) -> None:
    with Registry(upstream, certificates=certificates) as registry:
        refused = save(tmp_path / "tree", registry, default=Settings())
        assert len(refused.failures) == len(IMAGES)
        assert "cannot be verified" in errors(refused)["team/app:1"]
        assert errors(save(tmp_path / "tree", registry, default=Settings(ca_cert=str(certificates.ca)))) == {}


def test_no_redirect_out_of_encryption(upstream: Path, certificates: Certificates, tmp_path: Path) -> None:
    with Registry(upstream) as plain, Registry(upstream, certificates=certificates) as registry:
        registry.faults = [Fault(faults.redirected(plain.base), OWN, times=None)]
        report = save(tmp_path / "tree", registry, default=Settings(ca_cert=str(certificates.ca)))
        assert list(errors(report)) == ["team/app:1"]
        assert "not encrypted: refused" in errors(report)["team/app:1"]
        assert plain.requests == []


# Mirrors


def mirrored(mirror: Registry, registry: Registry) -> dict[str, Any]:
    return {"settings": {registry.host: dataclasses.replace(saving.PLAIN, mirrors=(mirror.host,))}}


MIRROR_FAULTS: dict[str, Faults] = {
    "nothing": always(faults.refused(404), "/v2/"),
    "errors": always(faults.refused(500), "/v2/", method=""),
    "wrong bytes": always(faults.wrong_bytes(), BLOBS),
    "other manifests": always(faults.other_body(b"{}"), MANIFESTS),
    "refusals": always(faults.refused(403), "/v2/", method=""),
    "layers that end early": always(faults.shortened(HALF), OWN),
}


@pytest.mark.parametrize("make", MIRROR_FAULTS.values(), ids=MIRROR_FAULTS)
def test_a_bad_mirror_is_passed_over(registry: Registry, upstream: Path, tmp_path: Path, make: Faults) -> None:
    with Registry(upstream, make()) as mirror:
        assert errors(save(tmp_path / "tree", registry, **mirrored(mirror, registry))) == {}


def test_a_good_mirror_is_asked_alone(registry: Registry, upstream: Path, tmp_path: Path) -> None:
    with Registry(upstream) as mirror:
        assert errors(save(tmp_path / "tree", registry, **mirrored(mirror, registry))) == {}
    assert registry.requests == []


# The disk


@pytest.fixture(name="small_disk")
def fixture_small_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """A filesystem of 2 MiB, or of what the test says."""
    monkeypatch.setattr(_download, "_RESERVE", 0)
    folder = tmp_path / "disk"
    folder.mkdir()
    options = getattr(request, "param", "size=2m")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a filesystem of its own cannot be mounted here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("small_disk", ["nr_inodes=90"], indirect=True)
def test_a_disk_with_room_for_too_few_files(registry: Registry, small_disk: Path) -> None:
    with pytest.raises(TreeError, match=r"has room for .* more files, but about .* are needed: make room"):
        save(small_disk / "tree", registry)
    assert registry.sent() < 1000


def fill(disk: Path) -> None:
    """Leave 100 kB of a disk."""
    state = os.statvfs(disk)
    (disk / "filler").write_bytes(bytes(state.f_bavail * state.f_frsize - 100_000))


def test_a_disk_that_is_too_small_from_the_start(registry: Registry, small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(TreeError, match="MiB are needed: make room"):
        save(small_disk / "tree", registry)
    assert registry.sent() < 1000


def test_a_disk_that_runs_full_in_the_middle(
    registry: Registry, small_disk: Path, undisturbed: dict[str, bytes]
) -> None:
    def fill_now(_request: Request, reply: Reply) -> Reply:
        fill(small_disk)
        return reply

    registry.faults = [Fault(fill_now, OWN)]
    with pytest.raises(TreeError, match=r"ran full at sha256.*: make room and run it again"):
        save(small_disk / "tree", registry)
    (small_disk / "filler").unlink()
    assert errors(save(small_disk / "tree", registry)) == {}
    assert files(small_disk / "tree") == undisturbed


def test_a_disk_that_is_full_before_the_first_manifest(registry: Registry, small_disk: Path) -> None:
    save(small_disk / "tree", registry, ("team/tool:2",))
    state = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(state.f_bavail * state.f_frsize))
    with pytest.raises(TreeError, match="full"):
        save(small_disk / "tree", registry)


# Neighbours


def test_a_second_run_waits_or_says_who_is_there(registry: Registry, tmp_path: Path) -> None:
    registry.faults = [Fault(faults.paced(LAYER / 0.5), OWN)]
    first = threading.Thread(target=save, args=(tmp_path / "tree", registry))
    first.start()
    while first.is_alive() and not any(request.is_blob for request in registry.requests):
        time.sleep(0.01)
    with saving.registries() as known:
        with pytest.raises(TreeBusy, match=f"process {os.getpid()} is writing the tree"):
            saving.save(tmp_path / "tree", registry.host, IMAGES, known)
        assert saving.save(tmp_path / "tree", registry.host, IMAGES, known, wait=30).changed is False
    first.join()
    assert registry.sent() == sum(request.sent for request in registry.requests if request.is_blob)
    assert broken_tags(tmp_path / "tree") == []


def test_the_registry_can_read_what_any_umask_made(registry: Registry, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        save(tmp_path / "tree", registry)
    finally:
        os.umask(before)
    layout = tmp_path / "tree" / "docker"
    modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in [tmp_path / "tree", layout, *layout.rglob("*")]}
    assert modes == {(True, 0o755), (False, 0o644)}
    assert (tmp_path / "tree" / "seahub.lock.json").stat().st_mode & 0o777 == 0o644


def test_the_time_allowed_for_a_run(registry: Registry, tmp_path: Path) -> None:
    registry.faults = [Fault(faults.paced(LAYER / 30), OWN, times=None)]
    policy = dataclasses.replace(saving.QUICK, deadline=time.monotonic() + 0.7)
    begun = time.monotonic()
    with saving.registries(retry=policy) as known:
        report = saving.save(tmp_path / "tree", registry.host, IMAGES, known, retry=policy)
    assert time.monotonic() - begun < 10
    assert list(errors(report)) == ["team/app:1"]
    assert "the time allowed for this run is over" in errors(report)["team/app:1"]
    registry.faults = []
    assert errors(save(tmp_path / "tree", registry)) == {}
    assert registry.sent() < 6 * LAYER


def test_attempts_are_counted_without_progress_alone(registry: Registry, tmp_path: Path) -> None:
    registry.faults = [Fault(faults.truncated(LAYER // 20), OWN, times=19)]
    with saving.registries(retry=RetryPolicy(attempts=2, base=0.001)) as known:
        assert errors(saving.save(tmp_path / "tree", registry.host, IMAGES, known)) == {}

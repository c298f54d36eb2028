# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pushing to registries that differ in how they take blobs, over connections that break."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.bundles._source import open_source
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotFound
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.transfer import _push, _upload
from ansible_collections.seahub.offline.plugins.module_utils.transfer._push import Names, Pusher, Report
from ansible_collections.seahub.offline.plugins.module_utils.transfer._upload import Memory
from ansible_collections.seahub.offline.plugins.module_utils.trees import _lock
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.registry.closure import broken_tags
from tests.registry.faults import Fault, refused
from tests.registry.guards import Scoped
from tests.registry.receiver import Manner, Receiver
from tests.unit.trees import add_image, layer_bytes, make_tree

KIB = 1024
CHUNK = 16 * KIB
LARGE = layer_bytes(1, 100 * KIB)


@pytest.fixture(autouse=True)
def fixture_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are small, so that blobs can be."""
    monkeypatch.setattr(_upload, "CHUNK", CHUNK)
    monkeypatch.setattr(_upload, "SMALLEST", KIB)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path / "tree", {"team/app:1": [LARGE]})


def push(tree: Tree, host: str, memory: Memory | None = None, attempts: int = 3) -> Report:
    source = open_source(tree.root)
    registries = Registries(default=Settings(plain_http=True), timeout=5)
    retry = RetryPolicy(attempts=attempts, base=0.01, ceiling=0.02)
    # One after the other: what is mounted then, and which request breaks, is the same in each run.
    pusher = Pusher(source, lambda path: registries.destination(host, path), retry, 1, memory=memory)
    try:
        return pusher.push(_push.name_all(source.lock.references, Names().of, aliases=False))
    finally:
        registries.close()


def small(tree: Tree) -> int:
    """Return how many bytes there are to send beside the large blob."""
    return sum(size for entry in _lock.read(tree).references for size in entry.blobs.values()) - len(LARGE)


KINDS = {
    "keeps what came (distribution 3)": Manner(),
    "drops a broken upload (distribution 2)": Manner(keeps=False),
    "tells nothing of uploads": Manner(tells=False),
    "relative addresses": Manner(relative=True),
    "tells of the first part only (ECR)": Manner(stale=True, empty_end=False),
    "small parts only (GHCR)": Manner(part_limit=4 * KIB),
    "no parts": Manner(parts=False),
    "a proxy with a limit": Manner(body_limit=5 * KIB),
    "large parts only": Manner(minimum=40 * KIB),
}


@pytest.mark.parametrize("breaks", [(), (9 * KIB,), (3 * KIB, 7 * KIB, 1 * KIB)], ids=["never", "once", "often"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_registry_gets_everything(tree: Tree, kind: str, breaks: tuple[int, ...], tmp_path: Path) -> None:
    with Receiver(tmp_path / "storage", KINDS[kind], breaks) as receiver:
        done = push(tree, receiver.host, attempts=5)
        assert (done.failures, receiver.breaks) == ((), [])
        assert broken_tags(tmp_path / "storage") == []
        receiver.forget()
        again = push(tree, receiver.host)
        assert (again.sent, again.pushed[0].present) == (0, True)
        assert {request.method for request in receiver.requests} == {"HEAD"}


def test_after_a_break_only_the_rest_is_sent(tree: Tree, tmp_path: Path) -> None:
    with Receiver(tmp_path / "storage", breaks=[9 * KIB, 10 * KIB]) as receiver:
        assert push(tree, receiver.host).failures == ()
        assert receiver.received == len(LARGE) + small(tree)


def test_progress_is_no_failure(tree: Tree, tmp_path: Path) -> None:
    with Receiver(tmp_path / "storage", breaks=[8 * KIB] * 10) as receiver:
        assert push(tree, receiver.host, attempts=2).failures == ()
        assert receiver.received == len(LARGE) + small(tree)


def test_an_end_whose_answer_was_lost_is_not_sent_again(tree: Tree, tmp_path: Path) -> None:
    with Receiver(tmp_path / "storage") as receiver:
        receiver.faults.append(Fault(refused(502), r"blobs/uploads/", "PUT"))
        assert push(tree, receiver.host).failures == ()
        assert receiver.received == len(LARGE) + small(tree)


def test_what_a_registry_does_not_take_is_not_tried_with_each_blob(tree: Tree, tmp_path: Path) -> None:
    for number in range(3):
        add_image(tree, f"team/more:{number}", [layer_bytes(10 + number, 50 * KIB)])
    with Receiver(tmp_path / "storage", Manner(parts=False)) as receiver:
        assert push(tree, receiver.host).failures == ()
        assert [request.status for request in receiver.requests if request.method == "PATCH"] == [405]


@pytest.mark.parametrize("manner", [Manner(), Manner(keeps=False)], ids=["keeps", "drops"])
def test_the_next_run_goes_on_with_a_half_sent_blob(tree: Tree, manner: Manner, tmp_path: Path) -> None:
    memory = Memory(tree.private_path("uploads"))
    with Receiver(tmp_path / "storage", manner, [CHUNK - 1] * 2) as receiver:
        assert len(push(tree, receiver.host, memory, attempts=1).failures) == 1
        assert push(tree, receiver.host, memory).failures == ()
        assert broken_tags(tmp_path / "storage") == []
        if manner.keeps:
            assert receiver.received == len(LARGE) + small(tree)
    assert not Path(tree.private_path("uploads")).exists()


def test_an_upload_that_the_registry_has_forgotten_begins_anew(tree: Tree, tmp_path: Path) -> None:
    memory = Memory(tree.private_path("uploads"))
    with Receiver(tmp_path / "storage") as receiver:
        for location in ("/v2/team/app/blobs/uploads/upload-99", "http://[", "ftp://elsewhere/", ""):
            memory.keep("team/app", _digest.hash_bytes(LARGE), location)
        assert push(tree, receiver.host, memory).failures == ()


def test_where_nothing_can_be_remembered_all_is_sent(tree: Tree, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Receiver(tmp_path / "storage") as receiver:
        assert push(tree, receiver.host, Memory(str(tmp_path / "file" / "uploads"))).failures == ()


@pytest.mark.parametrize(
    ("manner", "mounted"),
    [(Manner(), 1), (Manner(mounts=False), 0), (Manner(mounts=False, begins=False), 0)],
    ids=["mounts", "begins an upload instead", "refuses"],
)
def test_mounting(tree: Tree, manner: Manner, mounted: int, tmp_path: Path) -> None:
    add_image(tree, "team/tool:1", [LARGE])
    with Receiver(tmp_path / "storage", manner) as receiver:
        done = push(tree, receiver.host)
        assert (done.failures, done.mounted) == ((), mounted)
        assert broken_tags(tmp_path / "storage") == []
        # An upload that was begun instead is used.
        uploads = [request for request in receiver.requests if request.method == "POST" and request.status == 202]
        assert len(uploads) == 3 + (mounted == 0)


def test_a_token_for_mounting_is_for_both_repositories(tree: Tree, tmp_path: Path) -> None:
    add_image(tree, "team/tool:1", [LARGE])
    with Receiver(tmp_path / "storage", guard=Scoped()) as receiver:
        done = push(tree, receiver.host)
        assert (done.failures, done.mounted) == ((), 1)


def test_a_repository_that_has_to_be_made_before_is_said_so(tree: Tree, tmp_path: Path) -> None:
    with Receiver(tmp_path / "storage", dataclasses.replace(Manner(), exists=False)) as receiver:
        ((_name, error),) = push(tree, receiver.host).failures
    assert isinstance(error, NotFound)
    assert "create the repository there first" in str(error)

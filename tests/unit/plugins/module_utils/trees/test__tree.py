# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    DigestMismatch,
    InvalidDigest,
    InvalidManifest,
    InvalidReference,
    NotInTree,
    TreeBusy,
    TreeError,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.trees import add_image, files, layer_bytes, make_tree

DATA = layer_bytes(1, 300_000)
DIGEST = _digest.hash_bytes(DATA)
HEX = DIGEST.partition(":")[2]
OTHER = _digest.hash_bytes(b"other")
EMPTY = _digest.hash_bytes(b"")

BAD_DIGESTS: tuple[str, ...] = (
    *("", "sha256", "sha256:", "sha256:..", "sha256:" + "../" * 21 + "x", "sha256:" + "0" * 63, "sha256:" + "A" * 64),
    *("md5:" + "0" * 32, "../../x:" + "0" * 64, "sha256:" + "0" * 63 + "/", f"{DIGEST}/../../x", DIGEST + "\n"),
    *("sha256:" + "0" * 63 + "\0", "sha256:" + "0" * 1_048_576),
)
BAD_REPOSITORIES: tuple[str, ...] = (
    *("", ".", "..", "/", "/etc", "../x", "a/../../x", "a/..", "a/./b", "a//b", "a/", "/a", "_layers", "a/_manifests"),
    *("a/_uploads/x", "A", "a b", "a\0b", "a\nb", "a\\b", "~root", "a:b", "é", "a" * 256, "a/" * 500_000 + "a"),
)
BAD_TAGS: tuple[str, ...] = (
    *("", ".", "..", "../../x", "/etc/passwd", "a/b", "-a", ".a", "a b", "a\n", "a\0", "é", "a:b", "t" * 129),
    "t" * 1_048_576,
)

WITH_DIGEST: dict[str, Callable[[Tree, str], object]] = {
    "blob_path": Tree.blob_path,
    "blob_size": Tree.blob_size,
    "has_blob": Tree.has_blob,
    "open_blob": Tree.open_blob,
    "read_blob": Tree.read_blob,
    "remove_blob": Tree.remove_blob,
    "partial_path": Tree.partial_path,
    "put_blob": lambda tree, digest: tree.put_blob(digest, DATA),
    "blob_writer": lambda tree, digest: tree.blob_writer(digest, 1),
    "link_layer": lambda tree, digest: tree.link_layer("a", digest),
    "link_manifest": lambda tree, digest: tree.link_manifest("a", digest),
    "set_tag": lambda tree, digest: tree.set_tag("a", "1", digest),
    "has_layer": lambda tree, digest: tree.has_layer("a", digest),
    "has_manifest": lambda tree, digest: tree.has_manifest("a", digest),
}
WITH_REPOSITORY: dict[str, Callable[[Tree, str], object]] = {
    "link_layer": lambda tree, name: tree.link_layer(name, DIGEST),
    "link_manifest": lambda tree, name: tree.link_manifest(name, DIGEST),
    "set_tag": lambda tree, name: tree.set_tag(name, "1", DIGEST),
    "tag": lambda tree, name: tree.tag(name, "1"),
    "tags": Tree.tags,
    "manifests": Tree.manifests,
    "layers": Tree.layers,
    "has_layer": lambda tree, name: tree.has_layer(name, DIGEST),
    "has_manifest": lambda tree, name: tree.has_manifest(name, DIGEST),
    "manifest": lambda tree, name: tree.manifest(name, DIGEST),
}
WITH_TAG: dict[str, Callable[[Tree, str], object]] = {
    "set_tag": lambda tree, tag: tree.set_tag("a", tag, DIGEST),
    "tag": lambda tree, tag: tree.tag("a", tag),
    "manifest": lambda tree, tag: tree.manifest("a", tag),
}


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(str(tmp_path / "tree"))


@contextlib.contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Run code that knows the collection in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, env=environment
    )


# The layout


def test_the_layout_is_that_of_a_registry(tree: Tree) -> None:
    """https://github.com/distribution/distribution/blob/v2.8.3/registry/storage/paths.go"""
    tree.put_blob(DIGEST, DATA)
    tree.link_layer("library/app", DIGEST)
    tree.link_manifest("library/app", OTHER)
    tree.set_tag("library/app", "v1.0", OTHER)
    other, repository = OTHER.partition(":")[2], "docker/registry/v2/repositories/library/app"
    assert files(Path(tree.root)) == {
        f"docker/registry/v2/blobs/sha256/{HEX[:2]}/{HEX}/data": DATA,
        f"{repository}/_layers/sha256/{HEX}/link": DIGEST.encode(),
        f"{repository}/_manifests/revisions/sha256/{other}/link": OTHER.encode(),
        f"{repository}/_manifests/tags/v1.0/index/sha256/{other}/link": OTHER.encode(),
        f"{repository}/_manifests/tags/v1.0/current/link": OTHER.encode(),
    }


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077, 0o777])
def test_modes_do_not_depend_on_the_umask(tree: Tree, mask: int) -> None:
    """The registry on the far side often runs as somebody else; the writers' lock is nobody else's business."""
    with umask(mask):
        with tree.exclusive():
            add_image(tree, "library/app:1", [DATA])
            with tree.blob_writer(EMPTY, 0) as writer:
                writer.commit()
            with tree.blob_writer(OTHER, 5) as writer:
                writer.write(b"ot")
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [Path(tree.root), *Path(tree.root).rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o755}
    assert {mode for path, mode in modes.items() if path.is_file() and path.name != "writer"} == {0o644}
    assert modes[Path(tree.root, ".seahub", "writer")] & 0o077 == 0


def test_a_tree_in_an_existing_folder_leaves_its_mode_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    Tree(str(tmp_path)).put_blob(DIGEST, DATA)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o711


# Names


@pytest.mark.parametrize("method", WITH_DIGEST.values(), ids=WITH_DIGEST)
@pytest.mark.parametrize("digest", BAD_DIGESTS, ids=lambda text: repr(text[:24]))
def test_hostile_digests_lead_nowhere(tree: Tree, method: Callable[[Tree, str], object], digest: str) -> None:
    with pytest.raises(InvalidDigest):
        method(tree, digest)
    assert_untouched(tree)


@pytest.mark.parametrize("method", WITH_REPOSITORY.values(), ids=WITH_REPOSITORY)
@pytest.mark.parametrize("name", BAD_REPOSITORIES, ids=lambda text: repr(text[:24]))
def test_hostile_repositories_lead_nowhere(tree: Tree, method: Callable[[Tree, str], object], name: str) -> None:
    with pytest.raises(InvalidReference):
        method(tree, name)
    assert_untouched(tree)


@pytest.mark.parametrize("method", WITH_TAG.values(), ids=WITH_TAG)
@pytest.mark.parametrize("tag", BAD_TAGS, ids=lambda text: repr(text[:24]))
def test_hostile_tags_lead_nowhere(tree: Tree, method: Callable[[Tree, str], object], tag: str) -> None:
    with pytest.raises(InvalidReference):
        method(tree, tag)
    assert_untouched(tree)


def assert_untouched(tree: Tree) -> None:
    """Nothing has been made, in the tree or beside it."""
    assert list(Path(tree.root).parent.iterdir()) == []


def test_the_longest_names(tree: Tree) -> None:
    repository, tag = "a/" * 127 + "b", "t" * 128
    tree.set_tag(repository, tag, DIGEST)
    tree.link_manifest("r" * 255, DIGEST)
    assert tree.tag(repository, tag) == DIGEST
    assert list(tree.repositories()) == [repository, "r" * 255]


# Blobs


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_what_is_put_is_read(tree: Tree, algorithm: str) -> None:
    digest = f"{algorithm}:{hashlib.new(algorithm, DATA).hexdigest()}"
    tree.put_blob(digest, DATA)
    assert tree.read_blob(digest) == DATA
    assert list(tree.blobs()) == [(digest, len(DATA))]
    with tree.open_blob(digest) as file:
        assert file.read() == DATA


def test_other_bytes_than_those_of_the_digest_are_not_stored(tree: Tree) -> None:
    with pytest.raises(DigestMismatch):
        tree.put_blob(DIGEST, b"something else")
    assert not tree.has_blob(DIGEST)


def test_a_blob_of_another_size_is_not_there(tree: Tree) -> None:
    """What a crash or a full disk cut off is stored again."""
    tree.put_blob(DIGEST, DATA)
    os.truncate(tree.blob_path(DIGEST), 5)
    assert not tree.has_blob(DIGEST, len(DATA))
    tree.put_blob(DIGEST, DATA)
    assert tree.read_blob(DIGEST) == DATA


def test_what_is_not_there_is_said_to_be_missing(tree: Tree) -> None:
    assert (tree.blob_size(DIGEST), tree.has_blob(DIGEST)) == (None, False)
    for read in (tree.open_blob, tree.read_blob):
        with pytest.raises(NotInTree, match=DIGEST):
            read(DIGEST)
    tree.remove_blob(DIGEST)


def test_a_damaged_blob_is_found_out_when_it_is_read(tree: Tree) -> None:
    """A registry would serve it as it is."""
    tree.put_blob(DIGEST, DATA)
    Path(tree.blob_path(DIGEST)).write_bytes(DATA[:-1] + b"?")
    with pytest.raises(DigestMismatch, match="damaged: save or send it again"):
        tree.read_blob(DIGEST)


def test_a_blob_that_is_too_large_is_not_read(tree: Tree) -> None:
    tree.put_blob(DIGEST, DATA)
    assert tree.read_blob(DIGEST, limit=len(DATA)) == DATA
    with pytest.raises(TreeError, match=f"larger than the {len(DATA) - 1} bytes"):
        tree.read_blob(DIGEST, limit=len(DATA) - 1)


def test_a_removed_blob_leaves_nothing(tree: Tree) -> None:
    tree.put_blob(DIGEST, DATA)
    tree.remove_blob(DIGEST)
    assert not Path(tree.blob_path(DIGEST)).parent.exists()
    assert list(tree.blobs()) == []


# Writing blobs piece by piece


@pytest.mark.parametrize("sizes", [[len(DATA)], [1, len(DATA) - 1], [len(DATA) - 1, 1], [100_000] * 3, [0, len(DATA)]])
def test_a_blob_goes_on_where_it_stopped(tree: Tree, sizes: list[int]) -> None:
    """Each piece by another writer, as after an error or in another run."""
    offset = 0
    for size in sizes:
        assert dict(tree.partials()).get(DIGEST, 0) == offset
        with tree.blob_writer(DIGEST, len(DATA)) as writer:
            assert writer.offset == offset
            writer.write(memoryview(DATA)[offset : offset + size])
            offset += size
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        assert not tree.has_blob(DIGEST)
        writer.commit()
    assert tree.read_blob(DIGEST) == DATA
    assert list(tree.partials()) == []


def test_a_blob_goes_on_after_its_writer_was_killed(tree: Tree) -> None:
    """Nothing that it wrote is lost, and none of it is in the tree yet."""
    code = """if True:
        import os, signal, sys
        from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
        from tests.unit.trees import layer_bytes
        with Tree(sys.argv[1]).blob_writer(sys.argv[2], 300_000) as writer:
            writer.write(layer_bytes(1, 300_000)[:200_000])
            os.kill(os.getpid(), signal.SIGKILL)
    """
    writing = python(code, tree.root, DIGEST)
    writing.communicate()
    assert writing.returncode == -signal.SIGKILL
    assert list(tree.blobs()) == []
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        assert writer.offset == 200_000
        writer.write(DATA[200_000:])
        writer.commit()
    assert tree.read_blob(DIGEST) == DATA


@pytest.mark.parametrize("algorithm", ["sha384", "sha512"])
def test_blobs_of_other_algorithms_go_on_too(tree: Tree, algorithm: str) -> None:
    digest = f"{algorithm}:{hashlib.new(algorithm, DATA).hexdigest()}"
    for part in (DATA[:1000], DATA[1000:]):
        with tree.blob_writer(digest, len(DATA)) as writer:
            writer.write(part)
    with tree.blob_writer(digest, len(DATA)) as writer:
        writer.commit()
    assert tree.read_blob(digest) == DATA


def test_nothing_is_a_blob_too(tree: Tree) -> None:
    with tree.blob_writer(EMPTY, 0) as writer:
        writer.commit()
    assert tree.has_blob(EMPTY, 0)


def receive(tree: Tree, data: bytes) -> None:
    """Write the blob to its end with these bytes."""
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        writer.write(data)
        writer.commit()


# What arrives in place of the data -> the error.
WRONG: dict[str, tuple[bytes, str]] = {
    "other bytes": (b"?" + DATA[1:], "have the digest sha256:"),
    "too many": (DATA + b"?", f"more than the {len(DATA)} bytes"),
}


@pytest.mark.parametrize(("data", "message"), WRONG.values(), ids=WRONG)
def test_wrong_bytes_are_thrown_away(tree: Tree, data: bytes, message: str) -> None:
    """Nothing can be appended to them that would make them right: the next attempt begins anew."""
    with pytest.raises(DigestMismatch, match=message):
        receive(tree, data)
    assert (list(tree.blobs()), list(tree.partials())) == ([], [])


def test_too_few_bytes_are_kept_but_are_no_blob(tree: Tree) -> None:
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        writer.write(DATA[:-1])
        with pytest.raises(DigestMismatch, match=f"only {len(DATA) - 1} of the {len(DATA)} bytes"):
            writer.commit()
    assert (list(tree.blobs()), list(tree.partials())) == ([], [(DIGEST, len(DATA) - 1)])


def test_a_damaged_part_is_found_out_at_the_end(tree: Tree) -> None:
    """The bytes on the disk are hashed, not what was once written there."""
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        writer.write(DATA[:1000])
    Path(tree.partial_path(DIGEST)).write_bytes(b"?" * 1000)
    with pytest.raises(DigestMismatch):
        receive(tree, DATA[1000:])
    assert list(tree.partials()) == []


def test_a_part_that_is_longer_than_the_blob_is_dropped(tree: Tree) -> None:
    with tree.blob_writer(DIGEST, len(DATA) + 1) as writer:
        writer.write(DATA + b"?")
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        assert writer.offset == 0
        writer.write(DATA)
        writer.commit()
    assert tree.read_blob(DIGEST) == DATA


def test_a_source_that_begins_anew_is_followed(tree: Tree) -> None:
    """Servers that ignore ranges send everything: the part must not be written twice."""
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        writer.write(b"?" * 1000)
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        writer.restart()
        assert (writer.offset, list(tree.partials())) == (0, [(DIGEST, 0)])
        writer.write(DATA)
        writer.commit()
    assert tree.read_blob(DIGEST) == DATA


def test_a_blob_replaces_a_damaged_one(tree: Tree) -> None:
    tree.put_blob(DIGEST, DATA)
    Path(tree.blob_path(DIGEST)).write_bytes(b"?")
    with tree.blob_writer(DIGEST, len(DATA)) as writer:
        writer.write(DATA)
        writer.commit()
    assert tree.read_blob(DIGEST) == DATA


def test_a_writer_has_to_be_entered(tree: Tree) -> None:
    with pytest.raises(ValueError, match="context manager"):
        tree.blob_writer(DIGEST, 1).write(b"x")


# Links and tags


def test_files_are_replaced_not_rewritten(tree: Tree) -> None:
    """Whoever is reading at that moment, a registry for one, sees the old state or the new one, nothing between."""
    tree.set_tag("a", "1", DIGEST)
    tree.write_file("file", b"old")
    current = Path(tree.root, "docker/registry/v2/repositories/a/_manifests/tags/1/current/link")
    with current.open() as link, Path(tree.root, "file").open() as file:
        tree.set_tag("a", "1", OTHER)
        tree.write_file("file", b"new")
        assert (link.read(), file.read()) == (DIGEST, "old")
    assert tree.tag("a", "1") == OTHER
    assert Path(tree.root, "file").read_bytes() == b"new"
    assert list(Path(tree.root, ".seahub", "new").iterdir()) == []


def test_a_link_that_is_right_is_left_alone(tree: Tree) -> None:
    tree.link_layer("a", DIGEST)
    before = {path: path.stat().st_ino for path in Path(tree.root).rglob("link")}
    tree.link_layer("a", DIGEST)
    assert {path: path.stat().st_ino for path in Path(tree.root).rglob("link")} == before


@pytest.mark.parametrize("damage", [b"", b"sha256:", b"\xff" * 80, b"x" * 100_000, OTHER.encode()])
def test_a_damaged_link_is_none_and_is_repaired(tree: Tree, damage: bytes) -> None:
    tree.link_layer("a", DIGEST)
    Path(tree.root, "docker/registry/v2/repositories/a/_layers/sha256", HEX, "link").write_bytes(damage)
    assert (tree.has_layer("a", DIGEST), tree.layers("a")) == (False, [])
    tree.link_layer("a", DIGEST)
    assert tree.layers("a") == [DIGEST]


def test_a_link_may_end_with_a_line_end(tree: Tree) -> None:
    """As an editor leaves it; registries take it, too."""
    tree.set_tag("a", "1", DIGEST)
    link = Path(tree.root, "docker/registry/v2/repositories/a/_manifests/tags/1/current/link")
    link.write_text(f"{DIGEST}\n")
    assert tree.tag("a", "1") == DIGEST


def test_what_a_tree_lists(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"b/app:1": [b"one"], "b/app:2": [b"two"], "a:x": [b"one"], "b/app/sub:1": []})
    assert sorted(tree.repositories()) == ["a", "b/app", "b/app/sub"]
    assert tree.tags("b/app") == ["1", "2"]
    assert len(tree.manifests("b/app")) == 2
    assert len(tree.layers("b/app")) == 4
    assert {tree.tag("b/app", tag) for tag in tree.tags("b/app")} == set(tree.manifests("b/app"))
    assert sum(size for _digest_, size in tree.blobs()) == sum(
        len(data) for name, data in files(tmp_path).items() if name.endswith("/data")
    )


def test_other_peoples_files_are_passed_over(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, {"a/app:1": [b"one"]})
    top = tmp_path / "docker/registry/v2"
    blobs = sorted(tree.blobs())
    for name in ("blobs/README", "blobs/sha256/.DS_Store", "blobs/md5/ab/abc/data", "blobs/sha256/ab/x/data"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text("x")
    (top / "blobs/sha256" / HEX[:2]).mkdir(exist_ok=True)
    (top / "blobs/sha256" / HEX[:2] / HEX).write_text("a file where a folder should be")
    for name in ("_manifests", "Upper/_manifests", "a/app/_manifests/tags/-x/current", "a/_uploads/1", "lost+found"):
        (top / "repositories" / name).mkdir(parents=True, exist_ok=True)
    (tmp_path / ".seahub/partial").mkdir(exist_ok=True)
    (tmp_path / ".seahub/partial/README").write_text("x")
    assert sorted(tree.blobs()) == blobs
    assert list(tree.repositories()) == ["a/app"]
    assert tree.tags("a/app") == ["1"]
    assert list(tree.partials()) == []


def test_a_tree_that_is_not_there_is_empty(tree: Tree) -> None:
    assert [*tree.blobs(), *tree.repositories(), *tree.partials()] == []
    assert tree.tags("a") == tree.manifests("a") == tree.layers("a") == []
    assert tree.tag("a", "1") is None
    assert_untouched(tree)


def test_manifests_are_read_by_tag_and_by_digest(tree: Tree) -> None:
    digest = add_image(tree, "a:1", [b"one"])
    assert tree.manifest("a", "1").digest == tree.manifest("a", digest).digest == digest
    assert len(tree.manifest("a", "1").blobs) == 2


def test_a_manifest_needs_its_link(tree: Tree) -> None:
    """Just as in a registry, the bytes alone are not enough: another repository does not have them."""
    digest = add_image(tree, "a:1", [b"one"])
    tree.set_tag("b", "1", digest)
    for version in ("1", digest, "2", OTHER):
        with pytest.raises(NotInTree, match="b has no"):
            tree.manifest("b", version)


def test_a_damaged_manifest_is_not_believed(tree: Tree) -> None:
    digest = add_image(tree, "a:1", [b"one"])
    Path(tree.blob_path(digest)).write_bytes(b"{}")
    with pytest.raises(DigestMismatch):
        tree.manifest("a", "1")


def test_a_manifest_that_is_none_is_said_to_be(tree: Tree) -> None:
    tree.put_blob(OTHER, b"other")
    tree.link_manifest("a", OTHER)
    with pytest.raises(InvalidManifest):
        tree.manifest("a", OTHER)


# Several writers


HOLD = """if True:
    import sys, time
    from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
    with Tree(sys.argv[1]).exclusive():
        print("held", flush=True)
        time.sleep(float(sys.argv[2]))
"""


def hold(tree: Tree, seconds: float) -> subprocess.Popen[str]:
    """Let another process write the tree; return when it does."""
    holder = python(HOLD, tree.root, str(seconds))
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


def test_a_second_writer_is_told_who_the_first_is(tree: Tree) -> None:
    with hold(tree, 60) as holder:
        try:
            with (
                pytest.raises(TreeBusy, match=f"process {holder.pid} is writing the tree {tree.root}"),
                tree.exclusive(),
            ):
                pass
        finally:
            holder.kill()


def test_a_second_writer_may_wait(tree: Tree) -> None:
    with hold(tree, 0.3), tree.exclusive(wait=20):
        assert Path(tree.root, ".seahub/writer").read_text() == str(os.getpid())


def test_waiting_ends(tree: Tree) -> None:
    with tree.exclusive():
        start = time.monotonic()
        with pytest.raises(TreeBusy), Tree(tree.root).exclusive(wait=0.3):
            pass
        assert 0.3 <= time.monotonic() - start < 5


def test_a_writer_that_was_killed_is_in_nobodys_way(tree: Tree) -> None:
    holder = hold(tree, 60)
    holder.kill()
    holder.communicate()
    with tree.exclusive():
        pass


def test_the_tree_is_free_again_after_an_error(tree: Tree) -> None:
    with pytest.raises(KeyError), tree.exclusive():
        raise KeyError
    with tree.exclusive():
        pass


def test_a_tree_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    message = "the tree .*/file/tree cannot be written: Not a directory"
    with pytest.raises(TreeError, match=message), Tree(str(tmp_path / "file/tree")).exclusive():
        pass


def test_sync_brings_a_tree_to_the_disk(tmp_path: Path) -> None:
    """That it does cannot be seen from here; that the system takes the call can."""
    make_tree(tmp_path, {"a:1": [DATA]}).sync()


def test_a_writer_sweeps_up_after_one_that_was_killed(tmp_path: Path) -> None:
    tree = Tree(str(tmp_path))
    with tree.exclusive():
        tree.set_tag("team/app", "1", DIGEST)
    left = tmp_path / ".seahub" / "new" / "4711-deadbeef"
    left.write_bytes(b"sha256:")
    with tree.exclusive():
        assert not left.exists()
    assert tree.tag("team/app", "1") == DIGEST

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""prune.yml and push.yml with real registries: one that serves the tree meanwhile, one to which is pushed."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.bench import servers
from tests.project import ROOT
from tests.registry.closure import broken_tags
from tests.unit import playbook
from tests.unit.trees import MANIFEST_TYPE, files, layer_bytes, make_bundle, make_tree

SHARED, OWN, OTHER, REGISTRY = (layer_bytes(number, 4000) for number in range(4))


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Tree:
    """The tree of the build host."""
    images = {"team/app:1": [SHARED, OWN], "team/tool:2": [SHARED, OTHER], "library/registry:2": [REGISTRY]}
    return make_tree(tmp_path / "build", images)


@pytest.fixture(name="served")
def fixture_served(tree: Tree, tmp_path: Path) -> Path:
    """The tree of the registry host: the same."""
    return Path(shutil.copytree(tree.root, tmp_path / "run" / "tree"))


def run(folder: Path, name: str, *options: str, **variables: object) -> subprocess.CompletedProcess[str]:
    inventory = folder / "inventory"
    inventory.write_text("[registry]\nhost1\n")
    given = json.dumps({"ansible_become": False, **variables})
    return playbook.run(folder / "home", ROOT / "playbooks" / name, "-i", str(inventory), "-e", given, *options)


def pull(host: str, name: str, tag: str) -> bytes:
    wanted = urllib.request.Request(f"http://{host}/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST_TYPE})
    with urllib.request.urlopen(wanted) as answer:
        data: bytes = answer.read()
    return data


def test_both_trees_are_pruned_while_one_is_served(tree: Tree, served: Path, tmp_path: Path) -> None:
    variables = {
        "seahub_tree": tree.root,
        "registry_dir": str(tmp_path / "run"),
        "seahub_registry_image": "library/registry:2",
        "seahub_keep": ["team/app:*"],
    }
    before = files(served)
    planned = run(tmp_path, "prune.yml", "--check", **variables)
    assert planned.stdout.count("team/tool:2") == 2, planned.stdout + planned.stderr
    assert files(served) == files(Path(tree.root)) == before
    with servers.registry(served, tmp_path) as host:
        app = pull(host, "team/app", "1")
        assert pull(host, "team/tool", "2")
        done = run(tmp_path, "prune.yml", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert pull(host, "team/app", "1") == app
        assert pull(host, "library/registry", "2")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            pull(host, "team/tool", "2")
    assert files(served) == files(Path(tree.root)) != before
    assert run(tmp_path, "prune.yml", **variables).stdout.count(" changed=0 ") == 2


def test_what_another_tree_or_bundle_has_stays(tree: Tree, served: Path, tmp_path: Path) -> None:
    other = make_tree(tmp_path / "other", {"team/tool:2": [SHARED, OTHER], "library/registry:2": [REGISTRY]})
    done = run(
        tmp_path,
        "prune.yml",
        seahub_tree=str(tmp_path / "absent"),
        registry_dir=str(tmp_path / "run"),
        seahub_registry_image="library/registry:2",
        seahub_keep_source=str(make_bundle(other, tmp_path / "bundle.tar")),
        seahub_purge=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert files(served) == files(Path(other.root))
    assert not list((served / ".seahub").glob("quarantine/*"))


def test_nothing_to_keep_removes_nothing(tree: Tree, tmp_path: Path) -> None:
    before = files(Path(tree.root))
    refused = run(tmp_path, "prune.yml", seahub_tree=tree.root)
    assert refused.returncode != 0
    assert "Say what stays" in refused.stdout
    assert files(Path(tree.root)) == before


def test_the_second_push_sends_nothing(tree: Tree, tmp_path: Path) -> None:
    storage = tmp_path / "storage"
    with servers.registry(storage, tmp_path) as host:
        variables = {
            "seahub_source": str(make_bundle(tree, tmp_path / "bundle.tar")),
            "seahub_push_registry": host,
            "seahub_push_prefix": "project",
            "seahub_push_rename": {"team": "group"},
            "seahub_push_references": ["team/*"],
            "seahub_registries": {host: {"plain_http": True}},
        }
        planned = run(tmp_path, "push.yml", "--check", **variables)
        assert f"{host}/project/group/tool:2" in planned.stdout, planned.stdout + planned.stderr
        assert not storage.exists()
        done = run(tmp_path, "push.yml", **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        assert " changed=1 " in done.stdout
        assert pull(host, "project/group/app", "1")
        assert " changed=0 " in run(tmp_path, "push.yml", **variables).stdout
    assert broken_tags(storage) == []
    assert Tree(str(storage)).tag("project/group/tool", "2") == tree.tag("team/tool", "2")


def test_nowhere_to_push_to_is_refused(tree: Tree, tmp_path: Path) -> None:
    refused = run(tmp_path, "push.yml", seahub_tree=tree.root)
    assert refused.returncode != 0
    assert "Set seahub_push_registry" in refused.stdout

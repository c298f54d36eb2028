# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports go downwards only, and what runs on a run host needs nothing but Python 3.8 and its standard library."""

from __future__ import annotations

import ast
import graphlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import pythons
from tests.project import ROOT
from tests.unit.trees import make_tree

PLUGINS = ROOT / "plugins"
PREFIX = "ansible_collections.seahub.offline.plugins."

# These run where there is a route out, or on the controller, and may use requests, PyYAML and cryptography.
# Every other module runs on air-gapped hosts.
BUILD_SIDE_MODULES = {"chart_save", "image_save", "registry_certificate", "tree_push"}
RUN_SIDE_MODULES = sorted({path.stem for path in PLUGINS.glob("modules/*.py")} - BUILD_SIDE_MODULES)
# Of these, some options ask registries and need requests; everything else works without.
ASK_REGISTRIES = {"tree_check", "tree_info"}

# kind of plugin -> the kinds it may import
BELOW = {
    "action": {"module_utils", "plugin_utils"},
    "doc_fragments": set(),
    "filter": {"module_utils", "plugin_utils"},
    "module_utils": {"module_utils"},
    "modules": {"module_utils"},
    "plugin_utils": {"module_utils", "plugin_utils"},
}


# The packages of the library, each built on some of those before it.
PACKAGES = (
    "common",
    "oci",
    "trees",
    "bundles",
    "mounting",
    "registries",
    "charts",
    "saving",
    "keeping",
    "transfer",
    "serving",
    "clients",
)


def sources(kind: str) -> list[str]:
    """Returns the plugins of a kind, such as ``modules.tree_sync`` and ``module_utils.trees._tree``."""
    paths = [path.relative_to(PLUGINS) for path in (PLUGINS / kind).rglob("*.py") if path.name != "__init__.py"]
    return sorted(".".join(path.with_suffix("").parts) for path in paths)


def all_sources() -> list[str]:
    return [source for folder in sorted(PLUGINS.iterdir()) for source in sources(folder.name)]


PLUGINS_OF_ALL_KINDS = frozenset(all_sources())


def imports(source: str) -> set[str]:
    """Returns the full names that a plugin ("modules.tree_sync") imports, inside functions and under try too."""
    path = PLUGINS.joinpath(*source.split(".")).with_suffix(".py")
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"{source} imports relatively, which Ansible's own tools do not follow everywhere"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def own_imports(source: str) -> set[str]:
    """Returns the plugins of this collection that a plugin imports."""
    own = [name[len(PREFIX) :] for name in imports(source) if name.startswith(PREFIX)]
    return {plugin for name in own for plugin in PLUGINS_OF_ALL_KINDS if f"{name}.".startswith(f"{plugin}.")}


def closure(source: str) -> set[str]:
    """Returns a plugin and all that it imports of this collection, directly or not."""
    found: set[str] = set()
    waiting = {source}
    while waiting:
        found |= waiting
        waiting = {name for each in waiting for name in own_imports(each)} - found
    return found


def third_party(source: str) -> set[str]:
    tops = {name.split(".")[0] for name in imports(source)}
    return tops - sys.stdlib_module_names - {"ansible", "ansible_collections"}


@pytest.mark.parametrize("source", all_sources())
def test_imports_go_downwards(source: str) -> None:
    kind = source.split(".")[0]
    assert {name for name in own_imports(source) if name.split(".")[0] not in BELOW[kind]} == set()


def test_the_library_has_no_circles() -> None:
    graph = {source: own_imports(source) for source in sources("module_utils")}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("source", sources("module_utils"))
def test_packages_of_the_library_build_on_those_before_them(source: str) -> None:
    before = PACKAGES[: PACKAGES.index(source.split(".")[1]) + 1]
    own = [name.split(".") for name in own_imports(source)]
    assert {package for _kind, package, *_name in own if package not in before} == set()


@pytest.mark.parametrize("source", sources("module_utils"))
def test_the_library_knows_nothing_of_ansible(source: str) -> None:
    assert {name for name in imports(source) if name.split(".")[0] == "ansible"} == set()


@pytest.mark.parametrize("source", sources("module_utils") + sources("plugin_utils"))
def test_shared_code_is_private(source: str) -> None:
    assert source.split(".")[-1].startswith("_")


@pytest.mark.parametrize("module", sorted(set(RUN_SIDE_MODULES) - ASK_REGISTRIES))
def test_nothing_on_the_run_side_needs_more_than_the_standard_library(module: str) -> None:
    needed = {source: third_party(source) for source in closure(f"modules.{module}")}
    assert {source: names for source, names in needed.items() if names} == {}


@pytest.fixture(name="run_host", scope="module")
def fixture_run_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What of Ansible and of this collection reaches a run host, in a folder that has nothing else."""
    import ansible.module_utils

    folder = tmp_path_factory.mktemp("run_host")
    collection = folder / "ansible_collections" / "seahub" / "offline" / "plugins"
    collection.mkdir(parents=True)
    for kind in ("modules", "module_utils"):
        (collection / kind).symlink_to(PLUGINS / kind)
    (folder / "ansible").mkdir()
    (folder / "ansible" / "__init__.py").touch()
    (folder / "ansible" / "module_utils").symlink_to(Path(ansible.module_utils.__file__).parent)
    return folder


def target_pythons() -> list[Path]:
    """Returns the interpreters of this machine that the installed ansible-core accepts on a target."""
    from ansible.module_utils.basic import _PY_MIN

    versions = {tuple(map(int, version.split("."))): python for version, python in pythons.find().items()}
    return [python for version, python in versions.items() if version >= _PY_MIN]


@pytest.mark.parametrize("python", target_pythons(), ids=lambda python: python.name)
def test_every_run_side_module_starts_with_python_alone(run_host: Path, python: Path) -> None:
    program = """
import importlib, json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
for name in json.loads(sys.argv[2]):
    importlib.import_module(name)
"""
    names = json.dumps([f"{PREFIX}modules.{module}" for module in RUN_SIDE_MODULES])
    done = subprocess.run(
        [python, "-I", "-S", "-c", program, run_host, names], capture_output=True, text=True, cwd=run_host
    )
    assert done.returncode == 0, done.stderr


def test_trees_are_described_and_checked_with_python_alone_and_only_registries_need_more(
    run_host: Path, tmp_path: Path
) -> None:
    tree = make_tree(tmp_path / "tree", {"team/app:1": [b"layer"]})
    program = """
import runpy, sys
sys.dont_write_bytecode = True
sys.path.insert(0, sys.argv[1])
from ansible.module_utils import basic
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.argv[3].encode(), "legacy"
runpy.run_module(sys.argv[2], run_name="__main__")
"""

    def run(module: str, **options: object) -> dict[str, Any]:
        given = json.dumps({"ANSIBLE_MODULE_ARGS": options})
        command = [sys.executable, "-I", "-S", "-c", program, str(run_host), f"{PREFIX}modules.{module}", given]
        done = subprocess.run(command, capture_output=True, text=True, cwd=run_host)
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    assert run("tree_check", path=tree.root)["ok"]
    assert run("tree_check", path=tree.root, repair=[tree.root])["ok"]
    assert "requests" in run("tree_check", path=tree.root, repair_upstream=True)["msg"]
    assert run("tree_info", path=tree.root, receipt=str(tmp_path / "receipt"))["changed"]
    assert "requests" in run("tree_info", registry="sea.hub:5000")["msg"]

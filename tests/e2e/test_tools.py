# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle that carries its own controller: where there is no network, its page is all that somebody needs."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project import ROOT
from tests.unit.ssh_keys import allow, make_key
from tests.unit.trees import files, layer_bytes, make_tree

PYTHON = f"python3.{sys.version_info.minor}"
# A network without a way anywhere, this machine included. Who is not root becomes root of a world of their own for it.
WITHOUT_NETWORK = ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def run(*command: str | Path, cwd: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def plain() -> dict[str, str]:
    """An environment that knows nothing of this checkout."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}


@pytest.fixture(name="installed", scope="module")
def fixture_installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which the collection is installed: what is carried has to be made from that, without a checkout."""
    folder = tmp_path_factory.mktemp("installed")
    build = ("ansible-galaxy", "collection", "build", "--output-path", folder, ROOT)
    run(*build, cwd=folder, environment=plain())
    (archive,) = folder.glob("*.tar.gz")
    install = ("ansible-galaxy", "collection", "install", "--offline", "--collections-path", folder, archive)
    run(*install, cwd=folder, environment=plain())
    return folder


@pytest.fixture(name="medium", scope="module")
def fixture_medium(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a signed bundle in parts, beside the folders of the tree and of the packages that were fetched."""
    folder = tmp_path_factory.mktemp("build")
    make_tree(folder / "tree", {"library/mysql:8": [layer_bytes(1, 300_000)], "a/nginx:1": [b"one"]})
    allow(folder / "signers", build=make_key(folder / "key"))
    (folder / "medium").mkdir()
    assert " changed=1 " in pack(installed, folder)
    assert " changed=0 " in pack(installed, folder)
    return folder / "medium"


def pack(installed: Path, folder: Path) -> str:
    variables = {
        "seahub_tree": folder / "tree",
        "seahub_bundle": folder / "medium" / "bundle.tar",
        "seahub_part_size": "4MiB",
        "seahub_sign_key": folder / "key",
        "seahub_include_tools": "true",
    }
    options = [item for name, value in variables.items() for item in ("-e", f"{name}={value}")]
    environment = {**plain(), "ANSIBLE_COLLECTIONS_PATH": str(installed), "ANSIBLE_NOCOLOR": "true"}
    return run("ansible-playbook", "seahub.offline.pack", *options, cwd=folder, environment=environment)


def commands(page: str, bundle: Path) -> str:
    """Return the commands that a page has for everybody, with the place of this bundle for the one in the page."""
    text = "\n".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    text, count = re.subn(r"^bundle=.*$", f"bundle={shlex.quote(str(bundle))}", text, flags=re.MULTILINE)
    assert count == 1
    return text


def test_a_controller_sets_itself_up_without_a_network(medium: Path, tmp_path: Path) -> None:
    home, bundle = tmp_path / "home", medium / "bundle.tar"
    home.mkdir()
    python = Path(sys.executable).resolve().parent
    environment = {"HOME": str(home), "PATH": f"{python}:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}

    def offline(*command: str | Path) -> str:
        return run(*WITHOUT_NETWORK, *command, cwd=home, environment=environment)

    # No route: a head line at most.
    assert len(offline("cat", "/proc/net/route").splitlines()) <= 1
    offline(PYTHON, f"{bundle}.check.py", "--extract-tools", ".")
    said = offline("bash", "-exc", commands((home / "tools" / "README.md").read_text(), bundle))
    assert "library/mysql:8" in said
    assert "FAILED" not in said

    (home / "inventory").write_text("[registry]\nlocalhost ansible_connection=local ansible_become=false\n")
    variables = {"registry_bundle": bundle, "registry_dir": tmp_path, "registry_allowed_signers": home / "signers"}
    (home / "signers").write_bytes((medium.parent / "signers").read_bytes())
    options = [f"-e {shlex.quote(f'{name}={value}')}" for name, value in variables.items()]
    unpack = f"ansible-playbook seahub.offline.unpack -i inventory {' '.join(options)}"
    check = f"ansible localhost -m seahub.offline.tree_check -a path={tmp_path}/tree"
    said = offline("bash", "-exc", f". controller/bin/activate; {unpack}; {check}")
    assert " changed=1 " in said
    assert "localhost | SUCCESS" in said
    assert files(tmp_path / "tree") == files(medium.parent / "tree")

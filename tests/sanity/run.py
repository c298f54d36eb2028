# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ``ansible-test sanity`` on the collection as it is built, with every Python that this machine has.

Arguments are handed on to ``ansible-test sanity``: ``python tests/sanity/run.py --test validate-modules``.

Why not simply ``ansible-test`` in the checkout: it insists on a physical path ``.../ansible_collections/seahub/offline``
(https://github.com/ansible/ansible/issues/60215), and what users get is the built collection.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Modules run under the oldest of these on a target; which of them a core supports, ansible-test knows.
PYTHONS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14")

GET_PIP = '''\
"""Stands in for get-pip.py, which ansible-test would download from outside the package registries.

It lets the pip that comes with Python install the one that ansible-test asks for. Written by seahub.offline; safe to remove.
"""
import subprocess
import sys

# In a process of its own: ensurepip makes pip deaf to the configuration of the machine for the rest of the process.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install"] + wanted))
'''


def build(folder: Path) -> Path:
    """Builds the collection and unpacks it where ansible-test wants to find it; returns that place."""
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (artifact,) = folder.glob("seahub-offline-*.tar.gz")
    target = folder / "ansible_collections" / "seahub" / "offline"
    with tarfile.open(artifact) as archive:
        archive.extractall(target, filter="data")
    return target


def provide_get_pip() -> None:
    """Puts the stand-in for get-pip.py where ansible-test looks before it downloads (it names the place itself)."""
    package = importlib.util.find_spec("ansible_test")
    if package is None or not package.submodule_search_locations:
        sys.exit("ansible-test is not there: install requirements-dev.txt, or run `make sanity`.")
    source = Path(package.submodule_search_locations[0], "_internal", "python_requirements.py").read_text(
        encoding="utf-8"
    )
    cache = Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in set(re.findall(r"\bpip='([\d.]+)'", source)):
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        if not script.exists():
            script.write_text(GET_PIP, encoding="utf-8")


def find_pythons() -> dict[str, Path]:
    """Looks on PATH and among pyenv's own versions for interpreters that start and can make a virtual environment."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += sorted(pyenv.glob("versions/*/bin"))
    found = {}
    for version in PYTHONS:
        candidates = (folder / f"python{version}" for folder in folders if folder.name != "shims")
        for candidate in candidates:
            if (
                candidate.exists()
                and subprocess.run([candidate, "-c", "import ensurepip"], capture_output=True).returncode == 0
            ):
                found[version] = candidate
                break
    return found


def search_path(pythons: dict[str, Path]) -> str:
    """Returns a PATH that finds these interpreters.

    pyenv's shims are left out: ansible-test takes each for an interpreter and fails when it turns out to be none.
    """
    own = [str(Path(sys.executable).parent)]
    others = [folder for folder in os.get_exec_path() if Path(folder).name != "shims"]
    return os.pathsep.join(dict.fromkeys([*own, *(str(python.parent) for python in pythons.values()), *others]))


def main() -> int:
    """Builds, prepares, runs; returns ansible-test's exit code."""
    pythons = find_pythons()
    print(f"ansible-test sanity on the built collection, Python {', '.join(pythons)}", flush=True)
    provide_get_pip()
    with tempfile.TemporaryDirectory(prefix="seahub-sanity-") as folder:
        collection = build(Path(folder))
        command = [
            shutil.which("ansible-test") or "ansible-test",
            "sanity",
            "--venv",
            "--requirements",
            "--color",
            "no",
        ]
        return subprocess.run(
            [*command, *sys.argv[1:]],
            cwd=collection,
            env={**os.environ, "PATH": search_path(pythons)},
            stdin=subprocess.DEVNULL,
        ).returncode


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs ``ansible-test sanity`` on the collection as it is built, with every Python that this machine has.

Arguments are handed on to it: ``python -m tests.sanity --test validate-modules``.

Why not simply ``ansible-test`` in the checkout: it wants to lie below a real ``ansible_collections/seahub/``, and does
not take a link for it (https://github.com/ansible/ansible/issues/60215). And what users get is the built collection.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests import pythons

ROOT = Path(__file__).resolve().parents[2]

GET_PIP = '''\
"""Stands in for get-pip.py, which ansible-test would download from outside the package registries.

Lets the pip that comes with Python install the one that ansible-test asks for. From seahub.offline; safe to remove.
"""
import subprocess
import sys

# In a process of its own: ensurepip makes pip deaf to the machine's configuration for the rest of the process.
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
wanted = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--quiet"] + wanted))
'''


def install(folder: Path) -> Path:
    """Builds the collection and installs it below this folder, as its users do; returns where it lies."""
    _galaxy("build", "--output-path", folder, ROOT)
    (artifact,) = folder.glob("seahub-offline-*.tar.gz")
    # By force, because the link in the checkout makes the collection seem to be installed already.
    _galaxy("install", "--offline", "--force", "--collections-path", folder, artifact)
    return folder / "ansible_collections" / "seahub" / "offline"


def _galaxy(*arguments: str | Path) -> None:
    done = subprocess.run(["ansible-galaxy", "collection", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"ansible-galaxy collection {arguments[0]} failed:\n{done.stdout}{done.stderr}")


def provide_get_pip() -> None:
    """Puts the stand-in for get-pip.py where ansible-test looks before it downloads (it names the place itself).

    See https://github.com/ansible/ansible/issues/77304.
    """
    package = importlib.util.find_spec("ansible_test")
    if package is None or not package.submodule_search_locations:
        sys.exit("ansible-test is not there: install requirements-dev.txt, or run `make sanity`.")
    internal = Path(package.submodule_search_locations[0], "_internal")
    source = (internal / "python_requirements.py").read_text(encoding="utf-8")
    cache = Path.home() / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in set(re.findall(r"\bpip='([\d.]+)'", source)):
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        if not script.exists():
            script.write_text(GET_PIP, encoding="utf-8")


def search_path(interpreters: Iterable[Path]) -> str:
    """Returns a PATH on which ansible-test finds itself first, then these interpreters."""
    first = [Path(sys.executable).parent, *(python.parent for python in interpreters)]
    return os.pathsep.join(dict.fromkeys(map(str, [*first, *pythons.folders()])))


def main() -> int:
    """Prepares, builds, runs; returns ansible-test's exit code."""
    found = pythons.find()
    print(f"ansible-test sanity on the built collection, Python {', '.join(found)}", flush=True)
    provide_get_pip()
    command = ["ansible-test", "sanity", "--venv", "--requirements", "--color", "no", *sys.argv[1:]]
    environment = {**os.environ, "PATH": search_path(found.values())}
    with tempfile.TemporaryDirectory(prefix="seahub-sanity-") as folder:
        collection = install(Path(folder))
        return subprocess.run(command, cwd=collection, env=environment, stdin=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())

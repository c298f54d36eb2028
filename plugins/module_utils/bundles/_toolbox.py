# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Gathering what a controller behind the gap is made of: this collection, the Python packages that it needs, a page to
read.

Packages come from wherever pip gets them on this machine; which index that is, is its own configuration's matter. What
was fetched once is kept, so that the next bundle holds the same and nothing is fetched again.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from typing import Iterator, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.bundles import _layout, _tools
from ansible_collections.seahub.offline.plugins.module_utils.bundles._tools import Tool
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import ToolsUnavailable
from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform

README = "README.md"
REQUIREMENTS = "requirements.txt"

# The name of an architecture among platforms of containers -> among those of wheels.
MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "ppc64le": "ppc64le", "s390x": "s390x"}

# A wheel for an older C library runs with a newer one: this one is that of the oldest distributions still in use.
# https://peps.python.org/pep-0600/
_GLIBC_OLDEST, _GLIBC = 17, 28
_PYTHON = re.compile(r"3\.\d{1,2}")
_MANIFEST_LIMIT = 16 * 1024 * 1024
_UNFINISHED = ".new"


@dataclasses.dataclass(frozen=True)
class Controller:
    """A kind of machine that is to be set up: its Python, such as `3.11`, and its architecture, such as `amd64`."""

    python: str
    architecture: str

    @property
    def pip_arguments(self) -> list[str]:
        """What tells pip to choose for this machine, not for the one on which it runs."""
        machine = MACHINES[self.architecture]
        platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(_GLIBC, _GLIBC_OLDEST - 1, -1)]
        platforms.append(f"manylinux2014_{machine}")
        chosen = [item for platform in platforms for item in ("--platform", platform)]
        return ["--only-binary=:all:", "--implementation", "cp", "--python-version", self.python, *chosen]


@dataclasses.dataclass(frozen=True)
class Collection:
    """This collection as a file.

    - path: of the archive, as `ansible-galaxy collection build` makes it.
    - name, version: what it says of itself.
    - requirements: the Python packages that a controller needs for it, as pip reads them.
    """

    path: str
    name: str
    version: str
    requirements: bytes


def controllers(pythons: Sequence[str] | None, architectures: Sequence[str] | None) -> list[Controller]:
    """Return each combination; of the Python and the machine that this runs on where nothing is given.

    :raises ToolsUnavailable: if there are no wheels for one.
    """
    pythons = pythons or [f"{sys.version_info[0]}.{sys.version_info[1]}"]
    architectures = architectures or [_platform.local().architecture]
    for python in pythons:
        if not _PYTHON.fullmatch(python):
            raise ToolsUnavailable(f"tools_python: {python!r} is no version such as 3.11")
    for architecture in architectures:
        if architecture not in MACHINES:
            raise ToolsUnavailable(
                f"tools_arch: there are no tools for {architecture}: give one or more of {', '.join(MACHINES)}"
            )
    return [Controller(python, architecture) for python in pythons for architecture in architectures]


def read_collection(path: str) -> Collection:
    """Read what the archive of a collection says of itself.

    :raises ToolsUnavailable: if it is none.
    """
    try:
        with tarfile.open(path, "r:gz") as archive:
            info = json.loads(_member(archive, "MANIFEST.json"))["collection_info"]
            name, version = f"{info['namespace']}.{info['name']}", str(info["version"])
            return Collection(path, name, version, _member(archive, REQUIREMENTS))
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise ToolsUnavailable(f"{path} is no archive of this collection: {error}") from error


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise ValueError(f"its {name} is no file")
    with file:
        return file.read(_MANIFEST_LIMIT)


def gather(
    collection: Collection, wanted: Sequence[Controller], folder: str, bundle: str, dry_run: bool = False
) -> tuple[Tool, ...]:
    """Return all that a bundle carries for these controllers.

    :param folder: where packages are kept; it is made if it does not exist.
    :param bundle: the name of the bundle, for the page to read.
    :param dry_run: keep nothing that has to be fetched. What is returned cannot be opened then.
    :raises ToolsUnavailable: if packages cannot be had.
    """
    with tempfile.TemporaryDirectory(prefix="seahub-tools.") if dry_run else _kept(folder) as kept:
        known = folder if dry_run else kept
        sets = [_wheels(collection, controller, known, kept) for controller in wanted]
        wheels = {os.path.basename(path): path for paths in sets for path in paths}
        for name in wheels:
            if _layout.parse(_layout.tool(name)) is None:
                raise ToolsUnavailable(f"pip has fetched {name!r}, which cannot be carried under this name")
        return (
            _tools.of_bytes(README, _readme(collection, wanted, sorted(wheels), bundle).encode()),
            _tools.of_bytes(REQUIREMENTS, collection.requirements),
            _tools.of_file(collection.path),
            *(_tools.of_file(wheels[name]) for name in sorted(wheels)),
        )


@contextlib.contextmanager
def _kept(folder: str) -> Iterator[str]:
    """Keep others from the folder, and clear away what a killed run has left in it."""
    try:
        os.makedirs(folder, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ToolsUnavailable(f"tools_dir: packages cannot be kept in {folder}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for name in os.listdir(folder):
            if name.endswith(_UNFINISHED):
                shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        yield folder
    finally:
        os.close(descriptor)


def _wheels(collection: Collection, controller: Controller, known: str, kept: str) -> list[str]:
    """Return the paths of the packages for a controller: those that are known, or else fetched to be kept."""
    # Other requirements, or another choice among the wheels, are another set.
    key = hashlib.sha256(repr(controller.pip_arguments).encode() + collection.requirements).hexdigest()[:12]
    name = f"python{controller.python}-{controller.architecture}-{key}"
    folder = os.path.join(known, name)
    if not os.path.isdir(folder):
        folder = os.path.join(kept, name)
        unfinished = f"{folder}{_UNFINISHED}"
        os.mkdir(unfinished)
        try:
            _download(collection, controller, unfinished)
            os.rename(unfinished, folder)
        except BaseException:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise
    return [os.path.join(folder, wheel) for wheel in sorted(os.listdir(folder))]


def _download(collection: Collection, controller: Controller, folder: str) -> None:
    with tempfile.NamedTemporaryFile(prefix="requirements.", suffix=".txt") as requirements:
        requirements.write(collection.requirements)
        requirements.flush()
        # pip itself goes along: Debian's Python makes virtual environments without one.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += [*controller.pip_arguments, "--dest", folder, "--requirement", requirements.name, "pip"]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = "; ".join((done.stderr.strip() or done.stdout.strip()).splitlines()[-5:])
        raise ToolsUnavailable(
            f"the packages for a controller with Python {controller.python} on {controller.architecture} cannot be had,"
            f" nothing was packed. {sys.executable} -m pip said: {said}. Is pip there, does it reach an index, and"
            f" does ansible-core have a release for this Python (tools_python)?"
        )


def _versions(wheels: Sequence[str], package: str) -> list[str]:
    # https://packaging.python.org/en/latest/specifications/binary-distribution-format/#file-name-convention
    return sorted({name.split("-")[1] for name in wheels if name.split("-")[0] == package})


def _readme(collection: Collection, wanted: Sequence[Controller], wheels: Sequence[str], bundle: str) -> str:
    pip = max(name for name in wheels if name.startswith("pip-"))
    return _PAGE.format(
        bundle=bundle,
        collection=collection.name,
        version=collection.version,
        archive=os.path.basename(collection.path),
        core=" and ".join(_versions(wheels, "ansible_core")),
        python=wanted[0].python,
        pythons=" or ".join(dict.fromkeys(controller.python for controller in wanted)),
        architectures=" or ".join(dict.fromkeys(controller.architecture for controller in wanted)),
        glibc=f"2.{_GLIBC}",
        pip=pip,
        installed="~/.ansible/collections/ansible_collections/" + collection.name.replace(".", "/"),
    )


_PAGE = """\
# {bundle}: setting up a controller behind the gap

The bundle `{bundle}` carries container images and Helm charts. This folder, which came in it, has all that an Ansible
controller needs to bring them to the hosts. Nothing here uses a network.

| file | what it is |
| --- | --- |
| `{archive}` | the Ansible collection {collection} {version} |
| `*.whl` | ansible-core {core} and the Python packages that it and the collection need |
| `requirements.txt` | which of them are asked for; the others belong to these |

The machine needs Linux on {architectures} with glibc {glibc} or newer (`ldd --version`), Python {pythons}, and `ssh` to
reach the hosts. The hosts need nothing from here.

## 1. Check what arrived

Say where the bundle lies. Of a bundle in parts, give the same name, without what the parts have at its end.

```sh
bundle=/media/usb/{bundle}
```

Beside it lies a script that reads all of it and says whether it is right:

```sh
python{python} "$bundle.check.py"
```

## 2. Set up the controller

In the folder in which `tools` lies, where a new folder `controller` will be:

```sh
python{python} -m venv --without-pip controller
. controller/bin/activate
python tools/{pip}/pip install --no-index --find-links tools -r tools/requirements.txt
ansible-galaxy collection install --offline --force tools/{archive}
```

In each new shell, `. controller/bin/activate` again. If Ansible complains about the locale: `export LC_ALL=C.UTF-8`.

## 3. See what the bundle holds

```sh
ansible localhost -m seahub.offline.tree_info -a "path=$bundle"
ansible localhost -m seahub.offline.tree_check -a "path=$bundle"
```

## 4. Bring it to the hosts

Copy `{installed}/inventory.example`
to `inventory` and put your hosts in. Then

```console
ansible-playbook seahub.offline.deploy -i inventory -e "seahub_source=$bundle"
```

sends what the registry host lacks, serves it there as a registry, lets every host trust it, and proves that they can
pull from it. Where the medium is in the registry host itself, unpack it there, and deploy afterwards:

```console
ansible-playbook seahub.offline.unpack -i inventory -e "registry_bundle=$bundle"
```

## Further reading

`{installed}/docs` has the pages about bundles and
about keeping a tree; `README.md` beside that folder begins with an overview. `ansible-doc seahub.offline.tree_sync` and
so on have the options of each module.
"""

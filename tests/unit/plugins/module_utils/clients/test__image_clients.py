# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clients a host has, what they are not trusted for, and that they leave nothing behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _image_clients, _runtimes
from ansible_collections.seahub.offline.plugins.module_utils.clients._clients import ClientError
from ansible_collections.seahub.offline.plugins.module_utils.clients._image_clients import Image, ImageClient, Place
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials

DIGEST, INSTANCE, LAYER = (f"sha256:{character * 64}" for character in "abc")
PLACE = Place("sea.hub", 5000)
IMAGE = Image("sea.hub:5000/redis:7", "sea.hub:5000/redis", DIGEST)

FAILS = "sys.exit('it is not running')"
# Writes down where its storage is, and puts something there.
PODMAN = """
if args == ["info", "--format", "json"]:
    print(json.dumps({{"host": {{"os": "linux", "arch": "amd64"}}, "registries": {registries},
                       "store": {{"graphDriverName": "overlay", "graphRoot": folder + "/storage"}}}}))
elif args[:2] == ["image", "exists"]:
    sys.exit(1)
elif "pull" in args:
    root = args[args.index("--root") + 1]
    os.makedirs(root + "/overlay")
    open(folder + "/root", "w").write(root)
    {pull}
elif "inspect" in args:
    print(json.dumps(["sea.hub:5000/redis@{digest}", "sea.hub:5000/redis@{instance}"]))
"""
# The host has a layer in the namespace of docker; what is pulled is in its own namespace until it is removed.
CTR = """
if args[:2] == ["namespaces", "ls"]:
    print("moby")
elif args[2:4] == ["content", "ls"]:
    print("{layer}")
elif args[2:4] == ["images", "pull"]:
    open(folder + "/pulled", "w").write(args[-1])
    hosts = args[args.index("--hosts-dir") + 1]
    open(folder + "/read", "w").write(open(hosts + "/sea.hub:5000/hosts.toml").read())
elif args[2:4] == ["images", "ls"] and os.path.exists(folder + "/pulled") and "moby" not in args:
    print(open(folder + "/pulled").read() if "-q" in args else "REF TYPE DIGEST\\n" + args[-1] + " type {digest} 1 B")
elif args[2:4] == ["images", "rm"]:
    os.unlink(folder + "/pulled")
"""


class Machine:
    """A host on which programs do what a test says."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def has(self, program: str, script: str) -> str:
        path = self.folder / program
        # What is called is written down, too.
        head = f"#!{sys.executable} -I\nimport json, os, sys\nargs, folder = sys.argv[1:], {str(self.folder)!r}\n"
        head += f"open(folder + '/{program}.calls', 'a').write(' '.join(args) + '\\n')\n"
        path.write_text(head + script)
        path.chmod(0o755)
        return str(path)

    def podman(self, registries: dict[str, Any] | None = None, pull: str = "") -> ImageClient:
        script = PODMAN.format(registries=repr(registries or {}), pull=pull or "pass", digest=DIGEST, instance=INSTANCE)
        return client(self.has("podman", script))

    def ctr(self, hosts_toml: str) -> ImageClient:
        hosts = self.folder / "certs.d/sea.hub:5000/hosts.toml"
        hosts.parent.mkdir(parents=True)
        hosts.write_text(hosts_toml)
        return client(self.has("ctr", CTR.format(digest=DIGEST, layer=LAYER)))

    def calls(self, program: str) -> str:
        return (self.folder / f"{program}.calls").read_text()


@pytest.fixture(name="machine")
def fixture_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(_runtimes, "containerd_folder", lambda: str(tmp_path / "certs.d"))
    return Machine(tmp_path)


def client(name: str) -> ImageClient:
    (found,) = _image_clients.find([name], 30).values()
    assert isinstance(found, ImageClient), found
    return found


def test_auto_is_each_that_runs(machine: Machine) -> None:
    machine.has("docker", FAILS)
    machine.has("ctr", "")
    machine.podman()
    assert set(_image_clients.find(["auto"], 30)) == {"podman", "ctr"}


def test_a_host_on_which_none_runs_says_so(machine: Machine) -> None:
    for name in _image_clients.NAMES:
        machine.has(name, FAILS)
    (said,) = _image_clients.find(["auto"], 30).items()
    assert said[0] == "auto"
    assert "no client that pulls images runs on this host: it is not running" in str(said[1])


def test_a_name_that_tells_nothing_is_refused(machine: Machine) -> None:
    (said,) = _image_clients.find([machine.has("puller", "")], 30).values()
    assert "one of docker, podman, ctr has to be in its name" in str(said)


# podman


def test_podman_leaves_no_storage_behind(machine: Machine) -> None:
    got = machine.podman().pull(PLACE, IMAGE, None)
    assert (got.digests, got.was_present, got.fetched(LAYER)) == ((DIGEST, INSTANCE), False, True)
    root = (machine.folder / "root").read_text()
    assert Path(root).parent.parent == machine.folder
    assert not Path(root).parent.exists()


def test_podman_leaves_no_storage_behind_when_it_fails(machine: Machine) -> None:
    with pytest.raises(ClientError, match="manifest unknown"):
        machine.podman(pull="sys.exit('Error: manifest unknown')").pull(PLACE, IMAGE, "linux/arm64")
    assert not Path((machine.folder / "root").read_text()).parent.exists()
    assert "pull --quiet --platform linux/arm64 sea.hub:5000/redis:7" in machine.calls("podman")


@pytest.mark.parametrize(
    ("registries", "distrusted"),
    [
        ({"search": ["docker.io"]}, False),
        ({"sea.hub:5000": {"Location": "sea.hub:5000", "Insecure": True}}, True),
        ({"sea.hub:5000": {"Insecure": False, "Mirrors": [{"Location": "10.0.0.5:5000", "Insecure": True}]}}, True),
        ({"sea.hub:5000/redis": {"Insecure": True}}, True),
        ({"*.hub:5000": {"Insecure": True}}, True),
        ({"docker.io": {"Location": "sea.hub:5000", "Insecure": True}}, True),
        ({"other.example": {"Location": "other.example", "Insecure": True}}, False),
    ],
)
def test_a_podman_that_does_not_verify_proves_nothing(
    machine: Machine, registries: dict[str, Any], distrusted: bool
) -> None:
    assert bool(machine.podman(registries).distrust(PLACE)) is distrusted


# containerd


def test_ctr_leaves_no_namespace_behind_and_tells_what_the_host_had(machine: Machine) -> None:
    got = machine.ctr("").pull(PLACE, IMAGE, None)
    assert (got.digests, got.fetched(LAYER), got.fetched(INSTANCE)) == ((DIGEST,), False, True)
    namespace = machine.calls("ctr").split("--namespace seahub-pull-")[1].split()[0]
    assert not (machine.folder / "pulled").exists()
    assert machine.calls("ctr").endswith(f"namespaces rm seahub-pull-{namespace}\n")


def test_ctr_gets_a_password_that_nobody_sees(machine: Machine) -> None:
    login = Credentials("reader", "secret")
    machine.ctr('server = "https://sea.hub:5000"\n[host."https://second:5000"]\n').pull(
        Place("sea.hub", 5000, login), IMAGE, None
    )
    read = (machine.folder / "read").read_text()
    assert read.count(f'authorization = "{login.basic()}"') == 2
    assert '[host."https://second:5000".header]' in read
    hosts = machine.calls("ctr").split("--hosts-dir ")[1].split()[0]
    assert not Path(hosts).exists()
    assert "secret" not in machine.calls("ctr")
    assert login.basic() not in (machine.folder / "certs.d/sea.hub:5000/hosts.toml").read_text()


@pytest.mark.parametrize(
    ("text", "distrusted"),
    [
        ('server = "https://sea.hub:5000"\n', False),
        ('server = "https://sea.hub:5000"\nskip_verify = true\n', True),
        ('[host."http://10.0.0.5:5000"]\n', True),
        ("# skip_verify = true\n", False),
    ],
)
def test_a_containerd_that_does_not_verify_proves_nothing(machine: Machine, text: str, distrusted: bool) -> None:
    assert bool(machine.ctr(text).distrust(PLACE)) is distrusted


def test_containerd_does_not_verify_a_registry_called_localhost(machine: Machine) -> None:
    assert "another name" in str(machine.ctr("").distrust(Place("localhost", 5000)))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sending over a real sshd, where a password stands before the folder, and ssh is set to compress."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.playbook import play
from tests.e2e.remote import Remote
from tests.unit.trees import files, layer_bytes, make_tree

HOST = "run3"
USER, OWNER = "seahub-test-user", "seahub-test-owner"
DEST = f"/home/{OWNER}/tree"


@pytest.fixture(name="password")
def fixture_password(hosts: dict[str, Remote]) -> Iterator[str]:
    """The password of a user on the host, into whom another one may change, who logs in with the lab's key."""
    remote, password = hosts[HOST], secrets.token_hex(8)
    for name in (USER, OWNER):
        remote.run("useradd", "--create-home", "--shell", "/bin/sh", name)
    try:
        remote.write("/root/passwords", f"{OWNER}:{password}\n".encode())
        remote.run("sh", "-c", "chpasswd < /root/passwords; rm /root/passwords")
        remote.run("cp", "-r", "/root/.ssh", f"/home/{USER}/.ssh")
        remote.run("chown", "-R", USER, f"/home/{USER}/.ssh")
        yield password
    finally:
        for name in (USER, OWNER):
            remote.run("userdel", "--force", "--remove", name)


def test_as_another_user(lab: dict[str, Any], hosts: dict[str, Remote], password: str, tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", {"library/mysql:8": [layer_bytes(1, 3_000_000), b"two"]})
    variables = {
        "source": str(tmp_path / "tree"),
        "dest": DEST,
        "ansible_user": USER,
        "ansible_become": True,
        "ansible_become_method": "ansible.builtin.su",
        "ansible_become_user": OWNER,
        "ansible_become_password": password,
        "ansible_ssh_args": "-C -o ControlMaster=auto -o ControlPersist=10s",
        # Modules themselves reach a user by way of /tmp, where the two have no rights in common.
        "ansible_shell_allow_world_readable_temp": True,
    }
    (tmp_path / "vars.json").write_text(json.dumps(variables))
    run = play(Path(__file__).with_name("sending.yml"), "-i", lab["inventory"], "-e", f"@{tmp_path}/vars.json", "-vv")
    assert run.status == 0, run.output
    assert run.changed == {HOST: 1}
    assert "the tree goes over a connection of its own, without" in run.output
    assert "sends in portions" not in run.output
    assert password not in run.output
    found = hosts[HOST].run("sh", "-c", f"cd {DEST} && find . -type f -not -path './.seahub/*' | wc -l")
    assert int(found) == len(files(tmp_path / "tree"))
    assert hosts[HOST].run("find", DEST, "!", "-user", OWNER) == ""

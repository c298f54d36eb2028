# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs playbooks for tests: this checkout, this Python on the far side, a home of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def command(playbook: Path, *hosts: str, **variables: object) -> list[str]:
    """Return the command that runs a playbook with local connections."""
    extra = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, **variables}
    arguments = [item for name, value in extra.items() for item in ("-e", f"{name}={value}")]
    program = Path(sys.executable).with_name("ansible-playbook")
    return [str(program), "-i", "".join(f"{host}," for host in hosts or ("host1",)), *arguments, str(playbook)]


def environment(home: Path) -> dict[str, str]:
    """Return an environment in which Ansible writes only below a folder."""
    (home / "tmp").mkdir(parents=True, exist_ok=True)
    (home / "ansible.cfg").touch()
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "ANSIBLE_HOME": str(home / ".ansible"),
        # Given as whole paths: for the ~ in their defaults Ansible asks the system, not the environment.
        "ANSIBLE_REMOTE_TMP": str(home / ".ansible" / "tmp"),
        "ANSIBLE_ASYNC_DIR": str(home / ".ansible_async"),
        "ANSIBLE_CONFIG": str(home / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
    }


def run(home: Path, playbook: Path, *options: str, **variables: object) -> subprocess.CompletedProcess[str]:
    """Run a playbook to its end."""
    return subprocess.run(
        [*command(playbook, **variables), *options],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def started(home: Path, playbook: Path, **variables: object) -> Iterator[subprocess.Popen[str]]:
    """Run a playbook beside the test."""
    process = subprocess.Popen(
        command(playbook, **variables),
        env=environment(home),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        with process:
            yield process
    finally:
        process.kill()


def leftovers(home: Path) -> list[str]:
    """Return what there is of temporary files on the far side; those of Ansible itself on this side do not count."""
    folders = [home / "tmp", home / ".ansible" / "tmp", home / ".ansible_async"]
    found = [path for folder in folders for path in folder.glob("*")]
    return [str(path) for path in found if not path.name.startswith(("ansible-local-", "pymp-"))]


def run_with_inventory(home: Path, playbook: Path, inventory: Path) -> subprocess.CompletedProcess[str]:
    """Run a playbook on hosts that reach each other in ways of their own."""
    program = Path(sys.executable).with_name("ansible-playbook")
    python = f"ansible_python_interpreter={sys.executable}"
    return subprocess.run(
        [str(program), "-i", str(inventory), "-e", python, str(playbook)],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running playbooks as a user does, and reading what they say at the end."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.project import ROOT

_RECAP = re.compile(r"^(?P<host>\S+)\s+: (?P<counts>ok=\d+.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Run:
    """A playbook that has run."""

    status: int
    output: str

    @property
    def recap(self) -> dict[str, dict[str, int]]:
        """Host -> the counts of the last lines: ok, changed, unreachable, failed, ..."""
        _before, _title, lines = self.output.rpartition("PLAY RECAP")
        return {
            found["host"]: {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)", found["counts"])}
            for found in _RECAP.finditer(lines)
        }

    @property
    def changed(self) -> dict[str, int]:
        """Host -> how many tasks changed something."""
        return {host: counts["changed"] for host, counts in self.recap.items()}


def play(playbook: str | Path, *arguments: str | Path) -> Run:
    """Run a playbook of the checkout, from the checkout."""
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),  # found by itself only where nobody else may write
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        ["ansible-playbook", playbook, *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Run(done.returncode, done.stdout)


def task(folder: Path, module: str, options: dict[str, Any]) -> Run:
    """Run one module on the controller."""
    playbook = folder / "task.yml"
    playbook.write_text(
        yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [{"name": "Try", module: options}]}])
    )
    return play(playbook)

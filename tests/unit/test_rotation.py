# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role `registry` lets no CA sign that a host does not trust. Nothing is written to the hosts here."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.modules import registry_certificate
from tests.unit import modules, playbook

PLAY = """
- hosts: all[0]
  gather_facts: false
  tasks:
    - ansible.builtin.include_role:
        name: seahub.offline.registry
        tasks_from: certificate
  vars:
    registry_domain: not-trusted.example.org
    registry_pki: {pki}
    registry_address: [127.0.0.1]
    registry_ca_rotation: {step}
"""
# One that is here but does not trust the CA, and one that is not.
INVENTORY = """
[run]
here ansible_connection=local
gone ansible_host=127.0.0.1 ansible_port=1 ansible_connection=ssh
"""


@pytest.fixture(name="pki")
def fixture_pki(tmp_path: Path) -> Path:
    """The folder of a site where the next CA is made."""
    for step in (None, "begin"):
        options = {"dir": str(tmp_path / "pki"), "domain": "not-trusted.example.org", "ip_addresses": ["127.0.0.1"]}
        outcome = modules.run(registry_certificate.main, {**options, **({"ca_rotation": step} if step else {})})
        assert outcome.result["changed"], outcome.message
    return tmp_path / "pki"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def play(tmp_path: Path, pki: Path, step: str) -> tuple[int, str]:
    written = tmp_path / "play.yml"
    written.write_text(PLAY.format(pki=pki, step=step or "''"))
    inventory = tmp_path / "inventory"
    inventory.write_text(INVENTORY)
    done = playbook.run_with_inventory(tmp_path / "home", written, inventory)
    return done.returncode, done.stdout + done.stderr


def test_it_says_which_hosts_do_not_trust_the_next_ca(tmp_path: Path, pki: Path) -> None:
    before = content(pki)
    status, output = play(tmp_path, pki, "switch")
    assert status != 0, output
    assert "gone cannot be reached" in output, output
    assert "here does not trust the next CA" in output
    assert content(pki) == before


@pytest.mark.parametrize("step", ["", "begin"])
def test_other_steps_ask_no_host(tmp_path: Path, pki: Path, step: str) -> None:
    before = content(pki)
    status, output = play(tmp_path, pki, step)
    assert status == 0, output
    assert "cannot be reached" not in output
    assert content(pki) == before

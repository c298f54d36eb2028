# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which registry hosts the role `client` lets each host try, and in which order: its variables, without its tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.project import ROOT
from tests.unit import playbook

INVENTORY = """
[registry]
reg1 ansible_host=10.0.0.1
reg2 ansible_host=10.0.0.2
[run]
reg2
run1 ansible_host=10.0.0.11
run2 ansible_host=10.0.0.12
run3 ansible_host=10.0.0.13
"""
PLAY = """
- hosts: all
  gather_facts: false
  vars_files:
    - {role}/defaults/main.yml
    - {role}/vars/main.yml
  tasks:
    - ansible.builtin.copy:
        content: "{{{{ {{'addresses': _client_addresses, 'endpoints': _client_endpoints}} | to_json }}}}"
        dest: {folder}/{{{{ inventory_hostname }}}}
        mode: "0644"
      delegate_to: localhost
  vars: {variables}
"""


def orders(tmp_path: Path, **variables: object) -> dict[str, Any]:
    """Return what each host has been told."""
    (tmp_path / "said").mkdir()
    written, inventory = tmp_path / "play.yml", tmp_path / "inventory"
    inventory.write_text(INVENTORY)
    written.write_text(
        PLAY.format(role=ROOT / "roles" / "client", folder=tmp_path / "said", variables=json.dumps(variables))
    )
    done = playbook.run_with_inventory(tmp_path / "home", written, inventory)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: json.loads(path.read_text()) for path in (tmp_path / "said").iterdir()}


def test_found_addresses_are_shared_among_the_hosts_and_a_registry_host_has_its_own_first(tmp_path: Path) -> None:
    said = orders(tmp_path)
    assert said["reg1"]["addresses"] == ["10.0.0.1", "10.0.0.2"]
    assert said["reg2"]["addresses"] == ["10.0.0.2", "10.0.0.1"]
    assert {said[name]["addresses"][0] for name in ("run1", "run2", "run3")} == {"10.0.0.1", "10.0.0.2"}
    assert said["reg2"]["endpoints"] == ["sea.hub:5000", "10.0.0.1:5000"]


def test_given_addresses_keep_their_order_behind_the_own_one(tmp_path: Path) -> None:
    said = orders(tmp_path, seahub_registry_address=["fd00::1", "10.0.0.2", "fd00::3"])
    assert said["run1"] == {
        "addresses": ["fd00::1", "10.0.0.2", "fd00::3"],
        "endpoints": ["sea.hub:5000", "10.0.0.2:5000", "[fd00::3]:5000"],
    }
    assert said["reg2"]["endpoints"] == ["sea.hub:5000", "[fd00::1]:5000", "[fd00::3]:5000"]


def test_one_registry_has_its_name_alone(tmp_path: Path) -> None:
    said = orders(tmp_path, seahub_registry_address="10.0.0.9")
    assert said["run1"] == {"addresses": ["10.0.0.9"], "endpoints": ["sea.hub:5000"]}

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook says on which hosts which role runs. Whatever it did beyond that would be lost on users of the roles."""

from __future__ import annotations

from typing import Any

import pytest

from tests.project import ROOT, load_yaml, playbooks, roles

OTHER_THAN_ONE_TASK = {"handlers", "import_playbook", "post_tasks", "pre_tasks", "roles"}


@pytest.mark.parametrize("playbook", playbooks())
def test_each_play_is_hosts_and_one_include_role(playbook: str) -> None:
    plays: list[dict[str, Any]] = load_yaml(f"playbooks/{playbook}")
    for play in plays:
        assert play["hosts"]
        assert set(play) & OTHER_THAN_ONE_TASK == set()
        (task,) = play["tasks"]
        namespace, _, role = task["ansible.builtin.include_role"]["name"].rpartition(".")
        assert namespace == "seahub.offline"
        assert role in roles()


@pytest.mark.parametrize("playbook", ["build.yml", "deploy.yml", "verify.yml"])
def test_the_checkout_has_it_at_its_top(playbook: str) -> None:
    (play,) = load_yaml(playbook)
    assert play["ansible.builtin.import_playbook"] == f"playbooks/{playbook}"
    assert (ROOT / "playbooks" / playbook).exists()

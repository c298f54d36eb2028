# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A playbook says on which hosts which role runs. Whatever it did beyond that would be lost on users of the roles."""

from __future__ import annotations

from typing import Any

import pytest

from tests.project import ROOT, load_yaml, playbooks, roles

OTHER_TASKS = {"handlers", "post_tasks", "pre_tasks", "roles"}
IMPORT = "ansible.builtin.import_playbook"


def plays() -> list[Any]:
    """Returns the plays of all playbooks, but not those that one playbook takes from another."""
    named = [(name, play) for name in playbooks() for play in load_yaml(f"playbooks/{name}")]
    return [
        pytest.param(play, id=f"{name}: {play['name']}") for name, play in named if play.get(IMPORT) not in playbooks()
    ]


@pytest.mark.parametrize("play", plays())
def test_each_play_is_hosts_and_one_include_role(play: dict[str, Any]) -> None:
    assert play["hosts"]
    assert set(play) & OTHER_TASKS == set()
    (task,) = play["tasks"]
    collection, _, role = task["ansible.builtin.include_role"]["name"].rpartition(".")
    assert collection == "seahub.offline"
    assert role in roles()


@pytest.mark.parametrize("playbook", playbooks())
def test_the_checkout_has_it_at_its_top(playbook: str) -> None:
    (play,) = load_yaml(playbook)
    assert play[IMPORT] == f"playbooks/{playbook}"
    assert (ROOT / "playbooks" / playbook).exists()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.executor.task_queue_manager import TaskQueueManager

from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from tests.unit import playbook

SLOW = Path(__file__).parent / "slow"
RESULT = {"changed": False, "failed": False, "stdout": "one\ntwo", "warnings": ["this is a warning"]}


@dataclass
class Outcome:
    home: Path
    process: subprocess.CompletedProcess[str]
    results: dict[str, Any]
    leftovers: list[str]


AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes root without a password")
WAYS = [
    pytest.param({}, id="here"),
    # Whoever becomes somebody is not on this host as this user any more, and the module runs as a job.
    pytest.param({"ansible_become": True, "ansible_become_method": "ansible.builtin.su"}, id="job", marks=AS_ROOT),
]


@pytest.fixture(scope="module", params=WAYS)
def outcome(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    home = tmp_path_factory.mktemp("home")
    results = home / "results.json"
    process = playbook.run(home, SLOW / "play.yml", results=results, **request.param)
    assert process.returncode == 0, process.stdout + process.stderr
    return Outcome(home, process, json.loads(results.read_text()), playbook.leftovers(home))


def test_progress_is_shown_while_the_module_runs(outcome: Outcome) -> None:
    lines = [line for line in outcome.process.stdout.splitlines() if line.startswith("[host1] ")]
    assert lines
    assert all("working: " in line and " steps, " in line for line in lines)


@pytest.mark.parametrize(
    ("name", "with_progress", "check"),
    [("slow", True, False), ("quick", True, False), ("secret", False, False), ("checked", False, True)],
)
def test_the_result_is_that_of_the_module(outcome: Outcome, name: str, with_progress: bool, check: bool) -> None:
    password = "********" if name == "slow" else "None"
    assert outcome.results[name] == {
        **RESULT,
        "stdout_lines": ["one", "two"],
        "said": f"the password is {password}",
        "with_progress": with_progress,
        "check": check,
    }


def test_a_failure_is_that_of_the_module(outcome: Outcome) -> None:
    failed = outcome.results["failed"]
    assert failed["failed"]
    assert failed["msg"] == "this is a failure"
    assert failed["reason"] == {"code": 7}
    assert failed["warnings"] == ["this is a warning"]
    assert "ansible_job_id" not in failed


@pytest.mark.parametrize(
    ("name", "message"),
    [("crashed", "this is a crash"), ("invalid", "unable to convert to float")],
)
def test_other_failures_say_why(outcome: Outcome, name: str, message: str) -> None:
    assert outcome.results[name]["failed"]
    # With ansible-core 2.18 a crash is in the module's standard error.
    assert any(message in str(outcome.results[name].get(key)) for key in ("msg", "stderr"))


def test_a_task_that_is_asynchronous_already_stays_so(outcome: Outcome) -> None:
    assert outcome.results["asynchronous"]["ansible_job_id"]
    assert not outcome.results["asynchronous"]["with_progress"]


def test_secrets_do_not_appear(outcome: Outcome) -> None:
    assert "sesame" not in outcome.process.stdout + outcome.process.stderr + json.dumps(outcome.results)


def test_a_timeout_stops_the_module(outcome: Outcome) -> None:
    assert outcome.results["late"]["failed"]
    assert outcome.results["late"]["timedout"]["period"] == 4
    assert (outcome.home / "results.json.trace").read_text() == "cleaned up"


def test_nothing_temporary_is_left(outcome: Outcome) -> None:
    assert outcome.leftovers == []


def eventually(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGINT,
        pytest.param(
            signal.SIGTERM,
            marks=pytest.mark.skipif(
                not hasattr(TaskQueueManager, "_signal_handler"),
                reason="ansible-core 2.18 does not tell its workers: they go on to the end of their task",
            ),
        ),
    ],
)
@pytest.mark.parametrize("way", WAYS)
def test_interrupting_ansible_stops_the_module(tmp_path: Path, number: signal.Signals, way: dict[str, object]) -> None:
    state = tmp_path / "progress"
    with playbook.started(tmp_path, SLOW / "endless.yml", results=state, **way) as ansible:
        assert eventually(state.exists)
        module = _progress.process(state.read_text())
        assert module is not None
        ansible.send_signal(number)
        assert eventually(lambda: not is_alive(module))
        ansible.communicate(timeout=30)
    assert (tmp_path / "progress.trace").read_text() == "cleaned up"
    assert eventually(lambda: playbook.leftovers(tmp_path) == []), playbook.leftovers(tmp_path)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import signal

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.plugin_utils._signals import Interrupted, while_ansible_runs


def test_work_ends_with_ansible(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Progress] = []
    tell = while_ansible_runs(told.append)
    tell(Progress("sending"))
    monkeypatch.setattr("os.getppid", lambda: 1)
    with pytest.raises(Interrupted) as interrupted:
        tell(Progress("sending", 1))
    assert interrupted.value.number == signal.SIGTERM
    assert told == [Progress("sending")]

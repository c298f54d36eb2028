# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module with real arguments through the real AnsibleModule, in the process of the test."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic

try:
    from ansible.module_utils.testing import patch_module_args
except ImportError:  # ansible-core 2.18

    @contextlib.contextmanager
    def patch_module_args(args: dict[str, Any] | None = None) -> Iterator[None]:
        """Let AnsibleModule find these arguments."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": args or {}}).encode())
            yield


@dataclass(frozen=True)
class Outcome:
    """What a module has printed: as it is, and read; and whether it failed."""

    printed: str
    result: dict[str, Any]

    @property
    def failed(self) -> bool:
        """Whether it failed. `failed` in the result may be something else that the module says."""
        return self.result.get("failed") is not False and "msg" in self.result

    @property
    def message(self) -> str:
        """Why it failed; empty if it did not."""
        return str(self.result["msg"]) if self.failed else ""


def run(main: Callable[[], None], arguments: dict[str, Any], check: bool = False, diff: bool = False) -> Outcome:
    """Run a module.

    :param main: its main function.
    :param check, diff: as `--check` and `--diff` set them.
    """
    out = io.StringIO()
    given = {**arguments, "_ansible_check_mode": check, "_ansible_diff": diff}
    with patch_module_args(given), contextlib.redirect_stdout(out), pytest.raises(SystemExit):
        main()
    return Outcome(out.getvalue(), json.loads(out.getvalue()))


def without_logins(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Let the module find no login files of whoever runs the tests, and no proxy."""
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_CONFIG_HOME", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))

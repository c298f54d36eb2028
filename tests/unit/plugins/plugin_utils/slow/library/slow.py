#!/usr/bin/python
# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A module that takes its time, for the tests of the progress action."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "seconds": {"type": "float", "default": 0},
            "outcome": {"type": "str", "choices": ["ok", "fail", "crash"], "default": "ok"},
            "trace": {"type": "path"},
            "password": {"type": "str", "no_log": True},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    show = _progress.callback(module.params["progress_file"])
    try:
        work(show, module.params["seconds"])
    except KeyboardInterrupt:
        with open(module.params["trace"], "w", encoding="utf-8") as file:
            file.write("cleaned up")
        raise
    module.warn("this is a warning")
    if module.params["outcome"] == "crash":
        raise RuntimeError("this is a crash")
    if module.params["outcome"] == "fail":
        module.fail_json(msg="this is a failure", reason={"code": 7})
    module.exit_json(
        changed=False,
        with_progress=bool(module.params["progress_file"]),
        check=module.check_mode,
        said=f"the password is {module.params['password']}",
        stdout="one\ntwo",
    )


def work(show: _progress.Callback, seconds: float) -> None:
    steps = int(seconds * 10)
    for step in range(steps):
        show(Progress("working", step * 1024, steps * 1024, step, steps, "steps"))
        time.sleep(0.1)


if __name__ == "__main__":
    main()

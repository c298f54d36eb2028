# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A base for action plugins whose module works for long: shows its progress while it runs.

A module cannot say anything before its end, so it keeps its progress in a file; this side reads the file while the
module runs and shows lines through Display, the only way to the screen while a task runs. On this very host, as this
very user, the module runs in a thread beside the reader; elsewhere it runs as an asynchronous job, since a connection
does one thing at a time. The result is the module's own, as if it had been run plainly.

What happens when it is interrupted: with Ctrl-C, SIGTERM or the task's timeout, the job is stopped (SIGINT, so that it
cleans up, then SIGTERM) and everything temporary is removed. When Ansible is killed at once (SIGKILL) or the connection
is lost for good, the job goes on to its end, with its result left in a folder below the host's temporary folder.
"""

# Note that this plugin util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import contextvars
import functools
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, TypeVar

from ansible import constants as C  # noqa: N812  as everywhere in Ansible
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.seahub.offline.plugins.module_utils.common import _progress
from ansible_collections.seahub.offline.plugins.module_utils.common._progress import Progress
from ansible_collections.seahub.offline.plugins.plugin_utils._progress_display import ProgressDisplay
from ansible_collections.seahub.offline.plugins.plugin_utils._signals import interruptible

# async_wrapper kills what takes longer; the task's own timeout is the user's way to limit it.
TIME_LIMIT = 7 * 24 * 3600
FIRST_POLL, SLOWEST_POLL = 0.2, 2.0
HERE_POLL = 0.5
CONNECTION_PATIENCE = 120
SECONDS_TO_CLEAN_UP = 5

T = TypeVar("T")

display = Display()


class ProgressActionModule(ActionBase):
    """Runs the module of the same name, which has the option C(progress_file), and shows its progress."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module and return its result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        self._task_vars = task_vars or {}
        if self._shows_progress():
            with interruptible():
                result.update(self._run_here() if self._is_here() else self._run_as_job())
        else:
            result.update(self._run_plainly())
        return result

    def _shows_progress(self) -> bool:
        # Asynchronous already, by the user's wish; no_log: labels may say what nobody may see; check mode: quick.
        return not (self._task.async_val or self._task.check_mode or self._task.no_log)

    def _run_plainly(self) -> dict[str, Any]:
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        result: dict[str, Any] = self._execute_module(task_vars=self._task_vars, wrap_async=wrap_async)
        if not wrap_async:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _is_here(self) -> bool:
        return self._connection.transport == "local" and not self._connection.become

    def _run_here(self) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix="ansible-seahub.") as folder:
            path = str(self._task.args.get("progress_file") or f"{folder}/progress")
            try:
                with ThreadPoolExecutor(1) as pool:
                    return self._watch(pool, path)
            finally:
                if self._connection._shell.tmpdir and not C.DEFAULT_KEEP_REMOTE_FILES:
                    self._remove_tmp_path(self._connection._shell.tmpdir, force=True)

    def _watch(self, pool: ThreadPoolExecutor, path: str) -> dict[str, Any]:
        # Ansible keeps in context variables what it is doing; a thread begins without them.
        run = functools.partial(contextvars.copy_context().run, self._execute_module)
        module = pool.submit(run, module_args={**self._task.args, "progress_file": path}, task_vars=self._task_vars)
        show = self._new_display()
        try:
            while not wait([module], timeout=HERE_POLL).done:
                progress = _read(path)
                if progress is not None:
                    show(progress)
            result: dict[str, Any] = module.result()
        except BaseException:
            self._stop(path)
            raise
        return result

    def _new_display(self) -> ProgressDisplay:
        return ProgressDisplay(self._task_vars.get("inventory_hostname", "?"), display.display)

    def _run_as_job(self) -> dict[str, Any]:
        with self._folder() as folder:
            path = self._task.args.get("progress_file") or f"{folder}/progress"
            tmpdir = None
            try:
                if self._connection._shell.tmpdir is None:
                    self._make_tmp_path()
                tmpdir = self._connection._shell.tmpdir
                started = self._start(path)
                if "ansible_job_id" not in started:
                    return started
                return self._wait(Job(started["ansible_job_id"], folder, path))
            except BaseException:
                self._stop(path)
                raise
            finally:
                # The job removes it as well, some seconds after its end, should this side not live to do so.
                if tmpdir and not C.DEFAULT_KEEP_REMOTE_FILES:
                    self._remove_tmp_path(tmpdir, force=True)

    @contextlib.contextmanager
    def _folder(self) -> Iterator[str]:
        # Made by the user who runs the module: the folder for Ansible's own temporary files may be closed to it.
        lines = self._shell('umask 077 && mktemp -d "${TMPDIR:-/tmp}/ansible-seahub.XXXXXXXX"')
        folder = next((line for line in lines if "/ansible-seahub." in line), None)
        if folder is None:
            raise AnsibleActionFail("no temporary folder can be made on the host: is its /tmp full or read-only?")
        shell = self._connection._shell
        async_dir = self.get_shell_option("async_dir", default="~/.ansible_async")
        shell.set_option("async_dir", folder)
        try:
            yield folder
        finally:
            shell.set_option("async_dir", async_dir)
            self._shell(f"rm -rf {shlex.quote(folder)}")

    def _start(self, path: str) -> dict[str, Any]:
        self._task.async_val = TIME_LIMIT
        try:
            result: dict[str, Any] = self._execute_module(
                module_args={**self._task.args, "progress_file": path}, task_vars=self._task_vars, wrap_async=True
            )
        finally:
            self._task.async_val = 0
        return result

    def _wait(self, job: Job) -> dict[str, Any]:
        show = self._new_display()
        pause = FIRST_POLL
        while True:
            time.sleep(pause)
            pause = min(pause * 1.5, SLOWEST_POLL)
            progress, running = self._patiently(lambda: self._look(job))
            if progress is not None:
                show(progress)
            if not running:
                result = self._patiently(lambda: self._status(job))
                if result is not None:
                    return result

    def _look(self, job: Job) -> tuple[Progress | None, bool]:
        # One cheap command for both: async_status is a module, half a second of work on the host each time.
        lines = self._shell(
            f"cat {shlex.quote(job.progress)} 2>/dev/null; echo;"
            f" grep -q '\"finished\": *\\(false\\|0\\)' {shlex.quote(job.result)} && echo running"
        )
        return next(filter(None, map(_progress.parse, lines)), None), "running" in lines

    def _status(self, job: Job) -> dict[str, Any] | None:
        result: dict[str, Any] = self._execute_module(
            module_name="ansible.legacy.async_status",
            module_args={"jid": job.id, "mode": "status", "_async_dir": job.folder},
            task_vars=self._task_vars,
        )
        self._remove_tmp_path(self._connection._shell.tmpdir)
        if not result.get("finished"):
            return None
        added = ["ansible_job_id", "finished", "results_file"]
        if not result.get("failed"):
            added += ["stderr", "stderr_lines"]
        for key in added:
            result.pop(key, None)
        return result

    def _stop(self, path: str) -> None:
        lines = self._shell(f"cat {shlex.quote(path)} 2>/dev/null")
        process = next(filter(None, map(_progress.process, lines)), None)
        if process is not None:
            gone = f"kill -0 {process} 2>/dev/null || exit 0"
            wait = f"for second in {' '.join('1' * SECONDS_TO_CLEAN_UP)}; do {gone}; sleep $second; done"
            self._shell(f"kill -INT {process} 2>/dev/null || exit 0; {wait}; kill {process}")

    def _shell(self, command: str) -> list[str]:
        # Lines, because a host may greet before it answers.
        answer: dict[str, list[str]] = self._low_level_execute_command(command)
        return answer["stdout_lines"]

    def _patiently(self, look: Callable[[], T]) -> T:
        deadline = time.monotonic() + CONNECTION_PATIENCE
        while True:
            try:
                return look()
            except AnsibleConnectionFailure as error:
                if time.monotonic() > deadline:
                    raise
                display.vv(f"the connection failed, trying again: {error}")
                time.sleep(SLOWEST_POLL)
                with contextlib.suppress(AttributeError):
                    self._connection.reset()


def _read(path: str) -> Progress | None:
    try:
        with open(path, encoding="utf-8") as file:
            return _progress.parse(file.readline())
    except FileNotFoundError:
        return None


class Job:
    """The module, running on its host."""

    def __init__(self, id_: str, folder: str, progress: str) -> None:
        self.id = id_
        self.folder = folder
        self.progress = progress
        self.result = f"{folder}/{id_}"

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of `seahub.offline.bundle_pack` while it runs, and gives it this collection to carry along."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ansible import constants as C  # noqa: N812  as everywhere in Ansible
from ansible.errors import AnsibleActionFail
from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError
from ansible_collections.seahub.offline.plugins.plugin_utils import _collection_archive
from ansible_collections.seahub.offline.plugins.plugin_utils._progress_action import ProgressActionModule

# Where this collection lies, a checkout or installed: a module on its way to a host knows nothing of that.
ROOT = Path(__file__).resolve().parents[2]


class ActionModule(ProgressActionModule):
    """Runs the module of the same name."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module and return its result."""
        arguments = self._task.args
        if not boolean(arguments.get("include_tools", False), strict=False) or arguments.get("tools_collection"):
            return super().run(tmp, task_vars)
        # Given back afterwards: a task that is tried again has to begin as this one did.
        self._task.args = {**arguments, "tools_collection": self._put_collection()}
        try:
            return super().run(tmp, task_vars)
        finally:
            self._task.args = arguments

    def _put_collection(self) -> str:
        """Write this collection into the host's folder for this task, with which it goes away; return its path."""
        if self._connection._shell.tmpdir is None:
            self._make_tmp_path()
        tmpdir = self._connection._shell.tmpdir
        with tempfile.TemporaryDirectory(dir=C.DEFAULT_LOCAL_TMP) as folder:
            try:
                local = _collection_archive.write(ROOT, Path(folder))
            except SeahubError as error:
                raise AnsibleActionFail(str(error)) from error
            remote: str = self._connection._shell.join_path(tmpdir, local.name)
            self._transfer_file(str(local), remote)
        self._fixup_perms2((tmpdir, remote))
        return remote

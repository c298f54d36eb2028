# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows the progress of `seahub.offline.bundle_mount` while it runs."""

from __future__ import annotations

from ansible_collections.seahub.offline.plugins.plugin_utils._progress_action import ProgressActionModule


class ActionModule(ProgressActionModule):
    """Runs the module of the same name."""

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of modules that show how far they are."""

from __future__ import annotations


class ModuleDocFragment:
    """Read by C(ansible-doc) through C(extends_documentation_fragment: seahub.offline._progress)."""

    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - A file in which the module keeps how far it is, as one line of JSON.
      - Used by the action plugin that shows the progress while the module runs; no need to set it.
    type: path
"""

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the attributes of this collection's modules mean; each module adds its own ``support``."""

from __future__ import annotations


class ModuleDocFragment:
    """Read by C(ansible-doc) through C(extends_documentation_fragment: seahub.offline._attributes)."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in C(check_mode) and tells what would change without changing it.
  diff_mode:
    description: Returns what has changed (or would change in C(check_mode)) when in diff mode.
  idempotent:
    description: When run again with the same options, and nothing changed in between, it reports no change.
"""

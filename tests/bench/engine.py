# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The save engine as the modules run it, without Ansible around it: `python -m tests.bench.engine TREE HOST LIST`.

LIST has one `repository:tag` a line.
"""

from __future__ import annotations

import sys
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.oci import _platform
from ansible_collections.seahub.offline.plugins.module_utils.registries._registry import Registries, Settings
from ansible_collections.seahub.offline.plugins.module_utils.saving import _save_module
from ansible_collections.seahub.offline.plugins.module_utils.saving._save import Saver
from ansible_collections.seahub.offline.plugins.module_utils.saving._wishes import Choices, WishMaker
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree


def main(tree: str, host: str, listed: str) -> int:
    """Save every reference of the list; fail if one fails."""
    parallel = int(_save_module.ARGUMENTS["parallel"]["default"])
    registries = Registries(default=Settings(plain_http=True), parallel=parallel)
    maker = WishMaker(registries, Choices(platforms=(_platform.parse("linux/amd64"),)))
    wishes = [maker.image(f"{host}/{line}") for line in Path(listed).read_text().split()]
    report = Saver(Tree(tree), parallel=parallel).save(wishes)
    for failure in report.failures:
        print(f"{failure.label}: {failure.error}", file=sys.stderr)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.bench`: run benchmarks and print what came of them."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.lab import packages

from . import bundling, fanning, mounting, saving, syncing

BENCHMARKS = {
    **saving.BENCHMARKS,
    **syncing.BENCHMARKS,
    **bundling.BENCHMARKS,
    **mounting.BENCHMARKS,
    **fanning.BENCHMARKS,
}


def main() -> None:
    """Run the benchmarks that were named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Benchmarks beside peers, in one run.")
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], help="which (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: 5)")
    parser.add_argument("--work", type=Path, help="a folder on the disk to measure (default: a temporary one)")
    arguments = parser.parse_args()
    packages.install_needed()
    with tempfile.TemporaryDirectory(prefix="seahub-bench-", dir=arguments.work) as work:
        for name in arguments.names or BENCHMARKS:
            BENCHMARKS[name](Path(work), arguments.rounds)


if __name__ == "__main__":
    main()

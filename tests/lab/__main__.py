# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m tests.lab up|down|status`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .commands import LabError
from .lab import Lab


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; gives the exit status."""
    options = _parser().parse_args(arguments)
    lab = Lab()
    try:
        if options.command == "up":
            lab.up(options.hosts)
        elif options.command == "down":
            lab.down()
        else:
            return _show(lab)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


def _show(lab: Lab) -> int:
    for part, state in lab.status().items():
        print(f"{part}: {state}")
    return 0 if lab.is_up() else 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="An upstream registry and air-gapped hosts to run the collection in."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="bring the lab up; what runs already goes on")
    up.add_argument("--hosts", type=_number, default=3, help="how many run hosts there are at least (default: 3)")
    commands.add_parser("down", help="end and remove everything the lab started")
    commands.add_parser("status", help="what runs; exit status 3 when not everything does")
    return parser


def _number(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 20:
        raise argparse.ArgumentTypeError("1 to 20 hosts")
    return number


if __name__ == "__main__":
    sys.exit(main())

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The matrix of a verification: what each host could pull, for people, for the play and for the record."""

# Note that this plugin util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

EVIDENCE_FORMAT = 1
# So many hosts stand side by side; more begin another table below.
_HOSTS_WIDE = 8
_RIGHT, _WRONG, _UNTRIED, _ABSENT = "ok", "WRONG", "-", ""

_DIGEST = re.compile(r"@(sha\d+:[0-9a-f]{12})[0-9a-f]+")

_Key = tuple[str, str, str]
_Result = Mapping[str, Any]


class Matrix:
    """The results of all hosts, one by one as the module pull_verify has returned them."""

    def __init__(self, hosts: Sequence[str], results: Mapping[str, _Result | None]) -> None:
        """Take the results apart.

        :param results: by host; one that is missing, or has no cells, is that of a host that could not answer.
        """
        self._hosts = list(hosts)
        self._cells = {host: _by_key((results.get(host) or {}).get("cells") or ()) for host in hosts}
        self._silent = {host: _why(results.get(host)) for host in hosts if "cells" not in (results.get(host) or {})}
        self._keys = sorted({key for cells in self._cells.values() for key in cells})

    def lines(self) -> list[str]:
        """Return the table, a row for each reference and client, a column for each host."""
        found: list[str] = []
        for start in range(0, len(self._hosts), _HOSTS_WIDE):
            hosts = self._hosts[start : start + _HOSTS_WIDE]
            rows = [("reference", "client", *hosts)]
            rows += [(self._short(key), key[1], *(self._word(host, key) for host in hosts)) for key in self._keys]
            if not self._keys:
                rows.append(("(no host has answered)", "", *(self._word(host, None) for host in hosts)))
            found += _aligned(rows)
        return found

    def wrong(self) -> list[str]:
        """Return one sentence for each wrong cell, and for each host that could not answer."""
        sentences = [
            f"{host}: {_label(key)} by {key[1]}: {cells[key]['error']}"
            for host, cells in self._cells.items()
            for key in sorted(cells)
            if cells[key]["ok"] is False
        ]
        return sentences + [f"{host}: nothing was pulled: {reason}" for host, reason in self._silent.items()]

    def summary(self) -> str:
        """Return one sentence for the whole."""
        cells = [cell for cells in self._cells.values() for cell in cells.values()]
        right = sum(cell["ok"] is True for cell in cells)
        hosts = len(self._hosts) - len(self._silent)
        return f"{right} of {len(cells)} pulls are right; {hosts} of {len(self._hosts)} hosts have answered"

    def evidence(self) -> dict[str, Any]:
        """Return the record. It leaves out what differs between two runs with the same outcome: times."""
        return {
            "seahub_evidence": EVIDENCE_FORMAT,
            "hosts": {
                host: {
                    "error": self._silent.get(host, ""),
                    "pulls": [
                        {name: value for name, value in cells[key].items() if name != "seconds"}
                        for key in sorted(cells)
                    ],
                }
                for host, cells in self._cells.items()
            },
        }

    def _short(self, key: _Key) -> str:
        """Return what the row is called: no more than tells it from the others, so that the table stays narrow."""
        reference, _client, platform = key
        several = sum(other[:2] == key[:2] for other in self._keys) > 1
        name = _DIGEST.sub(r"@\1...", reference.removeprefix("oci://"))
        return f"{name} ({platform})" if several else name

    def _word(self, host: str, key: _Key | None) -> str:
        if host in self._silent:
            return _WRONG
        cell = self._cells[host].get(key) if key else None
        return _ABSENT if cell is None else {True: _RIGHT, False: _WRONG, None: _UNTRIED}[cell["ok"]]


def _by_key(cells: Iterable[_Result]) -> dict[_Key, _Result]:
    return {(cell["reference"], cell["client"], cell["platform"] or ""): cell for cell in cells}


def _label(key: _Key) -> str:
    reference, _client, platform = key
    return f"{reference} ({platform})" if platform else reference


def _why(result: _Result | None) -> str:
    if result is None:
        return "the host was lost before it could try"
    return str(result.get("msg") or "the host returned no result").strip()


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]

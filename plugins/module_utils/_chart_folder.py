# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chart folders: packaging them as `helm package` does, the same bytes on every host.

https://helm.sh/docs/topics/charts/#the-chart-file-structure
https://helm.sh/docs/chart_template_guide/helm_ignore_file/
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import fnmatch
import gzip
import io
import os
import tarfile
from typing import Any, Iterator

from ansible_collections.seahub.offline.plugins.module_utils import _chart
from ansible_collections.seahub.offline.plugins.module_utils._chart import ChartArchive
from ansible_collections.seahub.offline.plugins.module_utils._errors import InvalidChart

_IGNORE = ".helmignore"
# Helm adds this rule of its own accord.
_DEFAULT_RULES = ("templates/.?*",)


def is_chart_folder(path: str) -> bool:
    """Tell whether a folder is an unpacked chart."""
    return os.path.isfile(os.path.join(path, "Chart.yaml"))


def packaged_in(path: str) -> list[str]:
    """Return the packaged charts that lie in a folder, sorted."""
    return sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith(".tgz"))


def package(path: str) -> ChartArchive:
    """Package an unpacked chart.

    :raises InvalidChart: if it is none, or lacks charts that it depends on.
    """
    metadata = _chart.parse_metadata(path, _read(os.path.join(path, "Chart.yaml")))
    _check_dependencies(path, metadata)
    ignores = _ignore_rules(path)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in _files(path, "", ignores):
            data = _read(os.path.join(path, name))
            member = tarfile.TarInfo(f"{metadata['name']}/{name}")
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return _chart.checked(path, ChartArchive(gzip.compress(buffer.getvalue(), mtime=0), None, metadata))


class _Rules:
    """The rules of a .helmignore file.

    They differ from git's: the first that matches decides, and one with `!` ignores all that it does not match.
    https://github.com/helm/helm/blob/v3.19.0/pkg/ignore/rules.go
    """

    def __init__(self, lines: list[str]) -> None:
        self._rules = [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]

    def ignore(self, name: str, is_folder: bool) -> bool:
        return any(self._applies(rule, name, is_folder) for rule in self._rules)

    def _applies(self, rule: str, name: str, is_folder: bool) -> bool:
        negated = rule.startswith("!")
        pattern = rule[1:] if negated else rule
        folders_only = pattern.endswith("/")
        pattern = pattern[:-1] if folders_only else pattern
        if folders_only and not is_folder:
            return negated
        return _matches(pattern, name) != negated


def _matches(pattern: str, name: str) -> bool:
    """Match as Go's filepath.Match does: a wildcard stays within one part of a path."""
    if "/" not in pattern:
        return fnmatch.fnmatchcase(name.rpartition("/")[2], pattern)
    patterns, names = pattern.lstrip("/").split("/"), name.split("/")
    return len(patterns) == len(names) and all(map(fnmatch.fnmatchcase, names, patterns))


def _ignore_rules(path: str) -> _Rules:
    try:
        with open(os.path.join(path, _IGNORE), encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        lines = []
    if any("**" in line for line in lines if not line.strip().startswith("#")):
        raise InvalidChart(f"{path}/{_IGNORE} has a rule with **, which Helm does not know either")
    return _Rules([*lines, *_DEFAULT_RULES])


def _files(root: str, parent: str, rules: _Rules) -> Iterator[str]:
    """Yield the names of the files of a chart, Chart.yaml first as in Helm's own archives, then sorted."""
    names = sorted(os.listdir(os.path.join(root, parent)), key=lambda name: (name != "Chart.yaml", name))
    for name in (f"{parent}/{item}" if parent else item for item in names):
        path = os.path.join(root, name)
        if rules.ignore(name, os.path.isdir(path)):
            continue
        if os.path.isdir(path):
            yield from _files(root, name, rules)
        elif os.path.isfile(path):
            yield name
        else:
            raise InvalidChart(f"{path} is neither a file nor a folder: a chart cannot hold it")


def _check_dependencies(path: str, metadata: dict[str, Any]) -> None:
    wanted = metadata.get("dependencies")
    requirements = os.path.join(path, "requirements.yaml")
    if wanted is None and os.path.isfile(requirements):
        wanted = _chart.parse_yaml(requirements, _read(requirements)).get("dependencies")
    folder = os.path.join(path, "charts")
    there = os.listdir(folder) if os.path.isdir(folder) else []
    names = [str(item.get("name")) for item in wanted or [] if isinstance(item, dict)]
    lacking = [name for name in names if not any(item == name or item.startswith(f"{name}-") for item in there)]
    if lacking:
        raise InvalidChart(
            f"{path} depends on charts that are not in it: {', '.join(lacking)}; run 'helm dependency build'"
        )


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidChart(f"{path} cannot be read: {error.strerror}") from error

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

import gzip
import io
import os
import re
import tarfile
from typing import Any, Iterator

from ansible_collections.seahub.offline.plugins.module_utils.charts import _chart
from ansible_collections.seahub.offline.plugins.module_utils.charts._chart import ChartArchive
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import InvalidChart

_IGNORE = ".helmignore"
_TOKEN = re.compile(
    r"\\(?P<escaped>.)|\[(?P<negated>\^?)(?P<set>(?:\\.|[^]\\])+)\]|(?P<wild>[*?])|(?P<plain>[^\\\[])", re.DOTALL
)
_SET_ITEM = re.compile(r"\\.|.", re.DOTALL)
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
    # Not gzip.compress: what its header says depends on the version of Python.
    with gzip.GzipFile("", "wb", fileobj=buffer, mtime=0) as packed, tarfile.open(
        fileobj=packed, mode="w", format=tarfile.PAX_FORMAT
    ) as archive:
        for name in _files(path, "", ignores):
            data = _read(os.path.join(path, name))
            member = tarfile.TarInfo(f"{metadata['name']}/{name}")
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    if buffer.tell() > _chart.ARCHIVE_LIMIT:
        raise InvalidChart(f"{path} packs to more than {_chart.ARCHIVE_LIMIT} bytes: Helm takes no such chart")
    return _chart.checked(path, ChartArchive(buffer.getvalue(), None, metadata))


class _Rule:
    """One rule of a .helmignore file.

    They differ from git's: the first that matches decides, and one with `!` ignores all that it does not match.
    https://github.com/helm/helm/blob/v3.19.0/pkg/ignore/rules.go

    :raises ValueError: if it is none.
    """

    def __init__(self, text: str) -> None:
        if "**" in text:
            raise ValueError(f"{text} is a rule with **, which Helm does not know either")
        self._negated = text.startswith("!")
        text = text[1:] if self._negated else text
        self._folders_only = text.endswith("/")
        text = text[:-1] if self._folders_only else text
        self._whole = "/" in text
        self._pattern = _pattern(text[1:] if text.startswith("/") else text)

    def ignores(self, name: str, is_folder: bool) -> bool:
        """Tell whether it ignores a file or folder, by its path within the chart."""
        if self._folders_only and not is_folder:
            return self._negated
        matches = self._pattern.fullmatch(name if self._whole else name.rpartition("/")[2]) is not None
        return matches != self._negated


def _pattern(text: str) -> re.Pattern[str]:
    """Translate a pattern of Go's `filepath.Match`, whose wildcards stay within one part of a path."""
    parts = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"{text} is no pattern")
        position = match.end()
        if match["set"]:
            parts.append(f"[{match['negated'] and '^/'}{_SET_ITEM.sub(_escaped, match['set'])}]")
        elif match["wild"]:
            parts.append("[^/]*" if match["wild"] == "*" else "[^/]")
        else:
            parts.append(re.escape(match["escaped"] or match["plain"]))
    try:
        return re.compile("".join(parts))
    except re.error as error:
        raise ValueError(str(error)) from error


def _escaped(match: re.Match[str]) -> str:
    # A hyphen that is not escaped makes a range.
    return "-" if match[0] == "-" else re.escape(match[0][-1])


def _ignore_rules(path: str) -> list[_Rule]:
    try:
        with open(os.path.join(path, _IGNORE), encoding="utf-8-sig", errors="replace") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:
        lines = []
    rules = [line.strip() for line in [*lines, *_DEFAULT_RULES]]
    try:
        return [_Rule(rule) for rule in rules if rule and not rule.startswith("#")]
    except ValueError as error:
        raise InvalidChart(f"{path}/{_IGNORE} cannot be read: {error}") from error


def _files(root: str, parent: str, rules: list[_Rule], above: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the names of the files of a chart, Chart.yaml first as in Helm's own archives, then sorted.

    :param above: the folders in which the parent lies, without links.
    """
    # The kernel notices such a circle as well, but not always at the same depth.
    here = os.path.realpath(os.path.join(root, parent))
    if here in above:
        raise InvalidChart(
            f"{root}/{parent} is a link that leads back to a folder in which it lies: a chart cannot hold it"
        )
    names = sorted(os.listdir(os.path.join(root, parent)), key=lambda name: (name != "Chart.yaml", name))
    for name in (f"{parent}/{item}" if parent else item for item in names):
        path = os.path.join(root, name)
        if any(rule.ignores(name, os.path.isdir(path)) for rule in rules):
            if name == "Chart.yaml":
                raise InvalidChart(f"{root}/{_IGNORE} ignores its own Chart.yaml")
            continue
        if os.path.isdir(path):
            yield from _files(root, name, rules, (*above, here))
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
    listed = wanted if isinstance(wanted, list) else []
    names = [str(item.get("name")) for item in listed if isinstance(item, dict)]
    lacking = [name for name in names if not any(_is_chart(item, name) for item in there)]
    if lacking:
        raise InvalidChart(
            f"{path} depends on charts that are not in it: {', '.join(lacking)}; run 'helm dependency build'"
        )


def _is_chart(item: str, name: str) -> bool:
    """Tell whether something among the dependencies is, by its name, a chart: unpacked, or packaged in some version."""
    return item == name or re.fullmatch(rf"{re.escape(name)}-v?\d[^/]*\.tgz", item) is not None


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise InvalidChart(f"{path} cannot be read: {error.strerror}") from error

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of an engine."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _engines
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import (
    Container,
    Engine,
    EngineError,
    Program,
)
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine_command import Docker

LABEL = "ours"


class Fake(Docker):
    """An engine that works or not, and has a container or not. Nothing else of it is asked here."""

    def __init__(self, name: str, works: bool, labels: dict[str, str] | None) -> None:
        self.name = name
        self._works = works
        self._labels = labels

    def platform(self) -> Platform:
        if not self._works:
            raise EngineError(f"{self.name} does not answer")
        return Platform("linux", "amd64")

    def container(self, name: str) -> Container | None:
        return None if self._labels is None else Container("running", 0, 0, self._labels)


def engines(monkeypatch: pytest.MonkeyPatch, *found: Fake) -> None:
    def maker(engine: Fake) -> Callable[[], Engine]:
        return lambda: engine

    monkeypatch.setattr(_engines, "ENGINES", {engine.name: maker(engine) for engine in found})
    monkeypatch.setattr(_engines, "find", lambda name: Program(name, f"/usr/bin/{name}") if name != "none" else None)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([Fake("docker", True, None), Fake("podman", True, None)], "docker"),
        ([Fake("docker", False, None), Fake("podman", True, None)], "podman"),
        ([Fake("docker", True, None), Fake("podman", True, {LABEL: "1"})], "podman"),
        ([Fake("docker", True, {}), Fake("none", True, {LABEL: "1"})], "none"),
    ],
)
def test_it_is_the_one_that_runs_it_or_the_first_that_works(
    monkeypatch: pytest.MonkeyPatch, found: list[Fake], expected: str
) -> None:
    engines(monkeypatch, *found)
    assert _engines.choose("auto", "reg", LABEL, lambda _text: None).name == expected


def test_an_engine_that_is_there_and_does_not_work_is_not_passed_over_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    engines(monkeypatch, Fake("docker", False, None), Fake("none", True, None))
    said: list[str] = []
    _engines.choose("auto", "reg", LABEL, said.append)
    assert said == ["docker does not answer"]


@pytest.mark.parametrize("name", ["auto", "podman"])
def test_no_engine_that_works_is_an_error(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    engines(monkeypatch, Fake("podman", False, None), Fake("none", False, None))
    with pytest.raises(EngineError, match="podman does not answer"):
        _engines.choose(name, "reg", LABEL, lambda _text: None)

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library by which k3s and RKE2 read their registries.yaml goes where ours says, and where the user's says."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _configuration, _runtimes
from ansible_collections.seahub.offline.plugins.module_utils.clients._redirects import ANY_HOST, Redirect, Registry
from tests.e2e.served import needed, served
from tests.lab.programs import RANCHER_PULL

SECONDS = 60.0
# Nothing listens there.
NOBODY = "127.0.0.1:1"
USER = ("x", "y # z")
OWN = """# ours
mirrors:
  "127.0.0.1:2":
    endpoint:
      - https://127.0.0.1:3
  docker.io:
    endpoint:
      - https://127.0.0.1:4
configs:
  "{address}": # of the registry with users
    auth:
      username: x
      password: "y # z"
"""


@dataclass(frozen=True)
class Asked:
    """What came of it that an image was asked for; `endpoints` are those that were tried, in their order."""

    digest: str
    endpoints: list[str]


@dataclass(frozen=True)
class Host:
    """A place where k3s or RKE2 is: its registries.yaml, and the program that reads it."""

    runtime: str
    program: Path
    file: Path

    def redirect(self, registry: Registry | None) -> None:
        """Do as the module does."""
        (runtime,) = _runtimes.chosen([self.runtime])
        _runtimes.apply("sea.hub", runtime, registry, check_mode=False, may_restart=False)

    def ask(self, name: str) -> Asked:
        """Ask for an image."""
        done = subprocess.run(
            [self.program, self.file, name], capture_output=True, text=True, check=False, timeout=SECONDS
        )
        return Asked(done.stdout.strip(), re.findall(r'msg="Trying endpoint https?://([^"]+)/v2"', done.stderr))


@pytest.fixture(name="host", params=["k3s", "rke2"])
def fixture_host(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host with its configuration in the test's folder."""
    program = needed(RANCHER_PULL) / "rancher-pull"
    monkeypatch.setattr(_runtimes, "RANCHER_FOLDER", str(tmp_path / "rancher"))
    monkeypatch.setattr(_configuration, "RECORDS", str(tmp_path / "records"))
    return Host(request.param, program, tmp_path / "rancher" / request.param / "registries.yaml")


def test_original_names_lead_to_the_registry_beside_what_the_user_has_written(host: Host, tmp_path: Path) -> None:
    with served(tmp_path, ["library/busybox", "quay.io/team/busybox"], USER) as registry:
        own = OWN.format(address=registry.address)
        host.file.parent.mkdir(parents=True)
        host.file.write_text(own)
        redirects = (Redirect("docker.io"), Redirect("quay.io", ("quay.io",)))
        host.redirect(Registry((registry.address,), registry.authorities, redirects))
        for name in (
            "docker.io/library/busybox:1.35",
            "quay.io/team/busybox:1.35",
            f"{registry.address}/library/busybox:1.35",
        ):
            assert host.ask(name) == Asked(registry.digest, [registry.address]), name
        assert host.ask("127.0.0.1:2/own/app:1") == Asked("", ["127.0.0.1:3", "127.0.0.1:2"])

        host.redirect(None)
        assert host.file.read_text() == own
        assert host.ask(f"{registry.address}/library/busybox:1.35").digest == ""


def test_the_next_registry_is_asked_where_one_is_gone(host: Host, tmp_path: Path) -> None:
    with served(tmp_path, ["library/busybox"]) as registry:
        host.redirect(Registry((NOBODY, registry.address), registry.authorities, (Redirect(ANY_HOST),)))
        for name in ("docker.io/library/busybox:1.35", f"{NOBODY}/library/busybox:1.35"):
            assert host.ask(name) == Asked(registry.digest, [NOBODY, registry.address]), name

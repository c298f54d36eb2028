# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real registries of both generations start with every configuration that is written for them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.serving import _registry_config
from ansible_collections.seahub.offline.plugins.module_utils.serving._registry_config import Paths, Wishes
from tests.e2e.served import needed
from tests.lab.programs import REGISTRY_3
from tests.lab.settings import Settings
from tests.lab.upstream import program
from tests.unit.https_server import make_certificate

SECONDS = 30.0
HASH = "$2y$05$" + "a" * 53
WISHES: dict[str, dict[str, Any]] = {
    "as usual": {},
    "with users": {"users": True},
    "to be written to": {"read_only": False},
    "with more": {"extra": {"log": {"level": "debug"}, "health": None}},
    # Nobody answers there: this shows that the registry knows the words, not that it can store anything.
    "on S3": {
        "s3": {
            "region": "us-east-1",
            "bucket": "images",
            "regionendpoint": "https://127.0.0.1:1",
            "accesskey": "a",
            "secretkey": "b",
            "rootdirectory": "/sea",
        }
    },
}


@pytest.fixture(name="registry", params=["2", "3"])
def fixture_registry(request: pytest.FixtureRequest) -> Path:
    """The program of one generation."""
    if request.param == "2":
        return program(Settings())
    return needed(REGISTRY_3) / "registry"


@pytest.mark.parametrize("wishes", WISHES.values(), ids=WISHES)
def test_a_registry_starts_with_it(registry: Path, tmp_path: Path, wishes: dict[str, Any]) -> None:
    paths = Paths(str(tmp_path))
    made = make_certificate(tmp_path / "pki")
    shutil.copy(made.certificate, paths.certificate)
    shutil.copy(made.private_key, paths.private_key)
    Path(paths.htpasswd).write_bytes(_registry_config.htpasswd([("reader", HASH)]))
    with socket.create_server(("", 0)) as server:
        port = server.getsockname()[1]
    text = _registry_config.render(Wishes(port=port, tree=str(tmp_path), **wishes), paths)
    Path(paths.config).write_bytes(text)
    said = tmp_path / "said"
    with (
        said.open("wb") as output,
        # Without what the environment of whoever tests says about S3.
        subprocess.Popen([registry, "serve", paths.config], env={}, stdout=output, stderr=output) as process,
    ):
        try:
            deadline = time.monotonic() + SECONDS
            while "listening on" not in said.read_text():
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.05)
        finally:
            process.kill()
    assert "panic" not in said.read_text()

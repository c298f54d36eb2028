# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot be saved is named with its cure, leaves no tag behind, and does not keep the rest from being saved."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, task
from tests.lab.images import OCI, Built
from tests.lab.lab import Lab
from tests.lab.upstream import Upstream

GOOD = "team/project/app"
BROKEN = "broken/image"


@pytest.fixture(name="broken", scope="module")
def fixture_broken(running: Lab) -> Iterator[str]:
    """A reference of the upstream registry, one of whose blobs has other bytes than its digest says."""
    upstream = Upstream(running.settings)
    layer = Built(b"what the digest says", OCI.layer)
    config = Built(b'{"os": "linux", "architecture": "amd64"}', OCI.config)
    document = {
        "schemaVersion": 2,
        "mediaType": OCI.manifest,
        "config": config.descriptor,
        "layers": [layer.descriptor],
    }
    manifest = Built(json.dumps(document).encode(), OCI.manifest)
    upstream.client(upstream.open).push(BROKEN, "1", [config, layer], [manifest])
    stored = upstream.open.directory / "storage/docker/registry/v2/blobs" / blob(layer.digest)
    stored.write_bytes(layer.data.replace(b"what", b"that"))
    yield f"{upstream.open.address}/{BROKEN}:1"
    # The registry would go on to say that it has the blob: the next push would not repair it.
    stored.unlink()


def blob(digest: str) -> str:
    """Where a registry's storage keeps a blob."""
    algorithm, _colon, value = digest.partition(":")
    return f"{algorithm}/{value[:2]}/{value}/data"


def save(lab: Description, folder: Path, image: str, registries: dict[str, Any]) -> Run:
    """Save an image that cannot be saved, and one that can."""
    address = lab["upstream"]["open"]["address"]
    trusted = {address: {"ca_cert": lab["upstream"]["ca_cert"]}}
    options = {
        "dir": str(folder / "tree"),
        "images": [image, f"{address}/{GOOD}:1.0"],
        "registries": {**trusted, **registries},
    }
    return task(folder, "seahub.offline.image_save", options)


def tags(folder: Path) -> set[str]:
    """All tags of the tree, with their repositories."""
    repositories = folder / "tree/docker/registry/v2/repositories"
    return {
        f"{path.parents[2].relative_to(repositories)}:{path.name}" for path in repositories.glob("**/_manifests/tags/*")
    }


def check(run: Run, folder: Path, reference: str, *says: str) -> None:
    """The run has failed because of that reference alone, and says what to do."""
    assert run.status != 0
    assert reference in run.output
    for words in says:
        assert words in run.output
    assert tags(folder) == {f"{GOOD}:1.0"}


def test_a_reference_that_does_not_exist(lab: Description, tmp_path: Path) -> None:
    reference = f"{lab['upstream']['open']['address']}/team/project/absent:7"
    check(save(lab, tmp_path, reference, {}), tmp_path, reference, "not there", "check the name and the tag")


def test_a_wrong_password(lab: Description, tmp_path: Path) -> None:
    private = lab["upstream"]["private"]
    reference = f"{private['address']}/private/reports:2.1"
    login = {"ca_cert": lab["upstream"]["ca_cert"], "username": private["username"], "password": "not-the-password"}
    run = save(lab, tmp_path, reference, {private["address"]: login})
    check(run, tmp_path, reference, "password")
    assert "not-the-password" not in run.output


def test_a_certificate_that_nobody_has_vouched_for(lab: Description, tmp_path: Path) -> None:
    private = lab["upstream"]["private"]
    reference = f"{private['address']}/private/reports:2.1"
    check(save(lab, tmp_path, reference, {}), tmp_path, reference, "certificate", "ca_cert")


def test_a_blob_with_other_bytes_than_its_digest(lab: Description, tmp_path: Path, broken: str) -> None:
    check(save(lab, tmp_path, broken, {}), tmp_path, broken, "digest")

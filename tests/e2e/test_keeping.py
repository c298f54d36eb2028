# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree that is served loses what is not wanted, and gets it back from bundles. Other people's tools agree with that.

The tests of the served tree build on each other. In the end it is as it was.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from ansible_collections.seahub.offline.plugins.modules import tree_info
from tests.bench import servers
from tests.e2e.conftest import Description
from tests.e2e.playbook import Run, play, task
from tests.e2e.remote import Remote
from tests.lab.lab import Lab
from tests.lab.upstream import program
from tests.unit.ssh_keys import allow, make_key

TREE = "/var/lib/seahub/tree"
QUARANTINE = f"{TREE}/.seahub/quarantine"
KEEP = '{"seahub_keep": ["library/busybox:*", "helm-charts/*"]}'


# The tree that is served


@pytest.fixture(name="pruned", scope="module")
def fixture_pruned(lab: Description, deployed: Run, registry_host: Remote) -> Iterator[Run]:
    """prune.yml has run on the registry host; afterwards the quarantine undoes it, as its page says."""
    before = listed(registry_host)
    run = play("prune.yml", "-i", lab["inventory"], "-e", f"@{lab['vars']}", "-e", KEEP, "--limit", "registry")
    assert run.status == 0, run.output
    try:
        yield run
    finally:
        registry_host.run("sh", "-c", f"cp -a {QUARANTINE}/*/. {TREE}/ && rm -r {QUARANTINE}")
    assert listed(registry_host) == before


def listed(host: Remote) -> list[str]:
    """The files of the tree that is served, with their checksums."""
    command = f"cd {TREE} && find docker seahub.lock.json -type f -exec sha256sum {{}} +"
    return sorted(host.run("sh", "-c", command).splitlines())


def status(host: Remote, name: str, tag: str) -> str:
    """What the registry answers to a run host that asks for a manifest."""
    accept = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.v2+json"
    types = (accept, "Accept: application/vnd.oci.image.manifest.v1+json")
    headers = [argument for header in types for argument in ("--header", header)]
    url = f"https://sea.hub:5000/v2/{name}/manifests/{tag}"
    return host.run("curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", *headers, url)


def deploy(lab: Description, source: Path, *more: str) -> Run:
    """Run deploy.yml for one host with some tree or bundle."""
    arguments = ("-i", lab["inventory"], "-e", f"@{lab['vars']}", "-e", f"seahub_source={source}", *more)
    return play("deploy.yml", *arguments, "--limit", lab["registry_host"])


def pack(lab: Description, folder: Path, *references: str, **options: object) -> Path:
    """Pack some references of the tree that was built."""
    wanted = [lab_registry(lab), *references]
    bundle = folder / "bundle.tar"
    run = task(
        folder,
        "seahub.offline.bundle_pack",
        {"tree": lab["site"]["tree"], "dest": str(bundle), "references": wanted, **options},
    )
    assert run.status == 0, run.output
    return bundle


def lab_registry(lab: Description) -> str:
    """The image of the registry, which has to be in whatever is deployed."""
    (name,) = (item["requested"] for item in lab["references"] if "/registry:" in f"/{item['requested']}")
    return str(name)


def test_what_stays_can_be_pulled_and_what_went_is_gone(pruned: Run, hosts: dict[str, Remote]) -> None:
    host = hosts["run2"]
    found = {name: status(host, *name.split(":")) for name in ("library/busybox:1.35", "busybox:1.35", "nginx:1.22")}
    assert found == {"library/busybox:1.35": "200", "busybox:1.35": "200", "nginx:1.22": "404"}
    host.run("docker", "pull", "--quiet", "sea.hub:5000/busybox:1.35")
    host.run("docker", "image", "rm", "sea.hub:5000/busybox:1.35")


def test_a_bundle_in_one_file_brings_back_what_it_holds(
    pruned: Run, lab: Description, registry_host: Remote, tmp_path: Path
) -> None:
    run = deploy(lab, pack(lab, tmp_path, "nginx:1.22"))
    # Names of hosts whose images were pruned lead to the registry no longer: that is a change, too.
    assert (run.status, bool(run.changed[lab["registry_host"]])) == (0, True), run.output
    assert status(registry_host, "nginx", "1.22") == "200"


def test_parts_are_taken_if_the_right_one_has_signed_them(
    pruned: Run, lab: Description, registry_host: Remote, tmp_path: Path
) -> None:
    key, other = make_key(tmp_path / "key"), make_key(tmp_path / "other")
    medium = tmp_path / "medium"
    medium.mkdir()
    pack(lab, medium, "redis:7", part_size="4MB", sign_key=str(key))
    assert len(list(medium.glob("bundle.tar.part-*"))) > 1

    refused = deploy(lab, medium, "-e", f"seahub_allowed_signers={allow(tmp_path / 'others', somebody=other)}")
    assert refused.status != 0
    assert "is no signature of this bundle" in refused.output
    assert status(registry_host, "redis", "7") == "404"

    run = deploy(lab, medium, "-e", f"seahub_allowed_signers={allow(tmp_path / 'signers', build=key)}")
    assert (run.status, bool(run.changed[lab["registry_host"]])) == (0, True), run.output
    assert status(registry_host, "redis", "7") == "200"


# Other people's tools on a tree that was pruned


@pytest.fixture(name="left", scope="module")
def fixture_left(lab: Description, built: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What prune.yml leaves of a copy of the tree that was built."""
    tree = Path(shutil.copytree(lab["site"]["tree"], tmp_path_factory.mktemp("pruned") / "tree"))
    run = play("prune.yml", "-e", f"@{lab['vars']}", "-e", f"seahub_tree={tree}", "-e", KEEP)
    assert run.status == 0, run.output
    return tree


@pytest.fixture(name="info", scope="module")
def fixture_info(left: Path) -> dict[str, Any]:
    """What tree_info says of it."""
    return tree_info.info(str(left))


def test_the_garbage_collector_marks_what_tree_info_counts(
    running: Lab, left: Path, info: dict[str, Any], tmp_path: Path
) -> None:
    configuration = tmp_path / "config.json"
    storage = {"filesystem": {"rootdirectory": str(left)}}
    configuration.write_text(json.dumps({"version": "0.1", "storage": storage}))
    collect = [str(program(running.settings)), "garbage-collect", "--dry-run", str(configuration)]
    done = subprocess.run(collect, capture_output=True, text=True, check=True)
    marked = set(re.findall(r": marking (?:blob|manifest) (sha256:[0-9a-f]{64})", done.stdout))
    there = {digest for digest, _size in Tree(str(left)).blobs()}
    # It also marks the children of an index that were not saved.
    assert marked & there == there == {digest for reference in info["references"] for digest in reference["blobs"]}
    assert len(there) == info["blobs"]
    assert " 0 blobs and 0 manifests eligible for deletion" in done.stdout


def test_skopeo_finds_what_tree_info_names_and_no_more(left: Path, info: dict[str, Any], tmp_path: Path) -> None:
    tags: dict[str, set[str]] = {}
    for reference in info["references"]:
        for name in (reference["name"], *reference["aliases"]):
            tags.setdefault(name, set()).add(reference["tag"])
    with servers.registry(left, tmp_path) as host:
        for name in tags:
            assert set(json.loads(skopeo("list-tags", f"docker://{host}/{name}"))["Tags"]) == tags[name]
        for reference in info["references"]:
            raw = skopeo("inspect", "--raw", f"docker://{host}/{reference['name']}:{reference['tag']}")
            assert f"sha256:{hashlib.sha256(raw).hexdigest()}" == reference["digest"]


def skopeo(command: str, *arguments: str) -> bytes:
    """Ask a registry without encryption; gives what skopeo prints."""
    return subprocess.run(
        ["skopeo", command, "--tls-verify=false", *arguments], capture_output=True, check=True, timeout=60
    ).stdout

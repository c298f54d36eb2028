# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""CRI-O on a run host without a route out reads what is written for it while it runs, and pulls by original names."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.playbook import Run, play
from tests.e2e.remote import Remote
from tests.e2e.served import needed
from tests.lab.programs import CRICTL, CRIO

Description = dict[str, Any]
HOST = "run3"
FOLDER = "/opt/crio"
PAUSE = "sea.hub:5000/busybox:1.35"
RESTART_NEEDED = re.compile(r"restart_needed:\s+- crio\n")
# Others' certificates are hidden from it, docker's, too: it trusts what its own certs.d says. It starts no containers
# here, and so needs no pinns that does anything.
UNIT = f"""[Service]
Type=notify
Environment=SSL_CERT_FILE=/dev/null SSL_CERT_DIR={FOLDER}/none
InaccessiblePaths=-/etc/docker
ExecStart={FOLDER}/crio --storage-driver vfs --root {FOLDER}/root --runroot {FOLDER}/run --pinns-path {FOLDER}/pinns
ExecReload=/bin/kill -s HUP $MAINPID
"""
# Where the module and CRI-O look for programs, and all that the test changes otherwise.
LINK = "/usr/local/bin/crio"
UNIT_FILE = "/etc/systemd/system/crio.service"
CHANGED = ("/etc/containers", "/var/lib/seahub-client")
MADE = (
    *(FOLDER, LINK, UNIT_FILE, "/etc/crio", "/var/lib/crio", "/var/log/crio", "/run/crio"),
    *("/opt/cni", "/run/nri", "/usr/share/containers/oci"),
)


@pytest.fixture(name="host")
def fixture_host(deployed: Run, hosts: dict[str, Remote]) -> Iterator[Remote]:
    """A run host on which CRI-O runs, too, and knows nothing of the registry."""
    assert deployed.status == 0
    programs = {"crio": needed(CRIO) / "crio", "crictl": needed(CRICTL) / "crictl"}
    host = hosts[HOST]
    host.run("mkdir", FOLDER)
    for name, program in programs.items():
        host.write(f"{FOLDER}/{name}", program.read_bytes())
    host.write(f"{FOLDER}/pinns", b"#!/bin/sh\n")
    host.write(UNIT_FILE, UNIT.encode())
    host.run("tar", "-cf", f"{FOLDER}/before.tar", *CHANGED)
    try:
        host.run("sh", "-c", f"chmod 755 {FOLDER}/* && ln -s {FOLDER}/crio {LINK} && systemctl daemon-reload")
        yield host
    finally:
        host.try_("systemctl", "stop", "crio")
        host.run("rm", "-r", *CHANGED)
        host.run("tar", "-xf", f"{FOLDER}/before.tar", "-C", "/")
        host.run("rm", "-rf", *MADE)
        host.run("systemctl", "daemon-reload")


def redirect(lab: Description, folder: Path, **options: Any) -> Run:
    """Run the module on the host, for CRI-O alone."""
    playbook = folder / "redirect.yml"
    module = {"name": "sea.hub", "runtimes": ["crio"], **options}
    tasks = [{"seahub.offline.runtime_redirect": module, "register": "found"}, {"debug": {"var": "found"}}]
    playbook.write_text(yaml.safe_dump([{"hosts": HOST, "gather_facts": False, "become": True, "tasks": tasks}]))
    return play(playbook, "-i", lab["inventory"])


def pause_image(host: Remote) -> str:
    """Tell what the running CRI-O takes for sandboxes."""
    found = tomllib.loads(host.run(LINK, "status", "config"))
    return str(found["crio"]["image"]["pause_image"])


def pull(host: Remote, name: str) -> str:
    """Pull as the kubelet does; gives what went wrong."""
    done = host.try_(f"{FOLDER}/crictl", "--runtime-endpoint", "unix:///run/crio/crio.sock", "pull", name)
    return done.errors if done.status != 0 else ""


def test_it_reads_what_is_written_while_it_runs(lab: Description, host: Remote, tmp_path: Path) -> None:
    assert redirect(lab, tmp_path, state="absent").status == 0
    host.run("systemctl", "start", "crio")
    own_pause = pause_image(host)
    assert "x509" in pull(host, "sea.hub:5000/busybox:1.35")

    pki = Path(yaml.safe_load(Path(lab["vars"]).read_text())["seahub_pki"])
    wanted = {
        "endpoints": ["sea.hub:5000"],
        "ca_certificate": (pki / "ca.crt").read_text(),
        "redirects": [{"host": "docker.io"}],
        "sandbox_image": PAUSE,
    }
    run = redirect(lab, tmp_path, **wanted)
    assert run.status == 0, run.output
    assert "crio reloaded" in run.output
    # There was no folder with drop-ins for it to look into again.
    assert RESTART_NEEDED.search(run.output)
    for name in ("docker.io/library/busybox:1.35", "sea.hub:5000/busybox:1.35"):
        assert pull(host, name) == ""
    refused = pull(host, "docker.io/library/nothing:1")
    assert "sea.hub:5000" in refused
    assert "registry-1.docker.io" not in refused
    host.run("systemctl", "restart", "crio")
    assert pause_image(host) == PAUSE

    host.write("/etc/crio/crio.conf.d/zzz-own.conf", b'[crio.image]\npause_image = "own/pause:1"\n')
    run = redirect(lab, tmp_path, **{**wanted, "sandbox_image": "sea.hub:5000/redis:7"})
    assert run.status != 0
    assert "own/pause:1: does a file" in run.output

    host.run("rm", "/etc/crio/crio.conf.d/zzz-own.conf")
    run = redirect(lab, tmp_path, state="absent")
    assert run.status == 0, run.output
    assert not RESTART_NEEDED.search(run.output)
    assert pause_image(host) == own_pause
    assert "sea.hub" not in pull(host, "docker.io/library/nothing:1")

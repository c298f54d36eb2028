# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files by which others use the lab: Ansible's inventory and variables, and a description for programs."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import yaml

from .content import DOCKER_HUB, Reference, registry_image
from .engine import Engine
from .helm import helm
from .hosts import Host, Hosts
from .settings import HOST_HELM, Settings
from .upstream import Upstream

# Images that come to the build side by a list in a file; the others by the variable.
LISTED = ("nginx:1.22", "busybox:1.35")


def write(
    settings: Settings,
    upstream: Upstream,
    engine: Engine,
    hosts: Hosts,
    up: Sequence[Host],
    references: Sequence[Reference],
) -> None:
    """Write all of them."""
    _secret(settings.inventory, _yaml(_inventory(settings, hosts, up)))
    image_list = settings.state / "images.txt"
    image_list.write_text("# images of the lab, one a line\n\n" + "".join(f"{image}\n" for image in LISTED))
    _secret(settings.vars, _yaml(_vars(settings, upstream, image_list, references)))
    _secret(
        settings.description,
        json.dumps(_description(settings, upstream, engine, hosts, up, references), indent=2) + "\n",
    )


def on_an_engine_of_others(settings: Settings) -> bool:
    """Whether the lab was brought up in an engine that it did not start."""
    if not settings.description.exists():
        return False
    engine = json.loads(settings.description.read_text())["engine"]
    return not engine["started_by_lab"]


def _inventory(settings: Settings, hosts: Hosts, up: Sequence[Host]) -> dict[str, object]:
    login = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(hosts.keys.private),
        "ansible_python_interpreter": "/usr/bin/python3",
        # The default has -C: compressing layers, which are compressed already, makes a transfer slower.
        "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=60s -o Compression=no",
        "ansible_ssh_common_args": shlex.join(
            ["-o", f"UserKnownHostsFile={hosts.keys.known_hosts}", "-o", "StrictHostKeyChecking=yes"]
        ),
        # Not the user's: a connection to an earlier lab's host of the same address must not be taken up again.
        "ansible_control_path_dir": str(settings.sockets),
    }
    return {
        "all": {
            "children": {
                "run": {"hosts": {host.name: {"ansible_host": host.address} for host in up}, "vars": login},
                "registry": {"hosts": {up[0].name: {}}},
            }
        }
    }


def _vars(
    settings: Settings, upstream: Upstream, image_list: Path, references: Sequence[Reference]
) -> dict[str, object]:
    images = [reference.requested for reference in references if reference.kind == "image"]
    ca = str(upstream.certificates.ca)
    user, password = upstream.private.credentials or ("", "")
    return {
        "seahub_images": [image for image in images if image not in (*LISTED, registry_image())],
        "seahub_image_list": str(image_list),
        "seahub_charts": [reference.requested for reference in references if reference.kind == "chart"],
        "seahub_registries": {
            DOCKER_HUB: {"mirrors": [upstream.open.address]},
            upstream.open.address: {"ca_cert": ca},
            upstream.private.address: {"ca_cert": ca, "username": user, "password": password},
        },
        "seahub_registry_image": registry_image(),
        "seahub_tree": str(settings.site / "tree"),
        "seahub_bundle": str(settings.site / "bundle.tar"),
        "seahub_pki": str(settings.site / "pki"),
        # All of these hosts have podman and ctr, too. Pulling everything with each would triple the time of every test.
        "seahub_image_clients": ["docker"],
        "verify_helm": list(HOST_HELM),
    }


def _description(
    settings: Settings,
    upstream: Upstream,
    engine: Engine,
    hosts: Hosts,
    up: Sequence[Host],
    references: Sequence[Reference],
) -> dict[str, object]:
    user, password = upstream.private.credentials or ("", "")
    return {
        "hosts": {host.name: {"address": host.address, "container": host.container} for host in up},
        "registry_host": up[0].name,
        "ssh": {"user": "root", "key": str(hosts.keys.private), "known_hosts": str(hosts.keys.known_hosts)},
        "controller": {
            "address": hosts.bridge_address(),
            "helm": {command: str(helm(settings, version)) for command, version in HOST_HELM.items()},
        },
        "host_helm": HOST_HELM,
        "engine": {"docker_host": engine.address, "started_by_lab": engine.address is not None},
        "upstream": {
            "ca_cert": str(upstream.certificates.ca),
            "open": {"address": upstream.open.address, "record": str(upstream.open.daemon.record)},
            "private": {
                "address": upstream.private.address,
                "record": str(upstream.private.daemon.record),
                "username": user,
                "password": password,
            },
        },
        "references": [asdict(reference) for reference in references],
        "keyring": str(settings.charts / "pubring.gpg"),
        "site": {name: str(settings.site / name) for name in ("tree", "bundle.tar", "pki")},
        "inventory": str(settings.inventory),
        "vars": str(settings.vars),
    }


def _yaml(document: object) -> str:
    text: str = yaml.safe_dump(document, sort_keys=False, width=1000)
    return text


def _secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read: there are passwords in it."""
    path.touch(mode=0o600)
    path.write_text(text)

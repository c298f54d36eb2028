# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much longer it takes to bring a tree to eight hosts than to one, where the controller's line is thin."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.lab import packages
from tests.unit.https_server import make_certificate

from .content import ImageSet
from .measure import Measured, ratio, run, show
from .namespaces import Place, network
from .servers import registry_over_tls
from .sshd import SSHD, sshd_within
from .syncing import MIB, ROOT, source_tree

HOSTS = 8
CONTROLLER, HOST = "20mbit", "1gbit"
IMAGES = ImageSet("fanned", images=8, layers=4, shared=0, layer_bytes=4 * MIB)
PLAY = Path(__file__).with_name("fanout.yml")
PORT = 5000


def fanout(work: Path, rounds: int) -> None:
    """A first send of 128 MiB over a line of 20 Mbit/s, to one host and to eight with 1 Gbit/s each."""
    packages.install([name for name, path in (("iproute2", "tc"), ("openssh-server", SSHD)) if not shutil.which(path)])
    source = source_tree(IMAGES, work)
    one: list[Measured] = []
    all_of_them: list[Measured] = []
    with network([CONTROLLER, *[HOST] * HOSTS]) as (controller, *hosts):
        for _round in range(rounds):
            one.append(_send(work, source, controller, hosts[:1]))
            all_of_them.append(_send(work, source, controller, hosts))
    show(
        f"fanout: {IMAGES.size / MIB:.0f} MiB, the controller's line {CONTROLLER}, the hosts' {HOST}, {rounds} rounds",
        {"1 host": one, f"{HOSTS} hosts": all_of_them},
    )
    ratio(f"{HOSTS} hosts / 1 host", all_of_them, one)


BENCHMARKS: dict[str, Callable[[Path, int], None]] = {"fanout": fanout}


def _send(work: Path, source: Path, controller: Place, hosts: Sequence[Place]) -> Measured:
    """Bring the tree to hosts on which registries run that have nothing yet."""
    targets = work / "targets"
    shutil.rmtree(targets, ignore_errors=True)
    certificate = make_certificate(work / "pki")
    with ExitStack() as stack:
        for host in hosts:
            target = targets / host.address
            target.mkdir(parents=True)
            where = f"{host.address}:{PORT}"
            stack.enter_context(registry_over_tls(target, work, where, certificate, within=host.within))
            server = stack.enter_context(sshd_within(work, host.address, host.within))
        variables = {
            "source": str(source),
            "targets": str(targets),
            "ca_certificate": certificate.ca_certificate,
            "ansible_ssh_args": f"{server.options} -o ControlMaster=auto -o ControlPersist=60s",
            "ansible_control_path_dir": str(server.folder),
            "ansible_python_interpreter": "/usr/bin/python3",
        }
        (work / "fanout.json").write_text(json.dumps(variables))
        inventory = "".join(f"{host.address}," for host in hosts)
        options = ["-i", inventory, "-f", str(HOSTS), "-e", f"@{work / 'fanout.json'}"]
        return run([*controller.within, "ansible-playbook", *options, str(PLAY)], cwd=ROOT)

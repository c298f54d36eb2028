# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module on a host of the RHEL family, as far as one can be had on Debian.

What keeps the trust store there is p11-kit, which Debian has too: the same `trust extract` reads the administrator's
folders and writes the bundles. `update-ca-trust`, the short script that calls it, comes with RHEL's package alone; here
stands one with its calls. The module runs where another folder is seen as /etc, so every path is the real one.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.serving import _certificate, _x509
from tests.project import ROOT

pytestmark = [
    pytest.mark.skipif(shutil.which("trust") is None, reason="p11-kit is not on this machine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can show a program another /etc"),
]

# https://src.fedoraproject.org/rpms/ca-certificates/blob/rawhide/f/update-ca-trust
UPDATE_CA_TRUST = """\
#!/bin/sh
set -eu
[ "$*" = extract ]
cd /etc/pki/ca-trust/extracted
trust extract --format=openssl-bundle --filter=certificates --overwrite --comment openssl/ca-bundle.trust.crt
trust extract --format=pem-bundle --filter=ca-anchors --overwrite --comment --purpose server-auth pem/tls-ca-bundle.pem
trust extract --format=pem-bundle --filter=ca-anchors --overwrite --comment --purpose email pem/email-ca-bundle.pem
trust extract --format=java-cacerts --filter=ca-anchors --overwrite --purpose server-auth java/cacerts
"""

# RHEL builds the folders into p11-kit, Debian another; /etc/pkcs11/modules goes before what the package brings.
P11_KIT = """\
module: p11-kit-trust.so
trust-policy: yes
x-init-reserved: paths=/etc/pki/ca-trust/source
"""

RUN_MODULE = """\
import json, sys
from ansible_collections.seahub.offline.plugins.modules import ca_trust
from tests.unit import modules
print(modules.run(ca_trust.main, json.loads(sys.argv[1])).printed)
"""


@dataclass(frozen=True)
class Hub:
    """A CA, and the certificate of a registry that it has signed."""

    ca: Path
    server: Path

    @property
    def pem(self) -> str:
        """The CA."""
        return self.ca.read_text()


def make_hub(folder: Path) -> Hub:
    now = datetime.datetime.now(datetime.UTC)
    names, where = _x509.names("sea.hub", [], []), _certificate.files(str(folder), "sea.hub")
    _certificate.carry_out(_certificate.plan(where, names, 60, now), where, names, now)
    return Hub(folder / "ca.crt", folder / "sea.hub.crt")


@pytest.fixture(name="hubs", scope="module")
def fixture_hubs(tmp_path_factory: pytest.TempPathFactory) -> list[Hub]:
    """The present one and the next, whose CAs have the same name, and one of somebody else."""
    return [make_hub(tmp_path_factory.mktemp("pki")) for _ in range(3)]


class Host:
    """A host of the RHEL family: what it has as /etc, and its command."""

    def __init__(self, folder: Path) -> None:
        self._etc, self._commands = folder / "etc", folder / "bin"
        self.source = self._etc / "pki/ca-trust/source"
        self._bundle = self._etc / "pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
        for path in (
            *(self.source / name for name in ("anchors", "blocklist")),
            *(self._bundle.parents[1] / name for name in ("pem", "openssl", "java")),
            self._etc / "pkcs11/modules",
            self._commands,
        ):
            path.mkdir(parents=True)
        (self._etc / "pkcs11/modules/p11-kit-trust.module").write_text(P11_KIT)
        # Where programs find their libraries.
        shutil.copy("/etc/ld.so.cache", self._etc)
        command = self._commands / "update-ca-trust"
        command.write_text(UPDATE_CA_TRUST)
        command.chmod(0o755)

    def run(self, **arguments: Any) -> dict[str, Any]:
        """Run the module, and return its result."""
        as_etc = ["unshare", "--mount", "sh", "-ec", 'mount --bind "$0" /etc; exec "$@"', str(self._etc)]
        done = subprocess.run(
            [*as_etc, sys.executable, "-c", RUN_MODULE, json.dumps(arguments)],
            env={
                "PATH": f"{self._commands}:/usr/sbin:/usr/bin:/sbin:/bin",
                "PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads(done.stdout)
        return result

    def anchors(self) -> list[str]:
        return sorted(path.name for path in (self.source / "anchors").iterdir())

    def trusts(self, hub: Hub) -> bool:
        """Tell what OpenSSL says to the registry's certificate, given the bundle and nothing else."""
        done = subprocess.run(
            ["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", self._bundle, hub.server],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or "unable to get local issuer certificate" in done.stderr, done.stderr
        return done.returncode == 0


@pytest.fixture(name="host")
def fixture_host(tmp_path: Path, hubs: list[Hub]) -> Host:
    """A host that trusts a CA of its own already."""
    host = Host(tmp_path)
    shutil.copy(hubs[2].ca, host.source / "anchors/other.pem")
    return host


def test_what_p11_kit_extracts_is_what_was_asked_for(host: Host, hubs: list[Hub]) -> None:
    now, following, other = hubs
    bundle = "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
    first, second = (f"/etc/pki/ca-trust/source/anchors/{name}" for name in ("sea.hub.crt", "sea.hub+2.crt"))
    steps = [
        ({"content": now.pem}, [now], f"{first} is not there"),
        ({"content": now.pem + following.pem}, [now, following], f"{second} is not there"),
        ({"content": following.pem}, [following], f"{first} holds something else"),
        ({"state": "absent"}, [], f"{first} is trusted no longer"),
    ]
    for arguments, trusted, reason in steps:
        result = host.run(name="sea.hub", **arguments)
        files = [first, second][: len(trusted)]
        assert result == {**result, "changed": True, "reason": reason, "files": files}
        assert (result["family"], result["bundle"]) == ("RHEL", bundle)
        assert host.anchors() == sorted(["other.pem", *(Path(file).name for file in files)])
        assert [host.trusts(hub) for hub in hubs] == [hub in [*trusted, other] for hub in hubs]
        assert host.run(name="sea.hub", **arguments)["changed"] is False


def test_a_ca_that_is_blocked_on_this_host_is_an_error(host: Host, hubs: list[Hub]) -> None:
    shutil.copy(hubs[0].ca, host.source / "blocklist")
    result = host.run(content=hubs[0].pem)
    assert "does not have the certificate" in result["msg"]
    assert "blocked elsewhere" in result["msg"]
    assert not host.trusts(hubs[0])


def test_a_certificate_of_a_server_is_an_error(host: Host, hubs: list[Hub]) -> None:
    result = host.run(content=hubs[0].server.read_text())
    assert "does not have the certificate" in result["msg"]
    assert "is it one of a CA" in result["msg"]
    assert not host.trusts(hubs[0])


def test_a_host_without_a_trust_store_has_nothing_to_forget(host: Host, hubs: list[Hub]) -> None:
    shutil.rmtree(host.source)
    forgotten = host.run(state="absent")
    assert (forgotten["changed"], forgotten["family"], forgotten["files"]) == (False, "", [])
    assert "no trust store of a known kind" in host.run(content=hubs[0].pem)["msg"]

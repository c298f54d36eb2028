# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would stand in the way on a host, found without changing anything there.

Each check returns its findings; none of them ends the others.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import calendar
import contextlib
import errno
import http.client
import ipaddress
import json
import os
import re
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Iterable, Mapping, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.clients import _clients, _image_clients
from ansible_collections.seahub.offline.plugins.module_utils.common import _commands, _ports, _tls

_PYTHON = (3, 8)
# Helm pulls from registries since this version: https://helm.sh/blog/storing-charts-in-oci/
_HELM = (3, 8)
# hosts.toml came with it: https://github.com/containerd/containerd/blob/main/docs/hosts.md
_CONTAINERD = (1, 5)
# What has another name than its client.
_DAEMONS = {"ctr": "containerd", "nerdctl": "containerd"}
_SERVICES = ("containerd", "crio", "podman")
_TIMEOUT = 20
# A name that leads nowhere is answered at once, unless the resolver asks servers that do not answer.
_SLOW_LOOKUP = 5.0
# Links, folders and blobs beside the bytes of the tree.
_FILES_PER_BLOB = 12
_GIBIBYTE = 1024**3
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True)
class Finding:
    """Something that would stand in the way.

    - check: which of the checks found it.
    - problem: what is wrong.
    - cure: what to do about it.
    """

    check: str
    problem: str
    cure: str


def python(version: Sequence[int] = sys.version_info[:3]) -> list[Finding]:
    """Find a Python that is too old for what runs on hosts."""
    if tuple(version[:2]) >= _PYTHON:
        return []
    shown = ".".join(map(str, version[:3]))
    return [
        Finding(
            "python",
            f"Python {shown} runs the modules",
            f"set ansible_python_interpreter to Python {_PYTHON[0]}.{_PYTHON[1]} or newer",
        )
    ]


def space(folder: str, size: int, blobs: int) -> list[Finding]:
    """Find a disk that is too small for a tree.

    :param folder: in which the tree is to lie; what lies there already counts as part of it.
    :param size: of the tree in bytes.
    :param blobs: how many it has.
    """
    present, files = _content(folder)
    existing = folder
    while not os.path.isdir(existing):
        existing = os.path.dirname(existing)
    disk = os.statvfs(existing)
    free, needed = disk.f_bavail * disk.f_frsize, size - present
    findings = []
    if free < needed:
        findings.append(
            Finding(
                "space",
                f"{existing} has {free / _GIBIBYTE:.1f} GiB free, the tree needs {needed / _GIBIBYTE:.1f} GiB more",
                "make room, or choose another folder or host",
            )
        )
    # Filesystems without a fixed number of files, such as btrfs, say that they have none.
    if disk.f_files and disk.f_favail < blobs * _FILES_PER_BLOB - files:
        findings.append(
            Finding(
                "space",
                f"{existing} has room for {disk.f_favail} more files, the tree needs about {blobs * _FILES_PER_BLOB}",
                "choose a filesystem with more inodes",
            )
        )
    return findings


def _content(folder: str) -> tuple[int, int]:
    size = files = 0
    for path, _folders, names in os.walk(folder):
        files += len(names)
        for name in names:
            with contextlib.suppress(OSError):
                size += os.stat(os.path.join(path, name)).st_size
    return size, files


def port(number: int, domain: str, ca_certificate: str) -> list[Finding]:
    """Find another program on the port that the registry is to have.

    :param ca_certificate: the file of the CA of an earlier deployment; what it verifies is the registry itself.
    """
    holders = _ports.listeners(number)
    if not holders or _is_registry(number, domain, ca_certificate):
        return []
    return [
        Finding(
            "port",
            f"port {number} is in use by {', '.join(holders)}",
            "end that program, or choose another port with seahub_port",
        )
    ]


def _is_registry(number: int, domain: str, ca_certificate: str) -> bool:
    if not os.path.isfile(ca_certificate):
        return False
    connection = _tls.Connection(domain, number, _tls.context(ca_certificate), address="127.0.0.1", timeout=_TIMEOUT)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in (200, 401)
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def drift(here: float, there: float, allowed: float) -> list[Finding]:
    """Find a clock that differs from that of the controller.

    :param here, there: seconds since the epoch, on this host and on the controller.
    :param allowed: seconds by which they may differ.
    """
    if abs(here - there) <= allowed:
        return []
    ahead = "ahead of" if here > there else "behind"
    return [
        Finding(
            "clock",
            f"the clock is {abs(here - there) / 60:.0f} minutes {ahead} the controller's",
            "set it: logs and certificates depend on it",
        )
    ]


def validity(here: float, begins: float, ends: float) -> list[Finding]:
    """Find a clock that makes the registry's certificate look invalid.

    :param here: seconds since the epoch on this host.
    :param begins, ends: those between which the certificate is valid.
    """
    if begins <= here <= ends:
        return []
    when = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(here))
    said = "has not begun to be valid" if here < begins else "has ended"
    return [
        Finding(
            "clock",
            f"it is {when} here, so the certificate {said}",
            "set the clock of this host, or renew the certificate by running deploy.yml",
        )
    ]


def name(domain: str, configuration: str = "/etc/nsswitch.conf") -> list[Finding]:
    """Find a host on which a line in /etc/hosts would not make a name known, or not quickly."""
    findings = []
    services = _lookup_services(configuration)
    if services and "files" not in services:
        findings.append(
            Finding(
                "name",
                f"{configuration} does not list 'files' for hosts, so a line in /etc/hosts has no effect",
                "add 'files' to its line 'hosts:', in front of 'dns'",
            )
        )
    begun = time.monotonic()
    with contextlib.suppress(OSError):
        socket.getaddrinfo(domain, None)
    lasted = time.monotonic() - begun
    if lasted > _SLOW_LOOKUP:
        findings.append(
            Finding(
                "name",
                f"looking up {domain} took {lasted:.0f} seconds: the name servers of this host do not answer",
                "take name servers that cannot be reached out of /etc/resolv.conf",
            )
        )
    return findings


def _lookup_services(configuration: str) -> list[str]:
    with contextlib.suppress(FileNotFoundError), open(configuration, encoding="utf-8", errors="replace") as file:
        for line in file:
            key, _colon, value = line.partition("#")[0].partition(":")
            if key.strip() == "hosts":
                return value.split()
    return []


def way(addresses: Iterable[str], number: int) -> list[Finding]:
    """Find addresses of the registry to which no way leads. That nothing listens there yet is no finding."""
    findings = []
    for address in addresses:
        try:
            socket.create_connection((address, number), timeout=_TIMEOUT / 4).close()
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                findings.append(
                    Finding(
                        "way",
                        f"the registry's address {address} is not reached on port {number}: {error}",
                        "look at routes and firewalls between the two hosts, let deploy.yml open that of the registry "
                        "host with seahub_open_firewall, or set seahub_registry_address",
                    )
                )
    return findings


def client(binary: str) -> list[Finding]:
    """Find a client that is not there, does not answer, or is too old to pull.

    The name `auto` stands for one of those that pull images.
    """
    if binary == _image_clients.AUTO:
        return _any_image_client()
    try:
        path = _clients.find(binary)
    except _clients.ClientError as error:
        return [Finding("client", f"{binary} is not on this host", str(error).partition(": ")[2])]
    kind = os.path.basename(binary)
    if kind.startswith("helm"):
        return _old(binary, _run([path, "version", "--short"]), _HELM)
    done = _run([path, "version", "--format", "{{.Server.Version}}"] if kind == "docker" else [path, "version"])
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["nothing"]
        return [
            Finding(
                "client",
                f"{binary} does not run: it says {said[0]}",
                f"start it (systemctl start {_DAEMONS.get(kind, kind)})",
            )
        ]
    return _old(binary, done, _CONTAINERD) if kind in ("ctr", "containerd") else []


def _any_image_client() -> list[Finding]:
    found = [client(name) for name in _image_clients.NAMES]
    if not all(found):
        return []
    problems = "; ".join(finding.problem for findings in found for finding in findings)
    return [Finding("client", f"no client pulls images here: {problems}", "install one of them, or start it")]


def _old(binary: str, done: subprocess.CompletedProcess[str], least: tuple[int, int]) -> list[Finding]:
    match = _VERSION.search(done.stdout)
    if match is None or (int(match[1]), int(match[2])) >= least:
        return []
    wanted = ".".join(map(str, least))
    return [
        Finding(
            "client",
            f"{binary} is {match[0]}, which cannot pull from the registry as it is set up",
            f"install {wanted} or newer",
        )
    ]


def proxies(domain: str, number: int) -> list[Finding]:
    """Find clients and engines that would send what is meant for the registry to a proxy."""
    return [
        Finding(
            "proxy",
            f"{who} would ask the proxy {proxy} for {domain}",
            f"add {domain} to its NO_PROXY, and start it again",
        )
        for who, environment in _environments()
        for proxy in [proxy_for(domain, number, environment)]
        if proxy
    ]


def proxy_for(domain: str, number: int, environment: Mapping[str, str]) -> str:
    """Return the proxy that a Go program uses for HTTPS to a host; empty if it uses none.

    https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config
    """
    lower = {key.lower(): value for key, value in environment.items() if value}
    proxy = lower.get("https_proxy", "")
    exempt = [entry.strip().lower() for entry in lower.get("no_proxy", "").split(",")]
    # What may stand before an @ is a password.
    return "" if any(_is_exempt(domain, number, entry) for entry in exempt) else proxy.rpartition("@")[2]


def _is_exempt(domain: str, number: int, entry: str) -> bool:
    host, colon, its_port = entry.rpartition(":")
    if colon and its_port.isdigit():
        if int(its_port) != number:
            return False
        entry = host
    if entry in ("*", domain):
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(domain) in ipaddress.ip_network(entry, strict=False)
    suffix = f".{entry.lstrip('*').lstrip('.')}"
    return len(suffix) > 1 and domain.endswith(suffix)


def _environments() -> list[tuple[str, Mapping[str, str]]]:
    found: list[tuple[str, Mapping[str, str]]] = [("whatever runs in the environment of tasks", os.environ)]
    with contextlib.suppress(_clients.ClientError, ValueError):
        done = _run([_clients.find("docker"), "info", "--format", "{{json .}}"])
        told = json.loads(done.stdout or "{}")
        found.append(("docker", {"https_proxy": told.get("HttpsProxy", ""), "no_proxy": told.get("NoProxy", "")}))
    with contextlib.suppress(_clients.ClientError):
        systemctl = _clients.find("systemctl")
        for service in _SERVICES:
            done = _run([systemctl, "show", "--property=Environment", "--value", service])
            pairs = (word.partition("=") for word in done.stdout.split() if "=" in word)
            found.append((service, {key.strip('"'): value.strip('"') for key, _equals, value in pairs}))
    return found


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return _commands.run(command, _TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def seconds(text: str) -> float:
    """Return the seconds since the epoch of a time as the module registry_certificate tells it.

    :raises ValueError: if it is no such time.
    """
    return float(calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ")))

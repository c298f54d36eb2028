# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The container runtimes of a host: where each reads about registries, and how it takes up what was written.

A runtime says which files it wants to be how, has the program itself check them where it can, and lets it read them.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import functools
import json
import os
import subprocess
import time
from typing import Callable, Sequence

from ansible_collections.seahub.offline.plugins.module_utils.clients import (
    _configuration,
    _daemon_json,
    _runtime_files,
    _toml_lines,
)
from ansible_collections.seahub.offline.plugins.module_utils.clients._configuration import Change, Configuration, Edit
from ansible_collections.seahub.offline.plugins.module_utils.clients._redirects import Redirect, Registry
from ansible_collections.seahub.offline.plugins.module_utils.common import _commands, _marked_lines
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError

_SECONDS = 30.0


class RuntimeConfigurationError(SeahubError):
    """A runtime that does not take its configuration."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What one runtime needs.

    - edits: how its files have to be.
    - remarks: what it cannot do of what is wanted, as sentences.
    """

    edits: list[Edit]
    remarks: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class TakenUp:
    """What was done for a runtime to read its files; `restart` are the services that have to be restarted for it."""

    done: list[str] = dataclasses.field(default_factory=list)
    restart: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of it on one host for one runtime."""

    changes: list[Change]
    remarks: list[str]
    taken_up: TakenUp


@dataclasses.dataclass(frozen=True)
class Runtime:
    """One kind of runtime.

    - names: what the user calls it; podman and CRI-O read the same files.
    - programs: it is on a host that has one of them.
    - plan: says what it needs.
    - take_up: lets it read changed files. It may restart services if told so, else says which.
    """

    names: tuple[str, ...]
    programs: tuple[str, ...]
    plan: Callable[[Configuration, Registry], Plan]
    take_up: Callable[[Configuration, Registry | None, list[Change], bool], TakenUp]

    @property
    def name(self) -> str:
        """The name of its records."""
        return self.names[0]

    def is_there(self) -> bool:
        """Tell whether this host has it."""
        return any(_commands.find(program) for program in self.programs)


# ---- docker: https://docs.docker.com/engine/security/certificates/ and daemon.json


DOCKER_FOLDER = "/etc/docker/certs.d"
DAEMON_JSON = "/etc/docker/daemon.json"


def _docker_plan(files: Configuration, registry: Registry) -> Plan:
    edits = _authority_files(DOCKER_FOLDER, registry, registry.endpoints)
    redirected = {redirect.host: redirect for redirect in registry.redirects}
    others = sorted(host for host in redirected if host != "docker.io")
    remarks = []
    if others:
        remarks.append(
            f"docker can redirect docker.io only: images of {', '.join(others)} are pulled as {registry.name}/..."
        )
    hub = redirected.get("docker.io")
    if hub is not None and "" not in hub.prefixes:
        remarks.append(f"docker cannot redirect docker.io to names below {hub.prefixes[0]}/: write {registry.name}/...")
    elif hub is not None:
        wanted = _mirrors(registry)
        edits.append(
            Edit(
                DAEMON_JSON,
                _configuration.MIRRORS,
                lambda text: _daemon_json.with_mirrors(text, wanted),
                _check_daemon_json,
            )
        )
    return Plan(edits, remarks)


def _mirrors(registry: Registry) -> list[str]:
    return [f"https://{endpoint}" for endpoint in registry.endpoints]


def _check_daemon_json(path: str) -> None:
    program = _commands.find("dockerd")
    if program is None:
        return
    done = _run([program, "--validate", f"--config-file={path}"])
    # Engines before 23.0 cannot validate.
    if done.returncode != 0 and "unknown flag" not in done.stderr:
        raise RuntimeConfigurationError(f"docker would not take {DAEMON_JSON}: {_said(done)}")


def _docker_take_up(
    files: Configuration, registry: Registry | None, changes: list[Change], may_restart: bool
) -> TakenUp:
    # It reads certs.d at each pull.
    if not any(change.path == DAEMON_JSON for change in changes) or not _is_active("docker"):
        return TakenUp()
    text = files.read(DAEMON_JSON) or ""
    if _daemon_json.has_mirrors(text):
        _reload_docker(_daemon_json.mirrors(text))
    else:
        # A reload passes over keys that are not there, and so keeps the mirrors that the engine has: it needs to read
        # an empty list once (reloadRegistryMirrors in https://github.com/moby/moby/blob/v20.10.24/daemon/reload.go).
        with files.for_a_moment(DAEMON_JSON, _daemon_json.without_mirrors(text, (), keep_list=True)):
            _reload_docker([])
    return TakenUp(done=["docker reloaded"])


def _reload_docker(wanted: list[str]) -> None:
    _systemctl("reload", "docker")
    deadline = time.monotonic() + _SECONDS
    while (found := _docker_mirrors()) != [mirror.rstrip("/") for mirror in wanted]:
        if time.monotonic() > deadline:
            raise RuntimeConfigurationError(
                f"docker has been told to read {DAEMON_JSON} again, but has the mirrors {found} instead of {wanted}: "
                "see `journalctl --unit docker`. Are they given on dockerd's command line, too?"
            )
        time.sleep(0.2)


def _docker_mirrors() -> list[str]:
    program = _commands.find("docker") or "docker"
    done = _run([program, "info", "--format", "{{json .RegistryConfig.Mirrors}}"])
    if done.returncode != 0:
        raise RuntimeConfigurationError(f"docker does not say what its mirrors are: {_said(done)}")
    return [str(mirror).rstrip("/") for mirror in json.loads(done.stdout) or []]


# ---- containerd: https://github.com/containerd/containerd/blob/main/docs/cri/registry.md


CONFIG_TOML = "/etc/containerd/config.toml"
CONTAINERD_FOLDER = "/etc/containerd/certs.d"
# The plugin that pulls for Kubernetes, as config.toml calls it: in version 3 (containerd 2), 2 and 1 of that file.
_PULLERS = {
    "3": ("plugins", "io.containerd.cri.v1.images"),
    "2": ("plugins", "io.containerd.grpc.v1.cri"),
    "1": ("plugins", "cri"),
}
_SANDBOX_KEYS = {"3": ("pinned_images", "sandbox"), "2": ("sandbox_image",), "1": ("sandbox_image",)}


@dataclasses.dataclass(frozen=True)
class _Effective:
    """What containerd makes of its configuration; `version` is that of what it prints."""

    text: str

    @property
    def version(self) -> str:
        return _toml_lines.value(self.text, ("version",)) or "1"

    def puller(self) -> tuple[str, ...]:
        return _PULLERS.get(self.version, _PULLERS["3"])

    @property
    def serves_kubernetes(self) -> bool:
        disabled = _toml_lines.value(self.text, ("disabled_plugins",)) or ""
        names = ("cri", *(keys[-1] for keys in _PULLERS.values()))
        return not any(f'"{name}"' in disabled or f"'{name}'" in disabled for name in names)

    @property
    def folders(self) -> list[str]:
        """Where it looks for hosts.toml, in order."""
        found = _toml_lines.string(self.text, (*self.puller(), "registry", "config_path")) or ""
        return [folder for folder in found.split(":") if folder]

    @property
    def sandbox_image(self) -> str:
        keys = _SANDBOX_KEYS.get(self.version, _SANDBOX_KEYS["3"])
        return _toml_lines.string(self.text, (*self.puller(), *keys)) or ""

    def deprecated(self) -> list[str]:
        """Return the mirrors that are written in config.toml itself, beside which there can be no config_path."""
        return sorted(_toml_lines.tables_below(self.text, (*self.puller(), "registry", "mirrors")))


def _containerd_plan(files: Configuration, registry: Registry) -> Plan:
    current = files.read(CONFIG_TOML)
    original = _marked_lines.strip(current) if current is not None else None
    found = _effective(original, CONFIG_TOML)
    if not found.serves_kubernetes:
        return Plan(_hosts_files(CONTAINERD_FOLDER, registry))
    folder = found.folders[0] if found.folders else CONTAINERD_FOLDER
    edits = _hosts_files(folder, registry)
    sandbox = registry.sandbox_image if registry.sandbox_image != found.sandbox_image else ""
    if found.folders and not sandbox:
        return Plan(edits)
    if not found.folders and found.deprecated():
        raise RuntimeConfigurationError(
            f"{CONFIG_TOML} has mirrors of its own for {', '.join(found.deprecated())}, beside which containerd takes "
            f"no config_path: move them to {CONTAINERD_FOLDER}/<host>/hosts.toml, or leave containerd out"
        )
    edits.append(
        Edit(
            CONFIG_TOML,
            _configuration.MARKED,
            functools.partial(
                _config_toml, version=found.version, folder="" if found.folders else folder, sandbox=sandbox
            ),
            functools.partial(_check_config_toml, folder=folder, sandbox=sandbox),
        )
    )
    return Plan(edits)


def containerd_folder() -> str:
    """Return the folder with a hosts.toml for each registry, as this module would write them.

    :raises RuntimeConfigurationError: if containerd does not tell its configuration.
    """
    found = _effective(None, CONFIG_TOML, CONFIG_TOML if os.path.exists(CONFIG_TOML) else None)
    return found.folders[0] if found.serves_kubernetes and found.folders else CONTAINERD_FOLDER


def _config_toml(text: str | None, version: str, folder: str, sandbox: str) -> str:
    """Return config.toml with the folder and the sandbox image set, those that are not empty."""
    text = _marked_lines.strip(text or "")
    if not text.strip():
        text = _toml_lines.with_value("", ("version",), version)
    own_version = _toml_lines.value(text, ("version",)) or "1"
    puller = _PULLERS.get(own_version, _PULLERS["3"])
    if folder:
        text = _toml_lines.with_value(text, (*puller, "registry", "config_path"), json.dumps(folder))
    if sandbox:
        keys = _SANDBOX_KEYS.get(own_version, _SANDBOX_KEYS["3"])
        text = _toml_lines.with_value(text, (*puller, *keys), json.dumps(sandbox))
    return text


def _check_config_toml(path: str, folder: str, sandbox: str) -> None:
    with open(path, encoding="utf-8") as file:
        found = _effective(file.read(), CONFIG_TOML, path)
    if found.folders[:1] != [folder] or sandbox not in ("", found.sandbox_image):
        raise RuntimeConfigurationError(
            f"containerd does not see what would be written to {CONFIG_TOML}: it has the folders {found.folders} and "
            f"the sandbox image {found.sandbox_image}. Is another file named in its imports, which has the last word?"
        )


def _effective(text: str | None, where: str, path: str | None = None) -> _Effective:
    """Let containerd say what it makes of a text, which lies beside its configuration meanwhile, for imports' sake."""
    program = _commands.find("containerd") or "containerd"
    if path is not None:
        done = _run([program, "--config", path, "config", "dump"])
    elif text is None:
        done = _run([program, "config", "default"])
    else:
        with _configuration.beside(where, text) as name:
            done = _run([program, "--config", name, "config", "dump"])
    if done.returncode != 0:
        raise RuntimeConfigurationError(f"containerd cannot read {where}: {_said(done)}")
    return _Effective(done.stdout)


def _hosts_files(folder: str, registry: Registry) -> list[Edit]:
    authorities = os.path.join(folder, registry.name, "ca.crt") if registry.authorities else ""
    edits = _authority_files(folder, registry, registry.endpoints[:1])
    for redirect in (Redirect(registry.name), *registry.redirects):
        text = _runtime_files.hosts_toml(registry.locations(redirect), authorities)
        edits.append(_whole(os.path.join(folder, redirect.host, "hosts.toml"), text))
    return edits


def _containerd_take_up(
    files: Configuration, registry: Registry | None, changes: list[Change], may_restart: bool
) -> TakenUp:
    # It reads hosts.toml at each pull. Running containers go on when it is restarted.
    return _restart(["containerd"], any(change.path == CONFIG_TOML for change in changes), may_restart)


# ---- podman and CRI-O: containers-registries.conf.d(5), containers-certs.d(5), crio.conf.d(5)


CONTAINERS_FOLDER = "/etc/containers/certs.d"
# Of two files that say something about one host, or one short name, the later one counts: ours has the last word about
# hosts, and the first about short names, so that those of the user and of the distribution (000-shortnames.conf) stay.
REGISTRIES_CONF = "/etc/containers/registries.conf.d/zz-seahub.conf"
SHORT_NAMES_CONF = "/etc/containers/registries.conf.d/0-seahub-short-names.conf"
CRIO_CONF = "/etc/crio/crio.conf.d/zz-seahub.conf"
_PAUSE_IMAGE = ("crio", "image", "pause_image")
_CRIO_SECONDS = 5.0


def _containers_plan(files: Configuration, registry: Registry) -> Plan:
    edits = _authority_files(CONTAINERS_FOLDER, registry, registry.endpoints)
    remarks = []
    if registry.redirects:
        edits.append(_whole(REGISTRIES_CONF, _runtime_files.registries_conf(registry)))
    if any(redirect.host == "_default" for redirect in registry.redirects):
        remarks.append("podman and CRI-O redirect hosts by their names only: name those that are to be redirected")
    if registry.short_names:
        edits.append(_whole(SHORT_NAMES_CONF, _runtime_files.short_names_conf(registry)))
    if registry.sandbox_image and _commands.find("crio"):
        edits.append(_whole(CRIO_CONF, _runtime_files.crio_conf(registry.sandbox_image)))
    return Plan(edits, remarks)


def _containers_take_up(
    files: Configuration, registry: Registry | None, changes: list[Change], may_restart: bool
) -> TakenUp:
    paths = {change.path for change in changes}
    if paths & {REGISTRIES_CONF, SHORT_NAMES_CONF}:
        _check_podman(registry)
    if registry is not None and CRIO_CONF in paths:
        _check_crio(registry.sandbox_image)
    # It reads registries.conf again, and its own pause_image too, when it is told to.
    if not paths & {REGISTRIES_CONF, SHORT_NAMES_CONF, CRIO_CONF} or not _is_active("crio"):
        return TakenUp()
    _systemctl("reload", "crio")
    # It reads drop-ins again only if their folder was there when it was started (Reload in
    # https://github.com/cri-o/cri-o/blob/v1.34.0/pkg/config/reload.go).
    waits = CRIO_CONF in paths and not _crio_has_reloaded()
    return TakenUp(done=["crio reloaded"], restart=["crio"] if waits else [])


def _crio_has_reloaded() -> bool:
    wanted = _crio_pause_image("config")
    deadline = time.monotonic() + _CRIO_SECONDS
    while _crio_pause_image("status", "config") != wanted:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def _crio_pause_image(*question: str) -> str:
    """Tell the image of sandboxes as `crio` does; nothing if it does not."""
    done = _run([_commands.find("crio") or "crio", *question])
    # What is as in CRI-O itself is a comment in what `crio config` prints.
    return _toml_lines.string(done.stdout.replace("\n# pause_image =", "\npause_image ="), _PAUSE_IMAGE) or ""


def _check_podman(registry: Registry | None) -> None:
    program = _commands.find("podman")
    if program is None:
        return
    done = _run([program, "info", "--format", "{{json .Registries}}"])
    if done.returncode != 0:
        raise RuntimeConfigurationError(f"podman does not take what was written: {_said(done)}")
    found = json.loads(done.stdout) or {}
    for redirect in registry.redirects if registry is not None else ():
        location = registry.locations(redirect)[-1] if registry is not None else ""
        if redirect.host != "_default" and (found.get(redirect.host) or {}).get("Location") != location:
            raise RuntimeConfigurationError(
                f"podman does not see that {redirect.host} is at {location} now: does a file in "
                "/etc/containers/registries.conf.d that comes after zz-seahub.conf, or one of root's own, name it too?"
            )


def _check_crio(sandbox_image: str) -> None:
    if _commands.find("crio") is None or not sandbox_image:
        return
    found = _crio_pause_image("config")
    if found != sandbox_image:
        raise RuntimeConfigurationError(
            f"CRI-O does not see {sandbox_image} as the image of sandboxes, but {found or 'none'}: does a file in "
            f"{os.path.dirname(CRIO_CONF)} that comes after {os.path.basename(CRIO_CONF)} name it, too?"
        )


# ---- k3s and RKE2: https://docs.k3s.io/installation/private-registry, https://docs.rke2.io/install/private_registry


RANCHER_FOLDER = "/etc/rancher"


def _rancher_plan(name: str, files: Configuration, registry: Registry) -> Plan:
    folder = os.path.join(RANCHER_FOLDER, name)
    authorities = f"{folder}/seahub-ca.crt" if registry.authorities else ""
    edits = [_whole(authorities, registry.authorities)] if authorities else []
    edits.append(
        Edit(
            f"{folder}/registries.yaml",
            _configuration.MARKED,
            lambda text: _runtime_files.registries_yaml(
                None if text is None else _marked_lines.strip(text), registry, authorities
            ),
            mode=0o600,
        )
    )
    if registry.redirects or registry.sandbox_image:
        edits.append(
            _whole(f"{folder}/config.yaml.d/zz-seahub.yaml", _runtime_files.rancher_config(registry.sandbox_image))
        )
    remarks = [
        f"{name} can follow one prefix for {redirect.host} only, {redirect.prefixes[0] or 'the empty one'}"
        for redirect in registry.redirects
        if len(redirect.prefixes) > 1
    ]
    return Plan(edits, remarks)


def _rancher_take_up(
    units: Sequence[str], files: Configuration, registry: Registry | None, changes: list[Change], may_restart: bool
) -> TakenUp:
    # It makes containerd's configuration out of these files when it starts.
    return _restart(units, bool(changes), may_restart)


RUNTIMES = (
    Runtime(("docker",), ("dockerd",), _docker_plan, _docker_take_up),
    Runtime(("containerd",), ("containerd",), _containerd_plan, _containerd_take_up),
    Runtime(("podman", "crio"), ("podman", "crio"), _containers_plan, _containers_take_up),
    Runtime(
        ("k3s",),
        ("k3s",),
        functools.partial(_rancher_plan, "k3s"),
        functools.partial(_rancher_take_up, ("k3s", "k3s-agent")),
    ),
    Runtime(
        ("rke2",),
        ("rke2",),
        functools.partial(_rancher_plan, "rke2"),
        functools.partial(_rancher_take_up, ("rke2-server", "rke2-agent")),
    ),
)
NAMES = tuple(name for runtime in RUNTIMES for name in runtime.names)


def chosen(names: Sequence[str]) -> list[Runtime]:
    """Return the runtimes of these names, or all that are on this host if there are no names."""
    if names:
        return [runtime for runtime in RUNTIMES if set(runtime.names) & set(names)]
    return [runtime for runtime in RUNTIMES if runtime.is_there()]


def apply(owner: str, runtime: Runtime, registry: Registry | None, check_mode: bool, may_restart: bool) -> Outcome:
    """Let a runtime use a registry, or let it be as it was before if there is none.

    :param owner: in whose name files are changed, and given back.
    :raises SeahubError: if the runtime does not take it; then everything is as it was.
    """
    files = Configuration(owner, runtime.name)
    plan = runtime.plan(files, registry) if registry is not None else Plan([])
    changes = files.plan(plan.edits)
    if check_mode:
        return Outcome(changes, plan.remarks, TakenUp())
    undo = files.carry_out(plan.edits, changes)
    if not changes:
        return Outcome(changes, plan.remarks, TakenUp())
    try:
        return Outcome(changes, plan.remarks, runtime.take_up(files, registry, changes, may_restart))
    except RuntimeConfigurationError:
        undo()
        raise


def _whole(path: str, text: str) -> Edit:
    return Edit(path, _configuration.WHOLE, lambda _before: text)


def _authority_files(folder: str, registry: Registry, endpoints: Sequence[str]) -> list[Edit]:
    if not registry.authorities:
        return []
    return [_whole(os.path.join(folder, endpoint, "ca.crt"), registry.authorities) for endpoint in endpoints]


def _restart(units: Sequence[str], needed: bool, may_restart: bool) -> TakenUp:
    active = [unit for unit in units if needed and _is_active(unit)]
    if not may_restart:
        return TakenUp(restart=active)
    for unit in active:
        _systemctl("restart", unit)
    return TakenUp(done=[f"{unit} restarted" for unit in active])


def _is_active(unit: str) -> bool:
    program = _commands.find("systemctl")
    return program is not None and _run([program, "is-active", "--quiet", unit]).returncode == 0


def _systemctl(verb: str, unit: str) -> None:
    done = _run([_commands.find("systemctl") or "systemctl", verb, unit])
    if done.returncode != 0:
        raise RuntimeConfigurationError(
            f"systemctl {verb} {unit} failed: {_said(done)}. See `journalctl --unit {unit}`"
        )


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return _commands.run(command, timeout=120)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeConfigurationError(f"{command[0]} cannot be run: {error}") from error


def _said(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip() or done.stdout.strip() or f"it ended with {done.returncode}")[-500:]

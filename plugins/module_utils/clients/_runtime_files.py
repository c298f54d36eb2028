# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the container runtimes read about registries: the texts, without any host.

None of them leaves a way back to the real host, save that of docker, which knows no other.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import dataclasses
import json
import re
from typing import Sequence

from ansible_collections.seahub.offline.plugins.module_utils.clients._redirects import ANY_HOST, Registry
from ansible_collections.seahub.offline.plugins.module_utils.common import _marked_lines
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError

HEADING = "# Managed by seahub.offline: changes are lost.\n"


class RegistriesYamlError(SeahubError):
    """A registries.yaml that is written in a way in which nothing can be added to it line by line."""


def hosts_toml(locations: Sequence[str], authorities: str) -> str:
    """Return the hosts.toml that leads one host's images to these locations, and nowhere else.

    containerd tries the tables in their order and `server` last; without `server` it would try the real host.
    https://github.com/containerd/containerd/blob/main/docs/hosts.md

    :param locations: endpoints, each with a prefix or without.
    :param authorities: the file with the CA certificates; empty for none.
    """
    *others, last = locations
    parts = [HEADING + f"server = {json.dumps(_url(last))}\n" + _host_options(last, authorities)]
    # containerd 1 passes over a file that has no table of this name.
    parts += ["[host]\n"] if not others else []
    parts += [f"[host.{json.dumps(_url(other))}]\n" + _host_options(other, authorities, "  ") for other in others]
    return "\n".join(parts)


def _url(location: str) -> str:
    endpoint, slash, prefix = location.partition("/")
    return f"https://{endpoint}/v2/{prefix}" if slash else f"https://{endpoint}"


def _host_options(location: str, authorities: str, indent: str = "") -> str:
    lines = ['capabilities = ["pull", "resolve"]']
    lines += [f"ca = {json.dumps(authorities)}"] if authorities else []
    # Else containerd puts /v2 behind the prefix.
    lines += ["override_path = true"] if "/" in location else []
    return "".join(f"{indent}{line}\n" for line in lines)


def registries_conf(registry: Registry) -> str:
    """Return the drop-in for podman, CRI-O, buildah and skopeo.

    A location replaces the prefix as a whole, so that the real host is out of reach.
    https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
    """
    parts = [HEADING]
    if len(registry.endpoints) > 1:
        parts.append(_registry_table(registry.name, list(registry.endpoints)))
    parts += [
        _registry_table(redirect.host, registry.locations(redirect))
        for redirect in registry.redirects
        if redirect.host != ANY_HOST
    ]
    return "\n".join(parts)


def _registry_table(prefix: str, locations: Sequence[str]) -> str:
    # Mirrors are tried in their order, and the location last.
    *mirrors, last = locations
    lines = ["[[registry]]", f"prefix = {json.dumps(prefix)}", f"location = {json.dumps(last)}"]
    for mirror in mirrors:
        lines += ["[[registry.mirror]]", f"location = {json.dumps(mirror)}"]
    return "\n".join(lines) + "\n"


def short_names_conf(registry: Registry) -> str:
    """Return the drop-in with what podman makes of names without a host."""
    aliases = [f"{json.dumps(short)} = {json.dumps(full)}\n" for short, full in registry.short_names]
    return HEADING + "\n[aliases]\n" + "".join(aliases)


def crio_conf(sandbox_image: str) -> str:
    """Return the drop-in for CRI-O with the image of sandboxes."""
    return HEADING + f"\n[crio.image]\npause_image = {json.dumps(sandbox_image)}\n"


def rancher_config(sandbox_image: str) -> str:
    """Return the drop-in for the configuration of k3s and RKE2: no way back to the real host, and the sandbox image.

    https://docs.k3s.io/installation/private-registry#default-endpoint-fallback
    """
    lines = ["disable-default-registry-endpoint: true"]
    lines += [f"pause-image: {json.dumps(sandbox_image)}"] if sandbox_image else []
    return HEADING + "".join(f"{line}\n" for line in lines)


def registries_yaml(text: str | None, registry: Registry, authorities: str) -> str:
    """Return the registries.yaml of k3s and RKE2 with the registry and the redirects added.

    What the user has written for other hosts stays, with its comments; what is there for the same ones is put aside.

    :raises RegistriesYamlError: if the text is written in a way that leaves no place for lines.
    """
    mirrors = {registry.name: _mirror(registry.endpoints, "")}
    for redirect in registry.redirects:
        # One rewrite goes for all endpoints of a host: only one prefix can be followed.
        host = "*" if redirect.host == ANY_HOST else redirect.host
        mirrors[host] = _mirror(registry.endpoints, redirect.prefixes[0])
    lines = _with_entries((text or "").splitlines(), "mirrors", mirrors)
    if authorities:
        lines = _with_key(lines, "configs", registry.endpoints, "tls", f"ca_file: {json.dumps(authorities)}")
    return "\n".join(lines) + "\n"


def _mirror(endpoints: Sequence[str], prefix: str) -> list[str]:
    lines = ["  endpoint:", *(f"    - {json.dumps('https://' + endpoint)}" for endpoint in endpoints)]
    return lines + (["  rewrite:", f'    "^(.*)$": {json.dumps(prefix + "/$1")}'] if prefix else [])


_TOP_LEVEL = re.compile(r"^(\"?)([A-Za-z_]+)\1\s*:(.*)$")
_EMPTY = re.compile(r"\s*(?:\{\s*\}|~|null)?\s*(?:#.*)?$")
_ENTRY = re.compile(r"^( +)(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'#][^\"'#]*?))\s*:((?:\s.*)?)$")


@dataclasses.dataclass(frozen=True)
class _Block:
    """The lines of a key at the top level: what is below it, and what comes before, the key itself last, and after."""

    before: list[str]
    body: list[str]
    after: list[str]

    @property
    def indent(self) -> str:
        return _indent(self.body, "  ")

    def around(self, body: list[str]) -> list[str]:
        return [*self.before, *body, *self.after]


def _with_entries(lines: list[str], name: str, entries: dict[str, list[str]]) -> list[str]:
    """Put entries first into a block, in place of those of the same names."""
    block = _block(lines, name)
    return block.around([*_entry_lines(entries, block.indent), *_without(block.body, set(entries), block.indent)])


def _with_key(lines: list[str], name: str, entries: Sequence[str], key: str, below: str) -> list[str]:
    """Put a key with a line below it into entries of a block; the other keys of an entry that is there stay."""
    block = _block(lines, name)
    pieces = _pieces(block.body, block.indent)
    new = [entry for entry in entries if entry not in {said for said, _piece in pieces}]
    body = _entry_lines({entry: [f"  {key}:", f"    {below}"] for entry in new}, block.indent)
    for said, piece in pieces:
        body += _keyed(piece, said, key, below) if said in entries else piece
    return block.around(body)


def _keyed(piece: list[str], entry: str, key: str, below: str) -> list[str]:
    head, *body = piece
    match = _ENTRY.match(head)
    own = " " * _depth(head)
    indent = _indent(body, f"{own}  ")
    return [
        *_opened(head, match.group(5) if match else "", f"{own}{json.dumps(entry)}:", entry),
        _marked_lines.added(f"{indent}{key}:"),
        _marked_lines.added(f"{indent}  {below}"),
        *_without(body, {key}, indent),
    ]


def _block(lines: list[str], name: str) -> _Block:
    """Find a block at the top level, or make it."""
    found = [number for number, line in enumerate(lines) if _top_level(line) == name]
    if not found:
        return _Block([*lines, _marked_lines.added(f"{name}:")], [], [])
    start = found[0]
    match = _TOP_LEVEL.match(lines[start])
    head = _opened(lines[start], match.group(3) if match else "", f"{name}:", name)
    if any("\t" in line[: len(line) - len(line.lstrip())] for line in lines):
        raise _unfit(name)
    end = next((n for n in range(start + 1, len(lines)) if lines[n][:1] not in ("", " ", "#")), len(lines))
    return _Block([*lines[:start], *head], lines[start + 1 : end], lines[end:])


def _opened(line: str, said: str, key: str, name: str) -> list[str]:
    """Return a key's line such that lines can follow below it: one that says that there is nothing is put aside."""
    if not _EMPTY.match(said):
        raise _unfit(name)
    return [_marked_lines.aside(line), _marked_lines.added(key)] if said.partition("#")[0].strip() else [line]


def _unfit(name: str) -> RegistriesYamlError:
    return RegistriesYamlError(
        f"registries.yaml: what stands under {name} is written in one line, or indented with tabs: "
        "write it as a block, one entry under the other, so that entries can be added"
    )


def _entry_lines(entries: dict[str, list[str]], indent: str) -> list[str]:
    return [
        _marked_lines.added(indent + line)
        for name, below in entries.items()
        for line in (f"{json.dumps(name)}:", *below)
    ]


def _without(body: list[str], names: set[str], indent: str) -> list[str]:
    """Put aside the entries of these names."""
    return [
        _marked_lines.aside(line) if name in names and _is_content(line) else line
        for name, piece in _pieces(body, indent)
        for line in piece
    ]


def _pieces(body: list[str], indent: str) -> list[tuple[str, list[str]]]:
    """Take the lines of a block apart into its entries by their names; what comes before the first one has none."""
    pieces: list[tuple[str, list[str]]] = [("", [])]
    for line in body:
        if _is_content(line) and _depth(line) <= len(indent):
            match = _ENTRY.match(line)
            pieces.append((next(filter(None, match.groups()[1:4]), "") if match else "", []))
        pieces[-1][1].append(line)
    return pieces


def _indent(body: list[str], default: str) -> str:
    return next((" " * _depth(line) for line in body if _is_content(line)), default)


def _top_level(line: str) -> str:
    match = _TOP_LEVEL.match(line)
    return match.group(2) if match else ""


def _is_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values in TOML texts, compared with what a real parser makes of the same texts."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _toml_lines
from ansible_collections.seahub.offline.plugins.module_utils.clients._toml_lines import TomlError
from ansible_collections.seahub.offline.plugins.module_utils.common import _marked_lines

KEYS = ("plugins", "io.containerd.grpc.v1.cri", "registry", "config_path")

TEXTS = {
    "nothing": "",
    "a table above": 'version = 2\n[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n    x = 1\n',
    "the table": "version = 2\n[ plugins . 'io.containerd.grpc.v1.cri'.registry ] # here\nother = 1\n[x]\ny = 2\n",
    "the value": '[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/x" # mine\n  z = 3\n',
    "a dotted key": '[plugins."io.containerd.grpc.v1.cri"]\n  registry.config_path = ""\n  z = 3\n',
    "no last newline": "[x]\ny = 1",
    "a value over several lines": (
        '[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = """\n[no table]\n"""\nz = [\n 1, # ]\n 2,\n]\n'
    ),
    "strings like tables": 'a = """\n[plugins."io.containerd.grpc.v1.cri".registry]\n"""\nb = "[x] # \\" = "\n',
    "tables after it": '[[list]]\na = 1\n[[list]]\na = {b = "]"}\n',
}


def below(document: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        document = document[key]
    return document


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_one_value_is_set_and_nothing_else_changes(text: str) -> None:
    changed = _toml_lines.with_value(text, KEYS, '"/etc/containerd/certs.d"')
    expected = tomllib.loads(text)
    table = expected
    for key in KEYS[:-1]:
        table = table.setdefault(key, {})
    table[KEYS[-1]] = "/etc/containerd/certs.d"
    assert tomllib.loads(changed) == expected
    assert _toml_lines.string(changed, KEYS) == "/etc/containerd/certs.d"
    assert _marked_lines.strip(changed).rstrip("\n") == text.rstrip("\n")


@pytest.mark.parametrize("text", ['[plugins]\n"io.containerd.grpc.v1.cri" = { registry = { x = 1 } }\n'])
def test_an_inline_table_is_an_error(text: str) -> None:
    with pytest.raises(TomlError, match="inline table"):
        _toml_lines.with_value(text, KEYS, '""')


def test_a_value_at_the_top_comes_before_the_tables() -> None:
    assert tomllib.loads(_toml_lines.with_value("[a]\nb = 1\n", ("version",), "2")) == {"version": 2, "a": {"b": 1}}


def test_the_tables_below_a_table() -> None:
    text = '[a.b]\n[a.b."docker.io"]\nx = 1\n[a.b."quay.io".y]\n[a.c]\n'
    assert _toml_lines.tables_below(text, ("a", "b")) == {"docker.io", "quay.io"}


@pytest.mark.skipif(shutil.which("containerd") is None, reason="containerd is not on this machine")
def test_what_containerd_prints_is_understood(tmp_path: Path) -> None:
    done = subprocess.run(["containerd", "config", "default"], capture_output=True, text=True, check=True)
    document = tomllib.loads(done.stdout)
    version = str(document["version"])
    assert _toml_lines.value(done.stdout, ("version",)) == version
    keys = ("grpc", "address")
    assert _toml_lines.string(done.stdout, keys) == below(document, keys)
    assert _toml_lines.tables_below(done.stdout, ("plugins",)) == set(document["plugins"])

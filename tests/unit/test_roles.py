# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each role says of itself is what it does: argument_specs is the only documentation a role has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.project import ROOT, load_yaml, roles

pytestmark = pytest.mark.parametrize("role", roles())


def options(role: str) -> dict[str, dict[str, Any]]:
    """The options of all entry points: their defaults lie in one file."""
    specs: dict[str, Any] = load_yaml(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


def defaults(role: str) -> dict[str, Any]:
    return load_yaml(f"roles/{role}/defaults/main.yml") or {}


def test_each_default_is_documented_and_each_option_has_a_default(role: str) -> None:
    optional = {name for name, option in options(role).items() if not option.get("required")}
    assert set(defaults(role)) == optional


def test_each_option_is_described_and_typed(role: str) -> None:
    for name, option in options(role).items():
        assert option.get("description"), name
        assert option.get("type"), name
        assert option["type"] != "list" or option.get("elements"), name


def test_documented_defaults_are_the_real_ones(role: str) -> None:
    real = defaults(role)
    documented = {name: option["default"] for name, option in options(role).items() if "default" in option}
    literal = {name for name in documented if "{{" not in str(real[name])}
    assert {name: documented[name] for name in literal} == {name: real[name] for name in literal}


def test_each_variable_begins_with_the_name_of_the_role(role: str) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role}_")] == []


def test_the_role_says_what_it_is_for(role: str) -> None:
    main = load_yaml(f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]
    assert main.get("short_description")
    assert main.get("description")
    assert (ROOT / "roles" / role / "tasks" / "main.yml").exists()

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of other programs: changed, left alone when they are right, and given back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.clients import _configuration, _daemon_json, _toml_lines
from ansible_collections.seahub.offline.plugins.module_utils.clients._configuration import Configuration, Edit
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import SeahubError

MIRROR = "https://sea.hub:5000"
DAEMON_JSON = "/etc/docker/daemon.json"
CONFIG_TOML = "/etc/containerd/config.toml"


def whole(path: str, text: str) -> Edit:
    return Edit(path, _configuration.WHOLE, lambda _before: text)


def mirrors(*wanted: str) -> Edit:
    return Edit(DAEMON_JSON, _configuration.MIRRORS, lambda text: _daemon_json.with_mirrors(text, wanted))


def marked(value: str = '"ours"') -> Edit:
    return Edit(
        CONFIG_TOML, _configuration.MARKED, lambda text: _toml_lines.with_value(text or "", ("table", "key"), value)
    )


def apply(root: Path, *edits: Edit) -> list[str]:
    """Let the files be as these edits want them; return the paths of those that had to be changed."""
    files = Configuration("sea.hub", "docker", str(root))
    changes = files.plan(list(edits))
    files.carry_out(list(edits), changes)
    return [change.path for change in changes]


def write(root: Path, path: str, text: str) -> Path:
    file = root / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def everything(root: Path) -> dict[str, str | None]:
    """Return all files below a folder with what they hold, and all folders."""
    return {str(path.relative_to(root)): path.read_text() if path.is_file() else None for path in root.rglob("*")}


BEFORE = {
    DAEMON_JSON: '{"debug": true,\n   "registry-mirrors": ["https://own"] }',
    CONFIG_TOML: '# mine\n[table]\nkey = "theirs" # why\n',
    "/etc/x/hosts.toml": "the user's own",
}


@pytest.mark.parametrize("path", [None, *BEFORE])
def test_what_was_changed_is_given_back(tmp_path: Path, path: str | None) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    if path is not None:
        write(tmp_path, path, BEFORE[path])
    before = everything(tmp_path)
    edits = (mirrors(MIRROR), marked(), whole("/etc/x/hosts.toml", "ours"), whole("/etc/x/ca.crt", "ours"))

    assert sorted(apply(tmp_path, *edits)) == sorted(edit.path for edit in edits)
    after = everything(tmp_path)
    assert apply(tmp_path, *edits) == []
    apply(tmp_path)
    assert everything(tmp_path) == before
    apply(tmp_path, *edits)
    assert everything(tmp_path) == after


def test_what_somebody_has_added_since_stays(tmp_path: Path) -> None:
    daemon, config = (write(tmp_path, path, BEFORE[path]) for path in (DAEMON_JSON, CONFIG_TOML))
    apply(tmp_path, mirrors(MIRROR), marked())
    document = json.loads(daemon.read_text())
    document["registry-mirrors"].append("https://new")
    daemon.write_text(json.dumps({**document, "ipv6": True}))
    config.write_text(config.read_text() + '[new]\nx = "y"\n')
    assert apply(tmp_path, mirrors(MIRROR), marked()) == []

    apply(tmp_path)
    assert json.loads(daemon.read_text()) == {
        "debug": True,
        "registry-mirrors": ["https://own", "https://new"],
        "ipv6": True,
    }
    assert config.read_text() == BEFORE[CONFIG_TOML] + '[new]\nx = "y"\n'


def test_another_value_takes_the_place_of_ours_and_not_of_theirs(tmp_path: Path) -> None:
    daemon, config = (write(tmp_path, path, BEFORE[path]) for path in (DAEMON_JSON, CONFIG_TOML))
    apply(tmp_path, mirrors(MIRROR), marked())
    apply(tmp_path, mirrors("https://sea.hub:5443"), marked('"other"'))
    assert _daemon_json.mirrors(daemon.read_text()) == ["https://sea.hub:5443", "https://own"]
    assert _toml_lines.string(config.read_text(), ("table", "key")) == "other"
    apply(tmp_path)
    assert (daemon.read_text(), config.read_text()) == (BEFORE[DAEMON_JSON], BEFORE[CONFIG_TOML])


def test_a_file_that_is_no_longer_wanted_is_given_back(tmp_path: Path) -> None:
    write(tmp_path, "/etc/x/hosts.toml", "the user's own")
    apply(tmp_path, whole("/etc/x/hosts.toml", "ours"), whole("/etc/y/hosts.toml", "ours"))
    assert apply(tmp_path, whole("/etc/y/hosts.toml", "ours")) == ["/etc/x/hosts.toml"]
    assert (tmp_path / "etc/x/hosts.toml").read_text() == "the user's own"


def test_a_file_that_somebody_has_removed_stays_removed(tmp_path: Path) -> None:
    file = write(tmp_path, DAEMON_JSON, BEFORE[DAEMON_JSON])
    apply(tmp_path, mirrors(MIRROR))
    file.unlink()
    assert apply(tmp_path) == []
    assert [path for path in everything(tmp_path) if path.endswith(".json")] == []


def test_nothing_is_changed_if_one_file_would_not_be_taken(tmp_path: Path) -> None:
    def refuse(path: str) -> None:
        assert Path(path).read_text() == "bad"
        raise SeahubError("bad")

    edits = [whole("/a", "good"), Edit("/b", _configuration.WHOLE, lambda _before: "bad", refuse)]
    files = Configuration("sea.hub", "docker", str(tmp_path))
    with pytest.raises(SeahubError):
        files.carry_out(edits, files.plan(edits))
    assert everything(tmp_path) == {}


def test_it_can_be_undone_at_once(tmp_path: Path) -> None:
    write(tmp_path, DAEMON_JSON, BEFORE[DAEMON_JSON])
    apply(tmp_path, mirrors(MIRROR))
    before = everything(tmp_path)
    files = Configuration("sea.hub", "docker", str(tmp_path))
    edits = [mirrors("https://other"), whole("/etc/new/file", "x")]
    files.carry_out(edits, files.plan(edits))()
    assert everything(tmp_path) == before


def test_owner_and_mode_stay_and_links_too(tmp_path: Path) -> None:
    real = write(tmp_path, "/srv/daemon.json", BEFORE[DAEMON_JSON])
    real.chmod(0o640)
    link = tmp_path / "etc/docker/daemon.json"
    link.parent.mkdir(parents=True)
    link.symlink_to(real)
    apply(tmp_path, mirrors(MIRROR))
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "var/lib/seahub-client/sea.hub/docker").stat().st_mode & 0o777 == 0o700


def test_two_owners_do_not_take_from_each_other(tmp_path: Path) -> None:
    (tmp_path / "var/lib").mkdir(parents=True)
    daemon = write(tmp_path, DAEMON_JSON, BEFORE[DAEMON_JSON])
    owners = {name: Configuration(name, "docker", str(tmp_path)) for name in ("one", "two")}
    for name, files in owners.items():
        edits = [mirrors(f"https://{name}")]
        files.carry_out(edits, files.plan(edits))
    for name, left in (("one", ["https://two", "https://own"]), ("two", ["https://own"])):
        owners[name].carry_out([], owners[name].plan([]))
        assert _daemon_json.mirrors(daemon.read_text()) == left
    assert json.loads(daemon.read_text()) == json.loads(BEFORE[DAEMON_JSON])
    assert not (tmp_path / "var/lib/seahub-client").exists()


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(SeahubError, match="name"):
        Configuration(name, "docker")

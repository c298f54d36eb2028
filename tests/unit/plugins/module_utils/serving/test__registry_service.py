# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry as a service: what is done, for which reason, and what is said when it does not serve."""

from __future__ import annotations

import dataclasses
import json
import socket
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import NotInTree
from ansible_collections.seahub.offline.plugins.module_utils.oci._platform import Platform
from ansible_collections.seahub.offline.plugins.module_utils.serving import _image_archive, _registry_service
from ansible_collections.seahub.offline.plugins.module_utils.serving._engine import Container, Engine, Spec
from ansible_collections.seahub.offline.plugins.module_utils.serving._image_archive import Image
from ansible_collections.seahub.offline.plugins.module_utils.serving._registry_config import Wishes
from ansible_collections.seahub.offline.plugins.module_utils.serving._registry_service import (
    Login,
    ServiceError,
    Settings,
)
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.unit.https_server import make_certificate, serve
from tests.unit.trees import layer_bytes, make_tree

HASH = "$2y$05$" + "a" * 53


class MemoryEngine(Engine):
    """An engine that only remembers what it was told."""

    name = "memory"

    def __init__(self) -> None:
        self.names: dict[str, bytes] = {}
        self.containers: dict[str, Container] = {}
        self.specs: list[Spec] = []

    def platform(self) -> Platform:
        return Platform("linux", "amd64")

    def image_name(self, repository: str, version: str) -> str:
        return f"{repository}:{version}"

    def has_image(self, name: str) -> bool:
        return name in self.names

    def images(self, repository: str) -> list[str]:
        return [name for name in self.names if name.startswith(f"{repository}:")]

    def load(self, tree: Tree, image: Image, name: str) -> None:
        self.names[name] = b"".join(_image_archive.archive(tree, image, name))

    def remove_image(self, name: str) -> None:
        del self.names[name]

    def container(self, name: str) -> Container | None:
        return self.containers.get(name)

    def run(self, spec: Spec, labels: dict[str, str]) -> None:
        self.specs.append(spec)
        self.containers[spec.name] = Container("running", 0, 0, labels)

    def unfinished(self, name: str) -> str | None:
        return f"{name}-next" if f"{name}-next" in self.containers else None

    def remove(self, name: str) -> None:
        del self.containers[name]

    def logs(self, name: str, lines: int) -> str:
        return "the last words"


@pytest.fixture(name="engine")
def fixture_engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture(name="settings")
def fixture_settings(tmp_path: Path) -> Settings:
    images = {"library/registry:2": [layer_bytes(1, 500)], "library/registry:3": [layer_bytes(2, 500)]}
    make_tree(tmp_path / "tree", images)
    where = make_certificate(tmp_path / "pki")
    return Settings(
        name="reg",
        tree=str(tmp_path / "tree"),
        image="registry:2",
        domain="sea.hub",
        certificate=where.certificate,
        private_key=where.private_key,
        ca_certificate=where.ca_certificate,
        config=str(tmp_path / "dir" / "config.yml"),
        wishes=Wishes(port=free_port(), tree=str(tmp_path / "tree")),
    )


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.create_server(("", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def on(settings: Settings, port: int) -> Settings:
    """The same on another port."""
    return dataclasses.replace(settings, wishes=dataclasses.replace(settings.wishes, port=port))


def apply(settings: Settings, engine: MemoryEngine) -> list[str]:
    steps = _registry_service.plan(settings, engine)
    _registry_service.carry_out(steps, settings, engine)
    _registry_service.clean(steps, settings, engine)
    return steps.reasons


def test_what_is_missing_is_made_and_a_second_run_does_nothing(settings: Settings, engine: MemoryEngine) -> None:
    assert len(apply(settings, engine)) == 3
    (name,) = engine.names
    assert name.startswith("reg:")
    assert engine.specs[0].image == name
    assert apply(settings, engine) == []
    assert len(engine.specs) == 1


def test_planning_changes_nothing(settings: Settings, engine: MemoryEngine) -> None:
    _registry_service.plan(settings, engine)
    assert (engine.names, engine.containers) == ({}, {})
    assert not Path(settings.config).exists()


def test_the_registry_only_reads(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    config = json.loads(Path(settings.config).read_text())
    assert config["storage"]["maintenance"]["readonly"] == {"enabled": True}
    assert [(mount.source, mount.writable) for mount in engine.specs[0].folders] == [(settings.tree, False)]
    assert engine.specs[0].command == ("serve", "/run/reg/config.yml")


def test_a_registry_with_its_storage_on_s3_does_not_see_the_tree(settings: Settings, engine: MemoryEngine) -> None:
    s3 = {"region": "here", "bucket": "images"}
    authority = settings.ca_certificate
    wishes = dataclasses.replace(settings.wishes, s3=s3, read_only=False)
    apply(dataclasses.replace(settings, wishes=wishes, storage_ca=authority), engine)
    spec = engine.specs[0]
    assert spec.folders == ()
    assert ("SSL_CERT_FILE", "/run/reg/storage-ca.crt") in spec.environment
    assert (authority, "/run/reg/storage-ca.crt") in [(file.source, file.target) for file in spec.files]


@pytest.mark.parametrize("field", ["certificate", "private_key"])
def test_another_certificate_makes_another_container(settings: Settings, engine: MemoryEngine, field: str) -> None:
    apply(settings, engine)
    with open(getattr(settings, field), "a") as file:
        file.write("\n")
    assert apply(settings, engine) == ["the container was made from another image, configuration or certificate"]


def test_another_trusted_ca_leaves_the_container_as_it_is(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    with open(settings.ca_certificate, "a") as file:
        file.write("\n")
    assert apply(settings, engine) == []


def test_another_port_makes_another_container(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    assert apply(on(settings, free_port()), engine)[-1].startswith("the container was made from another")


def test_a_container_that_stands_still_is_replaced(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    engine.containers["reg"] = dataclasses.replace(engine.containers["reg"], status="exited")
    assert apply(settings, engine) == ["the container is exited"]


def test_another_image_replaces_the_first_which_goes(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    apply(dataclasses.replace(settings, image="registry:3"), engine)
    assert list(engine.names) == [engine.specs[-1].image]


def test_a_configuration_that_someone_changed_is_written_again(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    Path(settings.config).write_text("other")
    assert apply(settings, engine) == [f"{settings.config} differs"]
    assert json.loads(Path(settings.config).read_text())["version"] == "0.1"


def test_a_port_of_someone_else_is_an_error_before_anything_is_done(settings: Settings, engine: MemoryEngine) -> None:
    with (
        socket.create_server(("", settings.port)),
        pytest.raises(ServiceError, match=r"in use by \w+.* \(process \d+\)"),
    ):
        _registry_service.plan(settings, engine)


def test_a_port_that_another_program_has_taken_from_it_is_an_error(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    engine.containers["reg"] = dataclasses.replace(engine.containers["reg"], status="restarting")
    with socket.create_server(("", settings.port)), pytest.raises(ServiceError, match="in use by"):
        _registry_service.plan(settings, engine)


def test_the_port_of_the_service_itself_is_no_error(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    with socket.create_server(("", settings.port)):
        assert apply(settings, engine) == []


@pytest.mark.parametrize("users", [(("reader", HASH),), ()])
def test_other_users_make_another_container(settings: Settings, engine: MemoryEngine, users: tuple[Any, ...]) -> None:
    first = dataclasses.replace(settings, users=(("writer", HASH),))
    apply(first, engine)
    assert (Path(settings.config).parent / "htpasswd").read_text() == f"writer:{HASH}\n"
    assert apply(dataclasses.replace(first, users=users), engine) != []


def test_a_network_that_the_engine_does_not_have_is_an_error(settings: Settings, engine: MemoryEngine) -> None:
    engine.networks = ("bridge",)
    with pytest.raises(ServiceError, match="bridge only"):
        _registry_service.plan(dataclasses.replace(settings, network="host"), engine)


def test_a_container_of_someone_else_is_left_alone(settings: Settings, engine: MemoryEngine) -> None:
    engine.containers["reg"] = Container("running", 0, 0, {})
    for action in (
        lambda: _registry_service.plan(settings, engine),
        lambda: _registry_service.reasons_to_remove("reg", settings.config, engine),
    ):
        with pytest.raises(ServiceError, match="not made by this module"):
            action()


def test_what_is_missing_on_the_host_is_an_error(settings: Settings, engine: MemoryEngine) -> None:
    with pytest.raises(ServiceError, match="there is no /nowhere"):
        _registry_service.plan(dataclasses.replace(settings, certificate="/nowhere"), engine)
    with pytest.raises(NotInTree, match="registry:9"):
        _registry_service.plan(dataclasses.replace(settings, image="registry:9"), engine)


def cut_off(settings: Settings, engine: MemoryEngine, old: str | None) -> None:
    """Let it look as if a start had been cut off: the new container has its first name, perhaps beside an old one."""
    apply(settings, engine)
    mine = engine.containers.pop(settings.name)
    engine.containers[f"{settings.name}-next"] = mine
    if old:
        engine.containers[settings.name] = dataclasses.replace(mine, status=old)


@pytest.mark.parametrize("old", [None, "exited", "running"])
def test_what_a_start_that_was_cut_off_has_left_goes_and_the_registry_runs(
    settings: Settings, engine: MemoryEngine, old: str | None
) -> None:
    cut_off(settings, engine, old)
    assert f"a start that was cut off has left {settings.name}-next" in apply(settings, engine)
    assert {name: found.status for name, found in engine.containers.items()} == {settings.name: "running"}
    assert apply(settings, engine) == []


def test_the_port_of_what_was_left_is_no_error(settings: Settings, engine: MemoryEngine) -> None:
    with socket.create_server(("", 0)) as holder:
        here = on(settings, holder.getsockname()[1])
        cut_off(on(settings, free_port()), engine, "exited")
        labels = {_registry_service.LABEL: "", _registry_service.PORT_LABEL: str(here.port)}
        engine.containers[f"{here.name}-next"] = Container("running", 0, 0, labels)
        _registry_service.require_port(here.name, here.port, engine)


@pytest.mark.parametrize("old", [None, "exited"])
def test_removing_takes_what_a_start_that_was_cut_off_has_left(
    settings: Settings, engine: MemoryEngine, old: str | None
) -> None:
    cut_off(settings, engine, old)
    reasons = _registry_service.reasons_to_remove(settings.name, settings.config, engine)
    assert f"a start that was cut off has left {settings.name}-next" in reasons
    _registry_service.remove(settings.name, settings.config, engine)
    assert engine.containers == {}
    assert _registry_service.reasons_to_remove(settings.name, settings.config, engine) == []


def test_a_container_of_someone_else_with_that_name_is_left_alone(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    engine.containers[f"{settings.name}-next"] = Container("running", 0, 0, {})
    assert apply(settings, engine) == []
    _registry_service.remove(settings.name, settings.config, engine)
    assert list(engine.containers) == [f"{settings.name}-next"]


def test_removing_takes_all_of_it_and_only_once(settings: Settings, engine: MemoryEngine) -> None:
    apply(settings, engine)
    assert len(_registry_service.reasons_to_remove("reg", settings.config, engine)) == 3
    _registry_service.remove("reg", settings.config, engine)
    assert _registry_service.reasons_to_remove("reg", settings.config, engine) == []
    assert (engine.names, engine.containers) == ({}, {})


def test_healthy_is_an_answer_over_verified_tls(settings: Settings, engine: MemoryEngine, tmp_path: Path) -> None:
    with serve(make_certificate(tmp_path / "pki"), {"/v2/": b"{}"}) as port:
        _registry_service.wait_until_healthy(on(settings, port), engine, 5)


def test_a_wrong_certificate_is_an_error_at_once(settings: Settings, engine: MemoryEngine, tmp_path: Path) -> None:
    apply(settings, engine)
    cases = [
        (make_certificate(tmp_path / "other"), "self.signed|issuer|verify"),
        (make_certificate(tmp_path / "pki", "other.hub"), "Hostname mismatch"),
    ]
    for certificate, expected in cases:
        with serve(certificate, {"/v2/": b"{}"}) as port, pytest.raises(ServiceError, match=expected):
            _registry_service.wait_until_healthy(on(settings, port), engine, 60)


@pytest.mark.parametrize(
    ("container", "expected"),
    [
        (Container("restarting", 2, 1, {}), "restarting, exit code 1; it has written last:\nthe last words"),
        (None, "is gone"),
    ],
)
def test_a_container_that_has_ended_is_not_waited_for(
    settings: Settings, engine: MemoryEngine, container: Container | None, expected: str
) -> None:
    if container:
        engine.containers["reg"] = container
    with pytest.raises(ServiceError, match=expected):
        # Port 1: nothing listens there.
        _registry_service.wait_until_healthy(on(settings, 1), engine, 60)


def test_an_answer_that_is_not_right_is_waited_for_only_so_long(
    settings: Settings, engine: MemoryEngine, tmp_path: Path
) -> None:
    apply(settings, engine)
    with (
        serve(make_certificate(tmp_path / "pki"), {}) as port,
        pytest.raises(ServiceError, match=r"HTTP 404.*is running"),
    ):
        _registry_service.wait_until_healthy(on(settings, port), engine, 0.1)


@pytest.mark.parametrize(
    ("asks_for", "login", "expected"),
    [
        ("reader:right", None, None),
        ("reader:right", Login("reader", "wrong"), "does not take"),
        ("reader:right", Login("reader", "right"), None),
        (None, None, "should ask for a password"),
    ],
)
def test_a_registry_with_users_asks_for_a_password(
    settings: Settings,
    engine: MemoryEngine,
    tmp_path: Path,
    asks_for: str | None,
    login: Login | None,
    expected: str | None,
) -> None:
    with_users = dataclasses.replace(settings, users=(("reader", HASH),), login=login)
    apply(with_users, engine)
    with serve(make_certificate(tmp_path / "pki"), {"/v2/": b"{}"}, asks_for) as port:
        if expected is None:
            _registry_service.wait_until_healthy(on(with_users, port), engine, 5)
        else:
            with pytest.raises(ServiceError, match=expected):
                _registry_service.wait_until_healthy(on(with_users, port), engine, 0.1)


def test_a_registry_without_users_that_asks_for_a_password_is_an_error(
    settings: Settings, engine: MemoryEngine, tmp_path: Path
) -> None:
    apply(settings, engine)
    with (
        serve(make_certificate(tmp_path / "pki"), {"/v2/": b"{}"}, "reader:right") as port,
        pytest.raises(ServiceError, match="it asks for a password"),
    ):
        _registry_service.wait_until_healthy(on(settings, port), engine, 0.1)

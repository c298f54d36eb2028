# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One registry over HTTP."""

from __future__ import annotations

import dataclasses
import email.utils
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    NotFound,
    RegistryError,
    Unavailable,
    UntrustedCertificate,
)
from ansible_collections.seahub.offline.plugins.module_utils.registries import _endpoint
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials
from ansible_collections.seahub.offline.plugins.module_utils.registries._endpoint import Access, Endpoint
from tests.lab import certificates
from tests.lab.certificates import Certificates
from tests.registry import content, faults
from tests.registry.faults import Fault
from tests.registry.guards import Basic, Bearer
from tests.registry.messages import Ending, Reply, Request
from tests.registry.proxy import tunnel
from tests.registry.server import Registry

MANIFEST = "manifests/1"


@pytest.fixture(name="upstream", scope="module")
def fixture_upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("registry") / "tree"
    content.make(root)
    return root


@pytest.fixture(name="registry")
def fixture_registry(upstream: Path) -> Iterator[Registry]:
    with Registry(upstream) as registry:
        yield registry


@pytest.fixture(name="reach")
def fixture_reach() -> Iterator[Callable[..., Endpoint]]:
    """Makes endpoints for registries, and closes them afterwards."""
    endpoints = []

    def reach(registry: Registry, **access: Any) -> Endpoint:
        settings: dict[str, Any] = {"host": registry.host, "plain_http": True, "timeout": 5, **access}
        endpoints.append(Endpoint(Access(**settings)))
        return endpoints[-1]

    yield reach
    for endpoint in endpoints:
        endpoint.close()


def read(endpoint: Endpoint, resource: str = MANIFEST, method: str = "GET") -> bytes:
    with endpoint.request(method, "team/app", resource) as answer:
        return answer.read_all(1 << 20)


@pytest.mark.parametrize(
    ("access", "base"),
    [
        (Access("registry.example.com"), "https://registry.example.com/v2"),
        (Access("registry.example.com:5000"), "https://registry.example.com:5000/v2"),
        (Access("localhost:5000", plain_http=True), "http://localhost:5000/v2"),
        (Access("docker.io"), "https://registry-1.docker.io/v2"),
    ],
)
def test_where_it_is(access: Access, base: str) -> None:
    assert access.base == base


# Refusals


@pytest.mark.parametrize(
    ("status", "code", "message", "kind"),
    [
        (404, "MANIFEST_UNKNOWN", "manifest unknown", NotFound),
        (403, "DENIED", "requested access to the resource is denied", AccessDenied),
        (403, "TOOMANYREQUESTS", "slow down", Unavailable),
        (403, "", "<Error>TooManyRequests</Error>", Unavailable),
        (429, "", "", Unavailable),
        (429, "TOOMANYREQUESTS", "slow down", Unavailable),
        (408, "", "", Unavailable),
        (425, "", "", Unavailable),
        (500, "", "oops", Unavailable),
        (502, "", "<html>", Unavailable),
        (503, "", "", Unavailable),
        (504, "", "", Unavailable),
        (400, "NAME_INVALID", "invalid name", RegistryError),
        (410, "", "gone", RegistryError),
        (501, "", "", RegistryError),
    ],
)
def test_refusals_say_what_happened(
    registry: Registry, reach: Callable[..., Endpoint], status: int, code: str, message: str, kind: type[RegistryError]
) -> None:
    registry.faults = [Fault(faults.refused(status, {}, code, message))]
    with pytest.raises(RegistryError, match=f"{registry.base}/v2/team/app/manifests/1: {status}") as raised:
        read(reach(registry))
    assert type(raised.value) is kind
    assert code in str(raised.value)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        ("-5", 0),
        ("1.5", 1.5),
        ("", 0),
        ("soon", 0),
        (email.utils.formatdate(time.time() + 86400, usegmt=True), 86400),
        (email.utils.formatdate(time.time() - 86400, usegmt=True), 0),
    ],
    # Not the dates themselves: processes that collect the tests at different times have to find the same ones.
    ids=["number", "zero", "negative", "fraction", "nothing", "word", "date to come", "date gone by"],
)
def test_how_long_a_registry_asks_to_be_left_alone(
    registry: Registry, reach: Callable[..., Endpoint], value: str, seconds: float
) -> None:
    registry.faults = [Fault(faults.refused(429, {"Retry-After": value}))]
    with pytest.raises(Unavailable) as raised:
        read(reach(registry))
    # A date is one of a moment before all tests, some minutes ago.
    assert raised.value.retry_after == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize("body", [b"\x1b[2J" * 50_000, b"\xff\x00" * 10, b'{"errors": 5}', b'{"errors": ["no"]}'])
def test_a_refusal_cannot_fill_or_control_the_screen(
    registry: Registry, reach: Callable[..., Endpoint], body: bytes
) -> None:
    registry.faults = [Fault(lambda _request, _reply: Reply(500, {}, body))]
    with pytest.raises(Unavailable) as raised:
        read(reach(registry))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


def test_nobody_there(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1/.* cannot be reached: .*refused"):
        read(reach(registry, host="127.0.0.1:1"))


# Connections


def test_connections_are_used_again(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    registry.faults = [
        Fault(faults.refused(404), first=2),
        Fault(faults.redirected("/v2/team/tool/manifests/2"), first=3),
    ]
    endpoint = reach(registry)
    with endpoint.request("HEAD", "team/app", MANIFEST):
        pass
    read(endpoint)
    with pytest.raises(NotFound):
        read(endpoint)
    read(endpoint)
    with endpoint.request("GET", "team/app", MANIFEST) as answer:
        assert answer.status == 200
    assert len(registry.requests) == 6
    assert registry.connections == 1


def test_one_with_much_still_to_come_is_cut(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    registry.faults = [Fault(lambda _request, _reply: Reply(200, {}, bytes(64 << 20)))]
    endpoint = reach(registry)
    with endpoint.request("GET", "team/app", MANIFEST) as answer:
        assert answer.read(10)
    assert registry.requests[0].sent < 32 << 20
    assert read(endpoint)


def test_what_arrives_is_given_at_once(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    registry.faults = [Fault(faults.truncated(10, Ending.STALL))]
    with reach(registry, timeout=0.5).request("GET", "team/app", MANIFEST) as answer:
        assert len(answer.read(1 << 20)) == 10


@pytest.mark.parametrize(
    "change",
    [faults.dripping(20), faults.dripping(500), faults.dripping_head(20), faults.dripping_head(200)],
    ids=["20 bytes a second", "500 bytes a second", "20 of the headers", "200 of the headers"],
)
def test_a_drip_is_given_up(registry: Registry, reach: Callable[..., Endpoint], change: faults.Change) -> None:
    registry.faults = [Fault(change)]
    before = time.monotonic()
    with pytest.raises(Unavailable, match=r"sent only \d+ bytes in \d seconds"):
        read(reach(registry, timeout=0.5))
    assert time.monotonic() - before < 5


def test_an_answer_that_takes_its_time_is_not(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    def think(_request: Request, reply: Reply) -> Reply:
        time.sleep(0.4)
        return dataclasses.replace(reply, rate=2000, piece=100)

    registry.faults = [Fault(think)]
    assert read(reach(registry, timeout=0.5))


def test_a_slow_line_is_not(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    body = bytes(8000)
    registry.faults = [Fault(lambda _request, _reply: Reply(200, {}, body, rate=4000, piece=400))]
    assert read(reach(registry, timeout=0.3)) == body


def test_a_body_without_a_length(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    chunks = b"4\r\nseah\r\n2\r\nub\r\n0\r\n\r\n"
    registry.faults = [Fault(lambda _request, _reply: Reply(200, {"Transfer-Encoding": "chunked"}, chunks), times=None)]
    endpoint = reach(registry)
    assert read(endpoint) == b"seahub"
    assert read(endpoint) == b"seahub"


def test_a_limit(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    with (
        reach(registry).request("GET", "team/app", MANIFEST) as answer,
        pytest.raises(RegistryError, match="sent more than the 100 bytes allowed here"),
    ):
        answer.read_all(100)


def test_a_proxy(registry: Registry, reach: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert read(reach(registry, host="registry.example.com:5000", proxy=registry.base))
    assert registry.requests[0].headers["host"] == "registry.example.com:5000"


# Authentication


def test_no_credentials_where_some_are_wanted(upstream: Path, reach: Callable[..., Endpoint]) -> None:
    wanted = "wants a user name and a password for team/app: log in with"
    with Registry(upstream, guard=Basic("jo", "secret")) as registry, pytest.raises(AccessDenied, match=wanted):
        read(reach(registry))


@pytest.mark.parametrize(
    "guard", [Basic("jo", "secret"), Bearer(account=Basic("jo", "secret"))], ids=["basic", "bearer"]
)
def test_credentials(upstream: Path, reach: Callable[..., Endpoint], guard: Any) -> None:
    with Registry(upstream, guard=guard) as registry:
        assert read(reach(registry, credentials=Credentials("jo", "secret")))
        with pytest.raises(AccessDenied) as raised:
            read(reach(registry, credentials=Credentials("jo", "false")))
        assert "false" not in str(raised.value)


def test_a_password_that_was_refused_is_not_sent_again(upstream: Path, reach: Callable[..., Endpoint]) -> None:
    with Registry(upstream, guard=Basic("jo", "secret")) as registry:
        endpoint = reach(registry, credentials=Credentials("jo", "false"))
        with pytest.raises(AccessDenied, match="401"):
            read(endpoint)
        assert ["authorization" in request.headers for request in registry.requests] == [False, True]


def test_basic_is_sent_at_once_after_the_first_time(upstream: Path, reach: Callable[..., Endpoint]) -> None:
    with Registry(upstream, guard=Basic("jo", "secret")) as registry:
        endpoint = reach(registry, credentials=Credentials("jo", "secret"))
        for _time in range(3):
            read(endpoint)
        with endpoint.request("GET", "team/tool", "manifests/2"):
            pass
        assert [request.status for request in registry.requests] == [401, 200, 200, 200, 200]


def test_a_token_is_asked_for_before_the_next_repository_refuses(
    upstream: Path, reach: Callable[..., Endpoint]
) -> None:
    with Registry(upstream, guard=Bearer()) as registry:
        endpoint = reach(registry)
        read(endpoint)
        read(endpoint)
        with endpoint.request("GET", "team/tool", "manifests/2"):
            pass
        paths = [request.path.rpartition("/v2/")[2] for request in registry.requests]
        assert paths == [
            "team/app/manifests/1",
            "/token",
            *["team/app/manifests/1"] * 2,
            "/token",
            "team/tool/manifests/2",
        ]


def test_an_identity_token_is_exchanged(upstream: Path, reach: Callable[..., Endpoint]) -> None:
    with Registry(upstream, guard=Bearer()) as registry:
        read(reach(registry, credentials=Credentials(identity_token="precious")))
        [exchange] = [request for request in registry.requests if request.path == "/token"]
        assert exchange.method == "POST"
        assert exchange.query == {
            "grant_type": "refresh_token",
            "refresh_token": "precious",
            "client_id": "seahub.offline",
            "scope": "repository:team/app:pull",
            "service": "registry",
        }


def test_who_writes_asks_for_a_token_to_write(upstream: Path) -> None:
    with Registry(upstream, guard=Bearer()) as registry:
        endpoint = Endpoint(Access(registry.host, plain_http=True), actions="pull,push")
        # This registry lets nobody write.
        with pytest.raises(AccessDenied):
            read(endpoint)
        scopes = {request.query["scope"] for request in registry.requests if request.path == "/token"}
        assert scopes == {"repository:team/app:pull,push"}


def test_nothing_is_sent_to_where_it_is_not_encrypted(registry: Registry) -> None:
    endpoint = Endpoint(Access(registry.host, plain_http=False))
    with (
        pytest.raises(RegistryError, match="not encrypted: refused"),
        endpoint.send("PUT", "team/app", f"http://{registry.host}/v2/team/app/blobs/uploads/1", {}, b"secret"),
    ):
        pass
    assert registry.requests == []


def test_a_registry_token_is_sent_as_it_is(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    registry.faults = [Fault(faults.refused(401, {"WWW-Authenticate": "Bearer realm=x"}))]
    read(reach(registry, credentials=Credentials(registry_token="precious")))
    assert registry.requests[-1].headers["authorization"] == "Bearer precious"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "does not say how to get it"),
        ("Negotiate", "does not say how to get it"),
        ("Bearer", "no usable token service"),
        ('Bearer realm="file:///etc/passwd"', "no usable token service"),
        ('Bearer realm="\x01' + "a" * 5000 + '"', "no usable token service"),
    ],
    ids=["none", "another", "no realm", "a file", "garbage"],
)
def test_challenges_that_cannot_be_answered(
    registry: Registry, reach: Callable[..., Endpoint], header: str, message: str
) -> None:
    registry.faults = [Fault(faults.refused(401, {"WWW-Authenticate": header}))]
    with pytest.raises(RegistryError, match=message) as raised:
        read(reach(registry))
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("body", [b"", b"[]", b'{"token": null}', b"<html>", b'{"expires_in": 5}'])
def test_a_token_service_that_gives_none(upstream: Path, reach: Callable[..., Endpoint], body: bytes) -> None:
    spoiled = Fault(faults.other_body(body), "/token")
    with (
        Registry(upstream, [spoiled], Bearer()) as registry,
        pytest.raises(RegistryError, match="gave no token for"),
    ):
        read(reach(registry))


def test_passwords_are_not_taken_from_netrc(
    upstream: Path, reach: Callable[..., Endpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login jo password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    with Registry(upstream, guard=Basic("jo", "secret")) as registry, pytest.raises(AccessDenied):
        read(reach(registry))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('Basic realm="x"', {"basic": {"realm": "x"}}),
        ("basic", {"basic": {}}),
        (
            'Bearer realm="https://a/t",service="s",scope="a,b"',
            {"bearer": {"realm": "https://a/t", "service": "s", "scope": "a,b"}},
        ),
        ('Bearer realm="r", Basic realm="b"', {"bearer": {"realm": "r"}, "basic": {"realm": "b"}}),
        ("Bearer realm=r , service = s", {"bearer": {"realm": "r", "service": "s"}}),
        ("Digest nonce=1", {}),
    ],
)
def test_challenges(header: str, found: dict[str, Any]) -> None:
    assert _endpoint._challenges(header) == found


# Encryption


@pytest.fixture(name="certificates", scope="module")
def fixture_certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    directory = tmp_path_factory.mktemp("certificates")
    certificates.make(directory)
    return Certificates(directory)


def test_encryption(upstream: Path, certificates: Certificates, reach: Callable[..., Endpoint]) -> None:
    trusting = {"plain_http": False, "ca_certs": (str(certificates.ca),)}
    with Registry(upstream, certificates=certificates) as registry:
        assert read(reach(registry, **trusting))
        assert read(reach(registry, plain_http=False, validate_certs=False))
        with pytest.raises(UntrustedCertificate, match="give the file of the authority that signed it as 'ca_cert'"):
            read(reach(registry, plain_http=False))


def test_a_certificate_for_another_name(
    upstream: Path, certificates: Certificates, reach: Callable[..., Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest: resolve("127.0.0.1", *rest))
    with Registry(upstream, certificates=certificates) as registry:
        host = registry.host.replace("127.0.0.1", "registry.example.com")
        endpoint = reach(registry, host=host, plain_http=False, ca_certs=(str(certificates.ca),))
        with pytest.raises(UntrustedCertificate, match=r"(not valid for|hostname) 'registry\.example\.com'"):
            read(endpoint)


@pytest.mark.parametrize("given", [True, False], ids=["given", "in the environment"])
def test_a_tunnel_through_a_proxy(
    upstream: Path,
    certificates: Certificates,
    reach: Callable[..., Endpoint],
    monkeypatch: pytest.MonkeyPatch,
    given: bool,
) -> None:
    with Registry(upstream, certificates=certificates) as registry, tunnel() as (proxy, asked):
        monkeypatch.setenv("https_proxy", "http://127.0.0.1:1" if given else proxy)
        endpoint = reach(
            registry, plain_http=False, ca_certs=(str(certificates.ca),), **({"proxy": proxy} if given else {})
        )
        assert read(endpoint)
        assert read(endpoint)
        assert asked == [f"CONNECT {registry.host}"]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        endpoint = reach(registry, plain_http=False, ca_certs=(str(certificates.ca),))
        assert read(endpoint)
        assert len(asked) == 1


def test_a_client_certificate(
    upstream: Path, certificates: Certificates, reach: Callable[..., Endpoint], tmp_path: Path
) -> None:
    key, certificate = tmp_path / "client.key", tmp_path / "client.crt"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    subprocess.run([*request, "-subj", "/CN=jo", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    trusting = {"plain_http": False, "ca_certs": (str(certificates.ca),)}
    with Registry(upstream, certificates=certificates, clients=certificate) as registry:
        assert read(reach(registry, **trusting, client_cert=str(certificate), client_key=str(key)))
        with pytest.raises(RegistryError):
            read(reach(registry, **trusting))


def test_no_encryption_where_it_is_expected(registry: Registry, reach: Callable[..., Endpoint]) -> None:
    with pytest.raises(RegistryError, match="does not speak TLS: if it really is"):
        read(reach(registry, plain_http=False))
    assert registry.requests == []


def test_what_a_redirect_is_told(registry: Registry, upstream: Path, reach: Callable[..., Endpoint]) -> None:
    def guarded(request: Request, reply: Reply) -> Reply:
        return reply if "range" in request.headers else Reply(400)

    with Registry(upstream, [Fault(guarded)]) as elsewhere:
        registry.faults = [Fault(faults.redirected(elsewhere.base))]
        with reach(registry).request("GET", "team/app", MANIFEST, {"Range": "bytes=0-5"}) as answer:
            assert answer.url == f"{elsewhere.base}/v2/team/app/manifests/1"

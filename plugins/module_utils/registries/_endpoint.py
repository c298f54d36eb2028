# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One registry over HTTP: connections, certificates, authentication, redirects, and errors that say what to do.

https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md
https://distribution.github.io/distribution/spec/auth/token/

`requests` is needed on the build host only; nothing that runs on a run host imports this.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import http.client
import json
import re
import threading
import time
import traceback
import urllib.parse
from types import TracebackType
from typing import Any, ContextManager, Iterator, Mapping, NamedTuple, Protocol, Union

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    NotFound,
    RegistryError,
    Unavailable,
    UntrustedCertificate,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils.oci._reference import DOCKER_HUB
from ansible_collections.seahub.offline.plugins.module_utils.registries import _transport
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials
from ansible_collections.seahub.offline.plugins.module_utils.registries._throttle import Place, Throttle

try:
    import requests
    import urllib3

    REQUESTS_IMPORT_ERROR = None
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()

_DOCKER_HUB_SERVER = "registry-1.docker.io"
_REDIRECTS = 5
# Bytes of an unread body up to which it is cheaper to read them than to connect anew.
_LEFTOVER = 64 * 1024
# How long a token lives that does not say so, by the token specification; and the part of its life in which it is used.
_TOKEN_SECONDS = 60
_TOKEN_SHARE = 0.8
_TOKEN_LIMIT = 1024 * 1024
# How often a request is sent again with what the registry wants: what another thread got may have expired meanwhile.
_CHALLENGES = 2
# How long a registry that did not answer is taken for one that does not.
_UNREACHABLE_SECONDS = 30.0
_TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
_CHALLENGE = re.compile(r"(?:^|,)\s*(basic|bearer)(?=\s|$)", re.IGNORECASE)
_PARAMETER = re.compile(r'([A-Za-z_]+)\s*=\s*(?:"([^"]*)"|([^\s,"]+))')


@dataclasses.dataclass(frozen=True)
class Access:
    """How a registry is reached and entered.

    - host: with its port, as it stands in references.
    - prefix: a path that goes before that of each repository, for a registry that mirrors several others.
    - plain_http: speak http instead of https.
    - validate_certs: verify the registry's certificate.
    - ca_certs: paths of files with authorities that are trusted beside those of the system.
    - client_cert, client_key: paths of a certificate and key to show to the registry.
    - proxy: URL of a proxy; without one, those of the environment are used (`HTTPS_PROXY`, `NO_PROXY`, ...).
    - timeout: seconds without any byte, or with hardly any, after which a connection counts as dead.
    """

    host: str
    prefix: str = ""
    plain_http: bool = False
    validate_certs: bool = True
    ca_certs: tuple[str, ...] = ()
    client_cert: str = ""
    client_key: str = ""
    proxy: str = ""
    timeout: float = 60.0
    credentials: Credentials | None = None

    @property
    def base(self) -> str:
        """The URL of the registry's API, without a slash at its end."""
        server = _DOCKER_HUB_SERVER if self.host == DOCKER_HUB else self.host
        return f"{'http' if self.plain_http else 'https'}://{server}/v2"


class Pieces(Protocol):
    """A body that is sent piece by piece: it knows its length in bytes, and begins anew whenever it is iterated."""

    def __len__(self) -> int:
        """Return how many bytes it has."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield them."""


Body = Union[bytes, Pieces]


class _Need(NamedTuple):
    """What a request needs to be let in to: a repository, and perhaps another one that is read beside.

    Without a repository it is the list of all of them.
    """

    repository: str
    beside: str

    @property
    def shown(self) -> str:
        """How people are told of it."""
        return self.repository or "its list of repositories"

    def scopes(self, actions: str) -> list[str]:
        """Return it as a token service is told: https://distribution.github.io/distribution/spec/auth/scope/."""
        if not self.repository:
            return ["registry:catalog:*"]
        beside = [f"repository:{self.beside}:pull"] if self.beside else []
        return [f"repository:{self.repository}:{actions}", *beside]


class Answer:
    """What a registry answers: status, headers, and a body that is read as it arrives. Used as a context manager."""

    def __init__(self, response: Any, place: Place | None = None) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.links: Mapping[str, Mapping[str, str]] = response.links
        self.url: str = response.url
        self.reason: str = response.reason or ""
        self._response = response
        self._place = place
        self._broken = False

    def __enter__(self) -> Answer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def location(self) -> str | None:
        """Where it redirects to, if it does."""
        return self.headers["Location"] if self._response.is_redirect else None

    def read(self, count: int) -> bytes:
        """Read some bytes of the body, `count` at most, as soon as there are any; none mean its end.

        :raises Unavailable: if the connection breaks, or brings nothing or hardly anything for too long.
        """
        try:
            data: bytes = self._response.raw.read(count, decode_content=False)
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError, ValueError) as error:
            self._broken = True
            raise Unavailable(f"the connection to {_shown(self.url)} broke: {_reason(error)}") from error
        if self._place is not None:
            self._place.moved(len(data))
        return data

    def read_all(self, limit: int) -> bytes:
        """Read the whole of a small body.

        :param limit: bytes above which it is refused.
        :raises RegistryError: if it is larger.
        :raises Unavailable: if the connection breaks.
        """
        body = bytearray()
        while len(body) <= limit:
            data = self.read(limit + 1 - len(body))
            if not data:
                return bytes(body)
            body += data
        raise RegistryError(f"{_shown(self.url)} sent more than the {limit} bytes allowed here")

    def close(self) -> None:
        """Give the connection back for the next request; one with much of a body still to come is cut."""
        length = self.headers.get("Content-Length", "")
        short = self._response.request.method == "HEAD" or (length.isdigit() and int(length) <= _LEFTOVER)
        if short and not self._broken:
            with contextlib.suppress(RegistryError):
                self.read_all(_LEFTOVER)
        self._response.close()


class Endpoint:
    """A registry that is asked for things. May be used by several threads at once.

    :param throttle: gives the places for requests to its host.
    :param actions: what is to be done in repositories, as a token service is told.
    """

    def __init__(self, access: Access, throttle: Throttle | None = None, actions: str = "pull") -> None:
        self.access = access
        self._actions = actions
        self._throttle = throttle or Throttle()
        self._session = _transport.session(
            access.ca_certs, access.validate_certs, (access.client_cert, access.client_key or access.client_cert)
        )
        self._unreachable_at = float("-inf")
        self._fixed = ""
        self._tokens: dict[_Need, tuple[str, float]] = {}
        self._bearer: Mapping[str, str] | None = None
        self._lock = threading.Lock()
        self._turns: dict[_Need, threading.Lock] = {}

    def request(
        self, method: str, repository: str, resource: str, headers: Mapping[str, str] | None = None
    ) -> ContextManager[Answer]:
        """Ask the registry for a resource of a repository.

        :param resource: what follows the repository in the URL, such as `manifests/latest`.
        :returns: a context with a successful answer whose body has not been read yet.
        :raises RegistryError: one of its kinds, for anything but success.
        """
        repository = self.access.prefix + repository
        return self._ask(method, f"{self.access.base}/{repository}/{resource}", repository, headers or {})

    def send(
        self,
        method: str,
        repository: str,
        resource: str,
        headers: Mapping[str, str],
        body: Body = b"",
        beside: str = "",
    ) -> ContextManager[Answer]:
        """Send something to a repository.

        :param resource: what follows the repository in the URL, or an address that the registry itself has given.
        :param beside: another repository that is read for this.
        :param body: bytes, or something that gives them piece by piece, as often as it is asked, and has a length.
        :returns: and raises what `request` does.
        """
        repository = self.access.prefix + repository
        url = self._target(f"{self.access.base}/{repository}/", resource)
        return self._ask(method, url, repository, headers, body, self.access.prefix + beside if beside else "")

    def catalog(self, query: str) -> ContextManager[Answer]:
        """Ask the registry for the names of its repositories.

        :param query: what follows the question mark in the URL.
        :returns: and raises what `request` does.
        """
        return self._ask("GET", f"{self.access.base}/_catalog?{query}", "", {})

    def get(self, url: str) -> ContextManager[Answer]:
        """Ask for a document of the same host that is not part of a registry, such as the index of charts.

        :returns: and raises what `request` does.
        """
        return self._ask("GET", url, "", {})

    @property
    def is_unreachable(self) -> bool:
        """Whether a moment ago there was no answer at all: who has a choice better asks elsewhere."""
        return time.monotonic() - self._unreachable_at < _UNREACHABLE_SECONDS

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    @contextlib.contextmanager
    def _ask(
        self,
        method: str,
        url: str,
        repository: str,
        headers: Mapping[str, str],
        body: Body | None = None,
        beside: str = "",
    ) -> Iterator[Answer]:
        need = _Need(repository, beside)
        with self._throttle.enter() as place, contextlib.ExitStack() as answers:
            authorization = self._authorization(need)
            answer = answers.enter_context(self._follow(method, url, headers, authorization, place, body))
            for _attempt in range(_CHALLENGES):
                if answer.status != 401 or not self._is_own(answer.url):
                    break
                wanted = self._answer(answer.headers.get("WWW-Authenticate", ""), need, authorization)
                if wanted == authorization:
                    break
                answer.close()
                authorization = wanted
                answer = answers.enter_context(self._follow(method, url, headers, authorization, place, body))
            if answer.status >= 400:
                raise _refusal(method, answer, self._is_own(answer.url))
            yield answer

    def _is_own(self, url: str) -> bool:
        """Tell whether a URL is one of the registry itself: nobody else learns its credentials."""
        here, own = urllib.parse.urlsplit(url), urllib.parse.urlsplit(self.access.base)
        return (here.scheme, here.hostname, _port(here)) == (own.scheme, own.hostname, _port(own))

    def _follow(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        authorization: str,
        place: Place | None = None,
        body: Body | None = None,
    ) -> Answer:
        """Send a request and follow redirects; credentials go to the registry itself only."""
        first = url
        for _hop in range(_REDIRECTS):
            own = {"Authorization": authorization} if authorization and self._is_own(url) else {}
            answer = self._send(method, url, {**headers, **own}, place, body)
            location = answer.location
            if location is None:
                return answer
            answer.close()
            url = self._target(url, location)
        raise RegistryError(f"{self.access.host} redirects more than {_REDIRECTS} times from {_shown(first)}")

    def _target(self, url: str, location: str) -> str:
        """Return where a redirect leads, or an address that the registry has given."""
        try:
            target = urllib.parse.urljoin(url, location)
            parts = urllib.parse.urlsplit(target)
            usable = parts.scheme in ("http", "https") and parts.hostname and _port(parts)
        except ValueError:
            usable = None
        if not usable:
            raise RegistryError(f"{self.access.host} redirects to {shorten(location)}, which is no address")
        if parts.scheme == "http" and not self.access.plain_http:
            raise RegistryError(f"{self.access.host} redirects to {_shown(target)}, which is not encrypted: refused")
        return target

    def _send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        place: Place | None = None,
        body: Body | Mapping[str, str | list[str]] | None = None,
    ) -> Answer:
        try:
            response = self._session.request(
                method,
                url,
                data=body,
                # A body compressed once more for transport would not have the digest that was asked for.
                headers={"Accept-Encoding": "identity", **headers},
                stream=True,
                allow_redirects=False,
                timeout=(min(self.access.timeout, 20.0), self.access.timeout),
                # Given with the request: those of the session count less than the environment's.
                proxies=dict.fromkeys(("http", "https"), self.access.proxy) if self.access.proxy else None,
            )
        except requests.exceptions.SSLError as error:
            raise _tls_error(self.access, url, error) from error
        except requests.exceptions.ProxyError as error:
            self._unreachable_at = time.monotonic()
            raise Unavailable(f"{_shown(url)} cannot be reached through the proxy: {_reason(error)}") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            self._unreachable_at = time.monotonic()
            raise Unavailable(f"{_shown(url)} cannot be reached: {_reason(error)}") from error
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, UnicodeError) as error:
            raise RegistryError(f"{shorten(url)} is no address that can be asked: {_reason(error)}") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{_shown(url)} failed: {_reason(error)}") from error
        return Answer(response, place)

    # Authentication

    def _authorization(self, need: _Need) -> str:
        """Return the header value for a request, as far as the registry has said what it wants."""
        with self._lock:
            value, expires = self._tokens.get(need, ("", 0.0))
            bearer = self._bearer
        if time.monotonic() < expires:
            return value
        # A registry that wanted a token for one repository wants one for each: asking first saves a refusal.
        return self._fixed or (self._token(bearer, need, value) if bearer else "")

    def _answer(self, header: str, need: _Need, refused: str) -> str:
        """Answer a challenge; return the value for the `Authorization` header.

        :param refused: the value that the registry did not accept, if one was sent.
        """
        challenges = _challenges(header)
        credentials = self.access.credentials
        if credentials is not None and credentials.registry_token:
            self._fixed = f"Bearer {credentials.registry_token}"
            return self._fixed
        if "bearer" in challenges:
            self._bearer = challenges["bearer"]
            return self._token(challenges["bearer"], need, refused)
        if "basic" in challenges:
            if credentials is None or not credentials.username:
                raise AccessDenied(
                    f"{self.access.host} wants a user name and a password for {need.shown}: "
                    f"log in with 'docker login {self.access.host}' or give them in the option 'registries'"
                )
            self._fixed = credentials.basic()
            return self._fixed
        raise AccessDenied(
            f"{self.access.host} denies access to {need.shown} and does not say how to get it ({shorten(header)})"
        )

    def _token(self, challenge: Mapping[str, str], need: _Need, refused: str) -> str:
        """Return a token for what a request needs, which one thread gets for all that want it at that moment."""
        with self._lock:
            turn = self._turns.setdefault(need, threading.Lock())
        with turn:
            with self._lock:
                value, expires = self._tokens.get(need, ("", 0.0))
            if value in ("", refused) or time.monotonic() >= expires:
                token, seconds = self._fetch_token(challenge, need)
                value = f"Bearer {token}"
                with self._lock:
                    self._tokens[need] = (value, time.monotonic() + seconds * _TOKEN_SHARE)
            return value

    def _fetch_token(self, challenge: Mapping[str, str], need: _Need) -> tuple[str, float]:
        realm = challenge.get("realm", "")
        scheme = urllib.parse.urlsplit(realm).scheme
        if scheme not in ("http", "https") or (scheme == "http" and not self.access.plain_http):
            raise RegistryError(f"{self.access.host} names no usable token service: {shorten(realm)}")
        query: dict[str, str | list[str]] = {"scope": need.scopes(self._actions)}
        if challenge.get("service"):
            query["service"] = challenge["service"]
        with self._request_token(realm, query) as answer:
            if answer.status in (400, 401, 403):
                raise AccessDenied(
                    f"{_shown(realm)} refuses the credentials for {self.access.host}/{need.repository} "
                    f"({answer.status}): check the user name and the password or token"
                )
            if answer.status >= 400:
                raise _refusal("GET", answer, own=True)
            try:
                found = json.loads(answer.read_all(_TOKEN_LIMIT))
                token = found.get("token") or found["access_token"]
                return str(token), float(found.get("expires_in") or _TOKEN_SECONDS)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise RegistryError(
                    f"{_shown(realm)} gave no token for {self.access.host}/{need.repository}"
                ) from error

    def _request_token(self, realm: str, query: dict[str, str | list[str]]) -> Answer:
        credentials = self.access.credentials
        if credentials is not None and credentials.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": credentials.identity_token,
                "client_id": "seahub.offline",
            }
            # https://distribution.github.io/distribution/spec/auth/oauth/: here they are one value.
            return self._send("POST", realm, {}, body={**query, "scope": " ".join(query["scope"]), **form})
        headers = {"Authorization": credentials.basic()} if credentials is not None and credentials.username else {}
        separator = "&" if "?" in realm else "?"
        return self._send("GET", f"{realm}{separator}{urllib.parse.urlencode(query, doseq=True)}", headers)


def _tls_error(access: Access, url: str, error: Exception) -> RegistryError:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        found = re.search(r"certificate verify failed: ([^(\]]+)", text)
        reason = found.group(1).strip() if found else _reason(error)
        return UntrustedCertificate(
            f"the certificate of {access.host} cannot be verified ({reason}): "
            "give the file of the authority that signed it as 'ca_cert'"
        )
    if "WRONG_VERSION_NUMBER" in text or "HTTP_REQUEST" in text:
        return RegistryError(
            f"{access.host} does not speak TLS: if it really is a registry without encryption, "
            "say so with 'plain_http' for it"
        )
    return Unavailable(f"{_shown(url)}: the encrypted connection failed: {_reason(error)}")


def _refusal(method: str, answer: Answer, own: bool) -> RegistryError:
    """Turn an unsuccessful answer into the error that says what to do about it.

    :param own: whether the registry itself gave it, not a host that it redirects to.
    """
    error = _error_of(method, answer, own)
    error.status = answer.status
    return error


def _error_of(method: str, answer: Answer, own: bool) -> RegistryError:
    codes, said = _diagnosis(answer)
    what = f"{method} {_shown(answer.url)}: {answer.status} {said}".rstrip()
    if answer.status in _TEMPORARY or "TOOMANYREQUESTS" in codes:
        return Unavailable(what, _retry_after(answer))
    if answer.status == 404:
        return NotFound(f"{what}: it is not there; check the name and the tag")
    if answer.status in (401, 403) and own:
        return AccessDenied(f"{what}: it is not there, or these credentials may not read it")
    if answer.status in (401, 403):
        # The addresses that a registry redirects to are signed for a short time: it gives a new one when asked again.
        return Unavailable(what)
    return RegistryError(what)


def _diagnosis(answer: Answer) -> tuple[set[str], str]:
    """Return the error codes that a registry gives in its answer, and what it says, shortened."""
    try:
        body = answer.read_all(_LEFTOVER)
    except RegistryError:
        return set(), answer.reason
    try:
        errors = json.loads(body)["errors"]
        codes = {str(item.get("code", "")).upper() for item in errors}
        said = "; ".join(f"{item.get('code', '')} {item.get('message', '')}".strip() for item in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        text = body.decode(errors="replace").strip()
        codes, said = ({"TOOMANYREQUESTS"} if "toomanyrequests" in text.lower() else set()), text
    return codes, (shorten(said, 200)[1:-1] or answer.reason)


def _retry_after(answer: Answer) -> float:
    """Return the seconds that `Retry-After` asks for, which is a number or a date (RFC 9110, section 10.2.3)."""
    value = answer.headers.get("Retry-After", "").strip()
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, IndexError):
        return 0.0


def _challenges(header: str) -> dict[str, dict[str, str]]:
    """Read a `WWW-Authenticate` header: scheme in lower case -> its parameters."""
    starts = list(_CHALLENGE.finditer(header))
    ends = [match.start() for match in starts[1:]] + [len(header)]
    return {
        match.group(1).lower(): {
            name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(header[match.end() : end])
        }
        for match, end in zip(starts, ends)
    }


def _port(parts: urllib.parse.SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _shown(url: str) -> str:
    """Return a URL without what may be secret in it: user names and the query (signed download addresses)."""
    parts = urllib.parse.urlsplit(url)
    address = urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
    return shorten(address, 300)[1:-1]


def _reason(error: BaseException) -> str:
    """Return the innermost cause of an error of requests, which wraps what the system said several times."""
    while True:
        inner = getattr(error, "reason", None) or next(
            (arg for arg in error.args if isinstance(arg, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        error = inner
    return f"{type(error).__name__}: {error}"[:300]

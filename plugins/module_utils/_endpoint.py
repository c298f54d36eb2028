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

import base64
import dataclasses
import email.utils
import http.cookiejar
import json
import re
import ssl
import threading
import time
import traceback
import urllib.parse
from typing import Any, Mapping

from ansible_collections.seahub.offline.plugins.module_utils._credentials import Credentials
from ansible_collections.seahub.offline.plugins.module_utils._digest import shorten
from ansible_collections.seahub.offline.plugins.module_utils._errors import (
    AccessDenied,
    NotFound,
    RegistryError,
    Unavailable,
    UntrustedCertificate,
)
from ansible_collections.seahub.offline.plugins.module_utils._reference import DOCKER_HUB

try:
    import requests
    import requests.adapters
    import requests.auth
    import urllib3

    REQUESTS_IMPORT_ERROR = None
    _HTTPAdapter: Any = requests.adapters.HTTPAdapter
    _AuthBase: Any = requests.auth.AuthBase
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()
    _HTTPAdapter = object
    _AuthBase = object

_DOCKER_HUB_SERVER = "registry-1.docker.io"
_REDIRECTS = 5
# How long a token lives that does not say so, by the token specification; and the part of its life in which it is used.
_TOKEN_SECONDS = 60
_TOKEN_SHARE = 0.8
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
    - ca_cert: path of a file with authorities that are trusted beside those of the system.
    - client_cert, client_key: paths of a certificate and key to show to the registry.
    - proxy: URL of a proxy; without one, those of the environment are used (`HTTPS_PROXY`, `NO_PROXY`, ...).
    - timeout: seconds without any byte after which a connection counts as dead.
    """

    host: str
    prefix: str = ""
    plain_http: bool = False
    validate_certs: bool = True
    ca_cert: str = ""
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


class _Adapter(_HTTPAdapter):
    """Verifies with the given context alone: requests would add the authorities of a package of its own."""

    def __init__(self, context: ssl.SSLContext, **kwargs: Any) -> None:
        self._context = context
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED" if self._context.verify_mode == ssl.CERT_REQUIRED else "CERT_NONE"


class _NoAuth(_AuthBase):
    """Keeps requests from looking for credentials in ~/.netrc and sending those instead of ours."""

    def __call__(self, request: Any) -> Any:
        return request


class Endpoint:
    """A registry that is asked for things. May be used by several threads at once."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._local = threading.local()
        self._tokens: dict[str, tuple[str, float]] = {}
        self._token_lock = threading.Lock()
        self._context = _tls_context(access)

    def request(
        self, method: str, repository: str, resource: str, headers: Mapping[str, str] | None = None
    ) -> requests.Response:
        """Ask the registry for a resource of a repository.

        :param resource: what follows the repository in the URL, such as `manifests/latest`.
        :returns: a successful response whose body has not been read yet; the caller closes it.
        :raises RegistryError: one of its kinds, for anything but success.
        """
        repository = self.access.prefix + repository
        return self._ask(method, f"{self.access.base}/{repository}/{resource}", repository, dict(headers or {}))

    def get(self, url: str) -> requests.Response:
        """Ask for a document of the same host that is not part of a registry, such as the index of charts.

        :returns: and raises what `request` does.
        """
        return self._ask("GET", url, "", {})

    def _ask(self, method: str, url: str, repository: str, headers: dict[str, str]) -> requests.Response:
        authorization = self._authorization(repository)
        response = self._follow(method, url, headers, authorization)
        if response.status_code == 401:
            challenge = response.headers.get("WWW-Authenticate", "")
            response.close()
            authorization = self._answer(challenge, repository, url)
            response = self._follow(method, url, headers, authorization)
        if response.status_code >= 400:
            with response:
                raise _refusal(method, url, response)
        return response

    def _follow(self, method: str, url: str, headers: dict[str, str], authorization: str) -> requests.Response:
        """Send a request and follow redirects; credentials go to the registry itself only."""
        origin = urllib.parse.urlsplit(url)
        for _hop in range(_REDIRECTS):
            here = urllib.parse.urlsplit(url)
            own = (here.scheme, here.netloc) == (origin.scheme, origin.netloc)
            response = self._send(
                method, url, {**headers, "Authorization": authorization} if own and authorization else headers
            )
            if not response.is_redirect:
                return response
            url = urllib.parse.urljoin(url, response.headers["Location"])
            response.close()
            if urllib.parse.urlsplit(url).scheme != "https" and origin.scheme == "https":
                raise RegistryError(f"{self.access.host} redirects to {_shown(url)}, which is not encrypted: refused")
        raise RegistryError(f"{self.access.host} redirects more than {_REDIRECTS} times from {_shown(origin.geturl())}")

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            return self._session().request(
                method,
                url,
                # A body compressed once more for transport would not have the digest that was asked for.
                headers={"Accept-Encoding": "identity", **headers},
                stream=True,
                allow_redirects=False,
                timeout=(min(self.access.timeout, 20.0), self.access.timeout),
            )
        except requests.exceptions.SSLError as error:
            raise _tls_error(self.access, url, error) from error
        except requests.exceptions.ProxyError as error:
            raise Unavailable(f"{_shown(url)} cannot be reached through the proxy: {_reason(error)}") from error
        except (requests.exceptions.ConnectionError, requests.exceptions.Timeout) as error:
            raise Unavailable(f"{_shown(url)} cannot be reached: {_reason(error)}") from error
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"{_shown(url)} failed: {_reason(error)}") from error

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = requests.Session()
            session.mount("https://", _Adapter(self._context, pool_maxsize=4))
            session.auth = _NoAuth()
            session.headers["User-Agent"] = "seahub.offline"
            # Some registries answer a cookie with a demand for a CSRF token (https://github.com/goharbor/harbor/issues/13184).
            session.cookies.set_policy(_no_cookies())
            if self.access.client_cert:
                session.cert = (self.access.client_cert, self.access.client_key or self.access.client_cert)
            if self.access.proxy:
                session.proxies.update({"http": self.access.proxy, "https": self.access.proxy})
            self._local.session = session
        return session

    # Authentication

    def _authorization(self, repository: str) -> str:
        """Return the header value that worked before for this repository, if it still holds."""
        with self._token_lock:
            value, expires = self._tokens.get(repository, ("", 0.0))
        return value if time.monotonic() < expires else ""

    def _remember(self, repository: str, value: str, seconds: float) -> str:
        with self._token_lock:
            self._tokens[repository] = (value, time.monotonic() + seconds)
        return value

    def _answer(self, header: str, repository: str, url: str) -> str:
        """Answer a challenge; return the value for the `Authorization` header."""
        challenges = _challenges(header)
        credentials = self.access.credentials
        if credentials is not None and credentials.registry_token:
            return self._remember(repository, f"Bearer {credentials.registry_token}", float("inf"))
        if "bearer" in challenges:
            token, seconds = self._fetch_token(challenges["bearer"], repository)
            return self._remember(repository, f"Bearer {token}", seconds * _TOKEN_SHARE)
        if "basic" in challenges:
            if credentials is None or not credentials.username:
                raise AccessDenied(
                    f"{self.access.host} wants a user name and a password for {repository}: "
                    f"log in with 'docker login {self.access.host}' or give them in the option 'registries'"
                )
            return self._remember(repository, _basic(credentials), float("inf"))
        raise AccessDenied(f"{_shown(url)} denies access and does not say how to get it ({shorten(header)})")

    def _fetch_token(self, challenge: Mapping[str, str], repository: str) -> tuple[str, float]:
        realm = challenge.get("realm", "")
        scheme = urllib.parse.urlsplit(realm).scheme
        if scheme not in ("http", "https") or (scheme == "http" and not self.access.plain_http):
            raise RegistryError(f"{self.access.host} names no usable token service: {shorten(realm)}")
        query = {"scope": f"repository:{repository}:pull"}
        if challenge.get("service"):
            query["service"] = challenge["service"]
        response = self._request_token(realm, query)
        with response:
            if response.status_code in (400, 401, 403):
                raise AccessDenied(
                    f"{_shown(realm)} refuses the credentials for {self.access.host}/{repository} "
                    f"({response.status_code}): check the user name and the password or token"
                )
            if response.status_code >= 400:
                raise _refusal("GET", realm, response)
            try:
                answer = response.json()
                token = answer.get("token") or answer["access_token"]
                return str(token), float(answer.get("expires_in") or _TOKEN_SECONDS)
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise RegistryError(f"{_shown(realm)} gave no token for {self.access.host}/{repository}") from error

    def _request_token(self, realm: str, query: dict[str, str]) -> requests.Response:
        credentials = self.access.credentials
        if credentials is not None and credentials.identity_token:
            form = {
                "grant_type": "refresh_token",
                "refresh_token": credentials.identity_token,
                "client_id": "seahub.offline",
            }
            return self._post(realm, {**query, **form})
        headers = {"Authorization": _basic(credentials)} if credentials is not None and credentials.username else {}
        separator = "&" if "?" in realm else "?"
        return self._send("GET", f"{realm}{separator}{urllib.parse.urlencode(query)}", headers)

    def _post(self, url: str, form: Mapping[str, str]) -> requests.Response:
        try:
            return self._session().post(url, data=form, timeout=self.access.timeout, allow_redirects=False)
        except requests.exceptions.RequestException as error:
            raise Unavailable(f"{_shown(url)} cannot be reached: {_reason(error)}") from error


def read_body(response: requests.Response, limit: int) -> bytes:
    """Read a whole, small body and close the response.

    :param limit: bytes above which it is refused.
    :raises RegistryError: if it is larger.
    :raises Unavailable: if the connection breaks.
    """
    with response:
        body = bytearray()
        while len(body) <= limit:
            data = read_some(response, limit + 1 - len(body))
            if not data:
                return bytes(body)
            body += data
    raise RegistryError(f"{_shown(response.url)} sent more than the {limit} bytes allowed here")


def read_some(response: requests.Response, count: int) -> bytes:
    """Read up to `count` bytes of a body; no bytes mean its end.

    :raises Unavailable: if the connection breaks, stalls, or ends before the announced length.
    """
    try:
        data: bytes = response.raw.read(count, decode_content=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"the connection to {_shown(response.url)} broke: {_reason(error)}") from error
    return data


def _tls_context(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if access.ca_cert:
        try:
            context.load_verify_locations(access.ca_cert)
        except OSError as error:
            raise UntrustedCertificate(
                f"the CA file {access.ca_cert} for {access.host} cannot be read: {error}"
            ) from error
    if not access.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _no_cookies() -> Any:
    return http.cookiejar.DefaultCookiePolicy(allowed_domains=[])


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


def _refusal(method: str, url: str, response: requests.Response) -> RegistryError:
    """Turn an unsuccessful response into the error that says what to do about it."""
    status = response.status_code
    codes, said = _diagnosis(response)
    what = f"{method} {_shown(url)}: {status} {said}".rstrip()
    if status in _TEMPORARY or "TOOMANYREQUESTS" in codes:
        return Unavailable(what, _retry_after(response))
    if status == 404:
        return NotFound(f"{what}: it is not there; check the name and the tag")
    if status in (401, 403):
        return AccessDenied(f"{what}: it is not there, or these credentials may not read it")
    return RegistryError(what)


def _diagnosis(response: requests.Response) -> tuple[set[str], str]:
    """Return the error codes that a registry gives in its answer, and what it says, shortened."""
    try:
        body = read_body(response, 64 * 1024)
    except RegistryError:
        return set(), response.reason or ""
    try:
        errors = json.loads(body)["errors"]
        codes = {str(item.get("code", "")).upper() for item in errors}
        said = "; ".join(f"{item.get('code', '')} {item.get('message', '')}".strip() for item in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        text = body.decode(errors="replace").strip()
        codes, said = ({"TOOMANYREQUESTS"} if "toomanyrequests" in text.lower() else set()), text
    return codes, (said[:200] or response.reason or "").replace("\n", " ")


def _retry_after(response: requests.Response) -> float:
    """Return the seconds that `Retry-After` asks for, which is a number or a date (RFC 9110, section 10.2.3)."""
    value = response.headers.get("Retry-After", "").strip()
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


def _basic(credentials: Credentials) -> str:
    return "Basic " + base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()


def _shown(url: str) -> str:
    """Return a URL without what may be secret in it: user names and the query (signed download addresses)."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


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

# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections: verified by one's own authorities, kept open, and watched for progress.

This is `requests` with what a downloader of registries needs differently.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import functools
import http.client
import http.cookiejar
import io
import ssl
import time
from typing import Any

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import UntrustedCertificate

try:
    import requests
    import requests.adapters
    import requests.auth
    import urllib3

    _HTTPAdapter: Any = requests.adapters.HTTPAdapter
    _AuthBase: Any = requests.auth.AuthBase
except ImportError:
    # Whoever opens a connection has asked before.
    _HTTPAdapter = object
    _AuthBase = object

MINIMAL_RATE = 1024
"""Bytes in a second below which a transfer counts as stuck, taken over the time after which a silent one does."""

# Connections kept open to each host.
_CONNECTIONS = 64


def session(ca_certs: tuple[str, ...], validate_certs: bool, client: tuple[str, str]) -> requests.Session:
    """Return a session for any number of threads: its connections are shared, and nothing else in it ever changes.

    :param ca_certs: paths of files with authorities that are trusted beside those of the system.
    :param client: paths of a certificate and key to show; empty if there are none.
    :raises UntrustedCertificate: if one of the files cannot be used.
    """
    context = _tls_context(ca_certs, validate_certs, client)
    if not validate_certs:
        # Whoever switched this off knows.
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    made = requests.Session()
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter(context, pool_maxsize=_CONNECTIONS))
    made.auth = _NoAuth()
    made.headers["User-Agent"] = "seahub.offline"
    # Some registries answer a cookie with a demand for a CSRF token (https://github.com/goharbor/harbor/issues/13184).
    made.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    return made


@functools.lru_cache(maxsize=None)
def _tls_context(ca_certs: tuple[str, ...], validate_certs: bool, client: tuple[str, str]) -> ssl.SSLContext:
    """Return what connections are encrypted with. Reading the authorities takes long enough to do it once only."""
    context = ssl.create_default_context()
    for path in ca_certs:
        try:
            context.load_verify_locations(path)
        except OSError as error:
            raise UntrustedCertificate(f"the CA file {path} cannot be read: {error}") from error
    if urllib3.__version__.startswith("1."):  # type: ignore[attr-defined]
        # It compares the name itself, and could reach no registry by its address otherwise
        # (https://github.com/urllib3/urllib3/pull/2178).
        context.check_hostname = False
    if not validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client[0]:
        try:
            context.load_cert_chain(*client)
        except OSError as error:
            raise UntrustedCertificate(
                f"the client certificate {client[0]} with the key {client[1]} cannot be used: {error}"
            ) from error
    return context


class _Adapter(_HTTPAdapter):
    """Verifies with the given context alone: requests would add the authorities of a package of its own."""

    def __init__(self, context: ssl.SSLContext, **kwargs: Any) -> None:
        self._context = context
        super().__init__(**kwargs)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _pool_classes()

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)
        manager.pool_classes_by_scheme = _pool_classes()
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        conn.cert_reqs = "CERT_REQUIRED" if self._context.verify_mode == ssl.CERT_REQUIRED else "CERT_NONE"


class _Watched(io.RawIOBase):
    """What a connection receives, as long as it is more than a trickle: its own timeout starts anew with each byte."""

    def __init__(self, raw: io.RawIOBase, timeout: float) -> None:
        self._raw = raw
        self._timeout = timeout
        self._begun = False
        self._waited = 0.0
        self._got = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        before = time.monotonic()
        count = self._raw.readinto(buffer)
        # How long a registry thinks before it answers says nothing about the connection.
        self._waited += time.monotonic() - before if self._begun else 0.0
        self._got += count or 0
        self._begun = True
        if self._waited >= self._timeout:
            if count and self._got < MINIMAL_RATE * self._waited:
                raise ConnectionError(f"sent only {self._got} bytes in {self._waited:.0f} seconds")
            self._waited = 0.0
            self._got = 0
        return count

    def close(self) -> None:
        super().close()
        self._raw.close()


class _Response(http.client.HTTPResponse):
    """Gives what has arrived, where that of http.client waits until as much is there as was asked for.

    Otherwise whoever is killed loses more, and a server that sends a byte a minute is waited for all day.
    """

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        timeout = sock.gettimeout()
        if timeout:
            self.fp = io.BufferedReader(_Watched(self.fp.detach(), timeout))

    def read(self, amt: int | None = None) -> bytes:
        if amt is None or self.fp is None or self.chunked or self.length is None:
            return super().read(amt) if amt is None or self.fp is None else self.read1(amt)
        # Not read1: before Python 3.12.2 it does not see that it has reached the end of the body
        # (https://github.com/python/cpython/issues/113199).
        data = self.fp.read1(min(amt, self.length))
        if not data and self.length:
            raise http.client.IncompleteRead(b"", self.length)
        self.length -= len(data)
        if not self.length:
            self.close()
        return data


def _pool_classes() -> dict[str, Any]:
    return {"http": _pool_class(urllib3.HTTPConnectionPool), "https": _pool_class(urllib3.HTTPSConnectionPool)}


def _pool_class(pool: Any) -> Any:
    connection = type("Connection", (pool.ConnectionCls,), {"response_class": _Response})
    return type("Pool", (pool,), {"ConnectionCls": connection})


class _NoAuth(_AuthBase):
    """Keeps requests from looking for credentials in ~/.netrc and sending those instead of ours."""

    def __call__(self, request: Any) -> Any:
        return request

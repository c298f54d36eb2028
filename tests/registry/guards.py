# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the registry asks who is there: not at all, by name and password, or by a token from its own token service.

https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from typing import Protocol

from tests.registry.messages import Reply, Request

TOKEN_PATH = "/token"


class Guard(Protocol):
    """Who is let in."""

    def refuse(self, request: Request, base: str) -> Reply | None:
        """Return the refusal of a request, or nothing if it may pass.

        :param base: the URL of the registry.
        """

    def issue(self, request: Request) -> Reply:
        """Answer a request to the token service."""


class Open:
    """Everybody is let in."""

    def refuse(self, request: Request, base: str) -> Reply | None:
        """Never."""
        return None

    def issue(self, request: Request) -> Reply:
        """There is no token service."""
        return Reply(404)


class Basic:
    """Who knows the name and the password is let in."""

    def __init__(self, username: str, password: str) -> None:
        self._expected = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    def knows(self, request: Request) -> bool:
        """Tell whether a request brings them."""
        return request.headers.get("authorization") == self._expected

    def refuse(self, request: Request, base: str) -> Reply | None:
        """Whoever does not bring them."""
        return None if self.knows(request) else Reply(401, {"WWW-Authenticate": 'Basic realm="registry"'})

    def issue(self, request: Request) -> Reply:
        """There is no token service."""
        return Reply(404)


class Bearer:
    """Who brings a token for the repository is let in.

    :param lifetime: seconds for which a token is good.
    :param announced: seconds for which its service says that it is.
    :param account: who gets tokens; without one, everybody.
    """

    def __init__(self, lifetime: float = 300, announced: int = 300, account: Basic | None = None) -> None:
        self._lifetime = lifetime
        self._announced = announced
        self._account = account
        self._tokens: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def refuse(self, request: Request, base: str) -> Reply | None:
        """Whoever has no token for the repository, or one that is too old."""
        path = request.path.split("/v2/")[1]
        scope = "registry:catalog:*" if path == "_catalog" else f"repository:{path.rsplit('/', 2)[0]}:pull"
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        with self._lock:
            granted, ends = self._tokens.get(token, ("", 0.0))
        if granted == scope and time.monotonic() < ends:
            return None
        challenge = f'Bearer realm="{base}{TOKEN_PATH}",service="registry",scope="{scope}"'
        return Reply(401, {"WWW-Authenticate": challenge})

    def issue(self, request: Request) -> Reply:
        """Give a token for the scope that is asked for."""
        if self._account is not None and not self._account.knows(request):
            return Reply(401)
        token = secrets.token_hex(8)
        with self._lock:
            self._tokens[token] = (request.query.get("scope", ""), time.monotonic() + self._lifetime)
        return Reply(200, {}, json.dumps({"token": token, "expires_in": self._announced}).encode())

    def expire(self) -> None:
        """Make all tokens worthless at once."""
        with self._lock:
            self._tokens.clear()


class Scoped:
    """Who brings a token for what a request does is let in, as distribution has it: to mount is to read elsewhere.

    https://distribution.github.io/distribution/spec/auth/scope/
    """

    def __init__(self) -> None:
        self._tokens: dict[str, set[str]] = {}

    def refuse(self, request: Request, base: str) -> Reply | None:
        """Whoever has no token for all that the request does."""
        kind = "/manifests/" if "/manifests/" in request.path else "/blobs/"
        repository = request.path.split("/v2/")[1].rpartition(kind)[0]
        writes = request.method not in ("GET", "HEAD")
        wanted = [f"repository:{repository}:{'pull,push' if writes else 'pull'}"]
        if "from" in request.query:
            wanted.append(f"repository:{request.query['from']}:pull")
        granted = self._tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "), set())
        if _actions(wanted) <= granted:
            return None
        challenge = f'Bearer realm="{base}{TOKEN_PATH}",service="registry",scope="{" ".join(wanted)}"'
        return Reply(401, {"WWW-Authenticate": challenge})

    def issue(self, request: Request) -> Reply:
        """Give a token for the scopes that are asked for."""
        token = secrets.token_hex(8)
        self._tokens[token] = _actions(request.query.get("scope", "").split())
        return Reply(200, {}, json.dumps({"token": token, "expires_in": 300}).encode())


def _actions(scopes: list[str]) -> set[str]:
    split = (scope.rpartition(":") for scope in scopes)
    return {f"{name}:{action}" for name, _colon, actions in split for action in actions.split(",")}

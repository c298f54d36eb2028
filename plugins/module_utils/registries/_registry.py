# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registries: which endpoints serve a repository, and what can be asked of it.

A repository is asked through its mirrors first, in their order, and then at its own host.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
import threading
import urllib.parse
from types import TracebackType
from typing import Callable, ContextManager, Mapping, Sequence, TypeVar

from ansible_collections.seahub.offline.plugins.module_utils.common._errors import (
    AccessDenied,
    DigestMismatch,
    NotFound,
    RegistryError,
    SeahubError,
    Unavailable,
    UntrustedCertificate,
)
from ansible_collections.seahub.offline.plugins.module_utils.oci import _digest, _manifest, _media_types, _reference
from ansible_collections.seahub.offline.plugins.module_utils.oci._manifest import Descriptor, Manifest
from ansible_collections.seahub.offline.plugins.module_utils.oci._reference import Reference
from ansible_collections.seahub.offline.plugins.module_utils.registries import _docker_certificates
from ansible_collections.seahub.offline.plugins.module_utils.registries._credentials import Credentials, LoginFile
from ansible_collections.seahub.offline.plugins.module_utils.registries._endpoint import Access, Answer, Endpoint
from ansible_collections.seahub.offline.plugins.module_utils.registries._retry import RetryPolicy
from ansible_collections.seahub.offline.plugins.module_utils.registries._throttle import Throttle

Result = TypeVar("Result")
# How many tags are asked for at a time, and after how many pages a list has no end.
_PAGE, _PAGES = 1000, 1000
_ACCEPT = {"Accept": _media_types.ACCEPT}
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What the user says about one registry, or about those repositories of it that begin with a path.

    `mirrors` are hosts, with a port and a path where they need one; the other fields are those of Access.
    """

    username: str = ""
    password: str = dataclasses.field(default="", repr=False)
    token: str = dataclasses.field(default="", repr=False)
    ca_cert: str = ""
    client_cert: str = ""
    client_key: str = ""
    validate_certs: bool = True
    plain_http: bool = False
    proxy: str = ""
    mirrors: tuple[str, ...] = ()

    @property
    def credentials(self) -> Credentials | None:
        """The credentials given here, if any."""
        if self.token:
            return Credentials(registry_token=self.token)
        return Credentials(self.username, self.password) if self.username else None


class Registries:
    """All that is known about how to reach registries; gives the repositories in them."""

    def __init__(
        self,
        settings: Mapping[str, Settings] | None = None,
        default: Settings | None = None,
        logins: Sequence[LoginFile] = (),
        retry: RetryPolicy | None = None,
        timeout: float = 60.0,
        parallel: int = 32,
    ) -> None:
        """Collect the settings.

        :param settings: by `host[:port][/path]`; for a repository the longest of those that fit counts.
        :param default: for whatever has no settings of its own.
        :param logins: login files, asked in this order where the settings give no credentials.
        :param timeout: seconds without any byte, or with hardly any, after which a connection counts as dead.
        :param parallel: how many requests one host gets at once, at most.
        """
        self._settings = dict(settings or {})
        self._default = default or Settings()
        self._logins = logins
        self._retry = retry or RetryPolicy()
        self._timeout = timeout
        self._default_host = ""
        self._parallel = parallel
        self._endpoints: dict[tuple[Access, str], Endpoint] = {}
        self._throttles: dict[str, Throttle] = {}
        self._lock = threading.Lock()

    def repository(self, reference: Reference) -> Repository:
        """Return the repository that a reference names."""
        settings = self._find(reference.host, reference.path)
        accesses = [self._mirror(mirror, reference.path) for mirror in settings.mirrors]
        accesses.append(self._access(settings, reference.host, "", reference.path))
        return Repository(
            reference.path, [self._endpoint(access) for access in accesses], self._retry, self._endpoint_of
        )

    def destination(self, host: str, path: str) -> Endpoint:
        """Return the registry to which a repository is written: never one of its mirrors."""
        return self._endpoint(self._access(self._find(host, path), host, "", path), "pull,push")

    def catalog(self, host: str) -> list[str]:
        """Return the names of all repositories of a registry; pages are followed to the last.

        :raises RegistryError: one of its kinds, if it does not tell.
        """
        endpoint = self._endpoint(self._access(self._find(host, ""), host, "", ""))
        try:
            names = self._retry.run(lambda: _listed(endpoint.catalog, "repositories", f"the repositories of {host}"))
        except NotFound as error:
            raise NotFound(
                f"{host} does not tell which repositories it has, as not every registry does: {error}"
            ) from error
        return sorted(name for name in set(names) if _reference.is_repository(name))

    def download(self, url: str, limit: int) -> bytes:
        """Return a document from a web server, reached as the settings for its host and path say.

        :param limit: bytes above which it is refused.
        :raises RegistryError: one of its kinds, if it is not to be had.
        """
        endpoint = self._endpoint_of(url)

        def read() -> bytes:
            with endpoint.get(url) as answer:
                return answer.read_all(limit)

        return self._retry.run(read)

    def _endpoint_of(self, url: str) -> Endpoint:
        """Return the endpoint for a document outside of registries."""
        parts = urllib.parse.urlsplit(url)
        path = parts.path.strip("/")
        access = self._access(self._find(parts.netloc, path), parts.netloc, "", path)
        # Whoever writes out http:// has said so.
        return self._endpoint(dataclasses.replace(access, plain_http=parts.scheme == "http"))

    def close(self) -> None:
        """Close all connections."""
        for endpoint in self._endpoints.values():
            endpoint.close()

    def _find(self, host: str, path: str) -> Settings:
        parts = path.split("/")
        keys = ["/".join([host, *parts[:count]]) for count in range(len(parts), -1, -1)]
        found = next((self._settings[key] for key in keys if key in self._settings), None)
        if found is None and self._default.credentials is not None:
            self._claim_default_credentials(host)
        return found or self._default

    def _mirror(self, mirror: str, path: str) -> Access:
        scheme, separator, rest = mirror.rpartition("://")
        host, _slash, prefix = rest.strip("/").partition("/")
        prefix = f"{prefix}/" if prefix else ""
        settings = self._find(host, prefix + path)
        if separator:
            settings = dataclasses.replace(settings, plain_http=scheme == "http")
        return self._access(settings, host, prefix, path)

    def _access(self, settings: Settings, host: str, prefix: str, path: str) -> Access:
        docker = _docker_certificates.find(host)
        return Access(
            host=host,
            prefix=prefix,
            plain_http=settings.plain_http,
            validate_certs=settings.validate_certs,
            ca_certs=(settings.ca_cert,) if settings.ca_cert else docker.authorities,
            client_cert=settings.client_cert or docker.client_cert,
            client_key=settings.client_key if settings.client_cert else docker.client_key,
            proxy=settings.proxy,
            timeout=self._timeout,
            credentials=settings.credentials or self._login(host, prefix + path),
        )

    def _claim_default_credentials(self, host: str) -> None:
        """Keep one user name and password from being shown to several hosts."""
        self._default_host = self._default_host or host
        if host != self._default_host:
            raise AccessDenied(
                f"'username' and 'password' are for one registry, but both {self._default_host} and {host} would get "
                "them: give each its own entry in 'registries'"
            )

    def _login(self, host: str, path: str) -> Credentials | None:
        found = (login.find(host, path) for login in self._logins)
        return next((credentials for credentials in found if credentials is not None), None)

    def _endpoint(self, access: Access, actions: str = "pull") -> Endpoint:
        """Return the one endpoint for an access, so that connections and tokens are shared."""
        with self._lock:
            key = (access, actions)
            if key not in self._endpoints:
                throttle = self._throttles.setdefault(access.host, Throttle(self._parallel, self._retry))
                self._endpoints[key] = Endpoint(access, throttle, actions)
            return self._endpoints[key]


class Repository:
    """A repository of a registry, from which artifacts are read. May be used by several threads at once."""

    def __init__(
        self,
        path: str,
        endpoints: Sequence[Endpoint],
        retry: RetryPolicy,
        endpoint_of: Callable[[str], Endpoint],
    ) -> None:
        self.path = path
        self._endpoints = endpoints
        self._endpoint_of = endpoint_of
        self._retry = retry

    def resolve(self, version: str) -> str:
        """Return the digest to which a tag leads, with one request; a digest only has to exist.

        :raises RegistryError: one of its kinds, if it is not to be had.
        """

        def ask(endpoint: Endpoint) -> str:
            try:
                with endpoint.request("HEAD", self.path, f"manifests/{version}", _ACCEPT) as answer:
                    announced = answer.headers.get("Docker-Content-Digest", "")
            except (NotFound, AccessDenied, Unavailable, UntrustedCertificate):
                raise
            except RegistryError:
                # Not everything that stands before a registry knows this method.
                return self._manifest(endpoint, version).digest
            if _digest.is_digest(version):
                return version
            # The header is optional: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#pulling-manifests
            return announced if _digest.is_digest(announced) else self._manifest(endpoint, version).digest

        return self._retry.run(lambda: self._first(ask))

    def alone(self) -> list[Repository]:
        """Return the same repository at each of its endpoints alone."""
        return [Repository(self.path, [endpoint], self._retry, self._endpoint_of) for endpoint in self._endpoints]

    def manifest(self, version: str) -> Manifest:
        """Read a manifest or an index.

        :raises RegistryError: one of its kinds, if it is not to be had.
        :raises DigestMismatch: if the registry sends other bytes than the digest names, and does so again.
        :raises InvalidManifest: if it is none that can be carried.
        """
        return self._verified(lambda endpoint: self._manifest(endpoint, version))

    def open_blob(self, blob: Descriptor, offset: int) -> BlobStream:
        """Ask for a blob, from an offset on. Tried once: whoever reads knows better whether it got anywhere.

        :returns: the stream, which may begin at 0 although another offset was asked for.
        :raises RegistryError: one of its kinds, if it is not to be had.
        """
        try:
            return self._first(lambda endpoint: self._open(endpoint, blob, offset))
        except NotFound:
            if not blob.is_foreign:
                raise
        return self._open_foreign(blob)

    def read_blob(self, blob: Descriptor, limit: int) -> bytes:
        """Read a small blob; a limit in bytes keeps a wrong one from filling the memory.

        :raises RegistryError: one of its kinds, if it is not to be had.
        :raises DigestMismatch: if the registry sends other bytes than the digest names, and does so again.
        """

        def read(endpoint: Endpoint) -> bytes:
            with endpoint.request("GET", self.path, f"blobs/{blob.digest}") as answer:
                data = answer.read_all(limit)
            _verify(endpoint, self.path, blob.digest, data)
            return data

        return self._verified(read)

    def has_blob(self, blob: Descriptor) -> bool:
        """Tell whether the repository has a blob, of the size that it should have.

        :raises RegistryError: one of its kinds, if it does not tell.
        """

        def ask(endpoint: Endpoint) -> bool:
            try:
                with endpoint.request("HEAD", self.path, f"blobs/{blob.digest}") as answer:
                    return answer.headers.get("Content-Length", str(blob.size)) == str(blob.size)
            except NotFound:
                return False

        return self._retry.run(lambda: self._first(ask))

    def tags(self) -> list[str]:
        """Return all tags of the repository; pages are followed to the last.

        :raises RegistryError: one of its kinds, if it is not to be had.
        """
        return self._retry.run(lambda: self._first(self._tags))

    def referrers(self, digest: str) -> Manifest | None:
        """Return the index of what refers to a manifest; None if the registry does not keep one.

        https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#listing-referrers

        :raises RegistryError: one of its kinds, for any other failure.
        """

        def ask(endpoint: Endpoint) -> Manifest | None:
            accept = {"Accept": _media_types.OCI_INDEX}
            try:
                with endpoint.request("GET", self.path, f"referrers/{digest}", accept) as answer:
                    media_type = answer.headers.get("Content-Type", "").partition(";")[0]
                    raw = answer.read_all(_manifest.SIZE_LIMIT)
            except NotFound:
                return None
            # Registries that do not know the address may answer it with a page of their own.
            return _manifest.parse(raw, media_type) if media_type == _media_types.OCI_INDEX else None

        return self._retry.run(lambda: self._first(ask))

    def _tags(self, endpoint: Endpoint) -> list[str]:
        def ask(query: str) -> ContextManager[Answer]:
            return endpoint.request("GET", self.path, f"tags/list?{query}")

        names = _listed(ask, "tags", f"the tags of {self.path} in {endpoint.access.host}")
        return [name for name in names if _reference.is_tag(name)]

    def _manifest(self, endpoint: Endpoint, version: str) -> Manifest:
        with endpoint.request("GET", self.path, f"manifests/{version}", _ACCEPT) as answer:
            media_type = answer.headers.get("Content-Type", "")
            raw = answer.read_all(_manifest.SIZE_LIMIT)
        expected = version if _digest.is_digest(version) else ""
        if expected:
            _verify(endpoint, self.path, expected, raw)
        return _manifest.parse(raw, media_type, expected or _manifest.DEFAULT_ALGORITHM)

    def _open(self, endpoint: Endpoint, blob: Descriptor, offset: int) -> BlobStream:
        # A closed range: some servers refuse open ones. Many that ignore ranges do not say so: the answer tells.
        headers = {"Range": f"bytes={offset}-{blob.size - 1}"} if 0 < offset < blob.size else {}
        with contextlib.ExitStack() as stack:
            try:
                answer = stack.enter_context(endpoint.request("GET", self.path, f"blobs/{blob.digest}", headers))
            except (NotFound, Unavailable):
                raise
            except RegistryError:
                if not headers:
                    raise
            else:
                start = _start(answer, offset, blob.size)
                if start is not None:
                    return BlobStream(answer, start, stack.pop_all())
        return self._open(endpoint, blob, 0)

    def _open_foreign(self, blob: Descriptor) -> BlobStream:
        """Ask for a layer where its manifest says that it lies."""
        said = []
        for url in blob.urls:
            try:
                with contextlib.ExitStack() as stack:
                    answer = stack.enter_context(self._endpoint_of(url).get(url))
                    return BlobStream(answer, 0, stack.pop_all())
            except RegistryError as error:
                said.append(str(error))
        raise NotFound(f"the foreign layer {blob.digest} is not to be had: {'; '.join(said)}")

    def _verified(self, ask: Callable[[Endpoint], Result]) -> Result:
        """Ask for something that is verified; wrong bytes may have come of something on the way: once more."""
        try:
            return self._retry.run(lambda: self._first(ask))
        except DigestMismatch:
            return self._retry.run(lambda: self._first(ask))

    def _first(self, ask: Callable[[Endpoint], Result]) -> Result:
        """Ask the endpoints in turn until one gives what is wanted; else tell what each of them said."""
        said = []
        for endpoint in self._endpoints[:-1]:
            if endpoint.is_unreachable:
                said.append(f"{endpoint.access.host} did not answer a moment ago")
                continue
            try:
                return ask(endpoint)
            except SeahubError as error:
                said.append(str(error))
        try:
            return ask(self._endpoints[-1])
        except SeahubError as error:
            if said:
                error.args = (f"{error} (its mirrors: {'; '.join(said)})",)
            raise


class BlobStream:
    """The bytes of a blob as they arrive, from `start` on. Used as a context manager."""

    def __init__(self, answer: Answer, start: int, request: contextlib.ExitStack) -> None:
        self.start = start
        self._answer = answer
        self._request = request

    def __enter__(self) -> BlobStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._request.__exit__(kind, error, traceback)

    def read(self, count: int) -> bytes:
        """Read some bytes, `count` at most; none mean the end.

        :raises Unavailable: if the connection breaks, stalls, or ends before the announced length.
        """
        return self._answer.read(count)


def _listed(ask: Callable[[str], ContextManager[Answer]], member: str, what: str) -> list[str]:
    """Return a list that comes in pages.

    :param ask: asks for a page, by a query.
    :param member: under which name the list stands in the answer.
    """
    names: list[str] = []
    query = f"n={_PAGE}"
    for _page in range(_PAGES):
        with ask(query) as answer:
            link = answer.links.get("next", {}).get("url", "")
            body = answer.read_all(_manifest.SIZE_LIMIT)
        try:
            page = json.loads(body).get(member) or []
        except (ValueError, AttributeError) as error:
            raise RegistryError(f"there is no list of {what} in the answer") from error
        names += [name for name in page if isinstance(name, str)]
        if not link:
            return names
        query = urllib.parse.urlsplit(link).query
    raise RegistryError(f"the list of {what} has no end")


def _verify(endpoint: Endpoint, path: str, digest: str, data: bytes) -> None:
    hash_object = _digest.hasher(digest)
    hash_object.update(data)
    found = _digest.finish(digest, hash_object)
    if found != digest:
        raise DigestMismatch(f"{endpoint.access.host} sent other bytes for {path}@{digest}: they have {found}")


def _start(answer: Answer, offset: int, size: int) -> int | None:
    """Return with which byte of a blob an answer begins; None if it is another part than was asked for."""
    if answer.status != 206:
        return 0
    match = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", "").strip())
    fits = match is not None and int(match.group(1)) == offset and match.group(3) in ("*", str(size))
    return offset if fits else None

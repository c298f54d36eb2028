# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Blobs from registries that serve them already, each verified by its digest.

What one host has need not cross the controller's line again for the next one. The registries share a name and its
certificate, and are told apart by their addresses. One that fails is left out, and another goes on within the blob.
"""

# Note that this module util is **PRIVATE** to the collection. It can change at any time.
# Do not use it from other collections or standalone plugins/modules.

from __future__ import annotations

import base64
import http.client
import queue
import random
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Iterator

from ansible_collections.seahub.offline.plugins.module_utils.common import _tls
from ansible_collections.seahub.offline.plugins.module_utils.common._errors import DigestMismatch
from ansible_collections.seahub.offline.plugins.module_utils.oci import _media_types
from ansible_collections.seahub.offline.plugins.module_utils.oci._digest import CHUNK
from ansible_collections.seahub.offline.plugins.module_utils.trees._inventory import Inventory
from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree

_AT_ONCE = 4
_TIMEOUT = 15


@dataclass(frozen=True)
class Peers:
    """Registries of one name.

    - addresses: where each of them is.
    - domain, port: the name that their certificate has to be valid for, and where they listen.
    - trust: how their certificate is verified.
    - username, password: sent to each of them, where there is a name.
    """

    addresses: tuple[str, ...]
    domain: str
    port: int
    trust: ssl.SSLContext
    username: str = ""
    password: str = ""


@dataclass
class Fetched:
    """What came of it.

    - blobs: how many came to be whole.
    - size: bytes that arrived for blobs.
    - left_out: the addresses that were given up, and why.
    """

    blobs: int = 0
    size: int = 0
    left_out: dict[str, str] = field(default_factory=dict)


def fetch(tree: Tree, wanted: Inventory, peers: Peers) -> Fetched:
    """Bring blobs into a tree, as far as peers have them; the caller holds `tree.exclusive()`.

    :param wanted: the blobs, each with a link in a repository where a registry gives it out.
    :raises OSError: if the tree cannot be written.
    """
    return _Fetch(tree, wanted, peers).run()


class _Failed(Exception):
    """A peer is of no use any more."""


class _Lacking(Exception):
    """A peer does not have what it was asked for."""


@dataclass(frozen=True)
class _Blob:
    digest: str
    size: int
    path: str


def _blobs(wanted: Inventory) -> list[_Blob]:
    paths = {digest: f"/v2/{repository}/manifests/{digest}" for repository, digest in wanted.manifests}
    paths.update({digest: f"/v2/{repository}/blobs/{digest}" for repository, digest in wanted.layers})
    found = [_Blob(digest, wanted.blobs[digest], path) for digest, path in paths.items() if digest in wanted.blobs]
    # The largest first: none of them is left to come alone at the end.
    return sorted(found, key=lambda blob: (-blob.size, blob.digest))


class _Client:
    """Asks one peer, over a connection that is kept."""

    def __init__(self, peers: Peers, address: str) -> None:
        self.address = address
        self._connection = _tls.Connection(peers.domain, peers.port, peers.trust, address=address, timeout=_TIMEOUT)
        self._headers = {"Accept": f"{_media_types.ACCEPT}, */*"}
        if peers.username:
            pair = base64.b64encode(f"{peers.username}:{peers.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {pair}"

    def read(self, blob: _Blob, offset: int) -> Iterator[bytes]:
        """Yield the bytes of a blob from an offset to its end.

        :raises _Lacking: if the peer does not have it.
        :raises _Failed: if it cannot be asked, or stops before the end.
        """
        whole = False
        try:
            answer = self._ask(blob, offset)
            left = blob.size - offset
            while left > 0:
                data = answer.read(CHUNK)
                if not data:
                    raise _Failed(f"it ended {left} bytes before the end of {blob.digest}")
                yield data
                left -= len(data)
            # At the end of the answer, the connection is free for the next one.
            whole = left == 0 and not answer.read(1)
        except (OSError, http.client.HTTPException) as error:
            raise _Failed(str(error) or type(error).__name__) from error
        finally:
            if not whole:
                self.close()

    def _ask(self, blob: _Blob, offset: int) -> http.client.HTTPResponse:
        range_ = {"Range": f"bytes={offset}-{blob.size - 1}"} if offset else {}
        self._connection.request("GET", blob.path, headers={**self._headers, **range_})
        answer = self._connection.getresponse()
        if answer.status == 404:
            raise _Lacking
        if answer.status != (206 if offset else 200):
            raise _Failed(f"it answered {answer.status} {answer.reason} to GET {blob.path}")
        return answer

    def close(self) -> None:
        """End the connection; the next question makes another one."""
        self._connection.close()


class _Fetch:
    def __init__(self, tree: Tree, wanted: Inventory, peers: Peers) -> None:
        self._tree = tree
        self._peers = peers
        self._fetched = Fetched()
        self._counting = threading.Lock()
        self._waiting: queue.SimpleQueue[_Blob] = queue.SimpleQueue()
        for blob in _blobs(wanted):
            self._waiting.put(blob)

    def run(self) -> Fetched:
        # Each host asks in an order of its own, and each of its workers begins with another peer.
        order = random.sample(self._peers.addresses, len(self._peers.addresses))
        orders = [order[number % len(order) :] + order[: number % len(order)] for number in range(_AT_ONCE)]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for done in [pool.submit(self._work, addresses) for addresses in orders]:
                done.result()
        return self._fetched

    def _work(self, addresses: list[str]) -> None:
        clients = [_Client(self._peers, address) for address in addresses]
        try:
            while len(self._fetched.left_out) < len(clients):
                self._obtain(self._waiting.get_nowait(), clients)
        except queue.Empty:
            return
        finally:
            for client in clients:
                client.close()

    def _obtain(self, blob: _Blob, clients: list[_Client]) -> None:
        for client in clients:
            if client.address in self._fetched.left_out:
                continue
            try:
                self._copy(client, blob)
            except _Lacking:
                continue
            except _Failed as error:
                self._fetched.left_out.setdefault(client.address, str(error))
            else:
                return

    def _copy(self, client: _Client, blob: _Blob) -> None:
        while True:
            with self._tree.blob_writer(blob.digest, blob.size) as writer:
                begun = writer.offset
                try:
                    for data in client.read(blob, begun) if begun < blob.size else ():
                        writer.write(data)
                        self._count(size=len(data))
                    writer.commit()
                except DigestMismatch as error:
                    # Where another one had begun it, nobody knows whose bytes are wrong: it comes anew.
                    if begun == 0:
                        raise _Failed(str(error)) from error
                    continue
            self._count(blobs=1)
            return

    def _count(self, blobs: int = 0, size: int = 0) -> None:
        with self._counting:
            self._fetched.blobs += blobs
            self._fetched.size += size

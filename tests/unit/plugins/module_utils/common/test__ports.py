# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ansible_collections.seahub.offline.plugins.module_utils.common import _ports


@pytest.mark.parametrize(("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_listens_is_named(family: socket.AddressFamily, address: str) -> None:
    own = Path("/proc/self/comm").read_text().strip()
    with socket.create_server((address, 0), family=family) as server:
        port = server.getsockname()[1]
        assert _ports.listeners(port) == [f"{own} (process {os.getpid()})"]
    assert _ports.listeners(port) == []


def test_a_connection_is_no_listener() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert _ports.listeners(client.getsockname()[1]) == []

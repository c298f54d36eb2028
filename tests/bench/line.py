# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bad line: a proxy that delays what passes and breaks some connections."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .servers import free_port

PIECE = 64 * 1024
# A connection that breaks does so after so many bytes, at most.
BREAK_WITHIN = 256 * 1024


@contextmanager
def bad_line(target: str, round_trip: float, broken: float) -> Iterator[str]:
    """Stand before a server; give the host by which it is reached through the line.

    :param round_trip: seconds that a byte takes there and back.
    :param broken: the share of exchanges that end with a reset in the middle.
    """
    port = free_port()
    loop = asyncio.new_event_loop()
    line = _Line(target, round_trip / 2, broken)
    server = loop.run_until_complete(asyncio.start_server(line.accept, "127.0.0.1", port))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class _Line:
    def __init__(self, target: str, delay: float, broken: float) -> None:
        self._host, _colon, port = target.partition(":")
        self._port = int(port)
        self._delay = delay
        self._broken = broken
        self._random = random.Random(1)

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A handshake takes one round trip before the first byte may go.
        await asyncio.sleep(2 * self._delay)
        upstream_reader, upstream_writer = await asyncio.open_connection(self._host, self._port)
        both = (writer, upstream_writer)
        tasks = [
            asyncio.create_task(self._carry(reader, upstream_writer, both, breaks=True)),
            asyncio.create_task(self._carry(upstream_reader, writer, both, breaks=False)),
        ]
        await asyncio.wait(tasks)

    async def _carry(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        both: tuple[asyncio.StreamWriter, asyncio.StreamWriter],
        breaks: bool,
    ) -> None:
        """Carry bytes in one direction, each piece `delay` after it came, without holding back those behind it."""
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=1024)
        loop = asyncio.get_running_loop()

        async def deliver() -> None:
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0.0, due - loop.time()))
                if not data:
                    target.close()
                    return
                target.write(data)
                await target.drain()

        delivery = asyncio.create_task(deliver())
        try:
            while data := await source.read(PIECE):
                # Each piece towards the registry is one request here: clients do not pipeline.
                if breaks and self._random.random() < self._broken:
                    loop.call_later(self._random.random() * 4 * self._delay, _reset, both)
                await queue.put((loop.time() + self._delay, data))
            await queue.put((loop.time() + self._delay, b""))
            await delivery
        except OSError:
            delivery.cancel()
            _reset(both)


def _reset(writers: tuple[asyncio.StreamWriter, asyncio.StreamWriter]) -> None:
    for writer in writers:
        writer.transport.abort()

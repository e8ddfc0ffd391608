"""A log server on a slow disk: a proxy before it, through which each append passes alone and late.

The server syncs one append after the other, so the proxy holds every append (a message below the
log's prefix) in one queue for all clients and lets one through per `sync_s`. Everything else, such
as leases and heartbeats, overtakes: the server does not wait for its disk with those.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from argos_common.wire.subjects import PREFIX

PUBLISHES = {b"PUB": 1, b"HPUB": 1}
LINE_MAX = 1024 * 1024


class SlowLog:
    """Listens on `port`, forwards to `target_port`; `appends` counts what was held."""

    def __init__(self, target_port: int, sync_s: float) -> None:
        self.port = 0
        self.appends = 0
        self._target_port = target_port
        self._sync_s = sync_s
        self._disk: asyncio.Queue[tuple[asyncio.StreamWriter, bytes]] = asyncio.Queue()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LINE_MAX)
        self.port = int(server.sockets[0].getsockname()[1])
        return server

    async def sync(self) -> None:
        """The disk: one append at a time."""
        while True:
            writer, frame = await self._disk.get()
            await asyncio.sleep(self._sync_s)
            self.appends += 1
            writer.write(frame)

    def cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            down, up = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, up}
        self._writers |= pair
        try:
            await asyncio.gather(self._forward(reader, up), _copy(down, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # one of the two has left
        finally:
            self._writers -= pair
            for end in pair:
                end.transport.abort()

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while line := await source.readline():
            words = line.split()
            if not words or words[0].upper() not in PUBLISHES:
                target.write(line)
                continue
            body = await source.readexactly(int(words[-1]) + 2)
            if words[1].startswith(PREFIX.encode()):
                self._disk.put_nowait((target, line + body))
            else:
                target.write(line + body)
        target.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        target.write(data)
        await target.drain()
    target.transport.abort()


@asynccontextmanager
async def slow_log(target_port: int, sync_s: float) -> AsyncIterator[SlowLog]:
    proxy = SlowLog(target_port, sync_s)
    server = await proxy.start()
    disk = asyncio.create_task(proxy.sync())
    try:
        yield proxy
    finally:
        disk.cancel()
        server.close()
        proxy.cut()
        await asyncio.gather(disk, return_exceptions=True)

"""A cable between a client and a server on the loopback interface, to be held, muted and cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TcpProxy:
    """Forwards bytes to `target_port` from its own `port`."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._flowing_up = asyncio.Event()
        self._flowing_up.set()
        self._muted = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._carrying: set[asyncio.Task[None]] = set()
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def hold(self) -> None:
        """Keep what clients send, until `release`."""
        self._flowing_up.clear()

    def release(self) -> None:
        self._flowing_up.set()

    def mute(self) -> None:
        """Lose what the server says, until `unmute`."""
        self._muted = True

    def unmute(self) -> None:
        """Cut the connections, whose answers have holes now, and let new ones be whole."""
        self.cut()
        self._muted = False

    def cut(self) -> None:
        """Break every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        self._flowing_up.set()
        if self._server is not None:
            self._server.close()
        self.cut()
        if self._carrying:
            await asyncio.wait(self._carrying)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # a server runs this in a task of its own
        self._carrying.add(task)
        try:
            await self._carry(reader, writer)
        finally:
            self._carrying.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            to_reader, to_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        pair = {writer, to_writer}
        self._writers |= pair
        try:
            await asyncio.gather(self._up(reader, to_writer), self._down(to_reader, writer))
        except OSError:
            pass  # cut
        finally:
            self._writers -= pair
            for end in pair:
                end.transport.abort()
                end.close()

    async def _up(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._flowing_up.wait()
            target.write(data)
            await target.drain()
        target.transport.abort()

    async def _down(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if not self._muted:
                target.write(data)
                await target.drain()
        target.transport.abort()


@asynccontextmanager
async def tcp_proxy(target_port: int) -> AsyncIterator[TcpProxy]:
    proxy = TcpProxy(target_port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()

"""A real NATS server for tests, which can be killed, restarted on its files, frozen and thawed."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from argos_common.runtime.embedded_nats import EmbeddedNats, free_port, start_nats
from argos_common.runtime.nats_connection import NatsConnection


class NatsServer:
    """Keeps its ports and its files over restarts."""

    replicas = 1

    def __init__(self, folder: Path, server: EmbeddedNats) -> None:
        self._folder = folder
        self._server = server
        self._port = int(server.url.rpartition(":")[2])
        self._monitor_port = int(server.monitor_url.rpartition(":")[2])

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def port(self) -> int:
        return self._port

    @property
    def monitor_url(self) -> str:
        return self._server.monitor_url

    async def kill(self) -> None:
        """What a power cut leaves of a process: nothing is said, nothing is flushed."""
        self._server.process.kill()
        await asyncio.to_thread(self._server.process.wait)

    async def start(self) -> None:
        """Start again on the same ports and files."""
        self._server = await start_nats(
            self._folder, port=self._port, monitor_port=self._monitor_port
        )

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    async def restart_leader(self, connection: NatsConnection, stream: str) -> None:
        """It leads every stream."""
        del connection, stream
        await self.restart()

    async def hand_over(self, connection: NatsConnection, stream: str) -> None:
        """There is nobody to hand over to."""

    def freeze(self) -> None:
        """Stop the process without closing anything. Not on Windows."""
        self._server.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._server.process.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        if self._server.process.poll() is None:
            self.thaw()
        await asyncio.to_thread(self._server.stop)


@asynccontextmanager
async def running_nats(folder: Path) -> AsyncIterator[NatsServer]:
    """A server on free ports, its files in `folder`; ended at exit."""
    port, monitor_port = free_port(), free_port()
    server = NatsServer(folder, await start_nats(folder, port=port, monitor_port=monitor_port))
    try:
        yield server
    finally:
        await server.stop()

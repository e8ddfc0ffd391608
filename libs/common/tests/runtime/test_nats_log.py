"""The log on a real NATS server keeps the contract, behind a cable that can be held and cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argos_common.runtime.log import Answer, Append, Log
from argos_common.runtime.nats_connection import NatsConnection, NatsSettings, connect
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.provision import ensure_stream
from argos_common.testing.log_contract import CAPACITY_BYTES, PATIENCE_S, LogContract
from argos_common.testing.nats_server import NatsServer, running_nats
from argos_common.testing.tcp_proxy import TcpProxy, tcp_proxy

SHORT_S = 0.4


class NatsHarness:
    def __init__(
        self, server: NatsServer, proxy: TcpProxy, near: NatsConnection, far: NatsConnection
    ) -> None:
        self._server = server
        self._proxy = proxy
        self._near = near
        self._brief: Log = NatsLog(near, timeout_s=SHORT_S)
        self.log: Log = NatsLog(near)
        self.other: Log = NatsLog(far)

    async def append_losing_ack(self, append: Append) -> Answer:
        self._proxy.mute()
        answer = await self._brief.append(append)
        self._proxy.unmute()
        return answer

    async def append_as_ghost(self, append: Append) -> Answer:
        self._proxy.hold()
        return await self._brief.append(append)

    async def land_ghosts(self) -> None:
        self._proxy.release()
        await self._near.flush()

    async def restart(self) -> None:
        await self._server.restart()


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[NatsHarness]:
    async with running_nats(tmp_path / "nats") as server, tcp_proxy(server.port) as proxy:
        near = await connect(
            NatsSettings(url=f"nats://127.0.0.1:{proxy.port}", name="near"), timeout_s=PATIENCE_S
        )
        far = await connect(NatsSettings(url=server.url, name="far"), timeout_s=PATIENCE_S)
        await ensure_stream(far, max_bytes=CAPACITY_BYTES)
        try:
            yield NatsHarness(server, proxy, near, far)
        finally:
            await asyncio.gather(near.close(), far.close())


class TestNatsLog(LogContract):
    """The fixture above serves every test."""

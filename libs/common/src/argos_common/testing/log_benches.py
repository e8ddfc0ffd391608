"""A log to test, with the means to trouble it: in memory, or behind a real server or cluster."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import pytest
from nats.aio.msg import Msg

from argos_common.runtime.log import Answer, Append, Busy, Log, LogUnavailable
from argos_common.runtime.nats_answers import NOT_FOUND_STREAM
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NatsSettings,
    NoAnswer,
    NobodyThere,
    NotSent,
    connect,
)
from argos_common.runtime.nats_log import NatsLog, stream_name
from argos_common.runtime.provision import ensure_stream
from argos_common.testing.log_contract import CAPACITY_BYTES, PATIENCE_S, event
from argos_common.testing.memory_log import MemoryLog, MemoryStore
from argos_common.testing.tcp_proxy import TcpProxy, tcp_proxy

LOST_S = 0.05
"""How long a writer waits for an answer that is known not to come."""


class Server(Protocol):
    """A running log server, or several that are one."""

    @property
    def url(self) -> str: ...

    @property
    def port(self) -> int:
        """One that is behind the cable."""
        ...

    @property
    def replicas(self) -> int: ...

    async def restart_leader(self, connection: NatsConnection, stream: str) -> None:
        """End whoever leads the stream without warning, and start it again."""
        ...

    async def hand_over(self, connection: NatsConnection, stream: str) -> None:
        """Have another one lead the stream, if there is another."""
        ...


class StillClock:
    """A clock that is pushed by whoever sleeps on it."""

    def __init__(self) -> None:
        self.now = 1_000

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += int(seconds * 1e9)


class MemoryBench:
    """The log in memory. Implements `LogHarness`."""

    def __init__(self, replicas: int = 1) -> None:
        clock = StillClock()
        store = MemoryStore(clock, capacity_bytes=CAPACITY_BYTES, replicas=replicas)
        self.memory = MemoryLog(clock, store=store)
        self.log: Log = self.memory
        self.other: Log = self.memory.another()
        self.writers: Sequence[Log] = (self.other, self.memory.another())

    async def append_losing_ack(self, append: Append) -> Answer:
        self.memory.lose_ack()
        return await self.memory.append(append)

    async def append_as_ghost(self, append: Append) -> Answer:
        self.memory.ghost()
        return await self.memory.append(append)

    async def land_ghosts(self) -> None:
        self.memory.release_ghosts()

    async def restart(self) -> None:
        self.memory.unavailable = True
        assert isinstance(await self.memory.append(event("alert.away")), Busy)
        with pytest.raises(LogUnavailable):
            await self.memory.status()
        self.memory.unavailable = False

    async def hand_over(self) -> None:
        """One store has nobody to hand over to."""


class NatsBench:
    """A log on a real server, whose first writer is behind a cable. Implements `LogHarness`."""

    def __init__(
        self,
        server: Server,
        proxy: TcpProxy,
        connections: Sequence[NatsConnection],
        generation: str,
    ) -> None:
        near, *far = connections
        self._server = server
        self._proxy = proxy
        self._near, self._far = near, far[0]
        self._stream = stream_name(generation)
        self._brief: Log = NatsLog(near, generation, timeout_s=LOST_S)
        self._landings = 0
        self.log: Log = NatsLog(near, generation)
        self.writers: Sequence[Log] = [
            # One that has more than one server to go to may well ask one that knows nothing yet.
            NatsLog(each, generation, timeout_s=2.0 if server.replicas == 1 else 0.4)
            for each in far
        ]
        self.other: Log = self.writers[0]

    async def append_losing_ack(self, append: Append) -> Answer:
        await _connected(self._near, self._far)
        self._proxy.mute()
        answer = await self._brief.append(append)
        await self._passed_on()
        back = asyncio.Event()
        forget = self._near.on_back(back.set)
        self._proxy.unmute()
        async with asyncio.timeout(PATIENCE_S):
            await back.wait()
        forget()
        if self._server.replicas > 1:
            await self._passed_to_the_leader()
        return answer

    async def append_as_ghost(self, append: Append) -> Answer:
        await _connected(self._near, self._far)
        self._proxy.hold()
        return await self._brief.append(append)

    async def land_ghosts(self) -> None:
        await _connected(self._far)
        self._proxy.release()
        await self._passed_on()
        await self._passed_to_the_leader()

    async def _passed_on(self) -> None:
        """Wait until the server has read what the near writer sent: it reads in order."""
        seen = asyncio.Event()

        async def heard(message: Msg) -> None:
            del message
            seen.set()

        mark = self._far.new_inbox()
        listening = await self._far.subscribe(mark, heard)
        await self._far.flush()
        async with asyncio.timeout(PATIENCE_S):
            while not seen.is_set():
                await self._near.publish(mark, b"")
                try:
                    await asyncio.wait_for(seen.wait(), 0.5)
                except TimeoutError:
                    continue  # said to a server whose way to the other was not there yet
        await listening.unsubscribe()

    async def _passed_to_the_leader(self) -> None:
        """Servers pass on in order too, so an answer of the leader comes after what went before."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    await self._brief.status()
                    return
                except LogUnavailable:
                    await asyncio.sleep(0.02)

    async def restart(self) -> None:
        await self._server.restart_leader(self._far, self._stream)

    async def hand_over(self) -> None:
        await self._server.hand_over(self._far, self._stream)


@asynccontextmanager
async def nats_bench(server: Server, generation: str = "g1") -> AsyncIterator[NatsBench]:
    """A fresh log of this generation, deleted at exit: a server's streams must not overlap."""
    async with tcp_proxy(server.port) as proxy:
        cable = f"nats://127.0.0.1:{proxy.port}"
        connections = [
            await connect(NatsSettings(url=url, name=name), timeout_s=PATIENCE_S)
            for name, url in (("near", cable), ("far", server.url), ("second", server.url))
        ]
        try:
            await _made(connections[1], generation, server.replicas)
            await asyncio.gather(*(_served(each) for each in connections))
            yield NatsBench(server, proxy, connections, generation)
        finally:
            proxy.release()
            await _deleted(connections[1], stream_name(generation))
            await asyncio.gather(*(each.close() for each in connections))


async def _made(connection: NatsConnection, generation: str, replicas: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await ensure_stream(
                    connection, generation, max_bytes=CAPACITY_BYTES, replicas=replicas
                )
                return
            except NoAnswer:
                await asyncio.sleep(0.05)  # one has just come back, and not all know it yet


async def _served(connection: NatsConnection) -> None:
    """Wait until an append finds its way: in a cluster news of a stream takes a moment."""
    nowhere = {"Nats-Expected-Stream": "none"}  # refused by whoever serves the subject
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await connection.request("argos.v1.probe", b"", 0.2, nowhere)
                return
            except (NobodyThere, NoAnswer):
                await asyncio.sleep(0.01)


async def _deleted(connection: NatsConnection, stream: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                reply = await connection.request(f"$JS.API.STREAM.DELETE.{stream}", b"", 1.0)
            except (NotSent, NobodyThere, NoAnswer):
                await asyncio.sleep(0.02)
                continue
            answer = json.loads(reply.data)
            if answer.get("success") or answer["error"].get("err_code") == NOT_FOUND_STREAM:
                return
            await asyncio.sleep(0.02)


async def _connected(*connections: NatsConnection) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not all(each.is_connected for each in connections):  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.01)

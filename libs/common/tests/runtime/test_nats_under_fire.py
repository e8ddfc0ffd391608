"""What only a real server can show: killed, frozen, cut off, misconfigured."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from argos_common.domain.errors import OurMistake
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.log import Busy, LogDamaged, LogUnavailable, Mine, Unknown
from argos_common.runtime.nats_connection import (
    NatsConnection,
    NatsEvents,
    NatsSettings,
    connect,
)
from argos_common.runtime.nats_log import NatsLog
from argos_common.runtime.nats_reader import NatsReader
from argos_common.runtime.provision import ensure_stream
from argos_common.testing.log_contract import PATIENCE_S, collect, event, settle
from argos_common.testing.nats_server import NatsServer, running_nats
from argos_common.testing.tcp_proxy import tcp_proxy


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[NatsServer]:
    async with running_nats(tmp_path / "nats") as server:
        yield server


@pytest.fixture
async def connection(server: NatsServer) -> AsyncIterator[NatsConnection]:
    connection = await connect(NatsSettings(url=server.url, name="test"), timeout_s=PATIENCE_S)
    await ensure_stream(connection, max_bytes=100_000_000)
    yield connection
    await connection.close()


async def _while(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while true():  # noqa: ASYNC110  # what it waits for has no event
            await asyncio.sleep(0.01)


async def _grown(numbers: list[int], goal: int) -> None:
    await _while(lambda: len(numbers) < goal)


async def _until(reached: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await reached.wait()


async def test_killed_server_keeps_every_acknowledged_append_and_reader_sees_each_once(
    server: NatsServer, connection: NatsConnection
) -> None:
    log = NatsLog(connection, timeout_s=1.0)
    acked: list[int] = []
    doubtful: set[str] = set()
    stopped = asyncio.Event()

    async def write(writer: int) -> None:
        number = 0
        while not stopped.is_set():
            append = event(f"signal.w{writer}.{number}")
            answer = await log.append(append)
            if isinstance(answer, Mine):
                acked.append(answer.sequence)
            elif isinstance(answer, Unknown):
                doubtful.add(append.subject)
            elif isinstance(answer, Busy):
                await asyncio.sleep(0.02)
            number += 1

    seen: list[int] = []
    ready = asyncio.Event()

    async def read() -> None:
        async for entry in log.read(0):
            seen.append(entry.sequence)
            ready.set()

    reading = asyncio.create_task(read())
    writing = [asyncio.create_task(write(n)) for n in range(8)]
    await _until(ready)
    for _ in range(2):
        goal = len(acked) + 300
        await _grown(acked, goal)
        await server.restart()
    goal = len(acked) + 100
    await _grown(acked, goal)
    stopped.set()
    await asyncio.gather(*writing)
    end = await log.tail()
    await _while(lambda: not seen or seen[-1] < end)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert seen == list(range(1, end + 1))
    stored = {entry.sequence: entry.subject for entry in await collect(log, 0, end)}
    assert set(acked) <= stored.keys()
    assert len(set(acked)) == len(acked)
    surplus = {subject for sequence, subject in stored.items() if sequence not in set(acked)}
    assert surplus <= doubtful


async def test_append_made_while_disconnected_is_busy_and_never_arrives(
    server: NatsServer, connection: NatsConnection
) -> None:
    log = NatsLog(connection)
    away = asyncio.Event()
    back = asyncio.Event()
    other = await connect(
        NatsSettings(url=server.url, name="other"),
        NatsEvents(away=away.set, back=back.set),
        timeout_s=PATIENCE_S,
    )
    await server.kill()
    await _until(away)
    dead = NatsLog(other)
    assert isinstance(await dead.append(event("signal.tv.dead")), Busy)
    assert isinstance(await dead.append_batch([event("alert.1"), event("alert.2")]), Busy)
    with pytest.raises(LogUnavailable):
        await dead.last("argos.v1.signal.tv.dead")

    await server.start()
    await _until(back)
    assert isinstance(await settle(dead, event("signal.tv.alive")), Mine)
    await other.close()

    assert [e.subject for e in await collect(log, 0, 1)] == ["argos.v1.signal.tv.alive"]
    assert (await log.status()).last_sequence == 1


async def test_append_to_a_frozen_server_is_unknown_and_may_land(
    server: NatsServer, connection: NatsConnection
) -> None:
    log = NatsLog(connection, timeout_s=0.3)
    server.freeze()
    assert isinstance(await log.append(event("signal.tv.a")), Unknown)
    assert isinstance(await log.append(event("verdict.acc")), Unknown)
    server.thaw()
    assert type(await settle(log, event("signal.tv.a"))).__name__ == "Exists"
    assert await log.tail() == 2


async def test_reader_survives_a_freeze_and_the_loss_of_its_consumer(
    server: NatsServer, connection: NatsConnection
) -> None:
    log = NatsLog(connection, timeout_s=1.0)
    seen: list[int] = []
    grew = asyncio.Event()

    async def read() -> None:
        async for entry in log.read(0):
            seen.append(entry.sequence)
            grew.set()

    async def seen_up_to(sequence: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not seen or seen[-1] < sequence:
                grew.clear()
                await grew.wait()

    reading = asyncio.create_task(read())
    await log.append(event("alert.1"))
    await seen_up_to(1)

    server.freeze()
    await asyncio.sleep(3)  # longer than a reader waits for a heartbeat
    server.thaw()
    await settle(log, event("alert.2"))
    await seen_up_to(2)

    names = await connection.request("$JS.API.CONSUMER.NAMES.ARGOS_g1", b"{}", 2)
    for name in json.loads(names.data)["consumers"]:
        await connection.request(f"$JS.API.CONSUMER.DELETE.ARGOS_g1.{name}", b"", 2)
    await log.append(event("alert.3"))
    await seen_up_to(3)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)

    assert seen == [1, 2, 3]


async def test_reader_stops_at_a_log_that_has_lost_what_was_read(
    server: NatsServer, connection: NatsConnection, tmp_path: Path
) -> None:
    log = NatsLog(connection, timeout_s=1.0)
    await log.append(event("alert.1"))
    await log.append(event("alert.2"))
    both = asyncio.Event()

    async def read() -> None:
        async for entry in log.read(0):
            if entry.sequence == 2:
                both.set()

    reading = asyncio.create_task(read())
    await _until(both)

    await server.kill()
    shutil.rmtree(tmp_path / "nats" / "jetstream")
    await server.start()
    await _while(lambda: not connection.is_connected)
    await ensure_stream(connection, max_bytes=100_000_000)

    with pytest.raises(OurMistake, match="ends at 0, but 2 had been read"):
        await asyncio.wait_for(reading, PATIENCE_S)


async def _read_all(log: NatsLog, after: int) -> None:
    async for _ in log.read(after):
        pass


async def test_no_reader_goes_past_an_entry_that_the_log_has_lost(
    server: NatsServer, connection: NatsConnection, tmp_path: Path
) -> None:
    log = NatsLog(connection, timeout_s=1.0)
    for number in range(1, 8):
        await log.append(event(f"alert.{number}", data=f"entry-{number}".encode()))
    await server.stop()
    (block,) = (tmp_path / "nats" / "jetstream").rglob("1.blk")
    content = block.read_bytes()
    assert content.count(b"entry-4") == 1
    block.write_bytes(content.replace(b"entry-4", b"ENTRY-4"))
    await server.start()
    await _while(lambda: not connection.is_connected)
    with pytest.raises(LogDamaged, match="entries 4 to 4 are gone"):
        await asyncio.wait_for(_read_all(log, 0), PATIENCE_S)
    # Who had read past it when it was still there goes on.
    assert [entry.sequence for entry in await collect(log, 4, 3)] == [5, 6, 7]


async def test_a_sequence_that_is_left_out_ends_the_reading_behind_what_came_before(
    connection: NatsConnection,
) -> None:
    log = NatsLog(connection)
    for number in range(3):
        await log.append(event(f"alert.{number}"))
    reader = NatsReader(
        connection, "ARGOS_g1", after=0, subjects=(), clock=SystemClock(), timeout_s=2.0
    )
    reading = reader.entries()
    assert [(await anext(reading)).sequence for _ in range(3)] == [1, 2, 3]
    assert not reader.skips(4)
    assert reader.skips(6)
    with pytest.raises(LogDamaged, match="entries 4 to 5 are gone"):
        await asyncio.wait_for(anext(reading), PATIENCE_S)


async def test_reader_makes_up_for_a_lost_message(connection: NatsConnection) -> None:
    log = NatsLog(connection)
    for n in range(10):
        await log.append(event(f"alert.{n}"))
    reader = NatsReader(
        connection, "ARGOS_g1", after=0, subjects=(), clock=SystemClock(), timeout_s=2.0
    )
    feeds = []
    seen = []
    async with asyncio.timeout(PATIENCE_S):
        async for entry in reader.entries():
            feed = reader._feed
            if feed not in feeds:
                feeds.append(feed)
            if entry.sequence == 3:
                # As if the network had swallowed what was on its way.
                assert feed is not None
                reader.backlog.clear()
                reader._last = 3
                feed.number = 3
            if entry.sequence == 5 and len(feeds) == 1:
                pytest.fail("the gap went unnoticed")
            seen.append(entry.sequence)
            if entry.sequence == 10:
                break
            if entry.sequence == 3:
                await log.append(event("alert.late"))
    assert seen == list(range(1, 11))
    assert len(feeds) == 2


async def test_slow_reader_holds_a_bounded_backlog_and_loses_nothing(
    connection: NatsConnection,
) -> None:
    log = NatsLog(connection, timeout_s=10)
    block = b"x" * 100_000
    for batch in range(8):
        appends = [event(f"signal.tv.{batch}-{n}", data=block) for n in range(100)]
        assert isinstance(await log.append_batch(appends), Mine)
    reader = NatsReader(
        connection, "ARGOS_g1", after=0, subjects=(), clock=SystemClock(), timeout_s=2.0
    )
    count = 0
    async with asyncio.timeout(PATIENCE_S):
        async for entry in reader.entries():
            count += 1
            assert entry.sequence == count
            if count == 1:
                await asyncio.sleep(1.5)
                assert len(reader.backlog) < 600
            if count == 800:
                break


async def test_connection_closed_for_good_says_so(server: NatsServer) -> None:
    closed = asyncio.Event()
    connection = await connect(
        NatsSettings(url=server.url, name="test"),
        NatsEvents(closed=closed.set),
        timeout_s=PATIENCE_S,
    )
    # Payload and headers together exceed the server's limit: it ends the connection.
    await connection.publish("argos.big", b"x" * 262_144, {"Some": "header"})
    await _until(closed)
    log = NatsLog(connection)
    assert isinstance(await log.append(event("alert.1")), Busy)
    with pytest.raises(LogUnavailable):
        await log.status()


async def test_closing_on_purpose_is_not_reported(server: NatsServer) -> None:
    told: list[str] = []
    connection = await connect(
        NatsSettings(url=server.url, name="test"),
        NatsEvents(closed=lambda: told.append("closed"), away=lambda: told.append("away")),
        timeout_s=PATIENCE_S,
    )
    await connection.close()
    assert told == []


async def test_cut_connection_throws_away_what_it_had_not_sent(server: NatsServer) -> None:
    async with tcp_proxy(server.port) as proxy:
        back = asyncio.Event()
        connection = await connect(
            NatsSettings(url=f"nats://127.0.0.1:{proxy.port}", name="test"),
            NatsEvents(back=back.set),
            timeout_s=PATIENCE_S,
        )
        await ensure_stream(connection, max_bytes=100_000_000)
        log = NatsLog(connection, timeout_s=0.5)
        proxy.hold()
        block = b"x" * 100_000  # so that they fill all the buffers on the way
        flood = [log.append(event(f"signal.tv.{n}", data=block)) for n in range(400)]
        answers = await asyncio.gather(*flood)
        answers.append(await log.append(event("alert.1")))
        assert {type(answer) for answer in answers} == {Unknown}
        assert connection._client._pending  # nothing can leave any more
        proxy.cut()
        proxy.release()
        await _until(back)
        assert await log.tail() == 0
        await connection.close()

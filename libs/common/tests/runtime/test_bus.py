"""The bus in memory and the one on NATS do the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argos_common.runtime.bus import Bus, NoReply
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.nats_bus import NatsBus
from argos_common.runtime.nats_connection import NatsEvents, NatsSettings, connect
from argos_common.testing.log_contract import PATIENCE_S
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.nats_server import running_nats
from argos_common.testing.subject_match import matches
from argos_common.testing.waiting import until


class Buses:
    """Two clients, what their handlers failed with, and a way to let all deliveries happen."""

    def __init__(self, one: Bus, two: Bus, failed: list[str]) -> None:
        self.one = one
        self.two = two
        self.failed = failed


@pytest.fixture(params=["memory", "nats"])
async def buses(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Buses]:
    failed: list[str] = []

    def note(subject: str, error: Exception) -> None:
        failed.append(f"{subject}: {error}")

    if request.param == "memory":
        one = MemoryBus(SystemClock(), handler_failed=note)
        yield Buses(one, one.another(), failed)
        return
    async with running_nats(tmp_path) as server:
        near = await connect(NatsSettings(url=server.url, name="a"), timeout_s=PATIENCE_S)
        far = await connect(NatsSettings(url=server.url, name="b"), timeout_s=PATIENCE_S)
        yield Buses(NatsBus(near, note), NatsBus(far, note), failed)
        await near.close()
        await far.close()


async def test_messages_reach_every_subscriber_in_order_one_at_a_time(buses: Buses) -> None:
    got: list[tuple[str, bytes]] = []
    busy = 0

    async def slow(subject: str, payload: bytes) -> None:
        nonlocal busy
        busy += 1
        assert busy == 1
        await asyncio.sleep(0.001)
        got.append((subject, payload))
        busy -= 1

    await buses.one.subscribe("argos.facts.*", slow)
    with pytest.raises(NoReply):  # the subscription is known to the server once this is answered
        await buses.one.request("argos.nobody", b"", 1)
    for n in range(10):
        await buses.two.publish("argos.facts.acc", b"%d" % n)
        await buses.two.publish("argos.facts.acc.deeper", b"not for us")

    await until(lambda: len(got) == 10)
    assert got == [("argos.facts.acc", b"%d" % n) for n in range(10)]
    assert buses.failed == []


async def test_queue_group_shares_the_work(buses: Buses) -> None:
    got: list[str] = []

    async def worker(subject: str, payload: bytes) -> bytes:
        got.append(payload.decode())
        return b"done"

    await buses.one.subscribe("argos.inject.>", worker, "gateway")
    await buses.two.subscribe("argos.inject.>", worker, "gateway")
    for n in range(20):
        assert await buses.one.request("argos.inject.tv", b"%d" % n, PATIENCE_S) == b"done"
    assert got == [str(n) for n in range(20)]


async def test_request_without_listener_has_no_reply_at_once(buses: Buses) -> None:
    async with asyncio.timeout(5):
        with pytest.raises(NoReply, match=r"nobody serves argos\.command"):
            await buses.one.request("argos.command", b"", 60)


async def test_handler_that_fails_or_is_silent_gives_no_reply_and_the_next_is_served(
    buses: Buses,
) -> None:
    async def handler(subject: str, payload: bytes) -> bytes | None:
        if payload == b"bad":
            raise ValueError("cannot read this")
        return None if payload == b"silent" else payload.upper()

    await buses.one.subscribe("argos.command", handler)
    assert await buses.two.request("argos.command", b"good", PATIENCE_S) == b"GOOD"
    for payload in (b"bad", b"silent"):
        with pytest.raises(NoReply, match="no answer within"):
            await buses.two.request("argos.command", payload, 0.2)
    assert await buses.two.request("argos.command", b"good", PATIENCE_S) == b"GOOD"
    assert buses.failed == ["argos.command: cannot read this"]


async def test_partitioned_memory_bus_neither_sends_nor_hears() -> None:
    one = MemoryBus(SystemClock())
    two = one.another()
    got: list[bytes] = []

    async def note(subject: str, payload: bytes) -> bytes:
        got.append(payload)
        return b"ok"

    await one.subscribe("argos.beat.risk", note)
    one.partitioned = True
    await two.publish("argos.beat.risk", b"1")
    with pytest.raises(NoReply):
        await two.request("argos.beat.risk", b"2", 1)
    with pytest.raises(NoReply, match="away"):
        await one.request("argos.beat.risk", b"3", 1)
    await one.publish("argos.beat.risk", b"4")
    one.partitioned = False
    assert await two.request("argos.beat.risk", b"5", 1) == b"ok"
    assert got == [b"5"]


async def test_nats_bus_drops_what_is_published_while_away(tmp_path: Path) -> None:
    async with running_nats(tmp_path) as server:
        away, back = asyncio.Event(), asyncio.Event()
        events = NatsEvents(away=away.set, back=back.set)
        connection = await connect(
            NatsSettings(url=server.url, name="a"), events, timeout_s=PATIENCE_S
        )
        bus = NatsBus(connection)
        got: list[bytes] = []

        async def note(subject: str, payload: bytes) -> bytes:
            got.append(payload)
            return b"ok"

        await bus.subscribe("argos.beat.risk", note)
        await server.kill()
        async with asyncio.timeout(PATIENCE_S):
            await away.wait()
        await bus.publish("argos.beat.risk", b"lost")
        with pytest.raises(NoReply):
            await bus.request("argos.beat.risk", b"lost", 1)
        await server.start()
        async with asyncio.timeout(PATIENCE_S):
            await back.wait()
        assert await bus.request("argos.beat.risk", b"after", PATIENCE_S) == b"ok"
        assert got == [b"after"]
        await connection.close()


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.b", "a.b.c", False),
        ("a.b.c", "a.b", False),
        ("a.*", "a.b", True),
        ("a.*", "a", False),
        ("*.b", "a.b", True),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        (">", "a", True),
        ("a.*.c", "a.b.d", False),
    ],
)
def test_patterns_match_as_in_nats(pattern: str, subject: str, expected: bool) -> None:
    assert matches(pattern, subject) is expected

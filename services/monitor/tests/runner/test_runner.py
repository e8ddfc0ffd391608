"""The monitor on a log and a bus in memory, with a clock that runs fifty times as fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from argos_common.domain.control import KillEngaged, Scope
from argos_common.domain.event import Event
from argos_common.domain.node import Beat
from argos_common.domain.reconcile import AlertRaised
from argos_common.runtime.log import Append, CreateOnce
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.memory_log import MemoryLog
from argos_common.testing.waiting import FastClock, until
from argos_common.wire import codec, subjects
from argos_monitor.runner import Monitor

from services.reconciler.tests.reconciler_kit import (
    DEMO,
    NOW,
    configured,
    entry_story,
    snapshot,
)

CLOCK = FastClock(NOW)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(CLOCK)


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus(CLOCK)


async def says(log: MemoryLog, *events: Event) -> None:
    for event in events:
        subject = f"{subjects.PREFIX}test.{len(log.store.entries)}"
        append = Append(subject=subject, data=codec.encode(event), condition=CreateOnce())
        await log.append(append)


def alerts(log: MemoryLog) -> list[str]:
    found = []
    for entry in log.store.entries:
        if entry.subject.startswith(subjects.PREFIX + "alert.") and entry.data != b"\xff":
            event = codec.decode(entry.data)
            assert isinstance(event, AlertRaised)
            found.append(event.sentence.partition(":")[0] + " " + event.code)
    return found


@asynccontextmanager
async def running(*monitors: Monitor) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in monitors]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def monitor(log: MemoryLog, bus: MemoryBus, *expected: str) -> Monitor:
    return Monitor(log=log, bus=bus, clock=CLOCK, expected=expected)


@asynccontextmanager
async def beating(bus: MemoryBus, service: str) -> AsyncIterator[None]:
    beat = Beat(service=service, incarnation="i", at_ns=0, state="running", sequence=1)

    async def pump() -> None:
        while True:
            await bus.publish(f"{subjects.BEAT}.{service}", codec.pack(beat))
            await CLOCK.sleep(1)

    task = asyncio.create_task(pump())
    try:
        yield
    finally:
        task.cancel()


async def test_a_service_that_falls_silent_and_comes_back_is_told_each_time(
    log: MemoryLog, bus: MemoryBus
) -> None:
    watching = monitor(log, bus, "risk")
    async with running(watching):
        async with beating(bus, "risk"):
            await until(lambda: watching.status()["status"] == "online")
        await until(lambda: watching.status()["status"] == "offline" and len(watching.told) == 2)
        async with beating(bus, "risk"):
            await until(lambda: len(alerts(log)) == 4)
    assert sorted(alerts(log)) == [
        "over service-late",
        "over service-offline",
        "risk has not been heard of for more than 15 s service-offline",
        "risk has not been heard of for more than 5 s service-late",
    ]


async def test_a_kill_is_in_the_status_and_on_record_once_for_two_monitors(
    log: MemoryLog, bus: MemoryBus
) -> None:
    kill = KillEngaged(
        account=DEMO,
        scope=Scope.FLEET,
        actor="ann",
        reason="drill",
        request_id="r",
        asked_at_ns=NOW,
    )
    await says(log, configured())
    await log.append(
        Append(subject=f"{subjects.PREFIX}alert.junk", data=b"\xff", condition=CreateOnce())
    )
    first, second = monitor(log, bus), monitor(log.another(), bus.another())
    async with running(first, second):
        await until(lambda: "deadletter-2" in "".join(e.subject for e in log.store.entries))
        await says(log, kill)
        await until(lambda: any("kill-engaged" in each for each in alerts(log)))
        assert first.status()["kill"]["engaged"] is True
        assert first.status()["accounts"][0]["killed"] is True
    subjects_seen = [entry.subject for entry in log.store.entries]
    assert len(subjects_seen) == len(set(subjects_seen))


async def test_a_restarted_monitor_repeats_nothing(log: MemoryLog, bus: MemoryBus) -> None:
    await log.append(
        Append(subject=f"{subjects.PREFIX}alert.junk", data=b"\xff", condition=CreateOnce())
    )
    async with running(monitor(log, bus)):
        await until(lambda: len(alerts(log)) == 1)
    again = monitor(log, bus)
    async with running(again):
        await until(lambda: again.pulse.ready)
        await CLOCK.sleep(5)
    assert len(alerts(log)) == 1
    assert again.told == []


async def test_an_alert_waits_while_the_log_is_busy(log: MemoryLog, bus: MemoryBus) -> None:
    writer = log.another()
    writer.busy(times=12)
    await log.append(
        Append(subject=f"{subjects.PREFIX}alert.junk", data=b"\xff", condition=CreateOnce())
    )
    async with running(monitor(writer, bus)):
        await until(lambda: len(alerts(log)) == 1)


async def test_what_the_venue_says_of_an_account_is_in_the_status(
    log: MemoryLog, bus: MemoryBus
) -> None:
    await says(log, configured(), *entry_story())
    watching = monitor(log, bus)
    async with running(watching):
        await until(lambda: bool(watching.status()["accounts"]))
        await bus.publish(f"{subjects.FACTS}.demo", codec.pack(snapshot().facts))
        await until(lambda: watching.status()["accounts"][0]["venue"]["ready"])
        (account,) = watching.status()["accounts"]
    assert (account["venue"]["equity"], account["open_positions"]) == ("100000", 1)


async def test_a_message_that_cannot_be_decoded_is_ignored(log: MemoryLog, bus: MemoryBus) -> None:
    watching = monitor(log, bus, "risk")
    async with running(watching):
        await until(lambda: watching.pulse.ready)
        await bus.publish(f"{subjects.BEAT}.risk", b"\xff\xff")
        await bus.publish(f"{subjects.FACTS}.demo", b"\xff\xff")
        async with beating(bus, "risk"):
            await until(lambda: watching.status()["status"] == "online")
    assert bus.failures == []


async def test_a_strategy_that_is_heard_of_is_not_silent(log: MemoryLog, bus: MemoryBus) -> None:
    periods = {"trend": 4_000_000_000, "scalper": 4_000_000_000}
    watching = Monitor(log=log, bus=bus, clock=CLOCK, expected=(), periods=periods)
    async with running(watching):
        for _ in range(20):
            await bus.publish(f"{subjects.STRATEGY_BEAT}.trend", b"{}")
            await CLOCK.sleep(1)
        await until(lambda: bool(watching.told))
    told = [each.sentence for each in watching.told]
    assert [each.partition(" has")[0] for each in told] == ["strategy scalper"]

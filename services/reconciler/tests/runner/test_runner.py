"""The reconciler on a log in memory, with a clock that runs fifty times as fast."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from argos_common.domain.errors import ArgosError
from argos_common.domain.event import Event
from argos_common.domain.ids import TradeId
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved, OrderMatched
from argos_common.runtime.health import Pulse
from argos_common.runtime.log import Append, CreateOnce, LogDamaged
from argos_common.testing.memory_log import MemoryLog
from argos_common.testing.waiting import PATIENCE_S, FastClock, until
from argos_common.wire import codec, subjects
from argos_reconciler.adapters.memory_ledger import MemoryLedger
from argos_reconciler.core.rows import Item
from argos_reconciler.ports import Checkpoint, LedgerUnavailable, LedgerUnusable
from argos_reconciler.runner import Reconciler

from services.reconciler.tests.reconciler_kit import (
    NOW,
    StandIn,
    Tape,
    configured,
    deal,
    entry_story,
    position,
    signal,
    submitting,
)


async def says(log: MemoryLog, *events: Event) -> None:
    for event in events:
        subject = f"{subjects.PREFIX}test.{len(log.store.entries)}"
        append = Append(subject=subject, data=codec.encode(event), condition=CreateOnce())
        await log.append(append)


def on_record(log: MemoryLog, *kinds: type) -> list[Event]:
    events = [codec.decode(entry.data) for entry in log.store.entries if entry.data != b"\xff"]
    return [event for event in events if isinstance(event, kinds)]


def reconciler(
    log: MemoryLog, node: StandIn | None = None, ledger: MemoryLedger | None = None
) -> Reconciler:
    nodes = {"mt5": node or StandIn()}
    return Reconciler(log=log, clock=FastClock(NOW), ledger=ledger or MemoryLedger(), nodes=nodes)


@asynccontextmanager
async def running(*those: Reconciler) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each.run()) for each in those]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(FastClock(NOW))


async def test_a_filled_order_is_matched_once_and_the_ledger_has_it(log: MemoryLog) -> None:
    ledger, node = MemoryLedger(), StandIn()
    node.shows(position())
    await says(log, configured(), *entry_story())
    async with running(reconciler(log, node, ledger)):
        await until(lambda: len(ledger.table("matches")) == 1)
    (match,) = on_record(log, OrderMatched)
    assert isinstance(match, OrderMatched)
    assert match.order_id == ledger.table("matches")[0]["order_id"]
    assert on_record(log, DiscrepancyFound) == []


async def test_two_copies_make_one_match_per_order(log: MemoryLog) -> None:
    await says(log, configured())
    for number in range(1, 21):
        await says(log, *entry_story(number))
    async with running(reconciler(log), reconciler(log.another())):
        await until(lambda: len(on_record(log, OrderMatched)) == 20)
        await asyncio.sleep(0.1)
    assert len(on_record(log, OrderMatched)) == 20


@pytest.mark.parametrize("trouble", ["busy", "lose_ack", "ghost"])
async def test_trouble_on_the_way_to_the_log_neither_loses_nor_doubles_a_match(
    log: MemoryLog, trouble: str
) -> None:
    writer = log.another()
    getattr(writer, trouble)(times=8)
    await says(log, configured(), *entry_story())
    async with running(reconciler(writer)):
        await until(lambda: len(on_record(log, OrderMatched)) == 1)
        writer.release_ghosts()
    assert len(on_record(log, OrderMatched)) == 1


async def test_a_restart_appends_nothing_again_and_resumes_the_ledger(log: MemoryLog) -> None:
    ledger = MemoryLedger()
    await says(log, configured(), *entry_story())
    async with running(reconciler(log, ledger=ledger)):
        await until(lambda: len(ledger.table("matches")) == 1)
    await says(log, *entry_story(2))
    async with running(reconciler(log, ledger=ledger)):
        await until(lambda: len(ledger.table("matches")) == 2)
    assert len(on_record(log, OrderMatched)) == 2
    sequences = [row["sequence"] for row in ledger.table("events")]
    assert sequences == list(range(1, len(log.store.entries) + 1))


async def test_a_difference_is_found_and_resolved_when_the_venue_agrees_again(
    log: MemoryLog,
) -> None:
    node = StandIn()
    await says(log, configured(), *entry_story())
    async with running(reconciler(log, node)):
        await until(lambda: bool(on_record(log, DiscrepancyFound)))
        node.shows(position())
        await until(lambda: bool(on_record(log, DiscrepancyResolved)))
    (found,) = on_record(log, DiscrepancyFound)
    (over,) = on_record(log, DiscrepancyResolved)
    assert isinstance(found, DiscrepancyFound)
    assert isinstance(over, DiscrepancyResolved)
    assert (over.discrepancy_id, over.how, over.actor) == (
        found.discrepancy_id,
        "agrees again",
        "reconciler",
    )


async def test_a_deal_that_only_the_venue_knows_is_found(log: MemoryLog) -> None:
    node = StandIn()
    node.shows(position())
    lost = deal(submitting(TradeId(signal().signal_id)), "d5", tagged=False)
    await says(log, configured(), *entry_story())
    node.listed = [replace(lost, venue_time_ns=log.store.entries[-1].appended_ns + 1)]
    async with running(reconciler(log, node)):
        await until(lambda: bool(on_record(log, DiscrepancyFound)))
    (found,) = on_record(log, DiscrepancyFound)
    assert isinstance(found, DiscrepancyFound)
    assert found.kind.name == "MISSING_FILL"


async def test_a_node_that_is_away_stops_neither_matching_nor_the_ledger(log: MemoryLog) -> None:
    ledger = MemoryLedger()
    await says(log, configured(), *entry_story())
    async with running(reconciler(log, StandIn(away=True), ledger)):
        await until(lambda: len(ledger.table("matches")) == 1)
    assert on_record(log, DiscrepancyFound) == []


async def test_an_entry_that_cannot_be_decoded_is_kept_and_skipped(log: MemoryLog) -> None:
    ledger = MemoryLedger()
    await log.append(
        Append(subject=f"{subjects.PREFIX}alert.x", data=b"\xff", condition=CreateOnce())
    )
    await says(log, configured(), *entry_story())
    async with running(reconciler(log, ledger=ledger)):
        await until(lambda: len(ledger.table("matches")) == 1)
    assert ledger.table("events")[0]["kind"] == "DeadLetter"


class Flaky(MemoryLedger):
    """A ledger whose database is away for a while."""

    def __init__(self, failures: int) -> None:
        super().__init__()
        self.failures = failures

    async def project(self, items: Sequence[Item]) -> Checkpoint:
        if self.failures:
            self.failures -= 1
            raise LedgerUnavailable("the database is away")
        return await super().project(items)


async def test_the_ledger_being_away_stops_only_the_ledger(log: MemoryLog) -> None:
    ledger = Flaky(failures=1_000_000)
    await says(log, configured(), *entry_story())
    found = reconciler(log, ledger=ledger)
    found.pulse = Pulse()
    async with running(found):
        await until(lambda: len(on_record(log, OrderMatched)) == 1)
        assert ledger.table("events") == []
        assert found.pulse.detail == "the database is away"
        ledger.failures = 0
        await until(lambda: len(ledger.table("matches")) == 1)
        await until(lambda: found.pulse.detail == "")


async def test_a_ledger_of_another_log_ends_the_service_with_its_sentence(log: MemoryLog) -> None:
    ledger = MemoryLedger()
    await ledger.open("g1")
    await ledger.project(Tape().says(*entry_story(5), *entry_story(6)).items())
    await says(log, configured(), *entry_story(), *entry_story(2))
    with pytest.raises(ExceptionGroup) as raised:
        await asyncio.wait_for(reconciler(log, ledger=ledger).run(), PATIENCE_S)
    found = raised.value.exceptions[0]
    assert isinstance(found, ArgosError)
    assert isinstance(found, LedgerUnusable)
    assert "argos ledger rebuild" in str(found)


async def test_a_log_that_ends_before_its_ledger_is_damaged(log: MemoryLog) -> None:
    ledger = MemoryLedger()
    await ledger.open("g1")
    await ledger.project(Tape().says(*entry_story()).items())
    with pytest.raises(LogDamaged, match="ends at entry 0, but the ledger has seen"):
        await asyncio.wait_for(reconciler(log, ledger=ledger).run(), PATIENCE_S)


async def test_memory_stays_flat_over_many_trades(log: MemoryLog) -> None:
    await says(log, configured())
    found = reconciler(log)
    async with running(found):
        for number in range(1, 301):
            await says(log, *entry_story(number))
        await until(lambda: len(on_record(log, OrderMatched)) == 300)
        matcher = found.state.account(configured().account).matcher
        await until(lambda: not matcher.orders)
        assert (matcher.by_ticket, matcher.loose, matcher.complete) == ({}, {}, {})
        await until(lambda: found.checkpoint is not None and found.checkpoint.sequence > 1800)
        assert len(found._queue) == 0

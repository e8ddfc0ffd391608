"""The last hop at the moments in between: a disk that syncs slowly, a venue that reports early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from dataclasses import replace
from typing import TypeVar

import pytest
from argos_common.domain.ids import Account
from argos_common.domain.node import (
    AccountFacts,
    Evidence,
    Journaled,
    LeaseAnswer,
    Outcome,
    Question,
    Result,
    Submission,
    VenueEvent,
)
from argos_common.domain.order import RefusalClass
from argos_common.domain.venue import Deal, DealReason
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, JournalFailed, Kept, MemoryJournal
from argos_common.lasthop.ports import direct
from argos_common.runtime.entropy import SeededEntropy
from argos_common.testing.node_bench import ACCOUNT, Bench, Kit, PushedClock, eventually
from argos_common.testing.trial_venue import FakeVenue, TrialVenue

T = TypeVar("T")
GRANTED = LeaseAnswer(account=ACCOUNT, nonce="", granted=True, epoch=0, reason="")


class SlowDisk:
    """Does the work at once, and lets its caller wait for the sync while `stalled`."""

    def __init__(self) -> None:
        self.synced = asyncio.Event()
        self.synced.set()
        self.waiting = 0

    async def __call__(self, work: Callable[[], T]) -> T:
        done = work()
        self.waiting += 1
        await self.synced.wait()
        self.waiting -= 1
        return done


class Stage:
    """One last hop with every part within reach. `bench` makes its orders."""

    def __init__(self) -> None:
        self.clock = PushedClock()
        self.fake = FakeVenue(ACCOUNT, self.clock)
        self.venue = TrialVenue(self.fake)
        self.disk = SlowDisk()
        self.journal = MemoryJournal()
        self.hop = LastHop(
            ACCOUNT,
            self.venue,
            AsyncJournal(self.journal, self.disk),
            self.clock,
            SeededEntropy(1),
        )
        # Never started: it only makes orders.
        self.bench = Bench(
            Kit(
                make_venue=lambda _: self.fake,
                open_journal=lambda: self.journal,
                over_grpc=False,
            )
        )
        self.bench.clock = self.clock

    async def leased(self, **changes: object) -> Submission:
        ask = self.hop.ask_lease()
        answer = replace(GRANTED, nonce=ask.nonce)
        await self.hop.take_lease(answer)
        return self.bench.submission(ask.nonce, **changes)

    async def begin_with_a_stalled_disk(self, order: Submission) -> asyncio.Task[Outcome]:
        self.disk.synced.clear()
        call = asyncio.create_task(self.hop.submit(order))
        await eventually(lambda: self.journal.entry(order.order_id) is not None)
        return call


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    await stage.hop.start()
    yield stage
    stage.disk.synced.set()
    stage.venue.open.set()
    await stage.hop.stop()


async def test_an_epoch_raised_while_the_journal_syncs_stops_the_call(stage: Stage) -> None:
    order = await stage.leased()
    call = await stage.begin_with_a_stalled_disk(order)
    raising = asyncio.create_task(stage.hop.raise_epoch(1))
    await eventually(lambda: stage.disk.waiting == 2)

    stage.disk.synced.set()
    outcome = await call

    assert (await raising).epoch == 1
    assert (outcome.code, outcome.by_node) == ("epoch_old", True)
    assert stage.venue.placed == []
    entry = stage.journal.entry(order.order_id)
    assert entry is not None
    assert entry.state is Journaled.REFUSED


async def test_a_deadline_that_passes_while_the_journal_syncs_stops_the_call(
    stage: Stage,
) -> None:
    call = await stage.begin_with_a_stalled_disk(await stage.leased())

    stage.clock.wall_ns += 6_000_000_000
    stage.disk.synced.set()

    assert (await call).code == "deadline_passed"
    assert stage.venue.placed == []


async def test_a_seal_while_the_journal_syncs_stops_the_call(stage: Stage) -> None:
    order = await stage.leased()
    call = await stage.begin_with_a_stalled_disk(order)
    sealing = asyncio.create_task(stage.hop.seal(order.order_id))
    await eventually(lambda: stage.disk.waiting == 2)

    stage.disk.synced.set()
    seal = await sealing

    assert (seal.sealed, seal.never_sent) == (True, True)
    assert (await call).code == "sealed"
    assert stage.venue.placed == []


class FullDisk(MemoryJournal):
    def begin(self, submission: Submission, *, received_ns: int, now_ns: int) -> Kept:
        raise JournalFailed("the disk is full")


async def test_without_a_journal_nothing_is_sent_and_nothing_is_promised(stage: Stage) -> None:
    stage.hop._journal = AsyncJournal(FullDisk(), direct)
    order = await stage.leased()

    outcome = await stage.hop.submit(order)

    assert (outcome.result, outcome.code) == (Result.IN_DOUBT, "journal_failed")
    assert outcome.sentence == "the disk is full"
    assert stage.venue.placed == []


async def test_a_deal_seen_during_the_call_outweighs_a_refusal(stage: Stage) -> None:
    class TwoFaced(TrialVenue):
        async def place(self, submission: Submission) -> Outcome:
            done = await super().place(submission)
            await eventually(lambda: submission.order_id in stage.hop._sightings)
            return replace(done, result=Result.REFUSED, refusal=RefusalClass.VENUE_ERROR)

    stage.hop._venue = TwoFaced(stage.fake)

    outcome = await stage.hop.submit(await stage.leased())

    assert (outcome.result, outcome.code) == (Result.ACCEPTED, "found")


async def test_what_another_order_owns_is_no_evidence(stage: Stage) -> None:
    owner, asked = await stage.leased(), await stage.leased()
    done = await stage.hop.submit(owner)

    class Similar(TrialVenue):
        async def search(self, question: Question) -> Evidence:
            return Evidence(
                order_id=question.order_id,
                conclusive=True,
                found=True,
                journal=Journaled.NOTHING,
                as_of_ns=0,
                method="fingerprint",
                venue_order_id=done.venue_order_id,
            )

    stage.hop._venue = Similar(stage.fake)

    evidence = await stage.hop.find(stage.bench.question(asked))
    own = await stage.hop.find(stage.bench.question(owner))

    assert (evidence.found, evidence.conclusive) == (False, True)
    assert owner.order_id in evidence.sentence
    assert own.found


@pytest.mark.parametrize("known", ["unheard of", "refused", "sealed"])
async def test_what_only_looks_like_an_order_that_was_never_sent_is_not_it(
    stage: Stage, known: str
) -> None:
    order = stage.bench.submission("no lease") if known == "refused" else await stage.leased()
    if known == "refused":
        assert (await stage.hop.submit(order)).code == "lease_not_live"
    if known == "sealed":
        await stage.hop.seal(order.order_id)

    class Somebody(TrialVenue):
        async def search(self, question: Question) -> Evidence:
            return Evidence(
                order_id=question.order_id,
                conclusive=True,
                found=True,
                journal=Journaled.NOTHING,
                as_of_ns=0,
                method="fingerprint",
                done=True,
                venue_order_id="another program's",
                filled_quantity=order.quantity,
                average_price=order.quantity,
            )

    stage.hop._venue = Somebody(stage.fake)

    evidence = await stage.hop.find(stage.bench.question(order))

    assert (evidence.found, evidence.conclusive) == (False, True)
    assert evidence.filled_quantity == 0
    assert (await stage.hop.seal(order.order_id)).never_sent


class FullAtTheAnswer(MemoryJournal):
    """Takes everything but what the venue answered, while `full`."""

    full = True

    def answer(self, outcome: Outcome, *, positions: bool, now_ns: int) -> Kept:
        if self.full:
            raise JournalFailed("the disk is full")
        return super().answer(outcome, positions=positions, now_ns=now_ns)


async def test_a_refusal_the_journal_could_not_keep_is_kept_later_and_blocks_nothing(
    stage: Stage,
) -> None:
    class Refusing(TrialVenue):
        async def place(self, submission: Submission) -> Outcome:
            return Outcome(
                order_id=submission.order_id,
                result=Result.REFUSED,
                refusal=RefusalClass.REQUOTE,
                code="REQUOTE",
            )

    journal = FullAtTheAnswer()
    stage.hop._journal = AsyncJournal(journal, direct)
    stage.hop._venue = Refusing(stage.fake)
    first = await stage.hop.submit(await stage.leased())
    assert (first.result, first.code) == (Result.IN_DOUBT, "not_kept")

    journal.full = False
    stage.hop._venue = stage.venue
    second = await stage.hop.submit(await stage.leased())

    assert second.result is Result.DONE
    kept = journal.entry(first.order_id)
    assert kept is not None
    assert kept.state is Journaled.ANSWERED


async def test_what_the_venue_no_longer_shows_is_found_in_the_journal(stage: Stage) -> None:
    order = await stage.leased()
    await stage.hop.submit(order)
    stage.venue.blind = True

    evidence = await stage.hop.find(stage.bench.question(order))

    assert (evidence.found, evidence.method, evidence.done) == (True, "journal", True)
    assert evidence.filled_quantity == order.quantity


@pytest.mark.parametrize(
    ("changes", "owned"),
    [
        ({}, True),
        ({"comment": ""}, True),
        ({"comment": "", "venue_order_id": "other"}, False),
        ({"venue_order_id": "other"}, True),
        ({"reason": DealReason.STOP_LOSS, "venue_order_id": "other"}, False),
        ({"reason": DealReason.TAKE_PROFIT, "venue_order_id": "other"}, False),
    ],
)
async def test_a_deal_is_an_orders_by_tag_or_ticket_unless_the_venue_made_it(
    stage: Stage, changes: dict[str, object], owned: bool
) -> None:
    order = await stage.leased()
    await stage.hop.submit(order)
    (deal,) = stage.fake._deals
    stage.fake._deals[:] = [replace(deal, **changes)]  # type: ignore[arg-type]  # named above

    (shown,) = (await stage.hop.deals(0)).deals

    assert shown.order_id == (order.order_id if owned else None)


async def test_a_venue_that_falls_silent_is_reported_as_not_ready(stage: Stage) -> None:
    stream = stage.hop.events(0)
    await until(stream, lambda event: event.facts is not None and event.facts.ready)

    stage.clock.mono_ns += 3_000_000_000
    silent = await until(stream, lambda event: event.facts is not None)

    assert silent.facts is not None
    assert not silent.facts.ready
    assert silent.facts.reason.startswith("the venue has been silent for 3")
    assert not stage.hop.ready()
    await stream.aclose()


async def test_a_watch_that_broke_is_made_good_by_listing_again() -> None:
    class Breaking(FakeVenue):
        async def watch(self) -> AsyncGenerator[Deal | AccountFacts]:
            yield self._facts()
            await self._news.get()
            raise ConnectionError("the line is dead")

    clock = PushedClock()
    venue = Breaking(Account("a"), clock)
    hop = LastHop(Account("a"), venue, AsyncJournal(MemoryJournal()), clock, SeededEntropy(1))
    await hop.start()
    stream = hop.events(0)
    await until(stream, lambda event: event.facts is not None)
    stage = Stage()
    await venue.place(stage.bench.submission())

    event = await until(stream, lambda event: event.deal is not None)

    assert event.resync
    assert event.sequence > 1
    await stream.aclose()
    await hop.stop()


async def until(
    stream: AsyncGenerator[VenueEvent], wanted: Callable[[VenueEvent], bool]
) -> VenueEvent:
    async with asyncio.timeout(10):
        while True:
            event = await anext(stream)
            if wanted(event):
                return event

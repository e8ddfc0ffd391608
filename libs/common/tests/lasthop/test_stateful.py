"""Any history of submissions, repeats, seals, searches, kills and crashes over a nasty venue.

The venue may answer, refuse, execute and say nothing, drop and say nothing, raise, or hang; what
hung when the process died may still be executed later. Whatever happens:

    an id reaches the venue at most once
    an id that was refused by the node, or sealed as never sent, never reaches it
    what the caller was told was refused is not at the venue
    once an epoch is confirmed, no call begins for new risk under an older one, or without a lease
    once sealed, nothing of the id begins or is still on its way
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from argos_common.domain.ids import Account, OrderId, Strategy, Symbol
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import (
    AccountFacts,
    Deals,
    Evidence,
    Journaled,
    LeaseAnswer,
    Outcome,
    Question,
    Result,
    Snapshot,
    Submission,
)
from argos_common.domain.order import RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal
from argos_common.domain.verdict import Effect
from argos_common.lasthop.contract import NodeUnavailable, in_doubt
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, MemoryJournal
from argos_common.lasthop.venue import Capabilities
from argos_common.runtime.entropy import SeededEntropy
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

T = TypeVar("T")
ACCOUNT = Account("a")
IDS = [OrderId(name) for name in ("one", "two", "three", "four", "five")]
MOODS = ["done", "refuse", "silent after", "silent before", "raise", "hang"]
MS = 1_000_000


class HandClock:
    """Moves only when told to."""

    def __init__(self) -> None:
        self.at_ns = 1_000_000 * MS

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_ns(self) -> int:
        return self.at_ns

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


@dataclass
class Held:
    """A call that hangs. `done` is set when the venue gets to it."""

    submission: Submission
    done: asyncio.Event


class NastyVenue:
    def __init__(self) -> None:
        self.mood = "done"
        self.blind = False
        self.placed: list[OrderId] = []
        self.executed: list[OrderId] = []
        self.held: list[Held] = []
        self.late: list[Submission] = []
        self.begun: list[Submission] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(kind=AccountKind.HEDGING, self_limiting_close=True)

    async def place(self, submission: Submission) -> Outcome:
        self.placed.append(submission.order_id)
        self.begun.append(submission)
        mood = self.mood
        if mood == "hang":
            held = Held(submission, asyncio.Event())
            self.held.append(held)
            await held.done.wait()
            self.held.remove(held)
            mood = self.mood if self.mood != "hang" else "silent after"
        if mood == "refuse":
            return Outcome(
                order_id=submission.order_id,
                result=Result.REFUSED,
                refusal=RefusalClass.VENUE_ERROR,
                code="no",
                sentence="no",
            )
        if mood in {"done", "silent after", "raise"}:
            self.executed.append(submission.order_id)
        if mood == "raise":
            raise RuntimeError("a bug in the adapter")
        if mood == "done":
            return Outcome(
                order_id=submission.order_id,
                result=Result.DONE,
                venue_order_id=f"o-{submission.order_id}",
                filled_quantity=submission.quantity,
            )
        return in_doubt(submission.order_id, "no_answer", "silence")

    def crash(self) -> None:
        self.late += [held.submission for held in self.held]
        self.held.clear()

    async def search(self, question: Question) -> Evidence:
        if self.blind:
            raise NodeUnavailable("blind")
        found = question.order_id in self.executed
        return Evidence(
            order_id=question.order_id,
            conclusive=True,
            found=found,
            journal=Journaled.NOTHING,
            as_of_ns=0,
            method="tag" if found else "",
            done=found,
            venue_order_id=f"o-{question.order_id}" if found else "",
        )

    async def abandon(self, order_id: OrderId) -> bool:
        return order_id not in self.on_the_way()

    def on_the_way(self) -> list[OrderId]:
        return [held.submission.order_id for held in self.held] + [
            each.order_id for each in self.late
        ]

    async def snapshot(self) -> Snapshot:
        raise NodeUnavailable("not here")

    async def deals(self, since_ns: int) -> Deals:
        return Deals(deals=(), complete=True)

    async def watch(self) -> AsyncGenerator[Deal | AccountFacts]:
        await asyncio.Event().wait()
        yield  # type: ignore[misc]  # makes it a generator; never reached


class LastHopMachine(RuleBasedStateMachine):
    """One account, one journal that survives, one process after another."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock, self.venue, self.journal = HandClock(), NastyVenue(), MemoryJournal()
        self.calls: list[asyncio.Task[Outcome]] = []
        self.never: dict[OrderId, str] = {}
        self.sealed: dict[OrderId, int] = {}
        self.epoch = 0
        self.incarnations = 0
        self.leases: list[tuple[str, int]] = []

    def do(self, work: Coroutine[object, object, T]) -> T:
        async def settled() -> T:
            found = await work
            for _ in range(30):
                await asyncio.sleep(0)
            return found

        return self.runner.run(settled())

    @initialize()
    def start(self) -> None:
        self.incarnations += 1
        self.leases.clear()
        self.hop = LastHop(
            ACCOUNT,
            self.venue,
            AsyncJournal(self.journal),
            self.clock,
            SeededEntropy(self.incarnations),
        )
        self.do(self.hop.start())

    @rule(
        order_id=st.sampled_from(IDS),
        effect=st.sampled_from(Effect),
        symbol=st.sampled_from(["EURUSD", "GBPUSD"]),
        leased=st.booleans(),
        current=st.booleans(),
        limited=st.booleans(),
    )
    def submit(
        self,
        order_id: OrderId,
        effect: Effect,
        symbol: str,
        leased: bool,
        current: bool,
        limited: bool,
    ) -> None:
        submission = Submission(
            order_id=order_id,
            account=ACCOUNT,
            strategy=Strategy("trend"),
            symbol=Symbol(symbol),
            venue_symbol=symbol,
            side=Side.BUY,
            effect=effect,
            quantity=Decimal(1),
            deadline_ns=1_005_000 * MS,
            budget_ns=500 * MS,
            epoch=self.epoch if current else 0,
            lease=self.leases[-1][0] if leased and self.leases else "none",
            tag=str(order_id),
            magic=1,
            position_ref="p" if limited and effect is Effect.CLOSE else "",
        )

        async def begin() -> None:
            self.calls.append(asyncio.ensure_future(self.hop.submit(submission)))

        self.do(begin())

    @rule(mood=st.sampled_from(MOODS), blind=st.booleans())
    def change_mood(self, mood: str, blind: bool) -> None:
        self.venue.mood, self.venue.blind = mood, blind

    @precondition(lambda self: self.venue.held)
    @rule()
    def answer_what_hangs(self) -> None:
        async def release() -> None:
            self.venue.held[0].done.set()

        self.do(release())

    @precondition(lambda self: self.venue.late)
    @rule(executes=st.booleans())
    def deliver_what_hung_at_the_crash(self, executes: bool) -> None:
        submission = self.venue.late.pop(0)
        if executes:
            self.venue.executed.append(submission.order_id)

    @rule(order_id=st.sampled_from(IDS))
    def seal(self, order_id: OrderId) -> None:
        seal = self.do(self.hop.seal(order_id))
        if seal.never_sent:
            assert seal.sealed
            assert order_id not in self.venue.placed
            self.never[order_id] = "sealed as never sent"
        if seal.sealed:
            assert order_id not in self.venue.on_the_way()
            self.sealed[order_id] = self.venue.placed.count(order_id)

    @rule(order_id=st.sampled_from(IDS))
    def find(self, order_id: OrderId) -> None:
        question = Question(
            order_id=order_id,
            account=ACCOUNT,
            symbol=Symbol("EURUSD"),
            venue_symbol="EURUSD",
            side=Side.BUY,
            effect=Effect.OPEN,
            quantity=Decimal(1),
            since_ns=0,
            tag=str(order_id),
            magic=1,
        )
        evidence = self.do(self.hop.find(question))
        assert evidence.found <= (order_id in self.venue.executed)
        running = [held.submission.order_id for held in self.venue.held]
        assert not (evidence.conclusive and not evidence.found and order_id in running)

    @rule()
    def grant_a_lease(self) -> None:
        ask = self.hop.ask_lease()
        answer = LeaseAnswer(
            account=ACCOUNT, nonce=ask.nonce, granted=True, epoch=self.epoch, reason=""
        )
        self.do(self.hop.take_lease(answer))
        self.leases.append((ask.nonce, self.clock.at_ns))

    @rule()
    def tighten(self) -> None:
        kept = self.do(self.hop.raise_epoch(self.epoch + 1))
        assert kept.epoch == self.epoch + 1
        self.epoch = kept.epoch
        self.leases.clear()

    @rule(ms=st.sampled_from([1, 400, 2_000]))
    def wait(self, ms: int) -> None:
        self.clock.at_ns += ms * MS

    @rule()
    def crash(self) -> None:
        self.do(self.hop.crash())
        self.venue.crash()
        self.start()

    @invariant()
    def at_most_once(self) -> None:
        for order_id in IDS:
            assert self.venue.placed.count(order_id) <= 1, order_id
            assert self.venue.executed.count(order_id) <= 1, order_id

    @invariant()
    def what_was_told_holds(self) -> None:
        for call in self.calls:
            if call.done():
                outcome = call.result()
                if outcome.result is Result.REFUSED:
                    assert outcome.order_id not in self.venue.executed, outcome
                    if outcome.by_node:
                        self.never[outcome.order_id] = outcome.code
                if outcome.result is Result.DONE:
                    assert outcome.order_id in self.venue.executed, outcome
        for order_id, why in self.never.items():
            assert order_id not in self.venue.placed, f"{order_id}: {why}"
        for order_id, count in self.sealed.items():
            assert self.venue.placed.count(order_id) == count, f"{order_id} after its seal"

    @invariant()
    def new_risk_had_epoch_and_lease(self) -> None:
        live = [nonce for nonce, at in self.leases if self.clock.at_ns - at < 2_000 * MS]
        for submission in self.venue.begun:
            if submission.effect is Effect.OPEN:
                assert submission.epoch >= self.epoch, submission
                assert submission.lease in live, submission
        self.venue.begun.clear()

    def teardown(self) -> None:
        async def end() -> None:
            await self.hop.crash()
            await asyncio.gather(*self.calls)

        self.runner.run(end())
        self.runner.close()


TestLastHop = LastHopMachine.TestCase
TestLastHop.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)

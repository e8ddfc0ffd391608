"""A bridge without a network: virtual time, a log that delays and loses answers, a scripted node.

`FakeNode` keeps the promises of a venue node (an id is sent at most once, refusals and seals are
for good, new risk needs a live lease, the epoch and the deadline) over a venue that obeys `script`:

    fill       executed and answered          lost     executed, the answer is not
    part:0.4   some filled, the rest ended    dropped  never executed, not answered
    work       accepted, filled by deals      no:X     refused with class X
    hang       executed, never returns        stall    waits before it journals, for 3 s
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

from argos_bridge.core.state import AccountState
from argos_bridge.ports import Surroundings
from argos_bridge.runner.bridge import Bridge
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import (
    Deals,
    EpochKept,
    Evidence,
    Journaled,
    LeaseAnswer,
    LeaseAsk,
    Outcome,
    Question,
    Result,
    Seal,
    Snapshot,
    Submission,
    VenueEvent,
)
from argos_common.domain.order import RefusalClass
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal
from argos_common.domain.verdict import Effect
from argos_common.lasthop.contract import NodeUnavailable, in_doubt
from argos_common.runtime.log import Answer, Append, Entry, LogStatus, Unconditional
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.telemetry import NullTelemetry
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.memory_log import MemoryLog
from argos_common.wire import subjects
from argos_common.wire.codec import decode, encode, pack, unpack

from services.bridge.tests.bridge_kit import DEMO, NOW, D, S, deal, facts


class VirtualClock:
    """Time moves only when nothing else can."""

    def __init__(self) -> None:
        self.now = NOW
        self._timers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._count = 0

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now - NOW + S

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._timers, (self.now + int(seconds * S), self._count, future))
        await future

    async def run(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        """Let that much time pass, or less: until it holds."""
        end = self.now + int(seconds * S)
        await settle()
        while not until() and self._timers and self._timers[0][0] <= end:
            at, _, future = heapq.heappop(self._timers)
            if future.done():
                continue
            self.now = max(self.now, at)
            future.set_result(None)
            await settle()
        if not until():
            self.now = end


async def settle() -> None:
    """Until no task can go on by itself."""
    ready = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]  # no public way
    while True:
        await asyncio.sleep(0)
        if not ready:
            return


class SlowLog:
    """A log behind a network: every step takes a while, and answers may be lost."""

    def __init__(
        self, inner: MemoryLog, clock: VirtualClock, rng: random.Random, loss: float = 0
    ) -> None:
        self.inner = inner
        self._clock = clock
        self._rng = rng
        self.loss = loss
        self.slow_s = 0.02

    async def _delay(self) -> None:
        if self.slow_s:
            await self._clock.sleep(self._rng.uniform(0, self.slow_s))

    async def append(self, append: Append) -> Answer:
        await self._delay()
        if self._rng.random() < self.loss:
            self.inner.lose_ack()
        answer = await self.inner.append(append)
        await self._delay()
        return answer

    async def append_batch(self, appends: Sequence[Append]) -> Answer:
        await self._delay()
        if self._rng.random() < self.loss:
            self.inner.lose_ack()
        answer = await self.inner.append_batch(appends)
        await self._delay()
        return answer

    async def read(self, after: int, subjects: Sequence[str] = ()) -> AsyncIterator[Entry]:
        async for entry in self.inner.read(after, subjects):
            await self._delay()
            yield entry

    async def last(self, subject: str) -> Entry | None:
        return await self.inner.last(subject)

    async def status(self) -> LogStatus:
        await self._delay()
        return await self.inner.status()


@dataclass(slots=True)
class _Journaled:
    state: Journaled
    submission: Submission | None = None
    outcome: Outcome | None = None
    running: bool = False


@dataclass(slots=True)
class FakeNode:
    """See the module's text. `placed`: what reached the venue; `executed`: what it did."""

    clock: VirtualClock
    script: list[str] = field(default_factory=list)
    placed: list[Submission] = field(default_factory=list)
    executed: dict[OrderId, Deal] = field(default_factory=dict)
    journal: dict[OrderId, _Journaled] = field(default_factory=dict)
    epoch: int = 0
    away: bool = False
    blind: bool = False
    ambiguous: bool = False
    netting: bool = False
    deal_lag_s: float = 0.01
    call_s: float = 0.003
    _granted: dict[str, int] = field(default_factory=dict)
    _asked: dict[str, int] = field(default_factory=dict)
    _deals: list[Deal] = field(default_factory=list)
    _listeners: list[asyncio.Queue[Deal]] = field(default_factory=list)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _works: list[asyncio.Task[Outcome]] = field(default_factory=list)

    async def submit(self, submission: Submission) -> Outcome:
        """The work goes on if the caller goes away."""
        work = asyncio.create_task(self._submit(submission))
        self._works.append(work)
        return await asyncio.shield(work)

    async def _submit(self, submission: Submission) -> Outcome:
        await self.clock.sleep(self.call_s)
        if self.away:
            return in_doubt(submission.order_id, "no_answer", "the node is away")
        known = self.journal.get(submission.order_id)
        if known is not None:
            unknown = in_doubt(submission.order_id, "no_answer", "on record without an answer")
            return known.outcome or unknown
        if self.script and self.script[0] == "stall":
            self.script.pop(0)
            await self.clock.sleep(3)
            if submission.order_id in self.journal:
                return await self._submit(submission)
        code = self._gate(submission)
        if code:
            outcome = Outcome(
                order_id=submission.order_id,
                result=Result.REFUSED,
                refusal=RefusalClass.NODE_GATE,
                code=code,
                sentence=code,
                by_node=True,
            )
            self.journal[submission.order_id] = _Journaled(Journaled.REFUSED, submission, outcome)
            return outcome
        entry = _Journaled(Journaled.SENDING, submission, running=True)
        self.journal[submission.order_id] = entry
        self.placed.append(submission)
        try:
            outcome = await self._place(submission, self.script.pop(0) if self.script else "fill")
        finally:
            entry.running = False
        if outcome.result is not Result.IN_DOUBT:
            entry.state, entry.outcome = Journaled.ANSWERED, outcome
        await self.clock.sleep(self.call_s)
        return outcome

    def _gate(self, submission: Submission) -> str:
        if self.clock.now_ns() > submission.deadline_ns:
            return "deadline_passed"
        if submission.effect is Effect.CLOSE:
            return ""
        if submission.epoch < self.epoch:
            return "epoch_old"
        asked = self._granted.get(submission.lease, -10 * S)
        return "" if self.clock.monotonic_ns() - asked < 2 * S else "lease_not_live"

    async def _place(self, submission: Submission, how: str) -> Outcome:
        order_id = submission.order_id
        if how.startswith("no:"):
            refusal = RefusalClass[how[3:]]
            return Outcome(
                order_id=order_id, result=Result.REFUSED, refusal=refusal, code=how, sentence=how
            )
        if how == "dropped":
            return in_doubt(order_id, "no_answer", "no answer from the venue")
        await self.clock.sleep(self.call_s)
        quantity = D(how[5:]) if how.startswith("part:") else submission.quantity
        fresh = "net" if self.netting else f"p{len(self.executed) + 1}"
        position = submission.position_ref or fresh
        if submission.position_ref:
            same = [e for e in self.executed.values() if e.venue_position_id == position]
            held = sum((each.position_delta for each in same), D(0))
            quantity = min(quantity, max(held, D(0)))  # a ticket never does more than close
            if not quantity:
                refusal = RefusalClass.NOTHING_TO_CLOSE
                return Outcome(
                    order_id=order_id, result=Result.REFUSED, refusal=refusal, code="no_position"
                )
        made = deal(
            order_id,
            str(quantity),
            position=position,
            number=f"d{len(self._deals) + 1}",
            out=submission.side is Side.SELL,
        ).deal
        made = replace(made, venue_time_ns=self.clock.now_ns())
        self.executed[order_id] = made
        self._deals.append(made)
        self._tasks.append(asyncio.create_task(self._tell(made)))
        if how == "hang":
            await self.clock.sleep(10_000)
        if how == "lost":
            return in_doubt(order_id, "no_answer", "the answer was lost")
        return Outcome(
            order_id=order_id,
            result=Result.ACCEPTED if how == "work" else Result.DONE,
            venue_order_id=made.venue_order_id,
            venue_position_id=position,
            filled_quantity=D(0) if how == "work" else quantity,
            average_price=D("1.1"),
        )

    async def _tell(self, made: Deal) -> None:
        await self.clock.sleep(self.deal_lag_s)
        self.shows(made)

    def shows(self, made: Deal) -> None:
        """A deal becomes visible."""
        for listener in self._listeners:
            listener.put_nowait(made)

    async def find(self, question: Question) -> Evidence:
        await self.clock.sleep(self.call_s)
        if self.away:
            raise NodeUnavailable("the node is away")
        entry = self.journal.get(question.order_id)
        made = None if self.blind else self.executed.get(question.order_id)
        outcome = entry.outcome if entry else None
        return Evidence(
            order_id=question.order_id,
            conclusive=not self.ambiguous and not (entry and entry.running and made is None),
            found=made is not None,
            journal=entry.state if entry else Journaled.NOTHING,
            as_of_ns=self.clock.now_ns(),
            method="tag" if made else "",
            done=made is not None,
            venue_order_id=made.venue_order_id if made else "",
            venue_position_id=made.venue_position_id if made else "",
            filled_quantity=made.quantity if made else D(0),
            average_price=made.price if made else D(0),
            outcome=outcome,
        )

    async def seal(self, account: Account, order_id: OrderId) -> Seal:
        await self.clock.sleep(self.call_s)
        if self.away:
            raise NodeUnavailable("the node is away")
        entry = self.journal.get(order_id)
        if entry is None:
            sealed = Outcome(
                order_id=order_id,
                result=Result.REFUSED,
                refusal=RefusalClass.NODE_GATE,
                code="sealed",
                sentence="sealed",
                by_node=True,
            )
            entry = self.journal[order_id] = _Journaled(Journaled.SEALED, outcome=sealed)
        never = entry.state in (Journaled.SEALED, Journaled.REFUSED)
        return Seal(
            order_id=order_id,
            sealed=not entry.running,
            never_sent=never,
            at_ns=self.clock.now_ns(),
        )

    async def snapshot(self, account: Account) -> Snapshot:
        raise NodeUnavailable("not asked for here")

    async def deals(self, account: Account, since_ns: int) -> Deals:
        if self.away:
            raise NodeUnavailable("the node is away")
        listed = tuple(made for made in self._deals if made.venue_time_ns >= since_ns)
        return Deals(deals=listed, complete=True)

    async def events(self, account: Account, since_ns: int) -> AsyncIterator[VenueEvent]:
        if self.away:
            raise NodeUnavailable("the node is away")
        queue: asyncio.Queue[Deal] = asyncio.Queue()
        self._listeners.append(queue)
        old = [made for made in self._deals if made.venue_time_ns >= since_ns]
        yield VenueEvent(sequence=1, incarnation="i", resync=True, facts=facts())
        sequence = 1
        for made in old:
            sequence += 1
            yield VenueEvent(sequence=sequence, incarnation="i", deal=made)
        while True:
            made = await queue.get()
            if made not in old:
                sequence += 1
                yield VenueEvent(sequence=sequence, incarnation="i", deal=made)

    async def lease(self, answers: AsyncIterator[LeaseAnswer]) -> AsyncIterator[LeaseAsk]:
        taking = asyncio.create_task(self._take(answers))
        try:
            while True:
                nonce = f"n{len(self._asked)}"
                self._asked[nonce] = self.clock.monotonic_ns()
                yield LeaseAsk(account=DEMO, nonce=nonce)
                await self.clock.sleep(0.5)
        finally:
            taking.cancel()

    async def _take(self, answers: AsyncIterator[LeaseAnswer]) -> None:
        async for answer in answers:
            if answer.granted and answer.epoch >= self.epoch:
                self._granted[answer.nonce] = self._asked[answer.nonce]
            elif not answer.granted:
                self._granted.clear()

    async def raise_epoch(self, account: Account, epoch: int) -> EpochKept:
        await self.clock.sleep(self.call_s)
        if self.away:
            raise NodeUnavailable("the node is away")
        if epoch > self.epoch:
            self.epoch = epoch
            self._granted.clear()
        return EpochKept(account=account, epoch=self.epoch, node_time_ns=self.clock.now_ns())


class Lines:
    """Keeps what was said to a person."""

    def __init__(self) -> None:
        self.said: list[tuple[str, dict[str, object]]] = []

    def info(self, event: str, **fields: object) -> None:
        self.said.append((event, fields))

    warning = error = info


class Fleet:
    """One log, one node, risk's leases, and any number of bridges."""

    def __init__(self, seed: int = 1, loss: float = 0) -> None:
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.log = MemoryLog(self.clock)
        self.bus = MemoryBus(self.clock)
        self.node = FakeNode(self.clock)
        self.lines = Lines()
        self.bridges: list[Bridge] = []
        self.logs: list[SlowLog] = []
        self.grants = True
        self._loss = loss
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> Bridge:
        """One more bridge."""
        if not self.bridges:
            await self.bus.subscribe(f"{subjects.LEASE}.*", self._lease)
        log = SlowLog(self.log.another(), self.clock, self.rng, self._loss)
        around = Surroundings(
            log=log,
            bus=self.bus.another(),
            clock=self.clock,
            writer=f"w{len(self.bridges)}",
            telemetry=NullTelemetry(),
            metrics=Metrics("bridge"),
            lines=self.lines,
        )
        bridge = Bridge(around, {"n1": self.node})
        self.bridges.append(bridge)
        self.logs.append(log)
        self._tasks.append(asyncio.create_task(bridge.run()))
        return bridge

    async def crash(self, number: int) -> None:
        """Cancel a bridge wherever it stands."""
        task = self._tasks[number]
        if task.done():
            task.result()
        task.cancel()
        await asyncio.wait([task])

    async def stop(self) -> None:
        """End everything; what failed is raised."""
        for task in [*self._tasks, *self.node._tasks]:
            if task.done() and not task.cancelled():
                task.result()
            task.cancel()
        for work in self.node._works:
            work.cancel()
        await asyncio.gather(*self._tasks, *self.node._works, return_exceptions=True)

    async def says(self, event: Event) -> None:
        """Append as somebody else, at once."""
        subject = subjects.control(DEMO)
        if type(event).__name__ == "VerdictGiven":
            subject = subjects.verdict(DEMO)
        if isinstance(event, DiscrepancyFound | DiscrepancyResolved):
            subject = subjects.reconcile(DEMO, "said", str(len(self.log.store.entries)))
        await self.log.append(
            Append(subject=subject, data=encode(event), condition=Unconditional())
        )

    def events(self, *kinds: type) -> list[Event]:
        found = [decode(entry.data) for entry in self.log.store.entries]
        return [each for each in found if isinstance(each, kinds)]

    def story(self) -> list[str]:
        """The orders' events by name, as the log has them."""
        entries = self.log.store.entries
        orders = [each for each in entries if ".order." in each.subject]
        return [type(decode(each.data)).__name__ for each in orders]

    @property
    def demo(self) -> AccountState:
        return self.bridges[-1].state.account(DEMO)

    async def _lease(self, subject: str, payload: bytes) -> bytes:
        ask = unpack(LeaseAsk, payload)
        return pack(
            LeaseAnswer(
                account=ask.account,
                nonce=ask.nonce,
                granted=self.grants,
                epoch=self.demo.control.epoch,
                reason="",
            )
        )

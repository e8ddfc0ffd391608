"""The last hop of one account: between a bridge that may repeat itself and a venue that must not.

1. An id is sent at most once. The journal takes it durably before the venue is called, and only
   the call that made the entry goes on. Whoever repeats the id gets the answer on record, waits for
   the call that is running, or hears that nobody knows. Other content under a known id is answered
   IN_DOUBT: of the order that was meant nothing is known here, and the first must not be disowned.
2. The work of an id is a task of its own. A caller that goes away does not stop it; the answer waits
   in the journal.
3. Calls for one account go one after another. The gates are asked when a submission's turn has
   come, and once more after the journal has synced, in the same step in which the call begins. So
   once an epoch is raised, or a lease dropped, no call that it bars begins.
4. A refusal is journalled before it is answered, so an id once refused is never sent. If the
   journal fails the answer is IN_DOUBT: nothing was sent, but nothing makes sure of it.
5. An id whose call was begun and which has no answer is *unresolved*; after a restart those are the
   ids found SENDING. While there is one, new risk on its symbol is refused, and so is any exit that
   could do more than close. What resolves it:
     - the venue's answer, however late;
     - evidence: a search, deal, position or working order that proves the order exists. It is
       recorded as the answer (ACCEPTED or DONE). While the call still runs it is held back, and
       becomes the answer if the call ends without one; it also outweighs a refusal by the venue,
       for what was seen exists;
     - a seal, once the call is certainly over. The order may still exist; the bridge, which asked
       for the seal, keeps its own block until it has settled the order.
   Time alone resolves nothing.
6. A seal of an unknown id is its tombstone. A seal of an id whose call has not begun stops it. A seal
   of an id whose call may run asks the venue to abandon it, and says so if that is not certain.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, replace

from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.instrument import AccountKind
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
from argos_common.domain.order import Hops
from argos_common.lasthop import answers, lease
from argos_common.lasthop.attribution import Attribution
from argos_common.lasthop.contract import NodeUnavailable, Pace, in_doubt
from argos_common.lasthop.feed import Feed
from argos_common.lasthop.gates import Moment, Refusal, Standing, Unresolved, refuse
from argos_common.lasthop.journal import AsyncJournal, Ticket, digest
from argos_common.lasthop.venue import Venue
from argos_common.runtime.clock import Clock
from argos_common.runtime.entropy import Entropy

_POSITIVE = (Result.DONE, Result.ACCEPTED)


@dataclass(frozen=True, slots=True)
class _Work:
    """A submission under way here."""

    digest: str
    task: asyncio.Task[Outcome]


@dataclass(frozen=True, slots=True)
class _Received:
    """When a submission came in, on both clocks."""

    now_ns: int
    monotonic_ns: int


class LastHop:
    """One account. `start` before use, `stop` after; `crash` is for a simulation."""

    def __init__(
        self,
        account: Account,
        venue: Venue,
        journal: AsyncJournal,
        clock: Clock,
        entropy: Entropy,
        *,
        pace: Pace | None = None,
    ) -> None:
        self.account = account
        self.pace = pace or Pace()
        self.incarnation = entropy.token(8).hex()
        self._venue = venue
        self._journal = journal
        self._clock = clock
        self._entropy = entropy
        self._kind = venue.capabilities.kind
        self._leases = lease.Leases(account=account, epoch=0)
        self._unresolved: dict[OrderId, Unresolved] = {}
        self._works: dict[OrderId, _Work] = {}
        self._calling: set[OrderId] = set()
        self._barred: set[OrderId] = set()
        self._sightings: dict[OrderId, Outcome] = {}
        self._unkept: dict[OrderId, Outcome] = {}
        self._turn = asyncio.Lock()
        self._attribution = Attribution(journal, self._kind, self._sighted)
        self._feed = Feed(venue, clock, self.incarnation, self._attribution.deal, self.pace)
        self._watch: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reads the journal and begins to watch the venue. Raises OurMistake."""
        self._leases = lease.raised(self._leases, await self._journal.epoch())
        for entry in await self._journal.unresolved():
            if entry.submission is not None:
                self._unresolved[entry.order_id] = Unresolved(
                    entry.order_id, entry.submission.symbol
                )
        self._watch = asyncio.create_task(self._feed.watch())

    async def stop(self) -> None:
        """Lets what is under way come to its end, then closes the journal."""
        while self._works:
            await asyncio.wait([work.task for work in self._works.values()])
        await self._end_watch()
        await self._journal.close()

    async def crash(self) -> None:
        """Everything under way stops where it stands and nothing more is written."""
        tasks = [work.task for work in self._works.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await self._end_watch()

    async def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None

    def ready(self) -> bool:
        """Whether the venue said a moment ago that orders can be placed."""
        return self._feed.ready()

    # Submitting.

    async def submit(self, submission: Submission) -> Outcome:
        """Sends at most once, whatever is repeated or cancelled. Raises nothing."""
        work = self._works.get(submission.order_id)
        content = digest(submission)
        if work is not None and work.digest != content:
            return answers.other_content(submission.order_id)
        if work is None:
            received = _Received(self._clock.now_ns(), self._clock.monotonic_ns())
            task = asyncio.create_task(self._work(submission, content, received))
            work = self._works[submission.order_id] = _Work(content, task)
        try:
            return await asyncio.shield(work.task)
        except asyncio.CancelledError:
            if not work.task.cancelled():
                raise  # the caller goes away, the work goes on
            return in_doubt(submission.order_id, "node_died", "the node died with it under way")

    async def _work(self, submission: Submission, content: str, received: _Received) -> Outcome:
        try:
            return await self._answer(submission, content, received)
        except OurMistake as error:  # the journal failed before the call
            return answers.journal_failed(submission.order_id, error)
        finally:
            del self._works[submission.order_id]
            self._barred.discard(submission.order_id)

    async def _answer(self, submission: Submission, content: str, received: _Received) -> Outcome:
        if self._turn.locked():  # a repeat must not wait behind other orders' calls
            entry = await self._journal.entry(submission.order_id)
            if entry is not None:
                return answers.on_record(entry, content)
        async with self._turn:
            for late in tuple(self._unkept.values()):
                await self._keep_answer(late)
                del self._unkept[late.order_id]
            refusal = self._closed_gate(submission, received)
            if refusal is not None:
                return await self._refuse(submission, content, received, refusal)
            kept = await self._journal.begin(
                submission, received_ns=received.now_ns, now_ns=self._clock.now_ns()
            )
            if not kept.fresh:
                return answers.on_record(kept.entry, content)
            hops = Hops(received_ns=received.now_ns, journaled_ns=self._clock.now_ns())
            refusal = self._closed_gate(submission, received)
            if refusal is not None:
                return await self._withdraw(submission, refusal, hops)
            return await self._call(submission, hops)

    def _closed_gate(self, submission: Submission, received: _Received) -> Refusal | None:
        if submission.order_id in self._barred:
            return answers.SEALED
        moment = Moment(
            now_ns=self._clock.now_ns(),
            monotonic_ns=self._clock.monotonic_ns(),
            received_monotonic_ns=received.monotonic_ns,
        )
        standing = Standing(
            account=self.account,
            leases=self._leases,
            unresolved=tuple(self._unresolved.values()),
            self_limiting_close=self._venue.capabilities.self_limiting_close,
        )
        return refuse(submission, moment, standing)

    async def _refuse(
        self, submission: Submission, content: str, received: _Received, refusal: Refusal
    ) -> Outcome:
        outcome = answers.refused(submission.order_id, refusal, Hops(received_ns=received.now_ns))
        kept = await self._journal.refuse(
            submission, outcome, received_ns=received.now_ns, now_ns=self._clock.now_ns()
        )
        return outcome if kept.fresh else answers.on_record(kept.entry, content)

    async def _withdraw(self, submission: Submission, refusal: Refusal, hops: Hops) -> Outcome:
        outcome = answers.refused(submission.order_id, refusal, hops)
        try:
            await self._journal.withdraw(outcome, now_ns=self._clock.now_ns())
        except OurMistake:
            self._unresolved[submission.order_id] = Unresolved(
                submission.order_id, submission.symbol
            )
            raise
        return outcome

    async def _call(self, submission: Submission, hops: Hops) -> Outcome:
        """The call. Between the last look at the gates and its first step nothing else runs."""
        order_id = submission.order_id
        self._unresolved[order_id] = Unresolved(order_id, submission.symbol)
        self._calling.add(order_id)
        called_ns = self._clock.now_ns()
        try:
            outcome = await self._venue.place(submission)
        except Exception as error:  # noqa: BLE001 - an adapter that raises has told us nothing
            outcome = in_doubt(order_id, "adapter_failed", f"the venue adapter failed: {error}")
        finally:
            self._calling.discard(order_id)
        hops = replace(hops, called_ns=called_ns, returned_ns=self._clock.now_ns())
        sighting = self._sightings.pop(order_id, None)
        if sighting is not None and outcome.result not in _POSITIVE:
            outcome = sighting
        outcome = replace(outcome, order_id=order_id, hops=hops, by_node=False)
        try:
            return await self._keep_answer(outcome)
        except OurMistake:
            # True, though not on record. Whoever asked is content and asks no more, so it is kept
            # here later; till then a repeat is answered IN_DOUBT and the id blocks its symbol.
            self._unkept[order_id] = outcome
            if outcome.result is Result.REFUSED:
                # Else a crash would leave an id unresolved that nobody asks for any more.
                return answers.refusal_not_kept(order_id)
            return outcome

    async def _keep_answer(self, outcome: Outcome) -> Outcome:
        """The answer on record from now on, which is this one unless there was one before."""
        positions, now_ns = self._kind is AccountKind.HEDGING, self._clock.now_ns()
        kept = await self._journal.answer(outcome, positions=positions, now_ns=now_ns)
        if not kept.entry.unresolved:
            self._unresolved.pop(outcome.order_id, None)
        return outcome if kept.fresh else answers.on_record(kept.entry)

    async def _sighted(self, outcome: Outcome) -> None:
        """Something at the venue proves that this order exists."""
        if outcome.order_id in self._calling:
            known = self._sightings.get(outcome.order_id)
            if known is None or outcome.result is Result.DONE:
                self._sightings[outcome.order_id] = outcome
        elif outcome.order_id in self._unresolved:
            await self._keep_answer(outcome)

    # Evidence and seals.

    async def find(self, question: Question) -> Evidence:
        """Searches the venue and the journal. Raises OurMistake if the journal cannot be read."""
        running = question.order_id in self._works
        try:
            evidence = await self._venue.search(question)
        except NodeUnavailable as error:
            evidence = answers.nothing_found(question.order_id, str(error), self._clock.now_ns())
        if evidence.found and evidence.method == "fingerprint":
            sentence = await self._not_it(question.order_id, evidence.venue_order_id)
            if sentence:
                evidence = answers.not_it(evidence, sentence)
        if evidence.found:
            await self._found(answers.of_evidence(evidence))
        running = running or question.order_id in self._works
        entry = await self._journal.entry(question.order_id)
        return answers.with_record(evidence, entry, running=running)

    async def _not_it(self, order_id: OrderId, venue_order_id: str) -> str:
        """Why what only looks like the order (another program's may) is not it; else empty."""
        owner = await self._journal.order_of(Ticket.ORDER, venue_order_id)
        if owner is not None and owner != order_id:
            return f"what looks like it is order {owner}"
        entry = await self._journal.entry(order_id)
        if entry is None or entry.state in (Journaled.REFUSED, Journaled.SEALED):
            return "what looks like it is somebody else's, for it was never sent from here"
        return ""  # it was sent, for the journal has every id before it leaves

    async def _found(self, outcome: Outcome) -> None:
        if outcome.order_id in self._calling:
            await self._sighted(outcome)
        else:
            await self._keep_answer(outcome)  # also for an id that was sealed and so unblocked

    async def seal(self, order_id: OrderId) -> Seal:
        """Makes sure that the id is never sent from now on. Raises OurMistake."""
        waiting = self._works.get(order_id) if order_id not in self._calling else None
        if waiting is not None:
            self._barred.add(order_id)
        entry = (await self._journal.seal(order_id, now_ns=self._clock.now_ns())).entry
        if entry.state is Journaled.SENDING and waiting is not None:
            await asyncio.wait([waiting.task])  # it meets the bar, and writes down that it did
            entry = await self._journal.entry(order_id) or entry
        if entry.state is Journaled.SENDING:
            if not await self._venue.abandon(order_id):
                return answers.seal_of(
                    order_id,
                    self._clock.now_ns(),
                    sentence="the call to the venue may still be running",
                )
            entry = (await self._journal.returned(order_id, now_ns=self._clock.now_ns())).entry
            if not entry.unresolved:
                self._unresolved.pop(order_id, None)
        match entry.state:
            case Journaled.SEALED | Journaled.REFUSED:
                return answers.seal_of(order_id, self._clock.now_ns(), sealed=True, never_sent=True)
            case Journaled.ANSWERED:
                return answers.seal_of(
                    order_id, self._clock.now_ns(), sealed=True, sentence="the venue answered it"
                )
            case Journaled.SENDING:
                return answers.seal_of(
                    order_id,
                    self._clock.now_ns(),
                    sealed=True,
                    sentence="sent, and the call is over",
                )
            case Journaled.NOTHING:
                return answers.seal_of(
                    order_id, self._clock.now_ns(), sentence="the journal did not keep the seal"
                )

    # Epoch and leases.

    async def raise_epoch(self, epoch: int) -> EpochKept:
        """From this moment nothing older that adds risk begins; durable when it returns."""
        self._leases = lease.raised(self._leases, epoch)
        kept = await self._journal.raise_epoch(epoch)
        return EpochKept(account=self.account, epoch=kept, node_time_ns=self._clock.now_ns())

    def ask_lease(self) -> LeaseAsk:
        """A new question to risk; the lease counts from now."""
        nonce = self._entropy.token(8).hex()
        self._leases = lease.ask(self._leases, nonce, self._clock.monotonic_ns())
        return LeaseAsk(account=self.account, nonce=nonce)

    async def take_lease(self, answer: LeaseAnswer) -> None:
        """Risk's answer. Raises OurMistake if a newer epoch in it cannot be kept."""
        if answer.epoch > self._leases.epoch:
            if not answer.granted:
                self._leases = lease.answered(self._leases, answer)
            await self.raise_epoch(answer.epoch)
        self._leases = lease.answered(self._leases, answer)

    def lease_live(self, nonce: str) -> bool:
        """Whether new risk may rely on this lease now."""
        return lease.live(self._leases, nonce, self._clock.monotonic_ns())

    # Passing on what the venue shows.

    async def snapshot(self) -> Snapshot:
        """Raises NodeUnavailable."""
        snapshot = await self._attribution.snapshot(await self._venue.snapshot())
        return replace(snapshot, epoch=self._leases.epoch, incarnation=self.incarnation)

    async def deals(self, since_ns: int) -> Deals:
        """Raises NodeUnavailable."""
        listed = await self._venue.deals(since_ns)
        return replace(
            listed, deals=tuple([await self._attribution.deal(deal) for deal in listed.deals])
        )

    def events(self, since_ns: int) -> AsyncGenerator[VenueEvent]:
        """One numbered stream; see `Node.events`."""
        return self._feed.stream(since_ns)

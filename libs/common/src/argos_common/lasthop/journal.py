"""The node's own record of one account: what it began to send, refused, was answered.

Rules:
1. One entry per order id. `Journaled` is its state, and `TABLE` says how it may change. An absent
   row changes nothing: the entry as it stands is given back, and that is the answer to a repeat.
2. An entry is made once: BEGIN, REFUSE or SEAL, whichever comes first. So an id once refused or
   sealed is never sent, and one once begun is never begun again.
3. The first answer stands. An outcome IN_DOUBT is not an answer: it is kept, and the id stays
   SENDING until an answer or evidence comes.
4. WITHDRAW: begun, but a gate closed between the journal's sync and the call, so the venue was
   never called. Only the process that began it knows that, and says so before anything else.
5. RETURNED: an id whose call is over, sealed by the bridge. It stays SENDING, for it was sent, but
   no longer counts as unresolved; the bridge's own gate holds until it has settled the order.
6. The epoch only rises. It, and every step, is durable when the method returns.

A ticket is a venue's id for an order or a position; the first order that it is recorded for keeps
it. Entries are never deleted.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache

from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import OrderId
from argos_common.domain.node import Journaled, Outcome, Result, Submission
from argos_common.lasthop.ports import Offload, direct
from argos_common.wire.codec import pack


class JournalFailed(OurMistake):
    """The journal could not be written or read: nothing may be sent until it can."""


class Ticket(Enum):
    """What a venue's id names."""

    ORDER = "order"
    POSITION = "position"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One order id. Times are the node's wall clock; 0 if it has not happened.

    `digest` is empty and `submission` None if the id was sealed before it was ever submitted.
    """

    order_id: OrderId
    state: Journaled
    digest: str = ""
    submission: Submission | None = None
    outcome: Outcome | None = None
    received_ns: int = 0
    journaled_ns: int = 0
    answered_ns: int = 0
    sealed_ns: int = 0

    @property
    def unresolved(self) -> bool:
        """Sent, nobody knows what became of it, and nobody has sealed it."""
        return self.state is Journaled.SENDING and not self.sealed_ns


@dataclass(frozen=True, slots=True)
class Kept:
    """The entry as it stands now. `fresh`: this very call changed it."""

    entry: Entry
    fresh: bool


class Step(Enum):
    BEGIN = 1
    REFUSE = 2
    SEAL = 3
    WITHDRAW = 4
    DOUBT = 5
    ANSWER = 6
    RETURNED = 7


J = Journaled
TABLE: dict[tuple[Journaled, Step], Journaled] = {
    (J.NOTHING, Step.BEGIN): J.SENDING,
    (J.NOTHING, Step.REFUSE): J.REFUSED,
    (J.NOTHING, Step.SEAL): J.SEALED,
    (J.SENDING, Step.WITHDRAW): J.REFUSED,
    (J.SENDING, Step.DOUBT): J.SENDING,
    (J.SENDING, Step.ANSWER): J.ANSWERED,
    (J.SENDING, Step.RETURNED): J.SENDING,
}


@lru_cache(maxsize=64)  # asked for twice in a row
def digest(submission: Submission) -> str:
    """The same for the same order, whatever budget, lease, epoch, trace and claim it comes with."""
    facts = replace(submission, budget_ns=0, epoch=0, lease="", trace_parent="", claim=b"")
    return hashlib.blake2b(pack(facts), digest_size=16).hexdigest()


class Journal(ABC):
    """The rules above; where the entries are kept is for the subclass. Raises JournalFailed."""

    def begin(self, submission: Submission, *, received_ns: int, now_ns: int) -> Kept:
        """The venue is about to be called. Only a `fresh` answer allows it."""
        return self._step(
            Step.BEGIN,
            submission.order_id,
            lambda entry: _submitted(entry, submission, received_ns, now_ns),
        )

    def refuse(
        self, submission: Submission, outcome: Outcome, *, received_ns: int, now_ns: int
    ) -> Kept:
        """The node refuses; the id will never be sent."""
        return self._step(
            Step.REFUSE,
            submission.order_id,
            lambda entry: replace(
                _submitted(entry, submission, received_ns, now_ns),
                outcome=outcome,
                answered_ns=now_ns,
            ),
        )

    def withdraw(self, outcome: Outcome, *, now_ns: int) -> Kept:
        """Begun by this process, not called: refused after all."""
        return self._step(
            Step.WITHDRAW,
            outcome.order_id,
            lambda entry: replace(entry, outcome=outcome, answered_ns=now_ns),
        )

    def answer(self, outcome: Outcome, *, positions: bool, now_ns: int) -> Kept:
        """What the venue said, or evidence shows. `positions`: a position id names one order's."""
        step = Step.DOUBT if outcome.result is Result.IN_DOUBT else Step.ANSWER
        answered_ns = 0 if step is Step.DOUBT else now_ns
        with self.transaction():
            kept = self._step(
                step,
                outcome.order_id,
                lambda entry: replace(entry, outcome=outcome, answered_ns=answered_ns),
            )
            if kept.fresh and outcome.venue_order_id:
                self._store_ticket(Ticket.ORDER, outcome.venue_order_id, outcome.order_id)
            if kept.fresh and positions and outcome.venue_position_id:
                self._store_ticket(Ticket.POSITION, outcome.venue_position_id, outcome.order_id)
        return kept

    def seal(self, order_id: OrderId, *, now_ns: int) -> Kept:
        """If nothing is known of the id, it will never be sent."""
        return self._step(Step.SEAL, order_id, lambda entry: replace(entry, sealed_ns=now_ns))

    def returned(self, order_id: OrderId, *, now_ns: int) -> Kept:
        """The call for it is certainly over, and the bridge has sealed it."""
        return self._step(Step.RETURNED, order_id, lambda entry: replace(entry, sealed_ns=now_ns))

    def entry(self, order_id: OrderId) -> Entry | None:
        return self._load(order_id)

    def order_of(self, ticket: Ticket, venue_id: str) -> OrderId | None:
        """Which order the venue's id was recorded for."""
        return self._load_ticket(ticket, venue_id) if venue_id else None

    def raise_epoch(self, epoch: int) -> int:
        """The epoch as it stands afterwards."""
        with self.transaction():
            kept = self.epoch()
            if epoch > kept:
                self._store_epoch(epoch)
        return max(kept, epoch)

    def _step(self, step: Step, order_id: OrderId, change: Callable[[Entry], Entry]) -> Kept:
        with self.transaction():
            entry = self._load(order_id) or Entry(order_id=order_id, state=Journaled.NOTHING)
            state = TABLE.get((entry.state, step))
            if state is None:
                return Kept(entry, fresh=False)
            entry = replace(change(entry), state=state)
            self._store(entry)
        return Kept(entry, fresh=True)

    @abstractmethod
    def epoch(self) -> int: ...

    @abstractmethod
    def unanswered(self) -> tuple[Entry, ...]:
        """Sent, and no answer on record, sealed or not; in the order in which they were begun."""

    def unresolved(self) -> tuple[Entry, ...]:
        """Those of the unanswered that nobody has sealed."""
        return tuple(entry for entry in self.unanswered() if entry.unresolved)

    @abstractmethod
    def submitted(self) -> tuple[Entry, ...]:
        """Every id that came with a submission, in the order in which they came."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def transaction(self) -> AbstractContextManager[None]:
        """All of it or nothing, durable at the end. One inside another is part of it."""

    @abstractmethod
    def _load(self, order_id: OrderId) -> Entry | None: ...

    @abstractmethod
    def _store(self, entry: Entry) -> None: ...

    @abstractmethod
    def _load_ticket(self, ticket: Ticket, venue_id: str) -> OrderId | None: ...

    @abstractmethod
    def _store_ticket(self, ticket: Ticket, venue_id: str, order_id: OrderId) -> None: ...

    @abstractmethod
    def _store_epoch(self, epoch: int) -> None: ...


def _submitted(entry: Entry, submission: Submission, received_ns: int, now_ns: int) -> Entry:
    return replace(
        entry,
        digest=digest(submission),
        submission=submission,
        received_ns=received_ns,
        journaled_ns=now_ns,
    )


class MemoryJournal(Journal):
    """In memory, for a simulation: it outlives a simulated crash because its owner keeps it."""

    def __init__(self) -> None:
        self._entries: dict[OrderId, Entry] = {}
        self._tickets: dict[tuple[Ticket, str], OrderId] = {}
        self._epoch = 0

    def epoch(self) -> int:
        return self._epoch

    def unanswered(self) -> tuple[Entry, ...]:
        return tuple(e for e in self._entries.values() if e.state is Journaled.SENDING)

    def submitted(self) -> tuple[Entry, ...]:
        return tuple(each for each in self._entries.values() if each.submission is not None)

    def close(self) -> None:
        """Nothing to let go of."""

    def transaction(self) -> AbstractContextManager[None]:
        return nullcontext()

    def _load(self, order_id: OrderId) -> Entry | None:
        return self._entries.get(order_id)

    def _store(self, entry: Entry) -> None:
        self._entries[entry.order_id] = entry

    def _load_ticket(self, ticket: Ticket, venue_id: str) -> OrderId | None:
        return self._tickets.get((ticket, venue_id))

    def _store_ticket(self, ticket: Ticket, venue_id: str, order_id: OrderId) -> None:
        self._tickets.setdefault((ticket, venue_id), order_id)

    def _store_epoch(self, epoch: int) -> None:
        self._epoch = epoch


class AsyncJournal:
    """A journal as the event loop uses it: every call is handed to `offload`, one after another."""

    def __init__(self, journal: Journal, offload: Offload = direct) -> None:
        self._journal = journal
        self._offload = offload

    async def begin(self, submission: Submission, *, received_ns: int, now_ns: int) -> Kept:
        return await self._offload(
            lambda: self._journal.begin(submission, received_ns=received_ns, now_ns=now_ns)
        )

    async def refuse(
        self, submission: Submission, outcome: Outcome, *, received_ns: int, now_ns: int
    ) -> Kept:
        return await self._offload(
            lambda: self._journal.refuse(
                submission, outcome, received_ns=received_ns, now_ns=now_ns
            )
        )

    async def withdraw(self, outcome: Outcome, *, now_ns: int) -> Kept:
        return await self._offload(lambda: self._journal.withdraw(outcome, now_ns=now_ns))

    async def answer(self, outcome: Outcome, *, positions: bool, now_ns: int) -> Kept:
        return await self._offload(
            lambda: self._journal.answer(outcome, positions=positions, now_ns=now_ns)
        )

    async def seal(self, order_id: OrderId, *, now_ns: int) -> Kept:
        return await self._offload(lambda: self._journal.seal(order_id, now_ns=now_ns))

    async def returned(self, order_id: OrderId, *, now_ns: int) -> Kept:
        return await self._offload(lambda: self._journal.returned(order_id, now_ns=now_ns))

    async def entry(self, order_id: OrderId) -> Entry | None:
        return await self._offload(lambda: self._journal.entry(order_id))

    async def order_of(self, ticket: Ticket, venue_id: str) -> OrderId | None:
        return await self._offload(lambda: self._journal.order_of(ticket, venue_id))

    async def unanswered(self) -> tuple[Entry, ...]:
        return await self._offload(self._journal.unanswered)

    async def unresolved(self) -> tuple[Entry, ...]:
        return await self._offload(self._journal.unresolved)

    async def epoch(self) -> int:
        return await self._offload(self._journal.epoch)

    async def raise_epoch(self, epoch: int) -> int:
        return await self._offload(lambda: self._journal.raise_epoch(epoch))

    async def close(self) -> None:
        await self._offload(self._journal.close)

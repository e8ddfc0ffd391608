"""What the next generation of the log holds after a restore (ADR 10).

Known are a copy of the log, older than it was; the ledger, which keeps the bytes of every entry; and
the journals of the nodes, which keep the claim of every order that reached one.

1. Copy and ledger are beginnings of the same log. What one of them has stands where it stood, with
   its bytes and its time. Where both have an entry it is the same, or nothing is done.
2. Places beyond, up to the highest that a journal names, are kept by `EntryLost`. So no epoch or
   sequence that a node remembers means something else, and what comes now is newer than all of it.
3. An order that only a journal knows is put back: its claim byte for byte, under a verdict that has
   its cause and its leg if the verdict is lost too. Nobody holds an ack of that claim, so nobody
   sends it; its cause has its verdict, so nobody judges it again.
4. What the venue answered, as far as the journal has it, is put on record. What has no answer is an
   order like any other: the watcher doubts it, and evidence ends it.
5. Every account is killed. The end is `LogRestored`; a generation without it is not whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.control import KillEngaged, Scope
from argos_common.domain.errors import OurMistake
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId, SignalId, Symbol, TradeId
from argos_common.domain.node import Outcome
from argos_common.domain.order import OrderInDoubt, OrderSubmitting
from argos_common.domain.restore import EntryLost, LogRestored
from argos_common.domain.verdict import Change, Decision, Effect, Facts, Leg, Origin, VerdictGiven
from argos_common.runtime.log import Entry
from argos_common.wire import subjects

from argos_bridge.core.outcome import of_outcome
from argos_bridge.core.state import BridgeState, ReadConfig
from argos_bridge.core.step import once_id

PLACES_MAX = 1_000_000
ZERO = Decimal(0)
Read = tuple[Entry, Event | None]
"""An entry and what it says; None if it cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An order in a node's journal. `raw`: its claim's bytes; `claim` None: they cannot be read."""

    order_id: OrderId
    raw: bytes
    claim: OrderSubmitting | None
    outcome: Outcome | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJournal:
    """What a node remembers of one account; `kept` in the order in which it came."""

    account: Account
    epoch: int
    kept: tuple[Kept, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Entries from 1, without a gap; `from_ledger` of them only the ledger had."""

    entries: tuple[Entry, ...]
    from_ledger: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who restores which generation into which, why and when."""

    before: str
    generation: str
    actor: str
    reason: str
    now_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """One entry of the new generation; an event of ours, or bytes as they were (`appended_ns`)."""

    subject: str
    content: Event | bytes
    once_id: str = ""
    appended_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole new generation, and what its last entry says of it."""

    puts: tuple[Put, ...]
    restored: LogRestored


def next_generation(*known: str) -> str:
    """The name after all of these."""
    numbers = [int(found[1]) for each in known if (found := re.search(r"(\d+)\Z", each))]
    stem = re.sub(r"\d+\Z", "", known[0])
    return f"{stem}{max(numbers, default=1) + 1}"


def joined(copy: Iterable[Entry], ledger: Iterable[Entry], up_to: int = 0) -> Joined:
    """All that either knows. `up_to`: go on without what comes after it, for what follows is lost.

    Raises OurMistake if they contradict each other, or if an entry is in neither.
    """
    known = {entry.sequence: entry for entry in copy}
    copied = frozenset(known)
    for entry in ledger:
        other = known.setdefault(entry.sequence, entry)
        if (other.subject, other.data) != (entry.subject, entry.data):
            raise OurMistake(
                f"the copy of the log and the ledger contradict each other at entry"
                f" {entry.sequence}: they are not of the same log; put back the copy that belongs"
                " to this ledger, or take the ledger away"
            )
    whole = next((at for at in range(1, len(known) + 1) if at not in known), len(known) + 1) - 1
    last = max(known, default=0)
    if whole == last and up_to:
        raise OurMistake(f"no entry up to {last} is missing: restore without --up-to")
    if whole < last and up_to != whole:
        raise OurMistake(
            f"entry {whole + 1} is in neither the copy nor the ledger, though entry {last} is: put"
            f" back a copy that has it, or go on without all that follows with --up-to {whole}"
        )
    entries = tuple(known[at] for at in range(1, whole + 1))
    from_ledger = sum(1 for entry in entries if entry.sequence not in copied)
    return Joined(entries=entries, from_ledger=from_ledger)


def losses(known: Joined, copy_last: int, journals: Sequence[NodeJournal]) -> tuple[str, ...]:
    """What shows that the copy is not all of the log, a sentence each."""
    found = []
    if known.from_ledger:
        found.append(f"the ledger has {known.from_ledger} entries that the copy has not")
    if copy_last > len(known.entries):
        found.append(f"entry {len(known.entries) + 1} is gone from the copy")
    recorded = {entry.subject for entry in known.entries}
    for journal in journals:
        account = journal.account
        orders = [k for k in journal.kept if subjects.order(account, k.order_id, 1) not in recorded]
        if orders:
            found.append(f"the node of {account} knows {len(orders)} orders that are not on record")
        if journal.epoch > len(known.entries):
            found.append(f"the node of {account} keeps epoch {journal.epoch}")
    return tuple(found)


def plan(
    known: Joined,
    events: Sequence[Event | None],
    journals: Sequence[NodeJournal],
    asked: Asked,
    read_config: ReadConfig,
    without_journal: Sequence[Account] = (),
) -> Plan:
    """The new generation. `events`: what each known entry says. Raises OurMistake."""
    writing = _Writing(asked, read_config)
    for entry, event in zip(known.entries, events, strict=True):
        writing.keep(entry, event)
    highest = max((_highest(journal) for journal in journals), default=0)
    places = max(0, highest - len(known.entries))
    if places > PLACES_MAX:
        raise OurMistake(
            f"a journal names entry {highest}, but only {len(known.entries)} are known: it is that"
            " of another fleet, or the copy is of one"
        )
    for _ in range(places):
        writing.put(subjects.restore(asked.generation), EntryLost(generation=asked.before))
    for journal in journals:
        for kept in journal.kept:
            writing.put_back(journal, kept)
    for account in sorted({*writing.state.accounts, *(each.account for each in journals)}):
        writing.put(subjects.control(account), _kill(account, asked))
    restored = LogRestored(
        generation=asked.generation,
        before=asked.before,
        actor=asked.actor,
        reason=asked.reason,
        restored_at_ns=asked.now_ns,
        last_known=len(known.entries),
        from_copy=len(known.entries) - known.from_ledger,
        from_ledger=known.from_ledger,
        places_lost=places,
        put_back=tuple(writing.back),
        unexplained=tuple(writing.unexplained),
        without_journal=tuple(without_journal),
    )
    writing.put(subjects.restore(asked.generation), restored)
    return Plan(puts=tuple(writing.puts), restored=restored)


def _highest(journal: NodeJournal) -> int:
    """The highest log sequence that a node remembers."""
    claims = [kept.claim for kept in journal.kept if kept.claim is not None]
    named = [max(c.control_sequence, c.epoch, c.verdict_sequence) for c in claims]
    return max([journal.epoch, *named])


def _kill(account: Account, asked: Asked) -> KillEngaged:
    return KillEngaged(
        account=account,
        scope=Scope.FLEET,
        actor=asked.actor,
        reason=f"the log was restored: {asked.reason}",
        request_id=f"restore-{asked.generation}",
        asked_at_ns=asked.now_ns,
    )


@dataclass(slots=True)
class _Writing:
    """The new generation as it grows, and what it adds up to."""

    asked: Asked
    read_config: ReadConfig
    state: BridgeState = field(default_factory=BridgeState)
    puts: list[Put] = field(default_factory=list)
    back: list[OrderId] = field(default_factory=list)
    unexplained: list[OrderId] = field(default_factory=list)
    recorded: set[str] = field(default_factory=set)
    judged: set[tuple[Account, SignalId]] = field(default_factory=set)
    worth: dict[tuple[Account, Symbol], Decimal] = field(default_factory=dict)
    """What one unit of a symbol was worth at its last verdict, in the account's currency."""

    def keep(self, entry: Entry, event: Event | None) -> None:
        """An entry as it was."""
        number_one = entry.subject.startswith(f"{subjects.PREFIX}order.") and (
            entry.subject.endswith(".1")
        )
        once = once_id(OrderId(entry.subject.split(".")[-2])) if number_one else ""
        self._take(entry.subject, event, entry.appended_ns)
        self.puts.append(
            Put(
                subject=entry.subject,
                content=entry.data,
                once_id=once,
                appended_ns=entry.appended_ns,
            )
        )

    def put(self, subject: str, event: Event, *, raw: bytes = b"", once: str = "") -> None:
        """An entry of ours."""
        self._take(subject, event, self.asked.now_ns)
        self.puts.append(Put(subject=subject, content=raw or event, once_id=once))

    def put_back(self, journal: NodeJournal, kept: Kept) -> None:
        """An order as the journal knows it, as far as it is not on record."""
        account = journal.account
        first = subjects.order(account, kept.order_id, 1)
        if first not in self.recorded:
            claim = kept.claim
            if claim is None:
                self.unexplained.append(kept.order_id)
                return
            if (account, claim.cause_id) not in self.judged:
                self.put(subjects.verdict(account), self._verdict(journal, claim))
            self.put(first, claim, raw=kept.raw, once=once_id(kept.order_id))
            self.back.append(kept.order_id)
        order = self.state.account(account).book.orders.get(kept.order_id)
        if order is None or kept.outcome is None:
            return
        event = of_outcome(
            self.state.account(account), order, kept.outcome, self.asked.now_ns, "journal"
        )
        if event is not None and not isinstance(event, OrderInDoubt):
            self.put(subjects.order(account, kept.order_id, order.next_number), event)

    def _take(self, subject: str, event: Event | None, at_ns: int) -> None:
        sequence = len(self.puts) + 1
        self.recorded.add(subject)
        if event is None:
            self.state.fold_unreadable(sequence, subject)
            return
        self.state.fold(sequence, at_ns, event, self.read_config)
        if isinstance(event, VerdictGiven):
            self.judged.add((event.account, event.cause_id))
            facts = event.facts
            if facts.instrument is not None and facts.bid is not None and facts.ask is not None:
                unit = facts.instrument.contract_size * facts.instrument.quote_to_account
                self.worth[event.account, event.symbol] = unit * max(facts.bid, facts.ask)

    def _verdict(self, journal: NodeJournal, claim: OrderSubmitting) -> VerdictGiven:
        """The lost verdict, as all claims of its cause tell it."""
        account, control = journal.account, self.state.account(journal.account).control
        of_leg: dict[tuple[TradeId, int], list[tuple[OrderSubmitting, Decimal]]] = {}
        for each in journal.kept:
            if each.claim is not None and each.claim.cause_id == claim.cause_id:
                filled = each.outcome.filled_quantity if each.outcome else ZERO
                key = (each.claim.trade_id, each.claim.leg)
                of_leg.setdefault(key, []).append((each.claim, filled))
        legs = tuple(self._leg(account, claims) for claims in of_leg.values())
        return VerdictGiven(
            account=account,
            cause_id=claim.cause_id,
            origin=Origin.RESTORE,
            strategy=claim.strategy,
            bot_version=claim.bot_version,
            symbol=claim.symbol,
            decision=Decision.APPROVED,
            change=Change.NONE,
            reason="Put back by a restore, from the claims in the node's journal.",
            legs=legs,
            rules=(),
            facts=Facts(now_ns=claim.claimed_at_ns),
            config_hash=control.config_hash,
            control_sequence=control.sequence,
            epoch=control.epoch,
            folded_sequence=len(self.puts),
            trade_id=claim.trade_id,
            trace_parent=claim.trace_parent,
        )

    def _leg(self, account: Account, claims: Sequence[tuple[OrderSubmitting, Decimal]]) -> Leg:
        """What was approved at least. `claims` of the leg, in order, with what each filled.

        An attempt was for what was left of its part: so it and what came before it were approved.
        """
        first = claims[0][0]
        least: dict[int, Decimal] = {}
        filled: dict[int, Decimal] = {}
        for claim, done in claims:
            before = filled.get(claim.part, ZERO)
            least[claim.part] = max(least.get(claim.part, ZERO), before + claim.quantity)
            filled[claim.part] = before + done
        quantity = sum(least.values(), ZERO)
        opens = first.effect is Effect.OPEN
        unit = self.worth.get((account, first.symbol), ZERO)
        return Leg(
            leg=first.leg,
            trade_id=first.trade_id,
            effect=first.effect,
            side=first.side,
            quantity=quantity,
            deadline_ns=max(claim.deadline_ns for claim, _ in claims),
            stop_price=first.stop_price,
            take_profit_price=first.take_profit_price,
            reserved_value=unit * quantity if opens else ZERO,
        )

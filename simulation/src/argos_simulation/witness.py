"""The witness: sees every entry of the log and every call to a venue, truthfully, as it happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from argos_common.domain.book import Book
from argos_common.domain.control import AccountControl, Control, fold_control
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId, TradeId
from argos_common.domain.node import Submission
from argos_common.domain.order import (
    LATE,
    TABLE,
    Kind,
    OrderAbsent,
    OrderEvent,
    OrderPresumedAbsent,
    OrderSealed,
    OrderState,
    OrderSubmitting,
    kind_of,
)
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import Effect, VerdictGiven
from argos_common.lasthop.lease import TTL_NS
from argos_common.runtime.clock import Clock
from argos_common.runtime.log import Entry
from argos_common.testing.memory_log import MemoryStore
from argos_common.wire import codec, subjects
from argos_risk.core.lease import CONFIRMED_MAX_NS

from argos_simulation import fleet
from argos_simulation.invariants import Verdict

MAY_BE_HELD = frozenset(
    {OrderState.SUBMITTING, OrderState.WORKING, OrderState.PARTLY_FILLED, OrderState.IN_DOUBT}
)


@dataclass(slots=True)
class Witness:
    """`tell` writes the story; `now_ns` is true time."""

    verdict: Verdict
    now_ns: Callable[[], int]
    now_s: Callable[[], float]
    tell: Callable[[str], None]
    books: dict[Account, Book] = field(default_factory=dict)
    controls: dict[Account, AccountControl] = field(default_factory=dict)
    killed_at_ns: dict[Account, int] = field(default_factory=dict)
    signals: dict[str, SignalAccepted] = field(default_factory=dict)
    routes: dict[str, tuple[Account, ...]] = field(default_factory=dict)
    """Signal -> the accounts it concerns: those configured for its strategy when it came."""
    verdicts: dict[tuple[str, Account], int] = field(default_factory=dict)
    claims: dict[OrderId, OrderSubmitting] = field(default_factory=dict)
    calls: Counter[OrderId] = field(default_factory=Counter)
    never_sent: dict[OrderId, None] = field(default_factory=dict)
    deals: Counter[tuple[Account, str]] = field(default_factory=Counter)
    events: list[tuple[Entry, Event]] = field(default_factory=list)
    entry_side: dict[tuple[Account, TradeId], int] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)

    def check(self, number: int, detail: str = "", *, holds: bool) -> None:
        """One evaluation, now."""
        self.verdict.check(number, holds=holds, at_s=self.now_s(), detail=detail)
        if not holds:
            self.tell(f"VIOLATION {number}: {detail}")

    def book(self, account: Account) -> Book:
        """The account's book, folded from the log alone."""
        if account not in self.books:
            self.books[account] = Book(account=account)
        return self.books[account]

    # --- the log

    def entry(self, entry: Entry) -> None:
        """An entry was stored."""
        event = codec.decode(entry.data)
        self.events.append((entry, event))
        self.tell(
            f"log {entry.sequence} {entry.subject.removeprefix(subjects.PREFIX)} {_brief(event)}"
        )
        match event:
            case SignalAccepted():
                self.signals[event.signal_id] = event
                self.routes[event.signal_id] = self._concerned(event)
            case VerdictGiven():
                self._verdict(entry, event)
            case DealRecorded():
                self._deal(event)
            case _ if isinstance(event, Control):
                self._control(entry, event)
            case _ if isinstance(event, OrderEvent):
                self._order(entry, event)
            case _:
                pass

    def _concerned(self, signal: SignalAccepted) -> tuple[Account, ...]:
        return tuple(
            account
            for account in fleet.routed(signal.strategy)
            if account in self.controls and self.controls[account].config_hash
        )

    def _verdict(self, entry: Entry, event: VerdictGiven) -> None:
        key = (event.cause_id, event.account)
        self.verdicts[key] = self.verdicts.get(key, 0) + 1
        self.check(7, f"cause {event.cause_id} on {event.account}", holds=self.verdicts[key] == 1)
        self.book(event.account).fold_verdict(entry.sequence, event)
        for leg in event.legs:
            if leg.effect is Effect.OPEN:
                self.entry_side.setdefault((event.account, leg.trade_id), leg.side.sign)

    def _control(self, entry: Entry, event: Control) -> None:
        before = self.controls.get(event.account, AccountControl())
        after = fold_control(before, entry.sequence, event)
        self.controls[event.account] = after
        if after.killed and not before.killed:
            self.killed_at_ns[event.account] = self.now_ns()
        elif not after.killed:
            self.killed_at_ns.pop(event.account, None)
        for signal in self.signals.values():
            if not self.routes[signal.signal_id]:  # it waited for the first account that lists it
                self.routes[signal.signal_id] = self._concerned(signal)

    def _order(self, entry: Entry, event: OrderEvent) -> None:
        book = self.book(event.account)
        known = book.orders.get(event.order_id)
        state = known.state if known else OrderState.NEW
        if known is None and event.order_id in book.remembered:
            state = OrderState.FILLED  # an order of an ended trade; only a late fill may come
        kind = kind_of(event)
        self.check(
            10,
            f"order {event.order_id}: {type(event).__name__} while {state.name}",
            holds=(state, kind) in TABLE,
        )
        if isinstance(event, OrderSubmitting):
            self._claim(event)
        if isinstance(event, OrderSealed) and event.never_sent:
            self.never_sent[event.order_id] = None
            self.check(11, f"order {event.order_id} was sent", holds=not self.calls[event.order_id])
        if state is OrderState.IN_DOUBT and known is not None:
            settled = isinstance(event, OrderPresumedAbsent) and known.sealed
            never = isinstance(event, OrderAbsent) and known.sealed and known.never_sent
            evidence = not isinstance(event, OrderPresumedAbsent | OrderAbsent)
            self.check(21, f"order {event.order_id}: {event}", holds=settled or never or evidence)
        oddity = book.fold_order(event, entry.appended_ns)
        if oddity:
            self.oddities.append(oddity)
            if state in LATE and kind in (Kind.PART, Kind.DONE, Kind.ACKNOWLEDGED):
                self.tell(f"late: {oddity}")

    def _claim(self, event: OrderSubmitting) -> None:
        self.claims.setdefault(event.order_id, event)
        if event.effect is Effect.OPEN:
            control = self.controls.get(event.account, AccountControl())
            self.check(
                5,
                f"order {event.order_id} claimed under control {event.control_sequence},"
                f" newest is {control.sequence}, killed: {control.killed}",
                holds=not control.killed and event.control_sequence == control.sequence,
            )
        book = self.book(event.account)
        trade = book.trades.get(event.trade_id)
        view = trade.legs.get(event.leg) if trade else None
        held = [
            order_id
            for order_id in (view.orders if view else ())
            if book.orders[order_id].part == event.part
            and book.orders[order_id].state in MAY_BE_HELD
        ]
        self.check(20, f"order {event.order_id} beside {held}", holds=not held)

    def _deal(self, event: DealRecorded) -> None:
        deal = event.deal
        self.deals[event.account, deal.deal_id] += 1
        book = self.book(event.account)
        book.fold_deal(event)
        trade = book.trades.get(event.trade_id)
        side = self.entry_side.get((event.account, event.trade_id))
        if trade is not None and side is not None:
            self.check(
                18,
                f"trade {event.trade_id} on {event.account} holds {trade.position}",
                holds=trade.position * side >= 0,
            )

    # --- the venues

    def placing(self, submission: Submission) -> None:
        """A last hop begins to call its venue."""
        order_id = submission.order_id
        self.tell(f"venue call {submission.account} {order_id} {submission.effect.name}")
        self.calls[order_id] += 1
        self.check(1, f"order {order_id} on {submission.account}", holds=self.calls[order_id] == 1)
        claim = self.claims.get(order_id)
        self.check(
            3,
            f"order {order_id}: {submission}",
            holds=claim is not None
            and (claim.account, claim.side, claim.quantity, claim.effect)
            == (submission.account, submission.side, submission.quantity, submission.effect),
        )
        self.check(11, f"order {order_id} is sent", holds=order_id not in self.never_sent)
        killed_ns = self.killed_at_ns.get(submission.account)
        if submission.effect is Effect.OPEN:
            since_ns = 0 if killed_ns is None else self.now_ns() - killed_ns
            self.check(
                6,
                f"order {order_id} on {submission.account}, {since_ns / NS_PER_S:.3f} s after",
                holds=since_ns <= CONFIRMED_MAX_NS + TTL_NS,
            )

    # --- the senders

    def acknowledged(self, signal_id: str) -> None:
        """A sender was told 2xx."""
        self.check(9, f"signal {signal_id}", holds=signal_id in self.signals)


class WitnessedStore(MemoryStore):
    """A log server whose every stored entry is seen by the witness at once."""

    def __init__(
        self, clock: Clock, seen: Callable[[Entry], None], entries: Iterable[Entry] = ()
    ) -> None:
        self._seen = seen
        super().__init__(clock, generation="sim", entries=entries)

    def _store(self, entry: Entry) -> None:
        super()._store(entry)
        self._seen(entry)


def _brief(event: Event) -> str:
    """The part of an event that a story needs."""
    words = [type(event).__name__]
    for name in ("decision", "change", "effect", "side", "quantity", "code", "cause", "evidence",
                 "filled_quantity", "done", "never_sent", "why", "reason", "kind", "sentence"):  # fmt: skip
        value = getattr(event, name, None)
        if value not in (None, ""):
            words.append(f"{name}={getattr(value, 'name', value)}")
    if isinstance(event, VerdictGiven):
        words += [f"{leg.effect.name}:{leg.trade_id[:8]}.{leg.leg}" for leg in event.legs]
    if isinstance(event, DealRecorded):
        deal = event.deal
        words += [deal.entry.name, deal.reason.name, str(deal.position_delta), str(deal.order_id),
                  event.trade_id[:8], event.how, deal.venue_position_id]  # fmt: skip
    return " ".join(words)

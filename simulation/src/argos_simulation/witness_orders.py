"""The witness of orders on record: claims, the states of an order, what is reserved, deals.

Books are folded from the log alone, by nobody but this witness.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.book import Book, OrderView, TradeView
from argos_common.domain.ids import Account, OrderId, TradeId
from argos_common.domain.order import (
    LATE,
    TABLE,
    Kind,
    OrderAbsent,
    OrderDeclined,
    OrderEvent,
    OrderPresumedAbsent,
    OrderRefused,
    OrderSealed,
    OrderState,
    OrderSubmitting,
    kind_of,
)
from argos_common.domain.venue import DealReason, DealRecorded
from argos_common.domain.verdict import Effect, Leg, Origin, VerdictGiven
from argos_common.runtime.log import Entry

from argos_simulation import fleet
from argos_simulation.invariants import Court
from argos_simulation.truth import VenueTruth
from argos_simulation.witness_calls import CallWitness
from argos_simulation.witness_control import ControlWitness

ZERO = Decimal(0)
MAY_BE_HELD = frozenset(
    {OrderState.SUBMITTING, OrderState.WORKING, OrderState.PARTLY_FILLED, OrderState.IN_DOUBT}
)
LIMITS_NEW_RISK = frozenset({"epoch_old", "lease_not_live", "unresolved_open", "stale", "no_lease"})
"""Codes that may stop an entry and never an exit."""


@dataclass(slots=True)
class OrderWitness:
    """`dealt`: quantity of the deals on record, per order of ours."""

    court: Court
    control: ControlWitness
    calls: CallWitness
    truth: VenueTruth
    books: dict[Account, Book] = field(default_factory=dict)
    verdict_of: dict[tuple[Account, str, int], int] = field(default_factory=dict)
    """Leg -> where the log has the verdict that approved it."""
    dealt: dict[OrderId, Decimal] = field(default_factory=dict)
    deals: Counter[tuple[Account, str]] = field(default_factory=Counter)
    entry_side: dict[tuple[Account, TradeId], int] = field(default_factory=dict)
    orders_of: dict[tuple[Account, str, int], list[OrderId]] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)
    broker_closed: dict[TradeId, None] = field(default_factory=dict)
    """Trades on the netting account of which the broker closed something by itself."""

    def book(self, account: Account) -> Book:
        """The account's book, folded from the log alone."""
        if account not in self.books:
            self.books[account] = Book(account=account)
        return self.books[account]

    def at_stake(self, account: Account) -> set[str]:
        """Trades that hold something by deals, fills or the venue's own books, or may yet."""
        book = self.book(account)
        found: set[str] = {
            trade.trade_id
            for trade in book.trades.values()
            if not trade.external
            and (
                trade.position
                or any(book.orders[o].owed for view in trade.legs.values() for o in view.orders)
                or any(v.leg.effect is Effect.OPEN and not v.over for v in trade.legs.values())
            )
        }
        return found | self.truth.trades_held(account)

    # --- verdicts

    def verdict(self, sequence: int, event: VerdictGiven) -> None:
        """Take in the legs of a verdict."""
        self.book(event.account).fold_verdict(sequence, event)
        for leg in event.legs:
            key = (event.account, leg.trade_id, leg.leg)
            self._approved(key, leg, put_back=event.origin is Origin.RESTORE)
            self.verdict_of[key] = sequence
            if leg.effect is Effect.OPEN:
                self.entry_side.setdefault((event.account, leg.trade_id), leg.side.sign)

    def _approved(self, key: tuple[Account, str, int], leg: Leg, *, put_back: bool) -> None:
        """A restore knows less of a leg than was approved, and never says more."""
        known = self.calls.legs.get(key)
        if not put_back or known is None:
            self.calls.legs[key] = leg
            return
        self.court.check(
            45,
            f"{key}: put back with {leg.quantity} of {known.quantity}",
            holds=known.close_all or leg.quantity <= known.quantity,
        )

    # --- orders

    def event(self, entry: Entry, event: OrderEvent) -> None:
        """An order event was stored."""
        book = self.book(event.account)
        known = book.orders.get(event.order_id)
        state = known.state if known else OrderState.NEW
        if known is None and event.order_id in book.remembered:
            state = OrderState.FILLED  # an order of an ended trade; only a late fill may come
        kind = kind_of(event)
        self.court.check(
            10,
            f"order {event.order_id}: {type(event).__name__} while {state.name}",
            holds=(state, kind) in TABLE,
        )
        self._said(event, known)
        oddity = book.fold_order(event, entry.appended_ns)
        if oddity:
            self.oddities.append(oddity)
            if state in LATE and kind in (Kind.PART, Kind.DONE, Kind.ACKNOWLEDGED):
                self.court.tell(f"late: {oddity}")
        claim = self.truth.claims.get(event.order_id)
        if claim is not None:
            self.reserved(claim)

    def _said(self, event: OrderEvent, known: OrderView | None) -> None:
        match event:
            case OrderSubmitting():
                self._claim(event)
            case OrderDeclined():
                leg = self.calls.legs.get((event.account, event.trade_id, event.leg))
                self._exit_stopped(event.order_id, leg.effect if leg else None, event.code)
            case OrderRefused() if event.by_node:
                self._never(event.order_id, "its node refused it")
                claim = self.truth.claims.get(event.order_id)
                self._exit_stopped(event.order_id, claim.effect if claim else None, event.code)
            case OrderSealed() if event.never_sent:
                self._never(event.order_id, "it was sealed as never sent")
            case OrderAbsent() | OrderPresumedAbsent():
                self._absent(event)
            case _:
                pass
        if known is not None and known.state is OrderState.IN_DOUBT:
            settled = isinstance(event, OrderPresumedAbsent) and known.sealed
            never = isinstance(event, OrderAbsent) and known.sealed and known.never_sent
            evidence = not isinstance(event, OrderPresumedAbsent | OrderAbsent)
            self.court.check(
                21, f"order {event.order_id}: {event}", holds=settled or never or evidence
            )

    def _never(self, order_id: OrderId, why: str) -> None:
        self.calls.never_sent[order_id] = why
        self.court.check(11, f"order {order_id} was sent", holds=not self.calls.calls[order_id])

    def _exit_stopped(self, order_id: OrderId, effect: Effect | None, code: str) -> None:
        if effect is Effect.CLOSE:
            self.court.check(28, f"order {order_id}: {code}", holds=code not in LIMITS_NEW_RISK)

    def _absent(self, event: OrderAbsent | OrderPresumedAbsent) -> None:
        there = self.truth.accepted[event.order_id] or self.truth.may_fill(event.order_id)
        self.court.check(22, f"order {event.order_id}, {type(event).__name__}", holds=not there)

    def _claim(self, event: OrderSubmitting) -> None:
        self.truth.claims.setdefault(event.order_id, event)
        self.truth.claimed(event)
        key = (event.account, event.trade_id, event.leg)
        self.orders_of.setdefault(key, []).append(event.order_id)
        self._of_its_leg(event, self.calls.legs.get(key), self.verdict_of.get(key, 0))
        if event.effect is Effect.OPEN:
            self._not_barred(event)
        book = self.book(event.account)
        trade = book.trades.get(event.trade_id)
        view = trade.legs.get(event.leg) if trade else None
        held = [
            order_id
            for order_id in (view.orders if view else ())
            if book.orders[order_id].part == event.part
            and book.orders[order_id].state in MAY_BE_HELD
        ]
        self.court.check(20, f"order {event.order_id} beside {held}", holds=not held)

    def _of_its_leg(self, event: OrderSubmitting, leg: Leg | None, verdict: int) -> None:
        fits = (
            leg is not None
            and leg.effect is event.effect
            and event.verdict_sequence == verdict
            and (event.effect is Effect.CLOSE or event.side is leg.side)
            and (leg.close_all or event.quantity <= leg.quantity)
            and (event.effect is Effect.CLOSE or event.stop_price == leg.stop_price)
            and event.deadline_ns <= leg.deadline_ns
        )
        self.court.check(35, lambda: f"order {event.order_id}: {event} for {leg}", holds=fits)

    def _not_barred(self, event: OrderSubmitting) -> None:
        control = self.control.now(event.account)
        self.court.check(
            5,
            f"order {event.order_id} claimed under control {event.control_sequence},"
            f" newest is {control.sequence}, killed: {control.killed}",
            holds=not control.killed and event.control_sequence == control.sequence,
        )
        view = self.book(event.account).trades.get(event.trade_id)
        leg = view.legs.get(event.leg) if view else None
        approved_on = leg.control_sequence if leg else 0
        self.court.check(
            36,
            f"order {event.order_id} of a verdict under control {approved_on},"
            f" barred since {control.bars_open_since}",
            holds=approved_on >= control.bars_open_since,
        )

    # --- what is reserved

    def reserved(self, claim: OrderSubmitting) -> None:
        """Whether what a leg's orders really may add, or added, still counts in the books."""
        if claim.effect is not Effect.OPEN:
            return
        key = (claim.account, claim.trade_id, claim.leg)
        real = ZERO
        for order_id in self.orders_of.get(key, ()):
            order = self.truth.claims[order_id]
            filled = self.truth.filled.get(order_id, ZERO)
            if self.truth.may_fill(order_id):
                filled = max(filled, order.quantity)
            real += max(filled - self.dealt.get(order_id, ZERO), ZERO)
        counted = self._counted(claim)
        self.court.check(
            23,
            lambda: f"leg {key}: {real} at the venue or on its way there, {counted} reserved",
            holds=real <= counted,
        )

    def _counted(self, claim: OrderSubmitting) -> Decimal:
        book = self.book(claim.account)
        trade = book.trades.get(claim.trade_id)
        view = trade.legs.get(claim.leg) if trade else None
        if view is None:
            return ZERO
        orders = [book.orders[each] for each in view.orders]
        owed = sum((max(o.filled_quantity - o.dealt_quantity, ZERO) for o in orders), ZERO)
        if view.over:
            return owed
        return owed + max(view.leg.quantity - book.filled(view), ZERO)

    # --- deals

    def deal(self, event: DealRecorded) -> None:
        """A deal was put on record."""
        deal = event.deal
        self.deals[event.account, deal.deal_id] += 1
        if deal.order_id is not None:
            self.dealt[deal.order_id] = self.dealt.get(deal.order_id, ZERO) + deal.quantity
        book = self.book(event.account)
        book.fold_deal(event)
        trade = book.trades.get(event.trade_id)
        side = self.entry_side.get((event.account, event.trade_id))
        if event.account == fleet.NET and deal.reason is not DealReason.OURS:
            # On a netting account nothing can keep an exit from crossing with the broker's own.
            self.broker_closed[event.trade_id] = None
        crossed = event.trade_id in self.broker_closed
        if trade and side is not None and not crossed and not _entering(book, trade):
            self.court.check(
                18,
                f"trade {event.trade_id} on {event.account} holds {trade.position}",
                holds=trade.position * side >= 0,
            )
        claim = self.truth.claims.get(deal.order_id) if deal.order_id else None
        if claim is not None:
            self.reserved(claim)


def _entering(book: Book, trade: TradeView) -> bool:
    """Whether deals of an entry may still come: those of its end may show before them."""
    entries = [view for view in trade.legs.values() if view.leg.effect is Effect.OPEN]
    return any(not book.orders[each].at_rest for view in entries for each in view.orders)

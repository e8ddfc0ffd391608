"""Matching: which deals carried out which order, and what that cost against the intent.

A deal belongs to an order, best proof first:

    TAG          the venue or its node carried our order id into the deal
    TICKET       the deal names a venue order that an answer gave to our order; or, where the deal
                 names none, the position that only this order opened
    FINGERPRINT  nothing names anything, but symbol, side, price and time fit, the quantities add up
                 to exactly what is missing, and no other order could claim the deal

The first two are found when the facts arrive, whichever comes first. A fingerprint is looked for
only after `FINGERPRINT_AFTER_NS`, so that a better proof has had its time. A match names the
weakest method any of its deals needed.

An order is matched once it is done and its deals add up to exactly what it filled. Then it is
forgotten, as is an order that ended without a fill; a few thousand of the latter are remembered
because venues do report fills late.

Money: slippage is adverse (positive is worse), per unit, against the quote that risk decided on.
Costs are positive. A fee taken in an asset that is neither the quote currency nor the asset traded
has no price here and is left out of the cost.

Latency runs from the signal's receipt to the fill: by the venue's clock if its time lies between
the claim and the answer, else by the node's (the venue's answer), else by the bridge's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.ids import Account, OrderId, SignalId, Symbol
from argos_common.domain.instrument import Instrument
from argos_common.domain.order import (
    OrderAbsent,
    OrderAcknowledged,
    OrderDeclined,
    OrderEvent,
    OrderFilled,
    OrderRefused,
    OrderSubmitting,
)
from argos_common.domain.reconcile import MatchMethod, OrderMatched
from argos_common.domain.times import milliseconds
from argos_common.domain.venue import Deal, DealEntry, DealReason, DealRecorded
from argos_common.domain.verdict import Effect

FINGERPRINT_AFTER_NS = 2_000_000_000
FINGERPRINT_WINDOW_NS = 60_000_000_000
FINGERPRINT_PRICE = Decimal("0.001")
"""How far, as a part of the price, a deal may be from the average that the answer named."""

LOOSE_MAX = 1_000
DORMANT_MAX = 2_000
CLOCK_SLACK_NS = 1_000_000
"""Venues round their times to a millisecond."""

_BY_THE_VENUE = (DealReason.STOP_LOSS, DealReason.TAKE_PROFIT, DealReason.STOP_OUT)
_TEN_DIGITS = Decimal("0.0000000001")


@dataclass(slots=True, kw_only=True)
class OpenOrder:
    """An order whose match is still to be made. `received_at_ns` 0: no signal asked for it."""

    submitting: OrderSubmitting
    received_at_ns: int
    instrument: Instrument | None
    venue_order_id: str = ""
    venue_position_id: str = ""
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    done: bool = False
    returned_ns: int = 0
    done_at_ns: int = 0
    deals: list[tuple[Deal, MatchMethod]] = field(default_factory=list)

    @property
    def dealt_quantity(self) -> Decimal:
        return sum((deal.quantity for deal, _ in self.deals), Decimal(0))

    @property
    def complete(self) -> bool:
        return (
            self.done and self.filled_quantity > 0 and self.dealt_quantity == self.filled_quantity
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What to append for one order, and whose clock gave the latency its end."""

    event: OrderMatched
    latency_clock: str


@dataclass(slots=True, kw_only=True)
class Matcher:
    """One account's unmatched orders and unclaimed deals. `complete`: ready to be appended."""

    account: Account
    orders: dict[OrderId, OpenOrder] = field(default_factory=dict)
    dormant: dict[OrderId, OpenOrder] = field(default_factory=dict)
    loose: dict[str, Deal] = field(default_factory=dict)
    complete: dict[OrderId, None] = field(default_factory=dict)
    by_ticket: dict[str, OrderId] = field(default_factory=dict)

    def fold_submitting(
        self, event: OrderSubmitting, received_at_ns: int, instrument: Instrument | None
    ) -> None:
        """A new order; `instrument` as risk knew it when it decided."""
        self.orders[event.order_id] = OpenOrder(
            submitting=event, received_at_ns=received_at_ns, instrument=instrument
        )

    def fold_order(self, event: OrderEvent, at_ns: int) -> None:
        """Anything later in an order's life; `at_ns` is when it was recorded."""
        order = self._awake(event.order_id, fills=isinstance(event, OrderFilled))
        if order is None:
            return
        match event:
            case OrderAcknowledged():
                self._ticket(order, event.venue_order_id)
            case OrderFilled():
                order.venue_position_id = event.venue_position_id or order.venue_position_id
                self._filled(order, event, at_ns)
                self._ticket(order, event.venue_order_id)
            case OrderRefused() | OrderAbsent() | OrderDeclined():
                if order.filled_quantity == 0 and not order.deals:
                    del self.orders[event.order_id]
                    self.dormant[event.order_id] = order
                    while len(self.dormant) > DORMANT_MAX:
                        self._forget(next(iter(self.dormant)))
            case _:
                pass

    def fold_deal(self, event: DealRecorded) -> None:
        """A deal on record."""
        deal = event.deal
        if deal.entry is DealEntry.BALANCE:
            return
        order = self._awake(deal.order_id, fills=True) if deal.order_id is not None else None
        if order is not None:
            method = MatchMethod.FINGERPRINT if event.how == "fingerprint" else MatchMethod.TAG
            self._claim(order, deal, method)
            return
        if deal.order_id is not None or deal.reason in _BY_THE_VENUE:
            return  # of an order matched long ago, or nobody's
        ticket = self.by_ticket.get(deal.venue_order_id)
        order = self._awake(ticket, fills=True) if ticket else self._by_position(deal)
        if order is not None:
            self._claim(order, deal, MatchMethod.TICKET)
            return
        self.loose[deal.deal_id] = deal
        while len(self.loose) > LOOSE_MAX:
            del self.loose[next(iter(self.loose))]

    def fold_matched(self, event: OrderMatched) -> None:
        """The match is on record: nothing more to do."""
        self._forget(event.order_id)

    def let_go(self, order_id: OrderId) -> None:
        """The log has a match of this order, whoever appended it."""
        self._forget(order_id)

    def look_again(self, now_ns: int) -> None:
        """Try fingerprints for orders that are done and still lack deals."""
        if not self.loose:
            return
        waiting = [
            order
            for order in self.orders.values()
            if order.done
            and order.dealt_quantity < order.filled_quantity
            and now_ns - order.done_at_ns >= FINGERPRINT_AFTER_NS
        ]
        for order in waiting:
            fits = [deal for deal in self.loose.values() if _fits(order, deal)]
            rivals = [
                other
                for other in self.orders.values()
                if other is not order and any(_fits(other, deal) for deal in fits)
            ]
            missing = order.filled_quantity - order.dealt_quantity
            if rivals or sum((deal.quantity for deal in fits), Decimal(0)) != missing:
                continue
            for deal in fits:
                del self.loose[deal.deal_id]
                self._claim(order, deal, MatchMethod.FINGERPRINT)

    # --- inside

    def _awake(self, order_id: OrderId, *, fills: bool) -> OpenOrder | None:
        """The order; one that ended without a fill comes back if it was filled after all."""
        if fills and order_id in self.dormant:
            self.orders[order_id] = self.dormant.pop(order_id)
        return self.orders.get(order_id)

    def _filled(self, order: OpenOrder, event: OrderFilled, at_ns: int) -> None:
        if event.filled_quantity >= order.filled_quantity:
            order.filled_quantity = event.filled_quantity
            order.average_price = event.average_price
        order.returned_ns = event.hops.returned_ns or order.returned_ns or event.at_ns
        if event.done and not order.done:
            order.done, order.done_at_ns = True, at_ns
        if order.done and order.filled_quantity == 0:
            self._forget(event.order_id)
        else:
            self._check(order)

    def _ticket(self, order: OpenOrder, venue_order_id: str) -> None:
        if not venue_order_id or order.submitting.order_id not in self.orders:
            return
        order.venue_order_id = venue_order_id
        self.by_ticket[venue_order_id] = order.submitting.order_id
        for deal in [d for d in self.loose.values() if d.venue_order_id == venue_order_id]:
            del self.loose[deal.deal_id]
            self._claim(order, deal, MatchMethod.TICKET)

    def _by_position(self, deal: Deal) -> OpenOrder | None:
        if deal.venue_order_id or not deal.venue_position_id:
            return None
        found = [
            order
            for order in self.orders.values()
            if order.submitting.effect is Effect.OPEN
            and order.submitting.side is deal.side
            and order.venue_position_id == deal.venue_position_id
            and order.dealt_quantity + deal.quantity <= order.submitting.quantity
        ]
        return found[0] if len(found) == 1 else None

    def _claim(self, order: OpenOrder, deal: Deal, method: MatchMethod) -> None:
        if all(known.deal_id != deal.deal_id for known, _ in order.deals):
            order.deals.append((deal, method))
        self._check(order)

    def _check(self, order: OpenOrder) -> None:
        if order.complete:
            self.complete[order.submitting.order_id] = None
        else:
            self.complete.pop(order.submitting.order_id, None)

    def _forget(self, order_id: OrderId) -> None:
        order = self.orders.pop(order_id, None) or self.dormant.pop(order_id, None)
        self.complete.pop(order_id, None)
        if order is not None and order.venue_order_id:
            self.by_ticket.pop(order.venue_order_id, None)


def _fits(order: OpenOrder, deal: Deal) -> bool:
    """Whether a deal that names no order may be this order's, by its facts."""
    if order.done and order.dealt_quantity >= order.filled_quantity:
        return False
    asked = order.submitting
    if (asked.symbol, asked.side) != (deal.symbol, deal.side) or deal.quantity > asked.quantity:
        return False
    if asked.position_ref and deal.venue_position_id not in ("", asked.position_ref):
        return False
    if order.venue_order_id and deal.venue_order_id not in ("", order.venue_order_id):
        return False
    end_ns = order.returned_ns or asked.deadline_ns
    if not (
        asked.claimed_at_ns - FINGERPRINT_WINDOW_NS
        <= deal.venue_time_ns
        <= end_ns + FINGERPRINT_WINDOW_NS
    ):
        return False
    near = order.average_price or asked.intended_price
    return near is None or abs(deal.price - near) <= near * FINGERPRINT_PRICE


def match_of(order: OpenOrder, now_ns: int) -> Match:
    """The match of a complete order."""
    asked = order.submitting
    deals = sorted(order.deals, key=lambda pair: (pair[0].venue_time_ns, pair[0].deal_id))
    quantity = order.dealt_quantity
    paid = sum((deal.quantity * deal.price for deal, _ in deals), Decimal(0))
    average = (paid / quantity).quantize(_TEN_DIGITS)
    slippage = cash = None
    if asked.intended_price is not None:
        slippage = asked.side.sign * (average - asked.intended_price)
        if order.instrument is not None:
            unit = order.instrument.contract_size * order.instrument.quote_to_account
            cash = slippage * quantity * unit
    charges = sum((_charge(deal, order.instrument) for deal, _ in deals), Decimal(0))
    end_ns, clock = _filled_at(order, deals[-1][0])
    return Match(
        event=OrderMatched(
            account=asked.account,
            trade_id=asked.trade_id,
            order_id=asked.order_id,
            method=MatchMethod(max(method.value for _, method in deals)),
            deal_ids=tuple(deal.deal_id for deal, _ in deals),
            quantity=quantity,
            average_price=average.normalize(),
            commission=-sum((deal.commission for deal, _ in deals), Decimal(0)),
            cost=charges + (cash or Decimal(0)),
            matched_at_ns=now_ns,
            intended_price=asked.intended_price,
            slippage=slippage,
            slippage_cash=cash,
            latency_ms=_milliseconds(end_ns - order.received_at_ns)
            if order.received_at_ns
            else None,
        ),
        latency_clock=clock,
    )


def _filled_at(order: OpenOrder, last: Deal) -> tuple[int, str]:
    """When the order was filled, and whose clock says so."""
    begun_ns = order.submitting.claimed_at_ns - CLOCK_SLACK_NS
    ended_ns = (order.returned_ns or order.done_at_ns) + CLOCK_SLACK_NS
    if begun_ns <= last.venue_time_ns <= ended_ns:
        return last.venue_time_ns, "venue"
    if order.returned_ns:
        return order.returned_ns, "node"
    return order.done_at_ns, "log"


def _milliseconds(duration_ns: int) -> Decimal:
    return milliseconds(max(duration_ns, 0))


def _charge(deal: Deal, instrument: Instrument | None) -> Decimal:
    """Commission, swap and fee of one deal as a cost in account currency."""
    charge = -(deal.commission + deal.swap)
    if not deal.fee_asset:
        return charge - deal.fee
    if instrument is None:
        return charge
    if deal.fee_asset == instrument.quote_currency:
        return charge - deal.fee * instrument.quote_to_account
    if deal.fee_asset == base_asset(instrument):
        return charge - deal.fee * deal.price * instrument.quote_to_account
    return charge


def base_asset(instrument: Instrument) -> str:
    """The asset a spot symbol trades: what is left of the venue's name without its quote currency."""
    name = instrument.venue_symbol
    for mark in ("/", "-", "_"):
        if mark in name:
            return name.partition(mark)[0]
    return name.removesuffix(instrument.quote_currency)


class Receipts:
    """When each of the latest signals was received. Bounded: the oldest are forgotten."""

    MAX = 20_000

    def __init__(self) -> None:
        self._at: dict[SignalId, int] = {}

    def fold(self, signal_id: SignalId, received_at_ns: int) -> None:
        self._at[signal_id] = received_at_ns
        if len(self._at) > self.MAX:
            del self._at[next(iter(self._at))]

    def of(self, cause_id: SignalId) -> int:
        """0 if no signal (any more) of that id is known."""
        return self._at.get(cause_id, 0)


Instruments = dict[Symbol, Instrument]

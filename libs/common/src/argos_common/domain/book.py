"""The book of one account: which trades are open, by which legs and orders, and what they hold.

Folded from verdicts, order events and deals, by everyone who needs it, so that risk, bridge and
reconciler mean the same thing by "open". `fold` is the only thing that changes a book.

    trade     (trade_id, account): opened by an entry, ended when nothing is held, asked for or owed
    leg       one approved intent of a trade. OPEN legs have one part, CLOSE legs one per position
    part      one thing to be done at the venue; its attempts are orders, one after the other
    position  what the venue holds for a trade, from deals alone

A leg is over when it can cause nothing any more, and both risk and bridge see that from the log:

    OPEN    its last attempt is FILLED, DECLINED, or REFUSED with a class that is never retried
    CLOSE   a part was DECLINED, or every part is FILLED or was told that there is nothing to close,
            and what it was to take away is gone. A refused exit is never over by itself

A close of everything closes its trade when no entry of the trade can fill any more, no deal is owed
and less than one step is left. A fill that comes later opens the trade again.

`expected` is the position that a trade will have once its legs are over; it is what decides whether
the next signal is an entry, an add, an exit or a reversal. Fills are reported by the venue's answer
first and by deals a little later; until the deals of an order have arrived it is *owed*.

A fill is always believed. What the table calls illegal changes nothing and is returned as an oddity,
which somebody must be told about.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from argos_common.domain.book_rules import (
    closed_all,
    is_last,
    last_attempts,
    left_in_doubt,
    leg_over,
    may_open,
    opens,
)
from argos_common.domain.book_views import (
    MAY_YET_FILL,
    NEVER_RETRIED,
    NOTHING_LEFT,
    EndedTrade,
    LegView,
    OrderView,
    TradeView,
)
from argos_common.domain.ids import (
    Account,
    OrderId,
    Strategy,
    Symbol,
    TradeId,
    external_trade_id,
)
from argos_common.domain.order import (
    LATE,
    UNRESOLVED,
    Kind,
    OrderAbsent,
    OrderAcknowledged,
    OrderDeclined,
    OrderEvent,
    OrderFilled,
    OrderInDoubt,
    OrderPresumedAbsent,
    OrderRefused,
    OrderSealed,
    OrderSubmitting,
    kind_of,
    next_state,
)
from argos_common.domain.venue import Deal, DealEntry, DealRecorded
from argos_common.domain.verdict import Effect, VerdictGiven

__all__ = [
    "MAY_YET_FILL",
    "NEVER_RETRIED",
    "NOTHING_LEFT",
    "Book",
    "EndedTrade",
    "LegView",
    "OrderView",
    "TradeView",
]
Key = TypeVar("Key")
Value = TypeVar("Value")
REMEMBERED_MAX = 20_000
"""Ended orders and positions whose trade is still known, for deals that come late."""


@dataclass(slots=True, kw_only=True)
class Book:
    """One account's trades. `residual`: what ended trades left behind, per symbol (dust)."""

    account: Account
    trades: dict[TradeId, TradeView] = field(default_factory=dict)
    orders: dict[OrderId, OrderView] = field(default_factory=dict)
    position_trades: dict[str, TradeId] = field(default_factory=dict)
    residual: dict[Symbol, Decimal] = field(default_factory=dict)
    remembered: dict[OrderId, TradeId] = field(default_factory=dict)
    ended: dict[TradeId, EndedTrade] = field(default_factory=dict)

    # --- questions

    def open_trade(self, strategy: str, symbol: str) -> TradeView | None:
        """The strategy's trade on the symbol that is expected to hold a position, or None."""
        found = [
            trade
            for trade in self.trades.values()
            if (trade.strategy, trade.symbol) == (strategy, symbol) and self.expected(trade) != 0
        ]
        # The youngest, by what it holds and not by its place: a snapshot sorts by key.
        return max(found, key=_age, default=None)

    def expected(self, trade: TradeView) -> Decimal:
        """The signed position the trade will have once its legs are over.

        A close of a part takes away what is there at most, however much more it was approved for.
        What a close in doubt, or one presumed absent, was to take away is expected to be still there:
        the next exit must find it.
        """
        if trade.closed:
            return Decimal(0)
        expected = trade.position
        for view in trade.legs.values():
            for order_id in view.orders:
                order = self.orders[order_id]
                sign = order.submitting.side.sign if order.submitting else 0
                expected += sign * max(order.filled_quantity - order.dealt_quantity, Decimal(0))
        for view in trade.legs.values():
            if view.over:
                continue
            more = view.leg.side.sign * (view.leg.quantity - self.filled(view))
            if view.leg.effect is Effect.OPEN:
                expected += more
                continue
            more = left_in_doubt(self.orders, view) + (-expected if view.leg.close_all else more)
            if expected * more < 0:
                expected = expected + more if abs(more) < abs(expected) else Decimal(0)
        return expected

    def filled(self, view: LegView) -> Decimal:
        """How much of a leg is filled, over all its orders."""
        return sum((self.orders[o].filled_quantity for o in view.orders), Decimal(0))

    def unresolved(self, symbol: str) -> tuple[OrderView, ...]:
        """Orders on the symbol whose outcome nobody knows yet."""
        return tuple(
            order
            for order in self.orders.values()
            if order.state in UNRESOLVED and order.submitting and order.submitting.symbol == symbol
        )

    def open_count(self) -> int:
        """Trades that hold something, or are about to."""
        return sum(
            1
            for trade in self.trades.values()
            if trade.position != 0 or self.expected(trade) != 0 or may_open(self.orders, trade)
        )

    def held(self, symbol: str) -> Decimal:
        """Signed quantity of the symbol over all trades, from deals, with what ended trades left."""
        total = self.residual.get(Symbol(symbol), Decimal(0))
        return total + sum(
            (trade.position for trade in self.trades.values() if trade.symbol == symbol), Decimal(0)
        )

    def attribute(self, deal: Deal) -> tuple[TradeId, str, bool]:
        """Whose deal it is: (trade_id, how, external)."""
        if deal.order_id is not None:
            if deal.order_id in self.orders:
                return self.orders[deal.order_id].trade_id, "tag", False
            if deal.order_id in self.remembered:
                return self.remembered[deal.order_id], "tag", False
        trade_id = self._closed_by(deal) or self.position_trades.get(deal.venue_position_id)
        if trade_id is not None:
            known = self.trades.get(trade_id) or self.ended.get(trade_id)
            return trade_id, "ticket", known is not None and known.external
        for order in self.orders.values():
            if deal.venue_order_id and order.venue_order_id == deal.venue_order_id:
                return order.trade_id, "ticket", False
        return external_trade_id(self.account, deal.venue_position_id), "external", True

    def _closed_by(self, deal: Deal) -> TradeId | None:
        """The trade that a nameless deal closes: of those that hold its position the first it fits.

        A netting account has one position per symbol, whichever trades it is made of.
        """
        held = {
            trade.trade_id: trade.positions.get(deal.venue_position_id, Decimal(0))
            for trade in self.trades.values()
        }
        closing = {key: size for key, size in held.items() if size * deal.position_delta < 0}
        fitting = [key for key, size in closing.items() if abs(size) >= deal.quantity]
        return next(iter([*fitting, *closing]), None)

    # --- folding

    def fold_verdict(self, sequence: int, verdict: VerdictGiven) -> None:
        """Take up the legs that a verdict approved."""
        facts = verdict.facts
        for leg in verdict.legs:
            trade = self.trades.get(leg.trade_id) or self._begin(
                leg.trade_id, verdict.strategy, verdict.symbol, bot_version=verdict.bot_version
            )
            trade.legs_used = max(trade.legs_used, leg.leg)
            if leg.effect is Effect.OPEN:
                trade.closed = False
            trade.legs[leg.leg] = LegView(
                leg=leg,
                cause_id=verdict.cause_id,
                strategy=trade.strategy,
                bot_version=verdict.bot_version,
                symbol=verdict.symbol,
                verdict_sequence=sequence,
                control_sequence=verdict.control_sequence,
                epoch=verdict.epoch,
                trace_parent=verdict.trace_parent,
                intended_price=facts.ask if leg.side.sign > 0 else facts.bid,
                cause_at_ns=facts.now_ns,
                quantity_step=facts.instrument.quantity_step if facts.instrument else Decimal(0),
            )

    def fold_order(self, event: OrderEvent, at_ns: int) -> str:
        """Take one order event; returns an oddity for a person, or the empty text."""
        order = self.orders.get(event.order_id)
        if order is None:
            if not isinstance(event, OrderSubmitting | OrderDeclined):
                return f"order {event.order_id}: {type(event).__name__} without a submission"
            order = self._claim(event)
        state = next_state(order.state, event)
        order.next_number += 1
        if state is None:
            return f"order {order.order_id}: {type(event).__name__} while {order.state.name}"
        oddity = ""
        if order.state in LATE and kind_of(event) in (Kind.PART, Kind.DONE, Kind.ACKNOWLEDGED):
            oddity = f"order {order.order_id}: found at the venue while {order.state.name}"
        if state is not order.state:
            order.changed_at_ns = at_ns
        order.state = state
        self._take(order, event)
        if isinstance(event, OrderFilled) and opens(order):
            self._reopen(order.trade_id)
            if event.venue_position_id:
                self._remember_position(event.venue_position_id, order.trade_id)
        self._settle(order.trade_id)
        return oddity

    def fold_deal(self, event: DealRecorded) -> None:
        """Take one deal into the position of its trade."""
        deal = event.deal
        if deal.entry is DealEntry.BALANCE:
            return
        order = self.orders.get(deal.order_id) if deal.order_id else None
        trade = self.trades.get(event.trade_id) or self._begin(
            event.trade_id, Strategy(""), deal.symbol, external=event.external
        )
        held = trade.positions.get(deal.venue_position_id, Decimal(0)) + deal.position_delta
        if held == 0:
            trade.positions.pop(deal.venue_position_id, None)
        else:
            trade.positions[deal.venue_position_id] = held
        self._remember_position(deal.venue_position_id, event.trade_id)
        if order is not None:
            order.dealt_quantity += deal.quantity
            order.venue_position_id = order.venue_position_id or deal.venue_position_id
        if deal.entry is not DealEntry.OUT:
            self._reopen(event.trade_id)
        self._settle(event.trade_id)

    def _reopen(self, trade_id: TradeId) -> None:
        """More was opened than a close of everything had met."""
        trade = self.trades.get(trade_id)
        if trade is not None:
            trade.closed = False

    def _begin(
        self,
        trade_id: TradeId,
        strategy: Strategy,
        symbol: Symbol,
        *,
        bot_version: str = "",
        external: bool = False,
    ) -> TradeView:
        """A new trade, or one that had ended and goes on: then its legs are counted on."""
        ended = self.ended.pop(trade_id, None)
        trade = self.trades[trade_id] = TradeView(
            trade_id=trade_id,
            strategy=ended.strategy if ended else strategy,
            bot_version=bot_version,
            symbol=symbol,
            external=ended.external if ended else external,
            legs_used=ended.legs_used if ended else 0,
            positions=dict(ended.left) if ended else {},
        )
        if trade.position:
            self._leave(trade.symbol, -trade.position)
        return trade

    def _claim(self, event: OrderSubmitting | OrderDeclined) -> OrderView:
        order = self.orders[event.order_id] = OrderView(
            order_id=event.order_id,
            trade_id=event.trade_id,
            leg=event.leg,
            part=event.part,
            attempt=event.attempt,
        )
        trade = self.trades.get(event.trade_id)
        view = trade.legs.get(event.leg) if trade else None
        if view is not None:
            view.orders.append(event.order_id)
        return order

    def _take(self, order: OrderView, event: OrderEvent) -> None:
        match event:
            case OrderSubmitting():
                order.submitting = event
            case OrderAcknowledged():
                order.venue_order_id = event.venue_order_id
            case OrderFilled():
                order.venue_order_id = event.venue_order_id or order.venue_order_id
                order.venue_position_id = event.venue_position_id or order.venue_position_id
                if event.filled_quantity >= order.filled_quantity:
                    order.filled_quantity = event.filled_quantity
                    order.average_price = event.average_price
            case OrderRefused():
                order.refusal = event
            case OrderSealed():
                order.sealed = True
                order.never_sent = event.never_sent
            case OrderDeclined():
                order.declined = event.code
            case OrderInDoubt() | OrderPresumedAbsent() | OrderAbsent():
                pass

    def _settle(self, trade_id: TradeId) -> None:
        """Mark legs that are over; let go of a trade that is."""
        trade = self.trades.get(trade_id)
        if trade is None:
            return
        for view in trade.legs.values():
            if not view.over:
                view.over = leg_over(self.orders, trade, view)
            if view.over and view.leg.close_all and not trade.closed:
                trade.closed = is_last(trade, view) and closed_all(self.orders, trade, view)
        at_rest = all(
            view.over and all(self.orders[o].at_rest for o in view.orders)
            for view in trade.legs.values()
        )
        if at_rest and (trade.closed or trade.position == 0):
            self._let_go(trade)

    def last_attempts(self, view: LegView) -> dict[int, OrderView]:
        """Part -> its newest attempt."""
        return last_attempts(self.orders, view)

    def _let_go(self, trade: TradeView) -> None:
        del self.trades[trade.trade_id]
        if trade.position:
            self._leave(trade.symbol, trade.position)
        for view in trade.legs.values():
            for order_id in view.orders:
                del self.orders[order_id]
                self.remembered[order_id] = trade.trade_id
        self.ended[trade.trade_id] = EndedTrade(
            strategy=trade.strategy,
            legs_used=trade.legs_used,
            external=trade.external,
            left=trade.positions,
        )
        _bound(self.remembered)
        _bound(self.ended)

    def _leave(self, symbol: Symbol, quantity: Decimal) -> None:
        left = self.residual.pop(symbol, Decimal(0)) + quantity
        if left:
            self.residual[symbol] = left

    def _remember_position(self, venue_position_id: str, trade_id: TradeId) -> None:
        self.position_trades.pop(venue_position_id, None)
        self.position_trades[venue_position_id] = trade_id
        _bound(self.position_trades)


def _age(trade: TradeView) -> tuple[int, str]:
    return min((v.verdict_sequence for v in trade.legs.values()), default=0), trade.trade_id


def _bound(memory: dict[Key, Value]) -> None:
    while len(memory) > REMEMBERED_MAX:
        del memory[next(iter(memory))]

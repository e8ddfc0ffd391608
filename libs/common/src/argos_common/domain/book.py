"""The book of one account: which trades are open, by which legs and orders, and what they hold.

Folded from verdicts, order events and deals, by everyone who needs it, so that risk, bridge and
reconciler mean the same thing by "open". `fold` is the only thing that changes a book.

    trade     (trade_id, account): opened by an entry, ended when nothing is held, asked for or owed
    leg       one approved intent of a trade. OPEN legs have one part, CLOSE legs one per position
    part      one thing to be done at the venue; its attempts are orders, one after the other
    position  what the venue holds for a trade, from deals alone

A leg is over when it can cause nothing any more, and both risk and bridge see that from the log:

    OPEN    its last attempt is FILLED, DECLINED, or REFUSED with a class that is never retried
    CLOSE   the same for every part, and either its quantity is filled or a part was DECLINED

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

from argos_common.domain.ids import (
    Account,
    OrderId,
    SignalId,
    Strategy,
    Symbol,
    TradeId,
    external_trade_id,
)
from argos_common.domain.order import (
    ENDED,
    LATE,
    LIVE,
    UNRESOLVED,
    Kind,
    OrderDeclined,
    OrderEvent,
    OrderFilled,
    OrderAcknowledged,
    OrderInDoubt,
    OrderPresumedAbsent,
    OrderRefused,
    OrderSealed,
    OrderState,
    OrderSubmitting,
    RefusalClass,
    kind_of,
    next_state,
)
from argos_common.domain.venue import Deal, DealEntry, DealRecorded
from argos_common.domain.verdict import Effect, Leg, VerdictGiven

NEVER_RETRIED: frozenset[RefusalClass] = frozenset(
    {RefusalClass.FINAL, RefusalClass.NO_MONEY, RefusalClass.NOTHING_TO_CLOSE}
)
Key = TypeVar("Key")
Value = TypeVar("Value")
REMEMBERED_MAX = 20_000
"""Ended orders and positions whose trade is still known, for deals that come late."""


@dataclass(slots=True, kw_only=True)
class OrderView:
    """One order as folded. `next_number` is the n of the next event on its subject."""

    order_id: OrderId
    trade_id: TradeId
    leg: int
    part: int
    attempt: int
    state: OrderState = OrderState.NEW
    next_number: int = 1
    submitting: OrderSubmitting | None = None
    venue_order_id: str = ""
    venue_position_id: str = ""
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    dealt_quantity: Decimal = Decimal(0)
    refusal: OrderRefused | None = None
    changed_at_ns: int = 0
    sealed: bool = False
    never_sent: bool = False

    @property
    def owed(self) -> bool:
        """Whether deals are still to come for what the venue said it filled."""
        return self.filled_quantity > self.dealt_quantity

    @property
    def at_rest(self) -> bool:
        """Whether nothing more is expected of it."""
        return self.state in ENDED and not self.owed


@dataclass(slots=True, kw_only=True)
class LegView:
    """One approved leg. `orders` in the order of their claims."""

    leg: Leg
    cause_id: SignalId
    strategy: Strategy
    bot_version: str
    symbol: Symbol
    verdict_sequence: int
    control_sequence: int
    epoch: int
    trace_parent: str = ""
    intended_price: Decimal | None = None
    cause_at_ns: int = 0
    orders: list[OrderId] = field(default_factory=list)
    over: bool = False


@dataclass(slots=True, kw_only=True)
class TradeView:
    """One trade on this account. `positions`: venue position id -> signed quantity, from deals."""

    trade_id: TradeId
    strategy: Strategy
    bot_version: str
    symbol: Symbol
    external: bool = False
    legs: dict[int, LegView] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)
    legs_used: int = 0
    closed: bool = False
    """A close of everything is done: what is left, if anything, is less than one step."""

    @property
    def position(self) -> Decimal:
        """Signed quantity held, from deals."""
        return sum(self.positions.values(), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTrade:
    """What must not be forgotten of a trade that ended, should a late fill wake it."""

    strategy: Strategy
    legs_used: int


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
        for trade in reversed(self.trades.values()):
            if (trade.strategy, trade.symbol) == (strategy, symbol) and self.expected(trade) != 0:
                return trade
        return None

    def expected(self, trade: TradeView) -> Decimal:
        """The signed position the trade will have once its legs are over."""
        if trade.closed:
            return Decimal(0)
        expected = trade.position
        for view in trade.legs.values():
            for order_id in view.orders:
                order = self.orders[order_id]
                sign = order.submitting.side.sign if order.submitting else 0
                expected += sign * max(order.filled_quantity - order.dealt_quantity, Decimal(0))
            if view.over:
                continue
            if view.leg.close_all:
                expected = Decimal(0)
            else:
                expected += view.leg.side.sign * (view.leg.quantity - self.filled(view))
        return expected

    def filled(self, view: LegView) -> Decimal:
        """How much of a leg is filled, over all its orders."""
        return sum((self.orders[o].filled_quantity for o in view.orders), Decimal(0))

    def reserved_value(self, symbol: str = "") -> Decimal:
        """Exposure held for approved OPEN legs that are not filled, in account currency."""
        total = Decimal(0)
        for trade in self.trades.values():
            for view in trade.legs.values():
                if view.over or view.leg.effect is not Effect.OPEN or view.leg.quantity == 0:
                    continue
                if not symbol or view.symbol == symbol:
                    left = max(view.leg.quantity - self.filled(view), Decimal(0))
                    total += view.leg.reserved_value * left / view.leg.quantity
        return total

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
            if trade.position != 0 or self.expected(trade) != 0 or self._may_open(trade)
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
        trade_id = self.position_trades.get(deal.venue_position_id)
        if trade_id is not None:
            external = trade_id in self.trades and self.trades[trade_id].external
            return trade_id, "ticket", external
        for order in self.orders.values():
            if deal.venue_order_id and order.venue_order_id == deal.venue_order_id:
                return order.trade_id, "ticket", False
        return external_trade_id(self.account, deal.venue_position_id), "external", True

    def _may_open(self, trade: TradeView) -> bool:
        return any(
            self.orders[order_id].state in LIVE and view.leg.effect is Effect.OPEN
            for view in trade.legs.values()
            for order_id in view.orders
        )

    # --- folding

    def fold_verdict(self, sequence: int, verdict: VerdictGiven) -> None:
        """Take up the legs that a verdict approved."""
        facts = verdict.facts
        for leg in verdict.legs:
            trade = self.trades.get(leg.trade_id) or self._begin(
                leg.trade_id, verdict.strategy, verdict.symbol, bot_version=verdict.bot_version
            )
            trade.legs_used = max(trade.legs_used, leg.leg)
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
        self._settle(event.trade_id)

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
            external=external,
            legs_used=ended.legs_used if ended else 0,
        )
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
            case OrderDeclined() | OrderInDoubt() | OrderPresumedAbsent() | _:
                pass

    def _settle(self, trade_id: TradeId) -> None:
        """Mark legs that are over; let go of a trade that is."""
        trade = self.trades.get(trade_id)
        if trade is None:
            return
        for view in trade.legs.values():
            if not view.over:
                view.over = self._leg_over(trade, view)
                if view.over and view.leg.close_all and self._closed_all(trade, view):
                    trade.closed = True
        at_rest = all(
            view.over and all(self.orders[o].at_rest for o in view.orders)
            for view in trade.legs.values()
        )
        if at_rest and (trade.closed or trade.position == 0):
            self._let_go(trade)

    def _leg_over(self, trade: TradeView, view: LegView) -> bool:
        last = self.last_attempts(view)
        if not last:
            return False
        if any(order.state is OrderState.DECLINED for order in last.values()):
            return True
        if not all(self._attempt_over(order) for order in last.values()):
            return False
        if view.leg.effect is Effect.OPEN:
            return True
        if any(order.owed for order in last.values()):
            return False
        if not view.leg.close_all:
            return self.filled(view) >= view.leg.quantity or not trade.positions
        return self._closed_all(trade, view)

    def _closed_all(self, trade: TradeView, view: LegView) -> bool:
        """Every position the trade holds has been dealt with by a part of this leg, to its end."""
        done = {
            order.submitting.position_ref
            for order in self.last_attempts(view).values()
            if order.submitting and order.state is not OrderState.DECLINED
        }
        return bool(done) and ("" in done or all(ref in done for ref in trade.positions))

    def _attempt_over(self, order: OrderView) -> bool:
        """FILLED to what this attempt asked for, or refused for good."""
        if order.state is OrderState.REFUSED:
            return order.refusal is not None and order.refusal.refusal in NEVER_RETRIED
        if order.state is not OrderState.FILLED or order.submitting is None:
            return False
        return (
            order.submitting.effect is Effect.OPEN
            or order.filled_quantity >= order.submitting.quantity
        )

    def last_attempts(self, view: LegView) -> dict[int, OrderView]:
        """Part -> its newest attempt."""
        return {self.orders[o].part: self.orders[o] for o in view.orders}

    def _let_go(self, trade: TradeView) -> None:
        del self.trades[trade.trade_id]
        if trade.position:
            left = self.residual.get(trade.symbol, Decimal(0)) + trade.position
            self.residual[trade.symbol] = left
        for view in trade.legs.values():
            for order_id in view.orders:
                del self.orders[order_id]
                self.remembered[order_id] = trade.trade_id
        self.ended[trade.trade_id] = EndedTrade(
            strategy=trade.strategy, legs_used=trade.legs_used
        )
        _bound(self.remembered)
        _bound(self.ended)

    def _remember_position(self, venue_position_id: str, trade_id: TradeId) -> None:
        self.position_trades.pop(venue_position_id, None)
        self.position_trades[venue_position_id] = trade_id
        _bound(self.position_trades)


def _bound(memory: dict[Key, Value]) -> None:
    while len(memory) > REMEMBERED_MAX:
        del memory[next(iter(memory))]

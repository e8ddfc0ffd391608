"""The books of one account.

Everything that changes a position goes through ``put_position``/``drop_position``, which keep the
exposure sums per symbol, the views of a lagging terminal and the list of what to persist.
The balance is changed only by ``add_deal``: balance = sum over deals of profit, commission, swap
and fee, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.records import ZERO, Deal, Order, Position
from argos_mt5_node.simulator.symbols import AccountSpec


@dataclass(slots=True)
class Exposure:
    """Sums over the positions of one symbol: lots per side, lots x open price per side, swap."""

    buy_lots: Decimal = ZERO
    sell_lots: Decimal = ZERO
    buy_cost: Decimal = ZERO
    sell_cost: Decimal = ZERO
    swap: Decimal = ZERO
    count: int = 0

    def add(self, position: Position, sign: int) -> None:
        """Add (+1) or remove (-1) a position."""
        lots = position.volume * sign
        if position.type == c.BUY:
            self.buy_lots += lots
            self.buy_cost += lots * position.price_open
        else:
            self.sell_lots += lots
            self.sell_cost += lots * position.price_open
        self.swap += position.swap * sign
        self.count += sign


@dataclass(slots=True)
class Frozen:
    """What a disconnected terminal keeps showing."""

    since_ns: int
    balance: Decimal
    positions: dict[int, Position]
    orders: dict[int, Order]


class Book:
    """One account's positions, orders and history."""

    def __init__(self, spec: AccountSpec) -> None:
        """Empty books; the opening deposit is a deal like every other change of balance."""
        self.spec = spec
        self.balance = ZERO
        self.positions: dict[int, Position] = {}
        self.orders: dict[int, Order] = {}
        self.deals: list[Deal] = []
        self.history: list[Order] = []
        self.deals_of: dict[int, list[Deal]] = {}
        self.history_of: dict[int, list[Order]] = {}
        self.deal_by_ticket: dict[int, Deal] = {}
        self.done_orders: dict[int, Order] = {}
        self.exposure: dict[str, Exposure] = {}
        self.ghosts: dict[int, tuple[Position | None, int]] = {}
        self.frozen: Frozen | None = None
        self.hidden_since_ns = 0
        self.hidden_until_ns = 0
        self.dirty_positions: dict[int, None] = {}
        self.dirty_orders: dict[int, None] = {}
        self.stale_symbols: dict[str, None] = {}

    def put_position(self, position: Position, visible_ns: int = 0) -> None:
        """Add or replace a position; the terminal shows it from ``visible_ns`` on."""
        old = self.positions.get(position.ticket)
        self._ghost(position.ticket, old, visible_ns)
        exposure = self.exposure.setdefault(position.symbol, Exposure())
        if old is not None:
            exposure.add(old, -1)
        exposure.add(position, 1)
        self.positions[position.ticket] = position
        self._touched(position)

    def drop_position(self, ticket: int, visible_ns: int = 0) -> None:
        """Remove a position; the terminal still shows it until ``visible_ns``."""
        old = self.positions.pop(ticket)
        self._ghost(ticket, old, visible_ns)
        self.exposure[old.symbol].add(old, -1)
        self._touched(old)

    def _ghost(self, ticket: int, old: Position | None, visible_ns: int) -> None:
        if visible_ns and ticket not in self.ghosts:
            self.ghosts[ticket] = (old, visible_ns)

    def _touched(self, position: Position) -> None:
        self.dirty_positions[position.ticket] = None
        self.stale_symbols[position.symbol] = None

    def put_order(self, order: Order) -> None:
        """Add or replace a working order."""
        self.orders[order.ticket] = order
        self.dirty_orders[order.ticket] = None
        self.stale_symbols[order.symbol] = None

    def finish_order(self, order: Order) -> None:
        """Move an order to history."""
        if self.orders.pop(order.ticket, None) is not None:
            self.dirty_orders[order.ticket] = None
            self.stale_symbols[order.symbol] = None
        self.history.append(order)
        self.index_order(order)

    def index_order(self, order: Order) -> None:
        """Make a history order findable by ticket and position."""
        self.done_orders[order.ticket] = order
        if order.position_id:
            self.history_of.setdefault(order.position_id, []).append(order)
        if order.position_by_id:
            self.history_of.setdefault(order.position_by_id, []).append(order)

    def add_deal(self, deal: Deal) -> None:
        """Append a deal and move the balance by exactly what it says."""
        self.deals.append(deal)
        self.index_deal(deal)
        self.balance += deal.profit + deal.commission + deal.swap + deal.fee

    def index_deal(self, deal: Deal) -> None:
        """Make a deal findable by ticket and position."""
        self.deal_by_ticket[deal.ticket] = deal
        if deal.position_id:
            self.deals_of.setdefault(deal.position_id, []).append(deal)

    def position_on(self, symbol: str) -> Position | None:
        """The position of a symbol (netting: the only one)."""
        exposure = self.exposure.get(symbol)
        if exposure is None or not exposure.count:
            return None
        return next((p for p in self.positions.values() if p.symbol == symbol), None)

    def shown_positions(self, now_ns: int) -> list[Position]:
        """Positions as the terminal shows them at an instant, by ticket."""
        if self.frozen is not None:
            return sorted(self.frozen.positions.values(), key=_ticket)
        if not self.ghosts:
            return list(self.positions.values())
        shown = dict(self.positions)
        for ticket, (old, until_ns) in list(self.ghosts.items()):
            if until_ns <= now_ns:
                del self.ghosts[ticket]
            elif old is None:
                shown.pop(ticket, None)
            else:
                shown[ticket] = old
        return sorted(shown.values(), key=_ticket)

    def shown_orders(self) -> list[Order]:
        """Working orders as the terminal shows them."""
        orders = self.orders if self.frozen is None else self.frozen.orders
        return list(orders.values())

    def is_visible(self, visible_ns: int, done_ns: int, now_ns: int) -> bool:
        """Whether the terminal already has a history entry."""
        if self.frozen is not None:
            return done_ns < self.frozen.since_ns and visible_ns <= self.frozen.since_ns
        if now_ns < self.hidden_until_ns and done_ns >= self.hidden_since_ns:
            return False
        return visible_ns <= now_ns

    def freeze(self, now_ns: int) -> None:
        """The terminal loses the broker and keeps what it has."""
        if self.frozen is None:
            shown = {p.ticket: p for p in self.shown_positions(now_ns)}
            self.frozen = Frozen(now_ns, self.balance, shown, dict(self.orders))

    def thaw(self, now_ns: int, history_delay_ms: int) -> None:
        """The terminal is back; what happened meanwhile reaches its history later."""
        if self.frozen is not None:
            self.hidden_since_ns = self.frozen.since_ns
            self.hidden_until_ns = now_ns + history_delay_ms * 1_000_000
            self.frozen = None


def _ticket(position: Position) -> int:
    return position.ticket

"""What the paper venue keeps: balances, orders, trades. It changes only by whole executions.

An execution is everything that one event at the venue changed, as values: it is stored first and
applied afterwards, so that what is in memory is never ahead of what is on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

from argos_common.domain.side import Side
from argos_common.domain.venue import DealReason


class OrderKind(Enum):
    """PROTECTIVE: a resting sell that waits for its stop, or its target, to be reached."""

    MARKET = 1
    PROTECTIVE = 2


class OrderStatus(Enum):
    OPEN = 1
    FILLED = 2
    CANCELLED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperOrder:
    """An order as the venue keeps it. `done_at_ns` 0: still open."""

    venue_order_id: str
    client_id: str
    kind: OrderKind
    status: OrderStatus
    venue_symbol: str
    side: Side
    quantity: Decimal
    placed_at_ns: int
    done_at_ns: int = 0
    filled_quantity: Decimal = Decimal(0)
    average_price: Decimal = Decimal(0)
    stop_price: Decimal | None = None
    take_profit_price: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperTrade:
    """One execution. `fee` is positive, in `fee_asset`; `base_delta` what it did to the holding."""

    trade_id: str
    venue_order_id: str
    client_id: str
    venue_symbol: str
    side: Side
    reason: DealReason
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    base_delta: Decimal
    at_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """Everything one event changed: orders and balances as they stand now, trades in addition."""

    orders: tuple[PaperOrder, ...] = ()
    trades: tuple[PaperTrade, ...] = ()
    balances: tuple[tuple[str, Decimal], ...] = ()


@dataclass(slots=True)
class Books:
    """The venue's memory. `open_orders` is the part of `orders` that is not done."""

    balances: dict[str, Decimal] = field(default_factory=dict)
    orders: dict[str, PaperOrder] = field(default_factory=dict)
    open_orders: dict[str, PaperOrder] = field(default_factory=dict)
    trades: list[PaperTrade] = field(default_factory=list)

    @staticmethod
    def opened_with(balances: Mapping[str, Decimal]) -> Execution:
        """The first execution of a new account: what it starts with."""
        return Execution(balances=tuple(sorted(balances.items())))

    def held(self, asset: str) -> Decimal:
        return self.balances.get(asset, Decimal(0))

    def apply(self, execution: Execution) -> None:
        """Takes over what an execution changed."""
        for order in execution.orders:
            self.orders[order.venue_order_id] = order
            if order.status is OrderStatus.OPEN:
                self.open_orders[order.venue_order_id] = order
            else:
                self.open_orders.pop(order.venue_order_id, None)
        self.trades.extend(execution.trades)
        self.balances.update(execution.balances)

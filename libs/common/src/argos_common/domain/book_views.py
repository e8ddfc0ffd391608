"""What the book of an account is made of: trades, their legs, and the orders of those.

Changed by `domain/book.py` alone, while it folds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from argos_common.domain.ids import OrderId, SignalId, Strategy, Symbol, TradeId
from argos_common.domain.order import (
    ENDED,
    LIVE,
    OrderRefused,
    OrderState,
    OrderSubmitting,
    RefusalClass,
)
from argos_common.domain.verdict import Leg

NEVER_RETRIED: frozenset[RefusalClass] = frozenset(
    {RefusalClass.FINAL, RefusalClass.NO_MONEY, RefusalClass.NOTHING_TO_CLOSE}
)
DOUBTED: frozenset[OrderState] = frozenset({OrderState.IN_DOUBT, OrderState.PRESUMED_ABSENT})
MAY_YET_FILL: frozenset[OrderState] = LIVE - {OrderState.PRESUMED_ABSENT}
NOTHING_LEFT = "nothing_to_close"
"""The code of a decline that says: nothing is held that could be closed."""


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
    declined: str = ""
    """The code, if it was declined."""

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
    quantity_step: Decimal = Decimal(0)
    """Of the instrument when the verdict was given; 0 if it was not known."""
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
    def trace_parent(self) -> str:
        """The span of the verdict that opened it, empty if none is known."""
        return next((view.trace_parent for view in self.legs.values()), "")

    @property
    def position(self) -> Decimal:
        """Signed quantity held, from deals."""
        return sum(self.positions.values(), Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTrade:
    """What must not be forgotten of a trade that ended, should a late fill wake it.

    `left`: what it still held, as dust; it is the trade's again once the trade is woken.
    """

    strategy: Strategy
    legs_used: int
    external: bool = False
    left: dict[str, Decimal] = field(default_factory=dict)

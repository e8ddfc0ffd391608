"""When a leg is over, and when a trade is closed. The rules in words stand in `domain/book.py`."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from argos_common.domain.book_views import (
    DOUBTED,
    MAY_YET_FILL,
    NEVER_RETRIED,
    NOTHING_LEFT,
    LegView,
    OrderView,
    TradeView,
)
from argos_common.domain.ids import OrderId
from argos_common.domain.order import OrderState, RefusalClass
from argos_common.domain.verdict import Effect

Orders = Mapping[OrderId, OrderView]


def last_attempts(orders: Orders, view: LegView) -> dict[int, OrderView]:
    """Part -> its newest attempt."""
    return {orders[o].part: orders[o] for o in view.orders}


def opens(order: OrderView) -> bool:
    """Whether it was submitted to add risk."""
    return order.submitting is not None and order.submitting.effect is Effect.OPEN


def owed(orders: Orders, trade: TradeView) -> bool:
    """Whether deals are still to come for what orders of the trade have filled."""
    return any(orders[o].owed for view in trade.legs.values() for o in view.orders)


def may_open(orders: Orders, trade: TradeView) -> bool:
    """Whether an entry of the trade is under way at the venue."""
    return any(
        view.leg.effect is Effect.OPEN and orders[order_id].state in MAY_YET_FILL
        for view in trade.legs.values()
        for order_id in view.orders
    )


def is_last(trade: TradeView, view: LegView) -> bool:
    return view.leg.leg == max(trade.legs)


def leg_over(orders: Orders, trade: TradeView, view: LegView) -> bool:
    """Whether a leg can cause nothing any more."""
    last = last_attempts(orders, view)
    if not last:
        return False
    if any(order.state is OrderState.DECLINED for order in last.values()):
        return True
    if not all(_attempt_over(order) for order in last.values()):
        return False
    if view.leg.effect is Effect.OPEN:
        return True
    if view.leg.close_all:
        return closed_all(orders, trade, view)
    filled = sum(orders[o].filled_quantity for o in view.orders)
    return not owed(orders, trade) and (filled >= view.leg.quantity or not trade.positions)


def closed_all(orders: Orders, trade: TradeView, view: LegView) -> bool:
    """Nothing of the trade is left to close, and nothing of it may yet come."""
    if owed(orders, trade) or may_open(orders, trade):
        return False
    last = last_attempts(orders, view).values()
    filled = {
        order.submitting.position_ref
        for order in last
        if order.submitting and order.state is OrderState.FILLED
    }
    nothing_left = any(order.declined == NOTHING_LEFT for order in last)
    for ref, held in trade.positions.items():
        if view.quantity_step:
            if abs(held) >= view.quantity_step:
                return False
        elif not nothing_left and ref not in filled and "" not in filled:
            return False
    return nothing_left or all(order.state is not OrderState.DECLINED for order in last)


def left_in_doubt(orders: Orders, view: LegView) -> Decimal:
    """The signed position that orders of a close were to take away, where nobody knows if they did."""
    left = Decimal(0)
    for order in (orders[order_id] for order_id in view.orders):
        if order.state in DOUBTED and order.submitting is not None:
            known = max(order.filled_quantity, order.dealt_quantity)
            left -= order.submitting.side.sign * (order.submitting.quantity - known)
    return left


def _attempt_over(order: OrderView) -> bool:
    """FILLED to what this attempt asked for, or refused for good."""
    if order.state is OrderState.REFUSED:
        refusal = order.refusal.refusal if order.refusal else None
        if not opens(order):
            return refusal is RefusalClass.NOTHING_TO_CLOSE
        return refusal in NEVER_RETRIED
    if order.state is not OrderState.FILLED or order.submitting is None:
        return False
    return opens(order) or order.filled_quantity >= order.submitting.quantity

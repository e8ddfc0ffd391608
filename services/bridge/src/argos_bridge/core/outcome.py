"""What an answer, a silence, or deals mean for an order: the next event of its life, or nothing.

Rules:
1. An event is only proposed if the order's table has a row for it; what changes nothing and says
   nothing new is not proposed. So whoever lost a race asks again and gets the right answer: an
   answer that comes after the watcher gave up is evidence, and is put on record as such.
2. An order that is SUBMITTING past its deadline and grace is in doubt, whoever claimed it.
3. Deals prove a fill. They are waited for while the answer may still come, because it says more.
"""

from __future__ import annotations

from decimal import Decimal

from argos_common.domain.book import OrderView
from argos_common.domain.node import Outcome, Result
from argos_common.domain.order import (
    OrderAcknowledged,
    OrderEvent,
    OrderFilled,
    OrderInDoubt,
    OrderRefused,
    OrderState,
    RefusalClass,
    next_state,
)

from argos_bridge.core.state import AccountState, undertold

_PRICE_PLACES = Decimal("1e-10")


def of_outcome(
    state: AccountState, order: OrderView, outcome: Outcome, at_ns: int, evidence: str = "answer"
) -> OrderEvent | None:
    """The event an answer of the node makes of an order, or None if it says nothing new."""
    event: OrderEvent
    match outcome.result:
        case Result.DONE | Result.ACCEPTED:
            done = outcome.result is Result.DONE
            if not done and outcome.filled_quantity == 0:
                event = OrderAcknowledged(
                    order_id=order.order_id,
                    account=state.account,
                    venue_order_id=outcome.venue_order_id,
                    at_ns=at_ns,
                    hops=outcome.hops,
                    evidence=evidence,
                )
            else:
                event = OrderFilled(
                    order_id=order.order_id,
                    account=state.account,
                    venue_order_id=outcome.venue_order_id,
                    venue_position_id=outcome.venue_position_id,
                    filled_quantity=outcome.filled_quantity,
                    average_price=outcome.average_price,
                    done=done,
                    evidence=evidence,
                    at_ns=at_ns,
                    hops=outcome.hops,
                )
        case Result.REFUSED:
            event = OrderRefused(
                order_id=order.order_id,
                account=state.account,
                refusal=outcome.refusal or RefusalClass.FINAL,
                code=outcome.code,
                sentence=outcome.sentence,
                by_node=outcome.by_node,
                at_ns=at_ns,
                hops=outcome.hops,
            )
        case Result.IN_DOUBT:
            event = in_doubt(state, order, outcome.sentence or outcome.code, at_ns)
    return event if says_more(order, event) else None


def in_doubt(state: AccountState, order: OrderView, cause: str, at_ns: int) -> OrderInDoubt:
    return OrderInDoubt(order_id=order.order_id, account=state.account, cause=cause, at_ns=at_ns)


def says_more(order: OrderView, event: OrderEvent) -> bool:
    """Whether the event is legal for the order and changes something."""
    after = next_state(order.state, event)
    if after is None:
        return False
    if after is not order.state or not isinstance(event, OrderFilled):
        return True
    return event.filled_quantity > order.filled_quantity


def overdue_ns(state: AccountState, order: OrderView) -> int | None:
    """When a submission without outcome becomes doubtful (wall clock); None if it has one."""
    if order.state is not OrderState.SUBMITTING or order.submitting is None:
        return None
    grace_ns = state.config.doubt_grace_ns if state.config else 0
    return order.submitting.deadline_ns + grace_ns


def of_deals(state: AccountState, order: OrderView, at_ns: int) -> OrderFilled | None:
    """The fill that deals prove beyond what the order's events say, or None."""
    if order.submitting is None or not undertold(order):
        return None
    quantity = order.dealt_quantity
    value = state.dealt_value.get(order.order_id, Decimal(0))
    done = quantity >= order.submitting.quantity or order.state is OrderState.FILLED
    event = OrderFilled(
        order_id=order.order_id,
        account=state.account,
        venue_order_id=order.venue_order_id,
        venue_position_id=order.venue_position_id,
        filled_quantity=max(quantity, order.filled_quantity),
        average_price=(value / quantity).quantize(_PRICE_PLACES),
        done=done,
        evidence="deals",
        at_ns=at_ns,
    )
    return event if says_more(order, event) else None

"""When an attempt that was refused may be followed by another: one table, and what reads it.

Rules:
1. Only an explicit refusal or a proven absence is followed by another attempt. What is in doubt,
   or only presumed absent, never is.
2. A row gives how many refusals of its class are followed by another attempt (None: as many as the
   deadline allows) and how long to wait. An absent row allows none.
3. A venue that fills nothing, and an attempt that never left, count as an error of the venue: no
   loop is without a pause and a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argos_common.domain.book import OrderView
from argos_common.domain.order import OrderState, RefusalClass
from argos_common.domain.times import NS_PER_MS, NS_PER_S
from argos_common.domain.verdict import Effect


@dataclass(frozen=True, slots=True)
class Rule:
    """`retries` None: until the deadline."""

    retries: int | None
    pause_ns: int


R, E = RefusalClass, Effect
RETRIES: dict[tuple[RefusalClass, Effect], Rule] = {
    (R.REQUOTE, E.OPEN): Rule(3, 200 * NS_PER_MS),
    (R.REQUOTE, E.CLOSE): Rule(3, 200 * NS_PER_MS),
    (R.RATE_LIMIT, E.OPEN): Rule(5, 60 * NS_PER_S),
    (R.RATE_LIMIT, E.CLOSE): Rule(5, 60 * NS_PER_S),
    (R.VENUE_ERROR, E.OPEN): Rule(2, 30 * NS_PER_S),
    (R.VENUE_ERROR, E.CLOSE): Rule(2, 30 * NS_PER_S),
    # An entry into a market that opens later is another trade than the one that was approved.
    (R.MARKET_CLOSED, E.CLOSE): Rule(None, 60 * NS_PER_S),
    # Our own node refused: the venue was never asked, and an exit must get there.
    (R.NODE_GATE, E.CLOSE): Rule(None, 500 * NS_PER_MS),
}
ENTRY_GATES = {
    "lease_not_live": Rule(3, 600 * NS_PER_MS),  # the next lease is granted within half a second
    "terminal_down": Rule(5, NS_PER_S),  # its process is being started again
}
"""The node's refusals that an entry may try again; the venue was never asked."""
THE_REST = Rule(50, 0)
"""A part of an exit was filled and the rest cancelled: the rest again, at once."""
NEVER_LEFT = Rule(5, 200 * NS_PER_MS)
"""The order was sealed before it was sent."""


def rule_for(order: OrderView, effect: Effect) -> Rule | None:
    """The row for how this attempt ended, or None if no other may follow."""
    if order.state is OrderState.ABSENT:
        return NEVER_LEFT
    if order.state is OrderState.FILLED:
        return RETRIES[R.VENUE_ERROR, effect] if order.filled_quantity == 0 else THE_REST
    if order.state is not OrderState.REFUSED or order.refusal is None:
        return None
    refusal = order.refusal
    if refusal.refusal is R.NODE_GATE and effect is E.OPEN:
        return ENTRY_GATES.get(refusal.code)
    return RETRIES.get((refusal.refusal, effect))


def next_attempt_ns(attempts: Sequence[OrderView], effect: Effect) -> int | None:
    """When the attempt after the last of `attempts` may begin, or None if there is none.

    Wall clock, from when the last attempt's end was put on record.
    """
    last = attempts[-1]
    rule = rule_for(last, effect)
    if rule is None:
        return None
    alike = sum(1 for each in attempts if _ending(each) == _ending(last))
    if rule.retries is not None and alike > rule.retries:
        return None
    return last.changed_at_ns + rule.pause_ns


def _ending(order: OrderView) -> tuple[OrderState, RefusalClass | None, bool]:
    refusal = order.refusal.refusal if order.refusal else None
    return order.state, refusal, order.filled_quantity == 0

"""What to do about one approved leg that takes risk away.

Rules:
1. On a hedging account there is one part per position of the trade, and each order names its
   position, so that it can never do more than close it. Elsewhere there is one part, and it is
   never larger than what the account holds of the symbol.
2. What is to be closed comes from deals. So the leg waits while deals are owed, and, unless the
   order is self-limiting, while any order of the trade has no known outcome, or an exit of another
   leg works at the venue and its deals are still to come. Where it is self-limiting, only what such
   an exit closes is waited for; one in doubt is not, if everything is to be closed.
3. A part is tried again as the retry table says, and only after its last attempt has ended.
4. It is declined past its deadline; when nothing is held that could be closed and nothing may yet
   come; and when no part may be tried again. Declined with a position left, the trade is still
   open, and the next exit begins anew. While a part is under way nothing is declined.
5. A kill, an old epoch or a missing lease is no reason to keep risk on: none is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.book import MAY_YET_FILL, NOTHING_LEFT, LegView, OrderView, TradeView
from argos_common.domain.instrument import AccountKind
from argos_common.domain.money import down_to_step
from argos_common.domain.order import LIVE, UNRESOLVED, OrderState, RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect

from argos_bridge.core.retry import next_attempt_ns
from argos_bridge.core.state import AccountState
from argos_bridge.core.step import (
    Moment,
    Next,
    Place,
    Ready,
    Wait,
    decline,
    instrument,
    too_late,
)

ZERO = Decimal(0)
_AT_THE_VENUE = frozenset({OrderState.WORKING, OrderState.PARTLY_FILLED})


@dataclass(frozen=True, slots=True)
class _Target:
    """What is left to close of one position; `ref` empty where orders cannot name one."""

    ref: str
    side: Side
    quantity: Decimal


def exit_step(state: AccountState, trade: TradeView, view: LegView, moment: Moment) -> Next:
    """The next step for a leg that is not over."""
    parts = _parts(state, view)
    late = too_late(view, moment)
    until_ns = view.leg.deadline_ns if late is None else None
    if late is not None and any(a[-1].state in MAY_YET_FILL for a in parts.values()):
        return Wait(until_ns=None, why="a part is under way")
    if late is not None:
        return decline(state, view, _after(parts), moment, late)
    if state.config is None:
        return Wait(until_ns=until_ns, why="the account's configuration is not known")
    orders = [state.book.orders[each] for leg in trade.legs.values() for each in leg.orders]
    if any(each.owed for each in orders):
        return Wait(until_ns=until_ns, why="deals are still to come")
    hedging = state.config.kind is AccountKind.HEDGING
    unresolved = [each for each in orders if each.state in UNRESOLVED or _closes_yet(view, each)]
    if unresolved and not hedging:
        return Wait(until_ns=until_ns, why="the outcome of an order of the trade is not known")
    if not hedging and state.is_unreadable(view.symbol, Effect.CLOSE):
        return Wait(until_ns=until_ns, why="another exit of the symbol cannot be read")
    targets = _targets(state, trade, view, moment, parts)
    step = _first_target(view, moment, parts, unresolved, targets)
    if isinstance(step, Wait) and step.until_ns is not None:
        return Wait(until_ns=min(step.until_ns, view.leg.deadline_ns), why=step.why)
    if step is not None:
        return step
    if unresolved or any(attempts[-1].state in LIVE for attempts in parts.values()):
        return Wait(until_ns=until_ns, why="an order of the trade is under way")
    if any(_may_come(state, other) for other in trade.legs.values() if other is not view):
        return Wait(until_ns=until_ns, why="an entry of the trade is not over")
    return decline(state, view, _after(parts), moment, _end(targets, parts))


def _closes_yet(view: LegView, order: OrderView) -> bool:
    """Whether an order of another leg is at the venue and closes, without deals that say how much."""
    closes = order.submitting is not None and order.submitting.effect is Effect.CLOSE
    return closes and order.leg != view.leg.leg and order.state in _AT_THE_VENUE


def _parts(state: AccountState, view: LegView) -> dict[str, list[OrderView]]:
    """Position ref -> its attempts, oldest first."""
    parts: dict[str, list[OrderView]] = {}
    for order_id in view.orders:
        order = state.book.orders[order_id]
        if order.submitting is not None:
            parts.setdefault(order.submitting.position_ref, []).append(order)
    return parts


def _targets(
    state: AccountState,
    trade: TradeView,
    view: LegView,
    moment: Moment,
    parts: dict[str, list[OrderView]],
) -> list[_Target]:
    """What is to be closed now, position by position, oldest first."""
    asked = {ref: _outstanding(attempts[-1]) for ref, attempts in parts.items()}
    left: Decimal | None = None
    if not view.leg.close_all:
        left = view.leg.quantity - state.book.filled(view) - sum(asked.values(), ZERO)
    targets = []
    spot = state.config is not None and state.config.kind is AccountKind.SPOT
    for ref, held in _held(state, trade):
        if held == 0 or (left is not None and held * view.leg.side.sign >= 0):
            continue
        free = abs(held) - asked.get(ref, ZERO)
        if left is None and not spot:
            # A whole position is closed as it is: the venue may have changed its step since.
            quantity = _at_most(view, moment, free)
        else:
            quantity = _tradable(state, view, moment, free if left is None else min(left, free))
        if quantity > 0:
            targets.append(_Target(ref, Side.SELL if held > 0 else Side.BUY, quantity))
            left = None if left is None else left - quantity
    return targets


def _outstanding(order: OrderView) -> Decimal:
    """What an order under way may still close."""
    if order.state not in LIVE or order.submitting is None:
        return ZERO
    return order.submitting.quantity - order.filled_quantity


def _held(state: AccountState, trade: TradeView) -> list[tuple[str, Decimal]]:
    if state.config is not None and state.config.kind is AccountKind.HEDGING:
        return sorted(trade.positions.items(), key=_oldest_first)
    own, whole = trade.position, state.book.held(trade.symbol)
    if own * whole <= 0:
        return []
    return [("", min(own, whole) if own > 0 else max(own, whole))]


def _oldest_first(position: tuple[str, Decimal]) -> tuple[int, str]:
    """Venues number positions upwards. The order in which they were folded is not in a snapshot."""
    return len(position[0]), position[0]


def _tradable(state: AccountState, view: LegView, moment: Moment, quantity: Decimal) -> Decimal:
    """Rounded down to what one order may be of."""
    found = instrument(view, moment)
    step = found.quantity_step if found else view.quantity_step
    if step > 0:
        quantity = down_to_step(max(quantity, ZERO), step)
    if found is None:
        return quantity
    spot = state.config is not None and state.config.kind is AccountKind.SPOT
    if spot and quantity < found.quantity_min:
        return ZERO
    return _at_most(view, moment, quantity)


def _at_most(view: LegView, moment: Moment, quantity: Decimal) -> Decimal:
    """No more than one order may be of."""
    found = instrument(view, moment)
    return min(quantity, found.quantity_max) if found and found.quantity_max > 0 else quantity


def _first_target(
    view: LegView,
    moment: Moment,
    parts: dict[str, list[OrderView]],
    unresolved: list[OrderView],
    targets: list[_Target],
) -> Ready | Wait | None:
    """The first part that can be submitted now, else how long the others wait; None: no part can."""
    waits: list[int] = []
    for target in targets:
        attempts = parts.get(target.ref, [])
        if attempts and attempts[-1].state in LIVE:
            waits.append(view.leg.deadline_ns)
            continue
        if _another_closes(view, target, unresolved):
            waits.append(view.leg.deadline_ns)
            continue
        again_ns = next_attempt_ns(attempts, Effect.CLOSE) if attempts else moment.now_ns
        if again_ns is None and _told_nothing(attempts):
            # The venue closed it itself; its deal is on the way.
            waits.append(view.leg.deadline_ns)
        elif again_ns is not None and again_ns > moment.now_ns:
            waits.append(again_ns)
        elif again_ns is not None:
            place = Place(part=_part(parts, target.ref), attempt=len(attempts) + 1)
            return Ready(
                view=view,
                place=place,
                side=target.side,
                quantity=target.quantity,
                position_ref=target.ref,
            )
    return Wait(until_ns=min(waits), why="a part is to be tried again") if waits else None


def _another_closes(view: LegView, target: _Target, unresolved: list[OrderView]) -> bool:
    """Whether an order with unknown outcome bars another one on the position."""
    for order in unresolved:
        same = order.submitting is not None and order.submitting.position_ref == target.ref
        known = order.state is not OrderState.IN_DOUBT  # its deals, or its answer, will come
        if same and (known or not view.leg.close_all):
            return True
    return False


def _told_nothing(attempts: list[OrderView]) -> bool:
    refusal = attempts[-1].refusal if attempts else None
    return refusal is not None and refusal.refusal is RefusalClass.NOTHING_TO_CLOSE


def _may_come(state: AccountState, other: LegView) -> bool:
    """Whether an entry of the trade may still put something on."""
    if other.over or other.leg.effect is not Effect.OPEN:
        return False
    presumed = other.orders and (
        state.book.orders[other.orders[-1]].state is OrderState.PRESUMED_ABSENT
    )
    return not presumed


def _part(parts: dict[str, list[OrderView]], ref: str) -> int:
    if ref in parts:
        return parts[ref][-1].part
    return 1 + max((attempts[-1].part for attempts in parts.values()), default=0)


def _after(parts: dict[str, list[OrderView]]) -> Place:
    """The attempt that a decline of the leg takes the place of."""
    if not parts:
        return Place(part=1, attempt=1)
    last = list(parts.values())[-1][-1]
    return Place(part=last.part, attempt=last.attempt + 1)


def _end(targets: list[_Target], parts: dict[str, list[OrderView]]) -> tuple[str, str]:
    """Why nothing can be done any more."""
    if not targets:
        return NOTHING_LEFT, "nothing is held that could be closed"
    refusal = next((parts[each.ref][-1].refusal for each in targets if each.ref in parts), None)
    if refusal is None:
        return "exhausted", "the attempts allowed are used up"
    return refusal.code or "refused", f"the exit was refused for good: {refusal.sentence}"

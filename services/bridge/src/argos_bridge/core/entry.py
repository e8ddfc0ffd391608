"""What to do about one approved leg that adds risk.

Rules, in this order; the first that applies decides:

1. While an attempt is under way, or only presumed absent, nothing is done: its outcome comes first.
2. Declined, because it can never be right again: a newer control event bars it, its deadline has
   passed, a later exit of everything supersedes it, the trade it adds to was closed meanwhile, the
   position it reverses was not closed, or its last refusal allows no other attempt.
3. It waits for: the exit it reverses, the pause after a refusal, every order on its symbol whose
   outcome nobody knows, and a lease; where a symbol has one position for all (not on a hedging
   account), also for every earlier exit of the symbol, or that exit would close the entry and the
   entry what the exit was for. Waiting ends at the deadline.
4. It may be submitted, for what is not filled yet.
"""

from __future__ import annotations

from argos_common.domain.book import LegView, TradeView
from argos_common.domain.control import open_leg_is_stale
from argos_common.domain.instrument import AccountKind
from argos_common.domain.order import LIVE
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
    too_late,
    venue_symbol,
)


def entry_step(state: AccountState, trade: TradeView, view: LegView, moment: Moment) -> Next:
    """The next step for a leg that is not over."""
    attempts = [state.book.orders[each] for each in view.orders]
    if attempts and attempts[-1].state in LIVE:
        return Wait(until_ns=None, why="an attempt is under way")
    place = Place(part=1, attempt=attempts[-1].attempt + 1 if attempts else 1)
    again_ns = next_attempt_ns(attempts, Effect.OPEN) if attempts else moment.now_ns
    why = _never(state, trade, view, moment, again_ns)
    if why is not None:
        return decline(state, view, place, moment, why)
    deadline_ns = view.leg.deadline_ns
    if again_ns is not None and again_ns > moment.now_ns:
        return Wait(until_ns=min(again_ns, deadline_ns), why="pause before the next attempt")
    waiting = _not_yet(state, view, moment)
    if waiting:
        return Wait(until_ns=deadline_ns, why=waiting)
    left = view.leg.quantity - state.book.filled(view)
    return Ready(view=view, place=place, side=view.leg.side, quantity=left)


def _never(
    state: AccountState, trade: TradeView, view: LegView, moment: Moment, again_ns: int | None
) -> tuple[str, str] | None:
    if open_leg_is_stale(state.control, view.control_sequence):
        reason = state.control.kill_reason if state.control.killed else "a newer control event"
        return "stale", f"barred since it was approved: {reason}"
    late = too_late(view, moment)
    if late is not None:
        return late
    if any(other.leg.close_all and other.leg.leg > view.leg.leg for other in trade.legs.values()):
        return "superseded", "superseded by an exit"
    if again_ns is None:
        return _refused_for_good(state, view)
    if again_ns >= view.leg.deadline_ns:
        return "too_late", "another attempt could only come after the deadline"
    if view.leg.leg > 1 and not _goes_on(state, trade, view):
        return "trade_closed", "the trade it adds to was closed meanwhile"
    if _not_reversed(state, view):
        return "not_closed", "the position it reverses was not closed"
    if view.leg.quantity <= state.book.filled(view):
        return "filled", "an earlier attempt was filled after all"
    if state.config is not None and not venue_symbol(state, view, moment):
        return "no_symbol", f"the account has no symbol {view.symbol}"
    return None


def _refused_for_good(state: AccountState, view: LegView) -> tuple[str, str]:
    refusal = state.book.orders[view.orders[-1]].refusal
    if refusal is None:
        return "exhausted", "the attempts allowed are used up"
    return refusal.code or "refused", f"refused, and not to be tried again: {refusal.sentence}"


def _goes_on(state: AccountState, trade: TradeView, view: LegView) -> bool:
    """Whether the trade holds something, or another entry of it is under way."""
    if trade.position != 0:
        return True
    for other in trade.legs.values():
        if other is view or other.leg.effect is not Effect.OPEN:
            continue
        if not other.over or any(state.book.orders[each].owed for each in other.orders):
            return True
    return False


def _not_reversed(state: AccountState, view: LegView) -> bool:
    """Whether the exit that a reversal waits for is over and left the position standing."""
    found = _exit_before(state, view)
    if found is None or not found[1].over:
        return False
    trade, before = found
    owed = any(state.book.orders[each].owed for leg in trade.legs.values() for each in leg.orders)
    return not owed and not trade.closed and trade.position * before.leg.side.sign < 0


def _not_yet(state: AccountState, view: LegView, moment: Moment) -> str:
    if state.config is None:
        return "the account's configuration is not known"
    found = _exit_before(state, view)
    if found is not None:
        trade, before = found
        if not before.over:
            return "the position it reverses is not closed yet"
        if any(state.book.orders[each].owed for leg in trade.legs.values() for each in leg.orders):
            return "deals of the position it reverses are still to come"
    if state.config.kind is not AccountKind.HEDGING and _exit_ahead(state, view):
        return "an earlier exit of the symbol is not over"
    if view.symbol in state.unresolved.values():
        return "the outcome of another order on the symbol is not known"
    if not moment.lease:
        return "no lease"
    return ""


def _exit_ahead(state: AccountState, view: LegView) -> bool:
    """Whether an exit of the symbol that was approved before is not over."""
    for key, sequence in state.closing.items():
        found = state.leg(key)
        if found and found[1].symbol == view.symbol and sequence < view.verdict_sequence:
            return True
    return False


def _exit_before(state: AccountState, view: LegView) -> tuple[TradeView, LegView] | None:
    key = state.reversals.get((view.leg.trade_id, view.leg.leg))
    return state.leg(key) if key else None

"""What each event says, as one sentence for a person."""

from __future__ import annotations

from argos_common.domain.control import (
    ConfigApplied,
    ConfigProposed,
    Control,
    FlattenOrdered,
    KillEngaged,
    KillReleased,
    Scope,
)
from argos_common.domain.event import Event
from argos_common.domain.money import plain
from argos_common.domain.order import (
    ExitTurn,
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
)
from argos_common.domain.reconcile import (
    AlertRaised,
    DiscrepancyFound,
    DiscrepancyResolved,
    OrderMatched,
)
from argos_common.domain.restore import EntryLost, LogRestored
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, SignalAccepted, SignalRefused
from argos_common.domain.venue import DealRecorded, NodeConfirmed
from argos_common.domain.verdict import Decision, VerdictGiven

DECISIONS = {
    Decision.APPROVED: "approved",
    Decision.PARTLY: "partly approved",
    Decision.REFUSED: "refused",
}
# An exit names the side of the position it leaves.
_POSITIONS = {Side.BUY: "long", Side.SELL: "short"}
_SIDES: dict[Action, dict[Side, str]] = {
    Action.ENTER: {side: side.name.lower() for side in Side},
    Action.EXIT: _POSITIONS,
    Action.TARGET: _POSITIONS,
}


def sentence(event: Event) -> str:
    """What happened."""
    match event:
        case SignalAccepted():
            return f"signal accepted: {event.strategy} {wish(event)} (from {event.source})"
        case SignalRefused():
            return f"signal refused at the door: {event.sentence}"
        case VerdictGiven():
            return f"verdict on {event.account}: {_verdict(event)}"
        case DealRecorded():
            deal = event.deal
            return (
                f"deal on {event.account}: {deal.side.name.lower()} {plain(deal.quantity)}"
                f" {deal.symbol} at {plain(deal.price)}"
                f" ({deal.reason.name.lower().replace('_', ' ')}, by {event.how})"
            )
        case ExitTurn():
            return f"turn on {event.account}: order {event.order_id} may close {event.symbol}"
        case NodeConfirmed():
            return f"the node of {event.account} keeps epoch {event.epoch}"
        case OrderMatched():
            return (
                f"reconciled by {event.method.name.lower()} on {event.account}: order"
                f" {event.order_id}, {_match(event)}"
            )
        case DiscrepancyFound() | DiscrepancyResolved():
            return _discrepancy(event)
        case AlertRaised():
            return f"alert ({event.level}): {event.sentence}"
        case EntryLost() | LogRestored():
            return _restored(event)
        case _ if isinstance(event, Control):
            return _control(event)
        case _:
            return f"order {event.order_id} on {event.account}: {_order(event)}"


def _discrepancy(event: DiscrepancyFound | DiscrepancyResolved) -> str:
    where = f"on {event.account} {event.symbol}"
    if isinstance(event, DiscrepancyFound):
        return f"DISCREPANCY {where}: {event.sentence}"
    return f"discrepancy {where} resolved by {event.actor}: {event.how}"


def _restored(event: EntryLost | LogRestored) -> str:
    if isinstance(event, EntryLost):
        return f"an entry of generation {event.generation} stood here and is lost"
    return (
        f"the log was RESTORED as generation {event.generation} by {event.actor}: {event.reason}"
        f" ({event.from_copy} entries from the copy, {event.from_ledger} from the ledger,"
        f" {len(event.put_back)} orders from node journals)"
    )


def wish(event: SignalAccepted) -> str:
    """What a signal asks for."""
    side = _SIDES[event.action][event.side] if event.side else ""
    words = [event.action.name.lower(), side, event.symbol]
    if event.target_position is not None:
        words.append(f"to {plain(event.target_position)}")
    elif event.quantity is not None:
        words.append(f"{event.quantity_rule.name.lower()} {plain(event.quantity)}")
    return " ".join(word for word in words if word)


def _verdict(event: VerdictGiven) -> str:
    change = event.change.name.lower().replace("_", " ")
    legs = ", ".join(
        f"{leg.effect.name.lower()} {leg.side.name.lower()}"
        f" {'all' if leg.close_all else plain(leg.quantity)} {event.symbol}"
        for leg in event.legs
    )
    match event.decision:
        case Decision.APPROVED:
            return f"{change} approved: {legs}" if legs else f"{change}: {event.reason}"
        case Decision.PARTLY:
            return f"{_as_clause(event.reason)} ({legs})"
        case Decision.REFUSED:
            return _as_clause(event.reason)


def _as_clause(reason: str) -> str:
    """A verdict's reason, which is a sentence, within another one."""
    return reason[:1].lower() + reason[1:].rstrip(".")


def _control(event: Control) -> str:
    match event:
        case KillEngaged():
            scope = "the fleet" if event.scope is Scope.FLEET else "the account"
            return f"KILL of {scope} on {event.account} by {event.actor}: {event.reason}"
        case KillReleased():
            return f"kill released on {event.account} by {event.actor}: {event.reason}"
        case ConfigApplied():
            return f"configuration of {event.account} applied ({event.config_hash[:12]})"
        case ConfigProposed():
            return f"configuration of {event.account} waits for approval: {'; '.join(event.raises)}"
        case FlattenOrdered():
            what = event.symbol or "everything"
            return f"flatten {what} on {event.account} by {event.actor}: {event.reason}"


def _order(event: OrderEvent) -> str:
    match event:
        case OrderSubmitting():
            return (
                f"submitting {event.side.name.lower()} {plain(event.quantity)} {event.symbol}"
                f" (leg {event.leg}, attempt {event.attempt})"
            )
        case OrderDeclined():
            return f"declined, never submitted: {event.sentence}"
        case OrderAcknowledged():
            return f"working at the venue as {event.venue_order_id}"
        case OrderFilled():
            how = "" if event.evidence == "answer" else f", known by {event.evidence}"
            part = "filled" if event.done else "partly filled"
            return f"{part} {plain(event.filled_quantity)} at {plain(event.average_price)}{how}"
        case OrderRefused():
            who = "its node" if event.by_node else "the venue"
            return f"refused by {who}: {event.sentence}"
        case OrderInDoubt():
            return f"IN DOUBT: {event.cause}"
        case OrderSealed():
            return "sealed" + (", it was never sent" if event.never_sent else "")
        case OrderPresumedAbsent():
            return f"presumed absent after {event.passes} conclusive searches; still watched"
        case OrderAbsent():
            return f"absent: {event.why}"


def _match(event: OrderMatched) -> str:
    parts = [f"cost {plain(event.cost)}"]
    if event.slippage is not None:
        parts.insert(0, f"slippage {plain(event.slippage)}")
    if event.latency_ms is not None:
        parts.append(f"{plain(event.latency_ms)} ms from the signal")
    return f"{plain(event.quantity)} at {plain(event.average_price)} ({', '.join(parts)})"

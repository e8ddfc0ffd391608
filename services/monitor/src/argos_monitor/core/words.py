"""What each event says, as one sentence for a person."""

from __future__ import annotations

from argos_common.domain.control import (
    ConfigApplied,
    ConfigProposed,
    FlattenOrdered,
    KillEngaged,
    KillReleased,
)
from argos_common.domain.event import Event
from argos_common.domain.money import plain
from argos_common.domain.order import (
    OrderAbsent,
    OrderAcknowledged,
    OrderDeclined,
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
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.venue import DealRecorded, NodeConfirmed
from argos_common.domain.verdict import Decision, VerdictGiven

DECISIONS = {
    Decision.APPROVED: "approved",
    Decision.PARTLY: "partly approved",
    Decision.REFUSED: "refused",
}


def sentence(event: Event) -> str:
    """What an event says."""
    match event:
        case SignalAccepted():
            return f"signal accepted: {wish(event)} (from {event.source}, {event.bot_version})"
        case SignalRefused():
            return f"signal refused at the door: {event.sentence}"
        case VerdictGiven():
            return f"{event.account}: {DECISIONS[event.decision]}: {event.reason}"
        case KillEngaged() | KillReleased() | ConfigApplied() | ConfigProposed() | FlattenOrdered():
            return _control(event)
        case DealRecorded():
            deal = event.deal
            what = f"{deal.side.name.lower()} {plain(deal.quantity)} at {plain(deal.price)}"
            return f"deal {deal.deal_id}: {what} ({deal.reason.name.lower()}, by {event.how})"
        case NodeConfirmed():
            return f"the node of {event.account} keeps epoch {event.epoch}"
        case OrderMatched():
            return f"reconciled by {event.method.name.lower()}: {_match(event)}"
        case DiscrepancyFound():
            return f"discrepancy: {event.sentence}"
        case DiscrepancyResolved():
            return f"discrepancy resolved by {event.actor}: {event.how}"
        case AlertRaised():
            return f"alert: {event.sentence}"
        case (
            OrderSubmitting()
            | OrderDeclined()
            | OrderAcknowledged()
            | OrderFilled()
            | OrderRefused()
            | OrderInDoubt()
            | OrderSealed()
            | OrderPresumedAbsent()
            | OrderAbsent()
        ):
            return f"order {event.order_id}: {_order(event)}"


def wish(event: SignalAccepted) -> str:
    """What a signal asks for."""
    words = [event.action.name.lower(), event.side.name.lower() if event.side else "", event.symbol]
    if event.target_position is not None:
        words.append(f"to {plain(event.target_position)}")
    elif event.quantity is not None:
        words.append(f"{event.quantity_rule.name.lower()} {plain(event.quantity)}")
    return " ".join(word for word in words if word)


def _control(
    event: KillEngaged | KillReleased | ConfigApplied | ConfigProposed | FlattenOrdered,
) -> str:
    match event:
        case KillEngaged():
            return f"kill engaged on {event.account} by {event.actor}: {event.reason}"
        case KillReleased():
            return f"kill released on {event.account} by {event.actor}: {event.reason}"
        case ConfigApplied():
            return f"configuration {event.config_hash[:8]} of {event.account} applied"
        case ConfigProposed():
            return f"configuration {event.config_hash[:8]} of {event.account} waits for approval"
        case FlattenOrdered():
            what = event.symbol or "everything"
            return f"flatten of {what} on {event.account} ordered by {event.actor}: {event.reason}"


def _order(  # one sentence per state
    event: OrderSubmitting
    | OrderDeclined
    | OrderAcknowledged
    | OrderFilled
    | OrderRefused
    | OrderInDoubt
    | OrderSealed
    | OrderPresumedAbsent
    | OrderAbsent,
) -> str:
    match event:
        case OrderSubmitting():
            what = f"{event.side.name.lower()} {plain(event.quantity)} {event.symbol}"
            return f"claimed, attempt {event.attempt}: {what} ({event.effect.name.lower()})"
        case OrderDeclined():
            return f"not submitted: {event.sentence}"
        case OrderAcknowledged():
            return f"working at the venue as {event.venue_order_id}"
        case OrderFilled():
            what = f"{plain(event.filled_quantity)} at {plain(event.average_price)}"
            state = "filled" if event.done else "partly filled"
            return f"{state}: {what} (evidence: {event.evidence})"
        case OrderRefused():
            who = "our own node" if event.by_node else "the venue"
            return f"refused by {who}: {event.sentence}"
        case OrderInDoubt():
            return f"in doubt: {event.cause}"
        case OrderSealed():
            return "sealed" + (", it was never sent" if event.never_sent else "")
        case OrderPresumedAbsent():
            return f"no trace at the venue in {event.passes} passes: presumed absent"
        case OrderAbsent():
            return f"absent: {event.why}"


def _match(event: OrderMatched) -> str:
    parts = [f"{plain(event.quantity)} at {plain(event.average_price)}"]
    if event.intended_price is not None and event.slippage is not None:
        parts.append(f"intended {plain(event.intended_price)}, slippage {plain(event.slippage)}")
    parts.append(f"cost {plain(event.cost)}")
    if event.latency_ms is not None:
        parts.append(f"{plain(event.latency_ms)} ms from signal to fill")
    return ", ".join(parts)

"""One sentence for each event, for a person who watches."""

from __future__ import annotations

from argos_common.domain.control import (
    ConfigApplied,
    ConfigProposed,
    FlattenOrdered,
    KillEngaged,
    KillReleased,
    Scope,
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
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, SignalAccepted, SignalRefused
from argos_common.domain.venue import DealRecorded, NodeConfirmed
from argos_common.domain.verdict import Decision, Effect, VerdictGiven

from argos_cli.output import Tone


def sentence(event: Event) -> str:
    """What happened, in plain words."""
    match event:
        case SignalAccepted():
            return f"signal accepted: {event.strategy} {_wish(event)} (from {event.source})"
        case SignalRefused():
            return f"signal refused at the door: {event.sentence}"
        case VerdictGiven():
            return f"verdict on {event.account}: {_verdict(event)}"
        case KillEngaged() | KillReleased() | ConfigApplied() | ConfigProposed() | FlattenOrdered():
            return _control(event)
        case OrderMatched():
            return (
                f"reconciled on {event.account}: order {event.order_id} by"
                f" {event.method.name.lower()}, {plain(event.quantity)} at"
                f" {plain(event.average_price)}{_slippage(event)}"
            )
        case DiscrepancyFound():
            return f"DISCREPANCY on {event.account} {event.symbol}: {event.sentence}"
        case DiscrepancyResolved():
            return f"discrepancy on {event.account} {event.symbol} resolved: {event.how}"
        case AlertRaised():
            return f"alert ({event.level}): {event.sentence}"
        case DealRecorded():
            deal = event.deal
            return (
                f"deal on {event.account}: {deal.side.name.lower()} {plain(deal.quantity)}"
                f" {deal.symbol} at {plain(deal.price)}"
                f" ({deal.reason.name.lower().replace('_', ' ')})"
            )
        case NodeConfirmed():
            return f"the node of {event.account} keeps epoch {event.epoch}"
        case _:
            return f"order {event.order_id} on {event.account}: {_order(event)}"


def tone(event: Event | None) -> Tone:
    """How loud it is."""
    match event:
        case None | DiscrepancyFound() | OrderInDoubt() | KillEngaged():
            return "error"
        case SignalRefused() | OrderRefused() | OrderDeclined() | AlertRaised() | FlattenOrdered():
            return "warn"
        case VerdictGiven(decision=Decision.REFUSED):
            return "warn"
        case OrderFilled() | OrderMatched() | DiscrepancyResolved() | KillReleased():
            return "good"
        case _:
            return ""


def worth_showing(event: Event | None) -> bool:
    """Whether somebody who watches a fleet wants to see it; the rest is in `argos log tail`."""
    return not isinstance(
        event, NodeConfirmed | OrderAcknowledged | DealRecorded | ConfigApplied | OrderSealed
    )


# An exit names the side of the position it leaves.
_POSITIONS = {Side.BUY: "long", Side.SELL: "short"}
_SIDES: dict[Action, dict[Side, str]] = {
    Action.ENTER: {side: side.name.lower() for side in Side},
    Action.EXIT: _POSITIONS,
    Action.TARGET: _POSITIONS,
}


def _as_clause(reason: str) -> str:
    """A verdict's reason, which is a sentence, within another one."""
    return reason[:1].lower() + reason[1:].rstrip(".")


def _wish(event: SignalAccepted) -> str:
    side = f" {_SIDES[event.action][event.side]}" if event.side else ""
    quantity = f" {plain(event.quantity)}" if event.quantity is not None else ""
    if event.action is Action.TARGET and event.target_position is not None:
        return f"target {plain(event.target_position)} {event.symbol}"
    return f"{event.action.name.lower()}{side}{quantity} {event.symbol}"


def _verdict(event: VerdictGiven) -> str:
    change = event.change.name.lower().replace("_", " ")
    legs = ", ".join(
        f"{'open' if leg.effect is Effect.OPEN else 'close'} {leg.side.name.lower()}"
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


def _control(
    event: KillEngaged | KillReleased | ConfigApplied | ConfigProposed | FlattenOrdered,
) -> str:
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


def _order(
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
            return f"presumed absent after {event.passes} passes; still watched"
        case OrderAbsent():
            return f"absent: {event.why}"


def _slippage(event: OrderMatched) -> str:
    parts = []
    if event.slippage is not None:
        parts.append(f"slippage {plain(event.slippage)}")
    if event.latency_ms is not None:
        parts.append(f"{plain(event.latency_ms)} ms from the signal")
    return f" ({', '.join(parts)})" if parts else ""

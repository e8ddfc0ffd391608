"""How loud an event is on a screen, and whether it is shown to somebody who watches."""

from __future__ import annotations

from argos_common.domain.control import ConfigApplied, FlattenOrdered, KillEngaged, KillReleased
from argos_common.domain.event import Event
from argos_common.domain.order import (
    OrderAcknowledged,
    OrderDeclined,
    OrderFilled,
    OrderInDoubt,
    OrderRefused,
    OrderSealed,
)
from argos_common.domain.reconcile import (
    AlertRaised,
    DiscrepancyFound,
    DiscrepancyResolved,
    OrderMatched,
)
from argos_common.domain.restore import EntryLost, LogRestored
from argos_common.domain.signal import SignalRefused
from argos_common.domain.venue import DealRecorded, NodeConfirmed
from argos_common.domain.verdict import Decision, VerdictGiven

from argos_cli.output import Tone


def tone(event: Event | None) -> Tone:
    """How loud it is."""
    match event:
        case None | DiscrepancyFound() | OrderInDoubt() | KillEngaged() | LogRestored():
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
        event,
        NodeConfirmed | OrderAcknowledged | DealRecorded | ConfigApplied | OrderSealed | EntryLost,
    )

"""Every event the log can hold."""

from __future__ import annotations

from argos_common.domain.control import (
    ConfigApplied,
    ConfigProposed,
    FlattenOrdered,
    KillEngaged,
    KillReleased,
)
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
from argos_common.domain.verdict import VerdictGiven

Event = (
    SignalAccepted
    | SignalRefused
    | VerdictGiven
    | KillEngaged
    | KillReleased
    | ConfigApplied
    | ConfigProposed
    | FlattenOrdered
    | OrderSubmitting
    | OrderDeclined
    | OrderAcknowledged
    | OrderFilled
    | OrderRefused
    | OrderInDoubt
    | OrderSealed
    | OrderPresumedAbsent
    | OrderAbsent
    | DealRecorded
    | NodeConfirmed
    | OrderMatched
    | DiscrepancyFound
    | DiscrepancyResolved
    | AlertRaised
)

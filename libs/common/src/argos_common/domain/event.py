"""Every event the log can hold."""

from __future__ import annotations

from argos_common.domain.control import Control
from argos_common.domain.order import ExitTurn, OrderEvent
from argos_common.domain.reconcile import (
    AlertRaised,
    DiscrepancyFound,
    DiscrepancyResolved,
    OrderMatched,
)
from argos_common.domain.restore import EntryLost, LogRestored
from argos_common.domain.signal import SignalAccepted, SignalRefused
from argos_common.domain.venue import DealRecorded, NodeConfirmed
from argos_common.domain.verdict import VerdictGiven

Event = (
    SignalAccepted
    | SignalRefused
    | VerdictGiven
    | Control
    | OrderEvent
    | ExitTurn
    | DealRecorded
    | NodeConfirmed
    | OrderMatched
    | DiscrepancyFound
    | DiscrepancyResolved
    | AlertRaised
    | EntryLost
    | LogRestored
)

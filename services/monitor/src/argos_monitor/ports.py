"""What the monitor needs from outside besides log, bus and clock: the ledger, and gauges to set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from argos_common.domain.errors import ArgosError

from argos_monitor.core.conditions import LogView, Period
from argos_monitor.core.desk import Desk
from argos_monitor.core.fleet_state import FleetState
from argos_monitor.core.heartbeat import Heartbeats
from argos_monitor.core.log_server import ServerFigures
from argos_monitor.core.status import HeardFacts, Json
from argos_monitor.core.timeline import Told


class LedgerAway(ArgosError):
    """The ledger cannot be read now: the sentence says why."""


class LedgerReader(Protocol):
    """The ledger as anybody may read it. Calls block; raise LedgerAway."""

    def checkpoint(self) -> int:
        """The last log entry in it."""
        ...

    def trades(self, limit: int, account: str) -> list[Json]:
        """The newest trades first, plain values; of one account, or of all if empty."""
        ...

    def events_of(self, trade_id: str) -> list[Told]:
        """Everything of a trade (or of a signal of that id), in log order."""
        ...

    def signals(self, limit: int) -> list[Told]:
        """The newest signals, accepted or refused, and their verdicts, in log order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the monitor knows at one moment; only to be read, and only now."""

    state: FleetState
    beats: Heartbeats
    log: LogView
    strategies: Mapping[str, Period]
    facts: Mapping[str, HeardFacts]
    desk: Desk
    healthy: bool
    now_ns: int


class Gauges(Protocol):
    """Who shows figures to the outside. Never decides anything."""

    def raised(self, code: str) -> None:
        """An alert is told."""
        ...

    def look(self, view: View) -> None:
        """How everything stands, once a second."""
        ...

    def log_server(self, figures: ServerFigures | None, unwell: int) -> None:
        """What the log's server says of itself; None: it does not answer."""
        ...


class NoGauges:
    """Shows nothing: for simulations and tests."""

    def raised(self, code: str) -> None:
        pass

    def look(self, view: View) -> None:
        pass

    def log_server(self, figures: ServerFigures | None, unwell: int) -> None:
        pass

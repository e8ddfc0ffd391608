"""What the monitor needs from outside besides log, bus and clock: the ledger, to read only."""

from __future__ import annotations

from typing import Protocol

from argos_common.domain.errors import ArgosError

from argos_monitor.core.status import Json
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

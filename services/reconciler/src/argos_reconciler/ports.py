"""What the reconciler needs from outside: the ledger, and whom it tells what it saw.

The log, the clock and nodes are the fleet's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from argos_common.domain.errors import ArgosError, OurMistake
from argos_common.domain.ids import Account
from argos_common.domain.node import Snapshot
from argos_common.domain.reconcile import OrderMatched

from argos_reconciler.core.rows import START, Item

BATCH_MAX = 256


class LedgerUnavailable(ArgosError):
    """The ledger cannot be written now: the sentence says why. Try again with the same entries."""


class LedgerUnusable(OurMistake):
    """The ledger is damaged, of another log, or somebody else's; the sentence offers the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far the ledger has come. `hash` chains every entry's sequence, subject and bytes.

    `generation`: of the log that its last entry came from. A log of another generation that begins
    with the same entries is the same log after a restore, and the ledger goes on with it.
    """

    generation: str
    sequence: int = 0
    hash: str = START


@dataclass(frozen=True, slots=True)
class LedgerSize:
    """The database's size in bytes, and how many are connected to it."""

    stored_bytes: int
    connections: int


class Ledger(Protocol):
    """What people query, made from the log. One writer; the rows and the checkpoint move together."""

    async def open(self, generation: str) -> Checkpoint:
        """Take the ledger for writing; make it if there is none.

        Raises LedgerUnusable if it is damaged or written by somebody else, and LedgerUnavailable.
        """
        ...

    async def project(self, items: Sequence[Item]) -> Checkpoint:
        """Take entries, in order, all or none. Those it has already are not taken again.

        Raises LedgerUnavailable (ask again with the same entries) or LedgerUnusable: the entries
        are not of the log this ledger was made from.
        """
        ...

    async def close(self) -> None: ...


class Report(Protocol):
    """Who is told what was seen. Never decides anything."""

    def matched(self, event: OrderMatched, trace_id: str) -> None:
        """A match of ours is on record."""
        ...

    def compared(self, account: Account, snapshot: Snapshot) -> None:
        """The venue's own picture was compared with the book."""
        ...

    def projected(self, took_ns: int, waiting: int) -> None:
        """A batch is in the ledger; `waiting` entries are not yet."""
        ...

    def ledger_away(self) -> None:
        """The ledger cannot be written now."""
        ...


class QuietReport:
    """Tells nobody: for simulations and tests."""

    def matched(self, event: OrderMatched, trace_id: str) -> None:
        pass

    def compared(self, account: Account, snapshot: Snapshot) -> None:
        pass

    def projected(self, took_ns: int, waiting: int) -> None:
        pass

    def ledger_away(self) -> None:
        pass


REBUILD = "stop the fleet's reconciler and make it again from the log with `argos ledger rebuild`"

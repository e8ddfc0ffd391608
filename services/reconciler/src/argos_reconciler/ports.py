"""What the reconciler needs from outside: the ledger. The log, the clock and nodes are the fleet's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from argos_common.domain.errors import ArgosError, OurMistake

from argos_reconciler.core.rows import START, Item

BATCH_MAX = 256


class LedgerUnavailable(ArgosError):
    """The ledger cannot be written now: the sentence says why. Try again with the same entries."""


class LedgerUnusable(OurMistake):
    """The ledger is damaged, of another log, or somebody else's; the sentence offers the way out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """How far the ledger has come. `hash` chains every entry's sequence, subject and bytes."""

    generation: str
    sequence: int = 0
    hash: str = START


class Ledger(Protocol):
    """What people query, made from the log. One writer; the rows and the checkpoint move together."""

    async def open(self, generation: str) -> Checkpoint:
        """Take the ledger for writing; make it if there is none.

        Raises LedgerUnusable if it is damaged, of another generation or written by somebody else,
        and LedgerUnavailable.
        """
        ...

    async def project(self, items: Sequence[Item]) -> Checkpoint:
        """Take entries, in order, all or none. Those it has already are not taken again.

        Raises LedgerUnavailable (ask again with the same entries) or LedgerUnusable: the entries
        are not of the log this ledger was made from.
        """
        ...

    async def close(self) -> None: ...


REBUILD = "stop the fleet's reconciler and make it again from the log with `argos ledger rebuild`"

"""The ledger in memory: the same fold as in SQL, for the simulation and for tests."""

from __future__ import annotations

from collections.abc import Sequence

from argos_reconciler.core.checkpoint import Chain
from argos_reconciler.core.project import fold_all
from argos_reconciler.core.rows import Item, Row, Rows
from argos_reconciler.ports import REBUILD, Checkpoint, LedgerUnusable


class MemoryLedger:
    """Implements `Ledger`. It outlives its writer: open it again after a crash.

    `keep_events` False: rows of events are counted only, for long simulations.
    """

    def __init__(self, *, keep_events: bool = True) -> None:
        self.rows = Rows()
        self.checkpoint: Checkpoint | None = None
        self._chain = Chain()
        self._generation = ""
        self._keep_events = keep_events

    async def open(self, generation: str) -> Checkpoint:
        stored = self.checkpoint
        if stored is None:
            stored = self.checkpoint = Checkpoint(generation=generation)
        self._generation = generation
        self._chain = Chain()
        return stored

    async def project(self, items: Sequence[Item]) -> Checkpoint:
        stored = self.checkpoint
        if stored is None:
            raise LedgerUnusable("the ledger is not open")
        new = self._chain.take(items, stored.sequence, stored.hash)
        if new is None:
            raise LedgerUnusable(
                f"the ledger was made from another log (up to entry {stored.sequence}): {REBUILD}"
            )
        if new:
            fold_all(self.rows, new)
            if not self._keep_events:
                self.rows.added.pop("events", None)
            stored = self.checkpoint = Checkpoint(
                generation=self._generation, sequence=new[-1].sequence, hash=self._chain.hash
            )
        return stored

    async def close(self) -> None:
        pass

    def table(self, name: str) -> list[Row]:
        """The rows of one table."""
        if name in ("orders", "trades", "discrepancies"):
            changed: dict[object, Row] = getattr(self.rows, name)
            return list(changed.values())
        return self.rows.added.get(name, [])

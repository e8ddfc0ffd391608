"""The paper venue's books in memory, for a simulation: whoever keeps the store keeps the books."""

from __future__ import annotations

from argos_exchange_node.core.books import Books, Execution


class MemoryStore:
    """`executions`: everything that was committed, oldest first; to be read only."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []

    def load(self) -> Books:
        books = Books()
        for execution in self.executions:
            books.apply(execution)
        return books

    def commit(self, execution: Execution) -> None:
        self.executions.append(execution)

    def close(self) -> None:
        """Nothing to let go of."""

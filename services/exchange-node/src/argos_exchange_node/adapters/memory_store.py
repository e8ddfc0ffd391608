"""The paper venue's books in memory, for a simulation: whoever keeps the store keeps the books."""

from __future__ import annotations

from argos_exchange_node.core.books import Books, Execution


class MemoryStore:
    def __init__(self) -> None:
        self._executions: list[Execution] = []

    def load(self) -> Books:
        books = Books()
        for execution in self._executions:
            books.apply(execution)
        return books

    def commit(self, execution: Execution) -> None:
        self._executions.append(execution)

    def close(self) -> None:
        """Nothing to let go of."""

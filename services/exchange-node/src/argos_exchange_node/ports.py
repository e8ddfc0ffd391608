"""What the exchange node needs from outside."""

from __future__ import annotations

from typing import Protocol

from argos_exchange_node.core.books import Books, Execution


class Store(Protocol):
    """Where the paper venue's books are kept. Both methods may block."""

    def load(self) -> Books:
        """The books as they were left; empty ones the first time."""
        ...

    def commit(self, execution: Execution) -> None:
        """All of it or nothing, durable on return. Raises OurMistake."""
        ...

    def close(self) -> None: ...

"""The ledger from outside. The work is in `ledger_work`, which takes half a second to import.

That half second is spent only where a ledger is looked at: `argos kill` must not wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from argos_cli.audit.promises import Check
from argos_cli.client.opened import Opened

DIFFERENCES_MAX = 100
"""So many rows that differ are named, at most."""


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """A ledger made again: where, and how far."""

    ledger: str
    entries: int
    hash: str


async def check_ledger(opened: Opened) -> Check:
    """Whether the ledger's checkpoint, chain of hashes and rows are those that the log makes."""
    from argos_cli.client import ledger_work  # see above

    return await ledger_work.check(opened)


async def rebuild_ledger(opened: Opened) -> Rebuilt:
    """Make the ledger again from the log. Raises OurMistake while somebody writes it.

    A SQLite ledger is made beside the old one and takes its place when it is complete; the old one
    is kept as `.old`. Postgres: the tables are emptied first, so it is whole only at the end.
    """
    from argos_cli.client import ledger_work  # see above

    return await ledger_work.rebuild(opened)

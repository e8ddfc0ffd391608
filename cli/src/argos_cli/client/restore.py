"""Restoring the log of a stopped fleet. The work is in `restore_work`, which is dear to import."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an operator asks for. `up_to`: go on without what follows; 0: nothing is left out."""

    actor: str
    reason: str
    up_to: int = 0
    journals: tuple[Path, ...] = ()
    without_journal: tuple[str, ...] = ()
    anyway: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What the last entry of the new generation says, and where the old store is now."""

    generation: str
    before: str
    actor: str
    reason: str
    restored_at_ns: int
    last_known: int
    from_copy: int
    from_ledger: int
    places_lost: int
    put_back: tuple[str, ...]
    unexplained: tuple[str, ...]
    without_journal: tuple[str, ...]
    archive: str


async def restore_log(state: Path, order: Order) -> Restored:
    """Make the next generation. Raises BadInput where there is nothing to do, and OurMistake."""
    from argos_cli.client import restore_work  # half a second, spent only here

    return await restore_work.restored(state, order)

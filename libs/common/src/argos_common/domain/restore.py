"""A new generation of the log after a restore: what it was made from, and what is gone (ADR 10)."""

from __future__ import annotations

from dataclasses import dataclass

from argos_common.domain.ids import Account, OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryLost:
    """What stood at this sequence in `generation` is lost; only that something did is known.

    It keeps its place, so that no sequence that anybody remembers means something else.
    """

    generation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRestored:
    """The last entry of a restore: this generation is whole, and every account is killed.

    `last_known`: up to there every entry is as it was in the generation `before`; `from_ledger` of
    them only the ledger had. `put_back`: orders that only a node's journal knew. `unexplained`:
    orders in a journal that nothing explains; what they did shows as external. `without_journal`:
    accounts of which no journal was there.
    """

    generation: str
    before: str
    actor: str
    reason: str
    restored_at_ns: int
    last_known: int
    from_copy: int
    from_ledger: int
    places_lost: int
    put_back: tuple[OrderId, ...]
    unexplained: tuple[OrderId, ...]
    without_journal: tuple[Account, ...]

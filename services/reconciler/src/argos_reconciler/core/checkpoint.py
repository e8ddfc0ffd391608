"""Taking entries exactly once: which are new, and whether the others are the ones taken before.

`Chain` follows the hash of the log from its beginning, over entries the ledger has and entries it
has not. Where the chain passes the ledger's checkpoint both hashes must be equal; otherwise the
ledger was made from another log, or from a log that has been changed since.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argos_reconciler.core.rows import START, Item, chain


@dataclass(slots=True)
class Chain:
    """The hash of everything read so far. `sequence` is the last entry read."""

    sequence: int = 0
    hash: str = START

    def take(self, items: Sequence[Item], stored: int, stored_hash: str) -> list[Item] | None:
        """The entries above the checkpoint (`stored`, `stored_hash`); None if it does not fit.

        Nothing is remembered of a call that is answered None. An entry read before is skipped.
        """
        sequence, value, new = self.sequence, self.hash, []
        for item in items:
            if item.sequence <= sequence:
                continue
            if sequence < stored < item.sequence:
                return None  # the log has no entry where the ledger stands
            sequence, value = item.sequence, chain(value, item.sequence, item.subject, item.raw)
            if sequence == stored and value != stored_hash:
                return None
            if sequence > stored:
                new.append(item)
        self.sequence, self.hash = sequence, value
        return new

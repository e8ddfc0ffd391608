"""The port to a venue: what the last hop asks of MetaTrader, an exchange or a paper venue.

One `Venue` serves one account. It translates; it decides nothing about whether to send.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from argos_common.domain.ids import OrderId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import (
    AccountFacts,
    Deals,
    Evidence,
    Outcome,
    Question,
    Snapshot,
    Submission,
)
from argos_common.domain.venue import Deal


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the last hop must know of the venue.

    `self_limiting_close`: a CLOSE that names a position can never do more than close it, however
    often it arrives (a hedging ticket, a reduce-only order).
    """

    kind: AccountKind
    self_limiting_close: bool


class Venue(Protocol):
    @property
    def capabilities(self) -> Capabilities: ...

    async def place(self, submission: Submission) -> Outcome:
        """One call to the venue, begun at once, bounded in time. Raises nothing.

        DONE, ACCEPTED and REFUSED only on the venue's explicit word. Whatever else happens, a
        timeout, a lost connection, a dead worker, an odd answer, is IN_DOUBT. Never repeats a call
        whose outcome is unknown. The hops of the outcome are filled in by the last hop.
        """
        ...

    async def search(self, question: Question) -> Evidence:
        """Open orders, positions, order history, deals: by tag and number first, then fingerprint.

        `journal` and `outcome` are left for the last hop (NOTHING, None). Not `conclusive` unless
        connected with a complete and current history. May raise NodeUnavailable.
        """
        ...

    async def snapshot(self) -> Snapshot:
        """Epoch, incarnation and unproven order ids are filled in by the last hop.

        May raise NodeUnavailable.
        """
        ...

    async def deals(self, since_ns: int) -> Deals:
        """Deals of this venue time or later, oldest first. May raise NodeUnavailable."""
        ...

    def watch(self) -> AsyncIterator[Deal | AccountFacts]:
        """Deals as they become visible, and facts on change and at least every half second.

        Facts come first, at once. A deal may come more than once. One consumer at a time; it may
        end or raise, and is then asked for again.
        """
        ...

    async def abandon(self, order_id: OrderId) -> bool:
        """True once no call for this order can still be on its way from this machine.

        The call has returned, or whatever ran it is dead, also if an earlier process began it.
        """
        ...

"""A venue node as its callers see it: the port `Node`, in process or over gRPC alike.

`submit` never raises for trouble on the way: whatever keeps the answer from arriving is an outcome
IN_DOUBT. Everything else only asks, or makes the node more cautious; it raises `NodeUnavailable`
and may be tried again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from argos_common.domain.errors import ArgosError
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import (
    Deals,
    EpochKept,
    Evidence,
    LeaseAnswer,
    LeaseAsk,
    Outcome,
    Question,
    Result,
    Seal,
    Snapshot,
    Submission,
    VenueEvent,
)

SERVICE = "argos.v1.VenueNode"
LEASE_EVERY_S = 0.5
FACTS_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often a node asks for a lease, and how soon a silent venue is reported, in seconds."""

    lease_every_s: float = LEASE_EVERY_S
    facts_every_s: float = FACTS_EVERY_S


class NodeUnavailable(ArgosError):
    """The node, or its venue, cannot answer now: the sentence says why. Ask again later."""


class AccountUnknown(NodeUnavailable):
    """The node does not serve this account."""


class Node(Protocol):
    """One venue node, which serves one or more accounts."""

    async def submit(self, submission: Submission) -> Outcome:
        """Sends an order at most once, whatever is repeated. Never raises: IN_DOUBT instead."""
        ...

    async def find(self, question: Question) -> Evidence:
        """Any trace of one order. Raises NodeUnavailable."""
        ...

    async def seal(self, account: Account, order_id: OrderId) -> Seal:
        """Makes sure that this id will never be sent from now on. Raises NodeUnavailable."""
        ...

    async def snapshot(self, account: Account) -> Snapshot:
        """The account as the venue shows it now. Raises NodeUnavailable."""
        ...

    async def deals(self, account: Account, since_ns: int) -> Deals:
        """Deals of this venue time or later. Raises NodeUnavailable."""
        ...

    def events(self, account: Account, since_ns: int) -> AsyncIterator[VenueEvent]:
        """Deals since then, and then deals and facts as they happen.

        Sequence numbers count by one from 1 within one call; the first message has `resync`. A
        deal comes once per call. Facts come at least every half second. Raises NodeUnavailable
        when the stream breaks; ask again with the time of the last deal.
        """
        ...

    def lease(self, answers: AsyncIterator[LeaseAnswer]) -> AsyncIterator[LeaseAsk]:
        """The node asks, for each of its accounts, every half second; the caller brings answers.

        Raises NodeUnavailable when the stream breaks.
        """
        ...

    async def raise_epoch(self, account: Account, epoch: int) -> EpochKept:
        """Remembered for good before this returns. Raises NodeUnavailable."""
        ...


def in_doubt(order_id: OrderId, code: str, sentence: str) -> Outcome:
    """The outcome of which nobody knows; the sentence says why."""
    return Outcome(order_id=order_id, result=Result.IN_DOUBT, code=code, sentence=sentence)


# The requests of the gRPC contract that have no word of their own in the domain. Named like their
# messages, which is how the codec pairs them.


@dataclass(frozen=True, slots=True, kw_only=True)
class SealRequest:
    account: str
    order_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRequest:
    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DealsRequest:
    account: str
    since_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsRequest:
    account: str
    since_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EpochRequest:
    account: str
    epoch: int

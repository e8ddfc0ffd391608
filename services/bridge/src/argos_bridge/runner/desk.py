"""What every part of one account's worker shares: the account's state, its node, and appends."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from argos_common.domain.event import Event
from argos_common.domain.ids import OrderId
from argos_common.domain.node import AccountFacts
from argos_common.domain.order import ExitTurn, OrderDeclined, OrderEvent, OrderSubmitting
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import VerdictGiven
from argos_common.lasthop.contract import Node, NodeUnavailable
from argos_common.runtime.follow import Proposer
from argos_common.runtime.log import Answer, Append, Condition, CreateOnce, Exists, Mine
from argos_common.wire import subjects
from argos_common.wire.codec import encode

from argos_bridge.core.state import AccountState
from argos_bridge.ports import Surroundings
from argos_bridge.runner.leases import Leases
from argos_bridge.runner.wake import Wake

AGAIN_S = 0.25
"""Between tries while the log is full or away."""


class Desk:
    """One account: what is folded of it, and how to act on it."""

    def __init__(
        self,
        state: AccountState,
        nodes: Mapping[str, Node],
        around: Surroundings,
        proposer: Proposer,
        group: asyncio.TaskGroup,
    ) -> None:
        self.state = state
        self.account = state.account
        self.around = around
        self.clock = around.clock
        self.proposer = proposer
        self.group = group
        self.leases = Leases()
        self.facts: AccountFacts | None = None
        self.claims_wake = Wake(around.clock, group)
        self.watch_wake = Wake(around.clock, group)
        self.doubt_wake = Wake(around.clock, group)
        self.epoch_wake = Wake(around.clock, group)
        self.deals_wake = Wake(around.clock, group)
        self._nodes = nodes

    @property
    def node(self) -> Node:
        """The node that serves the account now. Raises NodeUnavailable."""
        name = self.state.config.node if self.state.config else ""
        node = self._nodes.get(name)
        if node is None:
            raise NodeUnavailable(f"account {self.account} is on node {name!r}, unknown here")
        return node

    def ring(self, event: Event | None) -> None:
        """An event of the account was folded: wake the loops it may concern. None: unreadable."""
        self.claims_wake.ring()
        self.deals_wake.ring()
        if isinstance(event, VerdictGiven | ExitTurn):
            return  # nothing of it is at the venue yet
        self.watch_wake.ring()
        if not isinstance(event, OrderSubmitting | OrderDeclined | DealRecorded):
            self.doubt_wake.ring()
        if not isinstance(event, OrderEvent | DealRecorded):
            self.epoch_wake.ring()

    async def append(
        self, subject: str, event: Event, condition: Condition, once_id: str = ""
    ) -> Answer:
        """One append; returns when what it met has been folded."""
        return await self.proposer.append(
            Append(subject=subject, data=encode(event), condition=condition, once_id=once_id)
        )

    async def append_together(self, *appends: Append) -> Answer:
        """All or nothing; otherwise as `append`."""
        return await self.proposer.append_batch(appends)

    async def record(self, subject: str, event: Event) -> bool:
        """Create-once; whether the fact is on record now. Waits a little if it is not."""
        answer = await self.append(subject, event, CreateOnce())
        if isinstance(answer, Mine | Exists):
            return True
        await self.clock.sleep(AGAIN_S)
        return False

    async def propose(self, order_id: OrderId, event: OrderEvent) -> bool:
        """An order's next event; whether something stands at its number now."""
        order = self.state.book.orders.get(order_id)
        if order is None:
            return True
        return await self.record(subjects.order(self.account, order_id, order.next_number), event)

"""The bridge: one follower of the whole log, and a worker per account."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from argos_common.domain.config import AccountConfig
from argos_common.domain.errors import WireError
from argos_common.domain.event import Event
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import LeaseAnswer
from argos_common.domain.times import NS_PER_S
from argos_common.lasthop.contract import Node
from argos_common.runtime.follow import Follower, Proposer
from argos_common.runtime.log import Entry
from argos_common.wire import subjects
from argos_common.wire.documents import config_in

from argos_bridge.core.state import BridgeState
from argos_bridge.ports import Surroundings
from argos_bridge.runner.claims import Claims
from argos_bridge.runner.desk import AGAIN_S, Desk
from argos_bridge.runner.leases import LeaseRelay
from argos_bridge.runner.session import Session
from argos_bridge.runner.watch import Watch

_DRAIN_LOOK_S = 0.02
IGNORED = tuple(f"{subjects.PREFIX}{kind}." for kind in ("signal", "intake", "alert"))
"""Of these no account's state is made: a bridge acts on verdicts, not on what led to them."""


class Bridge:
    """Runs every account whose configuration names one of `nodes` (node name -> node).

    `state` is what the log holds up to `after`; this bridge goes on folding it. Any number of
    bridges may run at once.
    """

    def __init__(
        self,
        around: Surroundings,
        nodes: Mapping[str, Node],
        *,
        state: BridgeState | None = None,
        after: int = 0,
    ) -> None:
        self.state = state.in_order() if state else BridgeState()
        self.current = False
        """Whether everything the log held at the start has been folded."""
        self._around = around
        self._nodes = nodes
        self._follower = Follower(
            around.log, self._fold, dead_letter=self._dead_letter, after=after, ignored=IGNORED
        )
        self._proposer = Proposer(log=around.log, clock=around.clock, follower=self._follower)
        self._desks: dict[Account, Desk] = {}
        self._claims: list[Claims] = []
        self._group: asyncio.TaskGroup | None = None

    @property
    def sequence(self) -> int:
        """The last log entry folded."""
        return self._follower.sequence

    async def run(self) -> None:
        """Follow and act until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._follower.run())
            while not await self._proposer.catch_up():
                await self._around.clock.sleep(AGAIN_S)
            self.current = True
            for node in self._nodes.values():
                relay = LeaseRelay(node, self._around, answered=self._leased)
                group.create_task(relay.run())
            for account in list(self.state.accounts):
                self._serve(account)

    async def drain(self) -> None:
        """Claim nothing more; return when every submission under way has its outcome on record."""
        for claims in self._claims:
            claims.stopping = True
        while any(claims.sending for claims in self._claims):
            await self._around.clock.sleep(_DRAIN_LOOK_S)

    def measure(self) -> None:
        """Set the gauges that a bridge knows."""
        now_ns = self._around.clock.monotonic_ns()
        for account, desk in self._desks.items():
            age_ns = desk.leases.age_ns(now_ns)
            if age_ns is not None:
                self._around.metrics.lease_age_seconds.labels(account).set(age_ns / NS_PER_S)

    def _serve(self, account: Account) -> None:
        state = self.state.account(account)
        if self._group is None or account in self._desks:
            return
        if state.config is None or state.config.node not in self._nodes:
            return
        desk = Desk(state, self._nodes, self._around, self._proposer, self._group)
        claims, watch, session = Claims(desk), Watch(desk), Session(desk)
        self._desks[account] = desk
        self._claims.append(claims)
        for work in (
            claims.run(),
            watch.silence(),
            watch.doubts(),
            watch.epoch(),
            session.stream(),
            session.deals(),
            session.owed(),
        ):
            self._group.create_task(work)

    def _fold(self, entry: Entry, event: Event) -> None:
        account, oddity = self.state.fold(
            entry.sequence, entry.appended_ns, event, self._read_config
        )
        if oddity and self.current:
            self._around.lines.warning("oddity", account=account, what=oddity)
        if account is None or not self.current:
            return
        desk = self._desks.get(account)
        if desk is None:
            self._serve(account)
            return
        if entry.subject.startswith(subjects.control(account)):
            desk.leases.clear()
        elif entry.subject.startswith(subjects.PREFIX + "order."):
            self._count(desk, entry.subject.rsplit(".", 2)[-2])
        desk.ring(event)

    def _count(self, desk: Desk, order_id: str) -> None:
        order = desk.state.book.orders.get(OrderId(order_id))
        reached = order.state.name.lower() if order else "at_rest"
        self._around.metrics.orders.labels(desk.account, reached).inc()

    def _dead_letter(self, entry: Entry, error: WireError) -> None:
        self._around.lines.error(
            "an entry cannot be read", sequence=entry.sequence, reason=str(error)
        )
        account = self.state.fold_unreadable(entry.sequence, entry.subject)
        if account in self._desks:
            self._desks[account].leases.clear()
            self._desks[account].ring(None)

    def _leased(self, answer: LeaseAnswer, asked_ns: int) -> None:
        desk = self._desks.get(answer.account)
        if desk is None:
            return
        if not answer.granted:
            desk.leases.clear()
            return
        desk.leases.grant(answer.nonce, asked_ns, desk.clock.monotonic_ns())
        if desk.state.opening:
            desk.claims_wake.ring()

    def _read_config(self, document: str) -> AccountConfig | None:
        try:
            return config_in(document)
        except WireError as error:
            self._around.lines.error("a configuration cannot be read", reason=str(error))
            return None

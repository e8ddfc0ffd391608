"""The last hops of one process as one node: the port `Node` without a network in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable

from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import (
    Deals,
    EpochKept,
    Evidence,
    LeaseAnswer,
    LeaseAsk,
    Outcome,
    Question,
    Seal,
    Snapshot,
    Submission,
    VenueEvent,
)
from argos_common.lasthop.contract import (
    AccountUnknown,
    NodeUnavailable,
    in_doubt,
)
from argos_common.lasthop.hop import LastHop
from argos_common.runtime.clock import Clock
from argos_common.runtime.telemetry import Kind, NullTelemetry, Telemetry


class LocalNode:
    """Implements `Node` over last hops that somebody else starts and stops."""

    def __init__(
        self, hops: Iterable[LastHop], clock: Clock, telemetry: Telemetry | None = None
    ) -> None:
        self._hops = {hop.account: hop for hop in hops}
        self._clock = clock
        self._telemetry = telemetry or NullTelemetry()

    def venue_ready(self) -> bool:
        """Whether every account's venue said a moment ago that orders can be placed."""
        return all(hop.ready() for hop in self._hops.values())

    def hop(self, account: str) -> LastHop:
        """Raises AccountUnknown."""
        hop = self._hops.get(Account(account))
        if hop is None:
            served = ", ".join(self._hops) or "none"
            raise AccountUnknown(f"this node does not serve account {account}; it serves {served}")
        return hop

    async def submit(self, submission: Submission) -> Outcome:
        try:
            hop = self.hop(submission.account)
        except AccountUnknown as error:
            return in_doubt(submission.order_id, "account_unknown", str(error))
        with self._telemetry.span(
            "Node/Submit",
            parent=submission.trace_parent,
            kind=Kind.SERVER,
            attributes={
                "argos.account": submission.account,
                "argos.order_id": submission.order_id,
                "rpc.system.name": "grpc",
            },
        ) as span:
            outcome = await hop.submit(submission)
            span.set("argos.result", outcome.result.name.lower())
            if outcome.by_node:  # the venue was not asked, so no span below says why
                span.set("argos.code", outcome.code)
                span.failed(outcome.sentence)
            return outcome

    async def find(self, question: Question) -> Evidence:
        hop = self.hop(question.account)
        try:
            return await hop.find(question)
        except OurMistake as error:
            raise NodeUnavailable(str(error)) from None

    async def seal(self, account: Account, order_id: OrderId) -> Seal:
        hop = self.hop(account)
        try:
            return await hop.seal(order_id)
        except OurMistake as error:
            raise NodeUnavailable(str(error)) from None

    async def snapshot(self, account: Account) -> Snapshot:
        hop = self.hop(account)
        try:
            return await hop.snapshot()
        except OurMistake as error:
            raise NodeUnavailable(str(error)) from None

    async def deals(self, account: Account, since_ns: int) -> Deals:
        hop = self.hop(account)
        try:
            return await hop.deals(since_ns)
        except OurMistake as error:
            raise NodeUnavailable(str(error)) from None

    async def events(self, account: Account, since_ns: int) -> AsyncGenerator[VenueEvent]:
        hop = self.hop(account)
        stream = hop.events(since_ns)
        try:
            async for event in stream:
                yield event
        except OurMistake as error:
            raise NodeUnavailable(str(error)) from None
        finally:
            await stream.aclose()

    async def lease(self, answers: AsyncIterator[LeaseAnswer]) -> AsyncGenerator[LeaseAsk]:
        taking = asyncio.create_task(self._take(answers))
        every_s = min((hop.pace.lease_every_s for hop in self._hops.values()), default=1.0)
        try:
            while not taking.done():
                for hop in self._hops.values():
                    yield hop.ask_lease()
                await self._clock.sleep(every_s)
            error = taking.exception()
            if error is not None:
                raise NodeUnavailable(str(error))
        finally:
            taking.cancel()

    async def _take(self, answers: AsyncIterator[LeaseAnswer]) -> None:
        async for answer in answers:
            await self.hop(answer.account).take_lease(answer)

    async def raise_epoch(self, account: Account, epoch: int) -> EpochKept:
        hop = self.hop(account)
        try:
            return await hop.raise_epoch(epoch)
        except OurMistake as error:
            raise NodeUnavailable(str(error)) from None

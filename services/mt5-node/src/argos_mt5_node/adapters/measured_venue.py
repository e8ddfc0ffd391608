"""A venue whose placements are traced and counted."""

from __future__ import annotations

from collections.abc import AsyncIterator

from argos_common.domain.ids import OrderId
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
from argos_common.lasthop.venue import Capabilities, Venue
from argos_common.runtime.clock import Clock
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.telemetry import Kind, Telemetry


class MeasuredVenue:
    """Implements `Venue` over another one."""

    def __init__(
        self, inner: Venue, node: str, clock: Clock, telemetry: Telemetry, metrics: Metrics
    ) -> None:
        self._inner = inner
        self._node = node
        self._clock = clock
        self._telemetry = telemetry
        self._metrics = metrics

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    async def place(self, submission: Submission) -> Outcome:
        started_ns = self._clock.monotonic_ns()
        with self._telemetry.span(
            "venue.place",
            parent=submission.trace_parent,
            kind=Kind.CLIENT,
            attributes={"account": submission.account, "order_id": submission.order_id},
        ) as span:
            outcome = await self._inner.place(submission)
            span.set("result", outcome.result.name.lower())
            if outcome.sentence:
                span.failed(outcome.sentence)
        seconds = (self._clock.monotonic_ns() - started_ns) / 1e9
        self._metrics.hop_seconds.labels("venue_call").observe(seconds)
        self._metrics.venue_calls.labels(self._node, outcome.result.name.lower()).inc()
        return outcome

    async def search(self, question: Question) -> Evidence:
        return await self._inner.search(question)

    async def snapshot(self) -> Snapshot:
        return await self._inner.snapshot()

    async def deals(self, since_ns: int) -> Deals:
        return await self._inner.deals(since_ns)

    def watch(self) -> AsyncIterator[Deal | AccountFacts]:
        return self._inner.watch()

    async def abandon(self, order_id: OrderId) -> bool:
        return await self._inner.abandon(order_id)

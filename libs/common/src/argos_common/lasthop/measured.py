"""A venue whose placements are traced and counted: every node puts one between hop and venue."""

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
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import Deal
from argos_common.lasthop.venue import Capabilities, Venue
from argos_common.runtime.clock import Clock
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.telemetry import Kind, Telemetry


class MeasuredVenue:
    """Implements `Venue` over another one."""

    def __init__(self, inner: Venue, clock: Clock, telemetry: Telemetry, metrics: Metrics) -> None:
        self._inner = inner
        self._clock = clock
        self._telemetry = telemetry
        self._metrics = metrics

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    async def place(self, submission: Submission) -> Outcome:
        started_ns = self._clock.monotonic_ns()
        with self._telemetry.span(
            "place",
            kind=Kind.CLIENT,
            attributes={
                "argos.account": submission.account,
                "argos.order_id": submission.order_id,
                "argos.venue_symbol": submission.venue_symbol,
                "argos.quantity": str(submission.quantity),
            },
        ) as span:
            outcome = await self._inner.place(submission)
            result = outcome.result.name.lower()
            span.set("argos.result", result)
            if outcome.code:
                span.set("argos.code", outcome.code)
            if outcome.venue_order_id:
                span.set("argos.venue_order_id", outcome.venue_order_id)
            if outcome.sentence:
                span.failed(outcome.sentence)
            seconds = (self._clock.monotonic_ns() - started_ns) / NS_PER_S
            self._metrics.hop("venue", seconds, self._telemetry.trace_id())
        self._metrics.venue_calls.labels(submission.account, result).inc()
        self._metrics.venue_codes.labels(submission.account, outcome.code or "none").inc()
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

"""The node's event stream of one account: deals go on record, facts in passing go to the bus."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace
from hashlib import sha256

from argos_common.domain.errors import ArgosError
from argos_common.domain.node import AccountFacts
from argos_common.domain.times import NS_PER_S
from argos_common.domain.venue import Deal, DealReason, DealRecorded
from argos_common.lasthop.contract import NodeUnavailable
from argos_common.runtime.telemetry import Kind
from argos_common.wire import subjects
from argos_common.wire.codec import pack

from argos_bridge.core.deals import may_be_ours, owed_since_ns, recorded
from argos_bridge.runner.desk import AGAIN_S, Desk
from argos_bridge.runner.leases import close

OVERLAP_NS = 60 * NS_PER_S
"""How far before the last recorded deal a stream begins: a venue may list deals late."""
PAUSES_S = (0.1, 0.25, 0.5, 1.0, 2.0)
OWED_LOOK_S = 15.0
OWED_BACK_MAX_NS = 24 * 3600 * NS_PER_S
"""So far behind a venue's clock may be for its deal to be found without a person."""
SEEN_MAX = 20_000

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,80}\Z")


class Session:
    """Keeps one account's stream open, for ever."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._deals: deque[Deal] = deque()
        self._seen: dict[str, None] = {}
        self._failures = 0

    async def stream(self) -> None:
        """Read the node's events; reconnect and resume when the stream breaks."""
        desk = self._desk
        while True:
            state = desk.state
            since_ns = max(0, (state.last_deal_ns or state.first_ns) - OVERLAP_NS)
            try:
                await self._read(since_ns)
                reason = "its stream ended"
            except ArgosError as error:
                reason = str(error)
            if self._failures == 0:
                desk.around.lines.warning("node away", account=desk.account, reason=reason)
            if desk.facts is not None and desk.facts.ready:
                await self._publish(replace(desk.facts, ready=False, reason=reason))
            await desk.clock.sleep(PAUSES_S[min(self._failures, len(PAUSES_S) - 1)])
            self._failures += 1

    async def deals(self) -> None:
        """Put deals on record, one after the other: each is attributed by those before it."""
        desk = self._desk
        while True:
            desk.deals_wake.arm()
            if not self._deals:
                await desk.deals_wake.wait()
                continue
            deal = self._next()
            if not await self._looked_up(deal):
                continue
            if not await self._waited(deal):
                continue
            event = recorded(desk.state, deal, desk.clock.now_ns())
            if await self._record(event):
                self._deals.remove(deal)

    def _next(self) -> Deal:
        """The oldest deal, but one that nothing attributes gives way to those that may say whose.

        A venue may show the end of a position before its beginning.
        """
        known = (deal for deal in self._deals if not may_be_ours(self._desk.state, deal))
        return next(known, self._deals[0])

    async def _record(self, event: DealRecorded) -> bool:
        """Put it on record. What the venue or a person did is a trace of its own, with a link.

        A stream that was opened anew repeats deals; those of trades that are over are not news.
        """
        desk, deal = self._desk, event.deal
        subject = subjects.venue(desk.account, "deal", deal_token(deal.deal_id))
        trade = desk.state.book.trades.get(event.trade_id)
        if deal.reason is DealReason.OURS or (trade is None and not event.external):
            return await desk.record(subject, event)
        with desk.around.telemetry.span(
            "send deal",
            kind=Kind.PRODUCER,
            attributes={
                "trade.id": event.trade_id,
                "argos.account": desk.account,
                "argos.deal_id": deal.deal_id,
                "argos.reason": deal.reason.name.lower(),
                "argos.symbol": deal.symbol,
            },
        ) as span:
            span.link(trade.trace_parent if trade is not None else "")
            return await desk.record(subject, event)

    async def owed(self) -> None:
        """Ask for deals that are long overdue.

        A venue may list a deal minutes late, when no stream looks back that far any more, or have
        made it by a clock that was behind: so each look goes back twice as far. Without it the exits
        of its trade would wait for ever.
        """
        desk, back_ns = self._desk, OVERLAP_NS
        while True:
            await desk.clock.sleep(OWED_LOOK_S)
            since_ns = owed_since_ns(desk.state, desk.clock.now_ns())
            if since_ns is None:
                back_ns = OVERLAP_NS
                continue
            try:
                listed = await desk.node.deals(desk.account, max(0, since_ns - back_ns))
            except ArgosError:
                continue  # asked again at the next look
            for deal in listed.deals:
                if deal.order_id is not None or deal.venue_time_ns >= since_ns - OVERLAP_NS:
                    self._take(deal)
            back_ns = min(2 * back_ns, OWED_BACK_MAX_NS)

    async def _read(self, since_ns: int) -> None:
        events = self._desk.node.events(self._desk.account, since_ns)
        expected = 0
        try:
            async for event in events:
                if expected and event.sequence != expected and not event.resync:
                    raise NodeUnavailable("the event stream has a gap")
                expected = event.sequence + 1
                if self._failures:
                    self._failures = 0
                    self._desk.around.lines.info("node back", account=self._desk.account)
                if event.facts is not None:
                    await self._publish(event.facts)
                if event.deal is not None:
                    self._take(event.deal)
        finally:
            await close(events)

    def _take(self, deal: Deal) -> None:
        if deal.deal_id in self._seen:
            return
        self._seen[deal.deal_id] = None
        if len(self._seen) > SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        self._deals.append(deal)
        self._desk.deals_wake.ring()

    async def _looked_up(self, deal: Deal) -> bool:
        """Whether a deal is attributed, or all that the log holds now says nothing of it.

        Another bridge may have claimed its order, and this one not have folded that yet.
        """
        desk, how = self._desk, self._desk.state.book.attribute(deal)[1]
        known = how == "tag" or (how != "external" and deal.order_id is None)
        if known or await desk.proposer.catch_up():
            return True
        await desk.clock.sleep(AGAIN_S)
        return False

    async def _waited(self, deal: Deal) -> bool:
        """A deal nothing attributes may come before the answer that does: wait, but not long.

        False if another deal came meanwhile that goes first.
        """
        desk = self._desk
        grace_ns = desk.state.config.doubt_grace_ns if desk.state.config else 0
        until_ns = desk.clock.monotonic_ns() + grace_ns
        while may_be_ours(desk.state, deal):
            left_ns = until_ns - desk.clock.monotonic_ns()
            if left_ns <= 0:
                break
            desk.deals_wake.arm()
            await desk.deals_wake.wait(left_ns)
            if self._next() is not deal:
                return False
        return True

    async def _publish(self, facts: AccountFacts) -> None:
        self._desk.facts = facts
        await self._desk.around.bus.publish(f"{subjects.FACTS}.{facts.account}", pack(facts))


def deal_token(deal_id: str) -> str:
    """The deal id as a part of a subject; a venue's id that cannot be one is hashed."""
    return deal_id if _TOKEN.match(deal_id) else sha256(deal_id.encode()).hexdigest()

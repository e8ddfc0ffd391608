"""One venue's reports, handed to any number of subscribers as numbered streams.

One task watches the venue; each stream has a queue of its own. A stream begins by listing the deals
since its start, and lists them again whenever the watch broke or the list was not complete, so that
no deal falls between; within a stream a deal goes out once. A venue that falls silent is reported
as not ready: old facts are never passed off as new ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from enum import Enum

from argos_common.domain.node import AccountFacts, VenueEvent
from argos_common.domain.venue import Deal
from argos_common.lasthop.contract import NodeUnavailable, Pace
from argos_common.lasthop.venue import Venue
from argos_common.runtime.clock import Clock

SILENCE_NS = 2_000_000_000
QUEUE_MAX = 10_000
_SEEN_MAX = 100_000


class _Mark(Enum):
    TICK = 1
    WATCH_BROKE = 2
    TOO_SLOW = 3


_Item = Deal | AccountFacts | _Mark


class Feed:
    """`attribute` proves whose a deal is before anybody sees it."""

    def __init__(
        self,
        venue: Venue,
        clock: Clock,
        incarnation: str,
        attribute: Callable[[Deal], Awaitable[Deal]],
        pace: Pace,
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._incarnation = incarnation
        self._attribute = attribute
        self._every_s = pace.facts_every_s
        self._queues: list[asyncio.Queue[_Item]] = []
        self._facts: AccountFacts | None = None
        self._heard_monotonic_ns = 0
        self._trouble = ""

    async def watch(self) -> None:
        """Watches the venue for ever."""
        while True:
            try:
                async for item in self._venue.watch():
                    await self._take(item)
                self._trouble = "its reports ended"
            except Exception as error:  # noqa: BLE001 - whatever broke the watch, silence reports it
                self._trouble = str(error) or type(error).__name__
            self._broadcast(_Mark.WATCH_BROKE)
            await self._clock.sleep(self._every_s)

    def ready(self) -> bool:
        """Whether the venue said a moment ago that orders can be placed."""
        facts = self._current_facts()
        return facts is not None and facts.ready

    async def stream(self, since_ns: int) -> AsyncGenerator[VenueEvent]:
        """The numbered stream of one subscriber, without end."""
        queue: asyncio.Queue[_Item] = asyncio.Queue(maxsize=QUEUE_MAX)
        self._queues.append(queue)
        ticker = asyncio.create_task(self._tick(queue))
        numbers = _Numbers(self._incarnation)
        try:
            yield numbers.event(facts=self._current_facts())
            unlisted = True
            while True:
                if unlisted:
                    deals, unlisted = await self._list(since_ns)
                    for deal in filter(numbers.is_new, deals):
                        yield numbers.event(deal=deal)
                item = await queue.get()
                if item is _Mark.TOO_SLOW:
                    raise NodeUnavailable("this reader of events fell too far behind; ask again")
                if item is _Mark.WATCH_BROKE:
                    unlisted = numbers.resync = True
                event = self._event(item, numbers)
                if event is not None:
                    yield event
        finally:
            ticker.cancel()
            if queue in self._queues:
                self._queues.remove(queue)

    def _event(self, item: _Item, numbers: _Numbers) -> VenueEvent | None:
        match item:
            case Deal():
                return numbers.event(deal=item) if numbers.is_new(item) else None
            case AccountFacts():
                return numbers.event(facts=item)
            case _Mark():
                return numbers.event(facts=self._current_facts()) if self._quiet() else None

    async def _take(self, item: Deal | AccountFacts) -> None:
        self._heard_monotonic_ns = self._clock.monotonic_ns()
        self._trouble = ""
        match item:
            case Deal():
                self._broadcast(await self._attribute(item))
            case AccountFacts():
                self._facts = item
                self._broadcast(item)

    async def _list(self, since_ns: int) -> tuple[tuple[Deal, ...], bool]:
        """The deals, and whether they must be listed again."""
        try:
            listed = await self._venue.deals(since_ns)
        except NodeUnavailable:
            return (), True
        return tuple([await self._attribute(deal) for deal in listed.deals]), not listed.complete

    async def _tick(self, queue: asyncio.Queue[_Item]) -> None:
        while True:
            await self._clock.sleep(self._every_s)
            _put(queue, _Mark.TICK)

    def _broadcast(self, item: _Item) -> None:
        for queue in tuple(self._queues):
            if not _put(queue, item):
                self._queues.remove(queue)

    def _quiet(self) -> bool:
        since_ns = self._clock.monotonic_ns() - self._heard_monotonic_ns
        return since_ns > self._every_s * 1_000_000_000

    def _current_facts(self) -> AccountFacts | None:
        if self._facts is None:
            return None
        silent_ns = self._clock.monotonic_ns() - self._heard_monotonic_ns
        return aged(self._facts, silent_ns, self._clock.now_ns(), self._trouble)


def aged(facts: AccountFacts, silent_ns: int, now_ns: int, trouble: str) -> AccountFacts:
    """The same facts after the venue was silent for so long; not ready once that is too long."""
    quotes = tuple(replace(quote, age_ns=quote.age_ns + silent_ns) for quote in facts.quotes)
    facts = replace(facts, node_time_ns=now_ns, quotes=quotes)
    if silent_ns <= SILENCE_NS:
        return facts
    reason = f"the venue has been silent for {silent_ns // 1_000_000} ms"
    reason = f"{reason}: {trouble}" if trouble else reason
    return replace(facts, ready=False, reason=reason)


class _Numbers:
    """What one stream has sent: its count, and which deals."""

    def __init__(self, incarnation: str) -> None:
        self._incarnation = incarnation
        self._sequence = 0
        self._seen: dict[str, None] = {}
        self.resync = True

    def is_new(self, deal: Deal) -> bool:
        if deal.deal_id in self._seen:
            return False
        self._seen[deal.deal_id] = None
        if len(self._seen) > _SEEN_MAX:
            del self._seen[next(iter(self._seen))]
        return True

    def event(self, deal: Deal | None = None, facts: AccountFacts | None = None) -> VenueEvent:
        self._sequence += 1
        resync, self.resync = self.resync, False
        return VenueEvent(
            sequence=self._sequence,
            incarnation=self._incarnation,
            resync=resync,
            deal=deal,
            facts=facts,
        )


def _put(queue: asyncio.Queue[_Item], item: _Item) -> bool:
    """False if the queue is full; its reader is then told to start over."""
    if queue.qsize() < QUEUE_MAX - 1:
        queue.put_nowait(item)
        return True
    if not queue.full():
        queue.put_nowait(_Mark.TOO_SLOW)
    return False

"""Venue nodes over the network: a host that starts, dies and starts again, and its clients.

A `Site` is where a node lives; its current life changes with every restart. A `SimNode` is one
client's connection to it: requests and answers get lost, come twice or late, streams break when
the node dies. What the node had begun goes on although its caller has gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

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
    Seal,
    Snapshot,
    Submission,
    VenueEvent,
)
from argos_common.domain.times import NS_PER_S
from argos_common.lasthop.contract import Node, NodeUnavailable, in_doubt

from argos_simulation.loop import sleep
from argos_simulation.network import Cable, Way
from argos_simulation.process import Process

T = TypeVar("T")

ANSWER_GRACE_S = 2.0
CALL_TIMEOUT_S = 10.0
LATE_S = (0.05, 9.0)
SLOW_S = (0.05, 6.0)
"""How late a request may come: past its lease, past its deadline."""

CUT_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a node."""

    process: Process
    node: Node


@dataclass(slots=True)
class Site:
    """Where a node lives. `life` is None while it is down.

    `cuts`: how often every connection to it ended for good, with all that was on its way.
    """

    name: str
    life: Life | None = None
    cuts: int = 0


class SimNode:
    """Implements `Node` for one client process."""

    def __init__(self, site: Site, cable: Cable) -> None:
        self._site = site
        self._cable = cable

    async def submit(self, submission: Submission) -> Outcome:
        timeout_s = max(0, submission.budget_ns) / NS_PER_S + ANSWER_GRACE_S
        cable, site = self._cable, self._site
        if cable.faults.strike("node-request-duplicated", cable.chance):
            delay_s = cable.chance.between(*LATE_S)
            cable.process.loop.call_later(delay_s, _deliver_again, site, submission, site.cuts)
        try:
            return await self._call(lambda node: node.submit(submission), timeout_s)
        except NodeUnavailable as error:
            return in_doubt(submission.order_id, "no_answer", str(error))

    async def find(self, question: Question) -> Evidence:
        return await self._call(lambda node: node.find(question))

    async def seal(self, account: Account, order_id: OrderId) -> Seal:
        return await self._call(lambda node: node.seal(account, order_id))

    async def snapshot(self, account: Account) -> Snapshot:
        return await self._call(lambda node: node.snapshot(account))

    async def deals(self, account: Account, since_ns: int) -> Deals:
        return await self._call(lambda node: node.deals(account, since_ns))

    async def raise_epoch(self, account: Account, epoch: int) -> EpochKept:
        return await self._call(lambda node: node.raise_epoch(account, epoch))

    async def events(self, account: Account, since_ns: int) -> AsyncIterator[VenueEvent]:
        life = await self._connect()
        async for item in self._stream(life, life.node.events(account, since_ns)):
            yield item

    async def lease(self, answers: AsyncIterator[LeaseAnswer]) -> AsyncIterator[LeaseAsk]:
        life = await self._connect()
        arrived: asyncio.Queue[LeaseAnswer] = asyncio.Queue()

        async def carry() -> None:
            async for answer in answers:
                await self._cable.travel("node-slow")
                await self._mended(there=True)
                await self._cable.process.leaving()
                arrived.put_nowait(answer)

        async def at_the_node() -> AsyncIterator[LeaseAnswer]:
            while True:
                answer = await arrived.get()
                await life.process.gate()
                yield answer

        carrying = asyncio.ensure_future(carry())
        try:
            async for item in self._stream(life, life.node.lease(at_the_node())):
                yield item
        finally:
            carrying.cancel()

    @property
    def _way(self) -> Way:
        return self._cable.nodes.setdefault(self._site.name, Way())

    async def _mended(self, *, there: bool) -> None:
        """A stream's words wait while the way is cut, as on a connection that is half open."""
        while not (self._way.there if there else self._way.back):
            await sleep(CUT_LOOK_S)

    async def _connect(self) -> Life:
        await self._cable.process.gate()
        await self._cable.travel()
        life = self._site.life
        await self._cable.process.gate()
        if life is None or not (self._way.there and self._way.back):
            raise NodeUnavailable(f"the node {self._site.name} is not there")
        return life

    async def _call(
        self, ask: Callable[[Node], Awaitable[T]], timeout_s: float = CALL_TIMEOUT_S
    ) -> T:
        cable, way = self._cable, self._way
        await cable.process.point()
        if not way.there or cable.faults.strike("node-request-lost", cable.chance):
            await cable.never(timeout_s)
            raise NodeUnavailable("the request was lost")
        lost, cuts = cable.faults.strike("node-answer-lost", cable.chance), self._site.cuts
        await cable.travel("node-slow", SLOW_S)
        life = self._site.life if self._site.cuts == cuts else None
        if life is None:
            await cable.process.gate()
            raise NodeUnavailable(f"the node {self._site.name} is not there")
        answer = asyncio.ensure_future(_served(life.process, ask(life.node)))
        await asyncio.wait(
            (answer, life.process.dead), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
        )
        if not answer.done() or lost or not way.back:
            if answer.done():
                answer.exception()  # looked at, so that nobody complains
                await cable.never(timeout_s)
            await cable.process.gate()
            raise NodeUnavailable("no answer came")
        await cable.travel("node-slow")
        await cable.process.point()
        return answer.result()

    async def _stream(self, life: Life, stream: AsyncIterator[T]) -> AsyncIterator[T]:
        """What the node says, in order, until it dies or somebody lets go."""
        queue: asyncio.Queue[T | ArgosError] = asyncio.Queue()
        client = self._cable.process

        async def pump() -> None:
            try:
                async for item in stream:
                    await life.process.gate()
                    if not client.alive:
                        return
                    queue.put_nowait(item)
                queue.put_nowait(NodeUnavailable("the stream ended"))
            except ArgosError as error:
                queue.put_nowait(error)
            finally:
                close = getattr(stream, "aclose", None)
                if close is not None:
                    await close()

        def broken(dead: asyncio.Future[None]) -> None:
            del dead
            queue.put_nowait(NodeUnavailable("the connection broke"))

        pumping = asyncio.ensure_future(pump())
        life.process.dead.add_done_callback(broken)
        try:
            while True:
                item = await queue.get()
                await self._cable.travel()
                await self._mended(there=False)
                await client.gate()
                if isinstance(item, ArgosError):
                    raise item
                yield item
        finally:
            life.process.dead.remove_done_callback(broken)
            pumping.cancel()


async def _served(process: Process, work: Awaitable[T]) -> T:
    """A call as the node's process serves it: no answer leaves a process that has died."""
    try:
        answer = await work
    except ArgosError:
        await process.leaving()
        raise
    await process.leaving()
    return answer


def _deliver_again(site: Site, submission: Submission, cuts: int) -> None:
    """A copy of a request that the network kept."""
    life = site.life
    if life is not None and site.cuts == cuts:
        asyncio.ensure_future(life.node.submit(submission))  # noqa: RUF006  # nobody waits for it

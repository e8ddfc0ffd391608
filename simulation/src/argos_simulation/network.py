"""What lies between a simulated process and the world: a log and a bus reached over a network.

Every call takes a drawn time each way. A lost request never arrives; a lost answer leaves the caller
with nothing until its timeout; a ghost arrives later, when the caller has long given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from argos_common.runtime.append_rules import check_append, check_batch
from argos_common.runtime.bus import Handler, NoReply
from argos_common.runtime.log import (
    Answer,
    Append,
    Busy,
    Entry,
    LogStatus,
    LogUnavailable,
    Unknown,
)
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.memory_log import MemoryLog

from argos_simulation.chance import Chance
from argos_simulation.faults import Faults
from argos_simulation.loop import sleep
from argos_simulation.process import Process

T = TypeVar("T")

LOG_TIMEOUT_S = (0.4, 2.0)
"""How long a writer waits for the log's answer; drawn, so that it meets every other time limit."""
GHOST_S = (0.2, 8.0)
SLOW_S = (0.05, 3.0)


@dataclass(slots=True)
class Server:
    """The log server as every process finds it."""

    leaderless: bool = False
    """Its replicas elect a leader: what is asked now is refused, lost, or done without a word."""


@dataclass(slots=True)
class Way:
    """Whether words get through between a process and one other place, each way by itself."""

    there: bool = True
    back: bool = True

    def cut(self, *, there: bool = True, back: bool = True) -> None:
        self.there, self.back = self.there and not there, self.back and not back

    def mend(self) -> None:
        self.there = self.back = True


@dataclass(slots=True)
class Cable:
    """One process's connection to the world. `nodes`: the ways to those that are cut."""

    process: Process
    chance: Chance
    faults: Faults
    server: Server = field(default_factory=Server)
    log: Way = field(default_factory=Way)
    bus: Way = field(default_factory=Way)
    nodes: dict[str, Way] = field(default_factory=dict)

    def travel(self, slow: str = "", slow_s: tuple[float, float] = SLOW_S) -> asyncio.Future[None]:
        """One way over the network: `await` it."""
        seconds = self.chance.between(0.0001, 0.003)
        if slow and self.faults.strike(slow, self.chance):
            seconds += self.chance.between(*slow_s)
        return self.process.loop.sleep(seconds)

    async def never(self, timeout_s: float) -> None:
        """The answer does not come."""
        await sleep(timeout_s)
        await self.process.gate()


class SimLog:
    """Implements `Log` over the one store, for one process. `log` is that process's own view."""

    def __init__(self, log: MemoryLog, cable: Cable) -> None:
        self._log = log
        self._cable = cable

    async def append(self, append: Append) -> Answer:
        check_append(append)
        return await self._send((append,))

    async def append_batch(self, appends: Sequence[Append]) -> Answer:
        check_batch(appends)
        return await self._send(tuple(appends))

    async def _send(self, appends: tuple[Append, ...]) -> Answer:
        cable, timeout_s = self._cable, self._cable.chance.between(*LOG_TIMEOUT_S)
        await cable.process.point()
        refused = cable.server.leaderless and cable.chance.happens(0.4)
        if refused or cable.faults.strike("append-busy", cable.chance):
            await cable.travel()
            await cable.process.gate()
            return Busy("no leader")
        late_s = self._late_s()
        if late_s is None or not cable.log.there or late_s >= timeout_s:
            if late_s is not None and cable.log.there:
                cable.process.loop.call_later(late_s, self._land, appends)
            await cable.never(timeout_s)
            return Unknown("no answer in time")
        if late_s:
            await sleep(late_s)
        await cable.travel()
        answer = self._land(appends)
        if cable.faults.strike("append-duplicated", cable.chance):
            again_s = cable.chance.between(*GHOST_S)
            cable.process.loop.call_later(again_s, self._land, appends)
        unheard = cable.server.leaderless or not cable.log.back
        if unheard or cable.faults.strike("append-ack-lost", cable.chance):
            await cable.never(timeout_s)
            return Unknown("no answer in time")
        await cable.travel()
        await cable.process.point()
        return answer

    def _late_s(self) -> float | None:
        """How late an append arrives; None: it never does."""
        cable = self._cable
        if cable.server.leaderless and cable.chance.happens(0.5):
            return None
        if cable.faults.strike("append-request-lost", cable.chance):
            return None
        if cable.faults.strike("append-ghost", cable.chance):
            return LOG_TIMEOUT_S[1] + cable.chance.between(*GHOST_S)
        if cable.faults.strike("append-slow", cable.chance):
            return cable.chance.between(*SLOW_S)
        return 0.0

    def _land(self, appends: tuple[Append, ...]) -> Answer:
        return self._log.store.apply(appends)

    async def read(self, after: int, subjects: Sequence[str] = ()) -> AsyncIterator[Entry]:
        await self._cable.process.gate()
        async for entry in self._log.read(after, subjects):
            await self._cable.travel("log-read-slow")
            await self._cable.process.gate()
            yield entry

    async def last(self, subject: str) -> Entry | None:
        return await self._ask(lambda: self._log.last(subject))

    async def status(self) -> LogStatus:
        return await self._ask(self._log.status)

    async def _ask(self, question: Callable[[], Awaitable[T]]) -> T:
        await self._cable.process.gate()
        await self._cable.travel()
        lost = self._cable.faults.strike("log-ask-lost", self._cable.chance)
        way = self._cable.log
        if lost or self._cable.server.leaderless or not (way.there and way.back):
            await self._cable.never(self._cable.chance.between(*LOG_TIMEOUT_S))
            raise LogUnavailable("the log did not answer")
        answer = await question()
        await self._cable.travel()
        await self._cable.process.gate()
        return answer


class SimBus:
    """Implements `Bus` over the one hub, for one process."""

    def __init__(self, bus: MemoryBus, cable: Cable) -> None:
        self._bus = bus
        self._cable = cable

    async def publish(self, subject: str, payload: bytes) -> None:
        await self._cable.process.leaving()
        if not self._goes(subject, payload):
            return
        await self._cable.travel("bus-slow")
        await self._bus.publish(subject, payload)
        await self._cable.process.gate()

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> None:
        cable = self._cable

        async def gated(at: str, payload: bytes) -> bytes | None:
            await cable.process.gate()
            if not cable.bus.back:
                return None
            answer = await handler(at, payload)
            await cable.process.leaving()
            return answer if cable.bus.there else None

        await self._bus.subscribe(subject, gated, queue)

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> bytes:
        await self._cable.process.leaving()
        if not self._goes(subject, payload):
            await self._cable.never(timeout_s)
            raise NoReply(subject)
        await self._cable.travel("bus-slow")
        answer = await self._bus.request(subject, payload, timeout_s)
        await self._cable.travel()
        await self._cable.process.gate()
        if not self._cable.bus.back:
            await self._cable.never(timeout_s)
            raise NoReply(subject)
        return answer

    def _goes(self, subject: str, payload: bytes) -> bool:
        """Whether a message gets under way; it may do so twice."""
        cable = self._cable
        if not cable.bus.there or cable.faults.strike("bus-lost", cable.chance):
            return False
        if cable.faults.strike("bus-duplicated", cable.chance):
            asyncio.ensure_future(self._again(subject, payload))  # noqa: RUF006  # nobody waits
        return True

    async def _again(self, subject: str, payload: bytes) -> None:
        await sleep(self._cable.chance.between(*SLOW_S))
        await self._bus.publish(subject, payload)

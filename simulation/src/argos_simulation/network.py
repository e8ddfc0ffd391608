"""What lies between a simulated process and the world: a log and a bus reached over a network.

Every call takes a drawn time each way. A lost request never arrives; a lost answer leaves the caller
with nothing until its timeout; a ghost arrives later, when the caller has long given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
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
class Cable:
    """One process's connection to the world."""

    process: Process
    chance: Chance
    faults: Faults

    async def travel(self, slow: str = "", slow_s: tuple[float, float] = SLOW_S) -> None:
        """One way over the network."""
        seconds = self.chance.between(0.0001, 0.003)
        if slow and self.faults.strike(slow, self.chance):
            seconds += self.chance.between(*slow_s)
        await sleep(seconds)

    async def there_and_back(self, slow: str = "") -> None:
        """A question whose answer changes nothing: both ways at once."""
        await self.travel(slow)

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
        cable = self._cable
        await cable.process.point()
        if cable.faults.strike("append-busy", cable.chance):
            await cable.travel()
            await cable.process.gate()
            return Busy("no leader")
        if cable.faults.strike("append-ghost", cable.chance):
            delay_s = cable.chance.between(*GHOST_S)
            asyncio.get_running_loop().call_later(delay_s, self._land, appends)
            await cable.never(cable.chance.between(*LOG_TIMEOUT_S))
            return Unknown("no answer in time")
        if cable.faults.strike("append-request-lost", cable.chance):
            await cable.never(cable.chance.between(*LOG_TIMEOUT_S))
            return Unknown("no answer in time")
        await cable.travel()
        answer = self._land(appends)
        if answer is None or cable.faults.strike("append-ack-lost", cable.chance):
            await cable.never(cable.chance.between(*LOG_TIMEOUT_S))
            return Unknown("no answer in time")
        await cable.travel()
        await cable.process.point()
        return answer

    def _land(self, appends: tuple[Append, ...]) -> Answer | None:
        return None if self._log.unavailable else self._log.store.apply(appends)

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
        if self._log.unavailable:
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
        await self._cable.process.gate()
        if self._cable.faults.strike("bus-lost", self._cable.chance):
            return
        await self._cable.travel("bus-slow")
        await self._bus.publish(subject, payload)
        await self._cable.process.gate()

    async def subscribe(self, subject: str, handler: Handler, queue: str = "") -> None:
        async def gated(at: str, payload: bytes) -> bytes | None:
            await self._cable.process.gate()
            answer = await handler(at, payload)
            await self._cable.process.gate()
            return answer

        await self._bus.subscribe(subject, gated, queue)

    async def request(self, subject: str, payload: bytes, timeout_s: float) -> bytes:
        await self._cable.process.gate()
        if self._cable.faults.strike("bus-lost", self._cable.chance):
            await self._cable.never(timeout_s)
            raise NoReply(subject)
        await self._cable.travel("bus-slow")
        answer = await self._bus.request(subject, payload, timeout_s)
        await self._cable.travel()
        await self._cable.process.gate()
        return answer

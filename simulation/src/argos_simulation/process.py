"""A simulated process: everything it does to the world passes through its gate.

`kill` is kill -9: from that instant nothing of it has any effect and nothing of it ever runs on.
Its tasks are not cancelled (no `finally` runs in a killed process); they simply never wake from
their next call to the world. `pause` holds it at the gate until `resume`: a zombie that then goes
on with what it knew.

A *point* is a gate at a moment that matters, such as before and after a journal's sync: there a
process may be made to die by chance, so that a crash meets every such moment. Words that leave no
record pass a point of their own kind, `leaving`, which strikes less often, for they are many.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from argos_simulation.loop import VirtualLoop, running

Hazard = Callable[["Process"], None]
"""Called at each point; may kill the process."""


def _no_hazard(process: Process) -> None:
    del process


@dataclass(slots=True)
class HostClock:
    """A host's clock in the simulation: the loop's virtual time, with a skew of its own.

    `epoch_ns` is the wall time at virtual 0; `skew_ns` what this host's wall clock is off by,
    `drift_ppm` how much too fast its clocks run.
    """

    epoch_ns: int
    skew_ns: int = 0
    process: Process | None = None
    drift_ppm: int = 0
    loop: VirtualLoop = field(default_factory=running)

    def now_ns(self) -> int:
        return self.epoch_ns + self.skew_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        now_ns = self.loop.now_ns
        return now_ns + now_ns * self.drift_ppm // 1_000_000 if self.drift_ppm else now_ns

    async def sleep(self, seconds: float) -> None:
        await self.loop.sleep(seconds)
        process = self.process
        if process is not None and not process.free:
            await process.gate()


@dataclass(slots=True)
class Process:
    """One life of one service. A restart is a new `Process`."""

    name: str
    life: int
    hazard: Hazard = _no_hazard
    hazard_leaving: Hazard = _no_hazard
    alive: bool = True
    loop: VirtualLoop = field(default_factory=running)
    failure: BaseException | None = None
    _open: asyncio.Event | None = None
    _dead: asyncio.Future[None] | None = None
    _held: list[asyncio.Future[None]] = field(default_factory=list)
    """What a dead process's tasks wait for: kept, so that no collector ever wakes one to end it."""

    def __str__(self) -> str:
        return f"{self.name}#{self.life}"

    @property
    def free(self) -> bool:
        """Whether its gate is open: `await gate()` would return at once."""
        return self.alive and self._open is None

    async def gate(self) -> None:
        """Pass if the process runs; wait while it is paused; never return once it is killed."""
        if not self.alive:
            await self._for_ever()
        while self._open is not None:
            await self._open.wait()
            if not self.alive:
                await self._for_ever()

    async def _for_ever(self) -> None:
        never: asyncio.Future[None] = self.loop.create_future()
        self._held.append(never)
        await never

    async def point(self) -> None:
        """A gate at which the process may die."""
        if self.alive:
            self.hazard(self)
        await self.gate()

    async def leaving(self) -> None:
        """The same before something leaves that is nowhere on record."""
        if self.alive:
            self.hazard_leaving(self)
        await self.gate()

    @property
    def dead(self) -> asyncio.Future[None]:
        """Done once the process is killed: a broken connection, as its peers see it."""
        if self._dead is None:
            self._dead = self.loop.create_future()
            if not self.alive:
                self._dead.set_result(None)
        return self._dead

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run the process's main coroutine; an exception out of it is kept as `failure`."""
        return self.loop.create_task(self._run(work))

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as failure:  # noqa: BLE001  # a crash of the service is a finding
            if self.alive:
                self.failure = failure
                self.kill()

    def kill(self) -> None:
        self.alive = False
        if self._dead is not None and not self._dead.done():
            self._dead.set_result(None)

    @property
    def paused(self) -> bool:
        return self._open is not None

    def pause(self) -> None:
        if self._open is None:
            self._open = asyncio.Event()

    def resume(self) -> None:
        if self._open is not None:
            self._open.set()
            self._open = None

"""A simulated process: everything it does to the world passes through its gate.

`kill` is kill -9: from that instant nothing of it has any effect and nothing of it ever runs on.
Its tasks are not cancelled (no `finally` runs in a killed process); they simply never wake from
their next call to the world. `pause` holds it at the gate until `resume`: a zombie that then goes
on with what it knew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from argos_common.runtime.clock import NS_PER_S


@dataclass(slots=True)
class HostClock:
    """A host's clock in the simulation: the loop's virtual time, with a skew of its own.

    `epoch_ns` is the wall time at virtual 0; `skew_ns` what this host's wall clock is off by.
    """

    epoch_ns: int
    skew_ns: int = 0
    process: Process | None = None

    def now_ns(self) -> int:
        return self.epoch_ns + self.skew_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return round(asyncio.get_running_loop().time() * NS_PER_S)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        if self.process is not None:
            await self.process.gate()


@dataclass(slots=True)
class Process:
    """One life of one service. A restart is a new `Process`."""

    name: str
    life: int
    alive: bool = True
    ended: bool = False
    failure: BaseException | None = None
    _tasks: list[asyncio.Task[Any]] = field(default_factory=list)
    _open: asyncio.Event | None = None

    async def gate(self) -> None:
        """Pass if the process runs; wait while it is paused; never return once it is killed."""
        if self.ended:
            raise asyncio.CancelledError
        if not self.alive:
            await asyncio.get_running_loop().create_future()
        while self._open is not None:
            await self._open.wait()
            if not self.alive:
                await asyncio.get_running_loop().create_future()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._run(work))
        self._tasks.append(task)
        return task

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except BaseException as failure:  # noqa: BLE001  # a crash of the service is a finding
            if self.alive:
                self.failure = failure
                self.alive = False

    def kill(self) -> None:
        self.alive = False

    def pause(self) -> None:
        if self._open is None:
            self._open = asyncio.Event()

    def resume(self) -> None:
        if self._open is not None:
            self._open.set()
            self._open = None

    async def end(self) -> None:
        """The simulation is over: let go of everything that still waits."""
        self.ended = True
        self.resume()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

"""Waiting in tests: for a condition with a deadline, and on a clock that is faster than life."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from argos_common.runtime.clock import Clock, SystemClock

PATIENCE_S = 20.0
POLL_S = 0.005


async def until(true: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
    """Poll until it is so. Raises TimeoutError at the deadline."""
    async with asyncio.timeout(timeout_s):
        while not true():  # noqa: ASYNC110  # what tests wait for has no event of its own
            await asyncio.sleep(POLL_S)


class FastClock:
    """The machine's clock from `start_ns` on, `speed` times as fast."""

    def __init__(self, start_ns: int, speed: int = 50) -> None:
        self._start_ns = start_ns
        self._speed = speed
        self._machine: Clock = SystemClock()
        self._began_ns = self._machine.monotonic_ns()

    def now_ns(self) -> int:
        return self._start_ns + self.monotonic_ns()

    def monotonic_ns(self) -> int:
        return (self._machine.monotonic_ns() - self._began_ns) * self._speed

    async def sleep(self, seconds: float) -> None:
        await self._machine.sleep(seconds / self._speed)

"""The only place where the process reads a clock or sleeps.

Everything else takes a `Clock`, so that the simulation owns time.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    def now_ns(self) -> int:
        """Wall clock: nanoseconds since the Unix epoch, UTC. May jump."""
        ...

    def monotonic_ns(self) -> int:
        """Never goes back; only differences mean anything, and only within this process."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's own clocks."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    async def sleep(self, seconds: float) -> None:
        import asyncio  # here: a terminal's worker reads the clock, and stays small without a loop

        await asyncio.sleep(seconds)

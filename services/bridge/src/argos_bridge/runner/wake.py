"""Waiting for news, but not for ever."""

from __future__ import annotations

import asyncio

from argos_common.domain.times import NS_PER_S
from argos_common.runtime.bounded import bounded
from argos_common.runtime.clock import Clock

_SHORTEST_S = 0.001
LOOK_AGAIN_NS = 5 * NS_PER_S
"""Who waits for a time of the wall clock looks this often: the clock may be set meanwhile."""


class Wake:
    """A loop arms it, looks, and waits: what rang after `arm` ends the wait at once."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._event = asyncio.Event()

    def arm(self) -> None:
        self._event.clear()

    def ring(self) -> None:
        self._event.set()

    async def wait_until(self, at_ns: int | None) -> None:
        """Until it rings, or the wall clock may show `at_ns`."""
        if at_ns is None:
            await self.wait()
        else:
            await self.wait(min(at_ns - self._clock.now_ns(), LOOK_AGAIN_NS))

    async def wait(self, span_ns: int | None = None) -> None:
        """Until it rings, or the span is over."""
        if self._event.is_set():
            return
        if span_ns is None:
            await self._event.wait()
            return
        await bounded(self._clock, self._event.wait(), max(span_ns / NS_PER_S, _SHORTEST_S))

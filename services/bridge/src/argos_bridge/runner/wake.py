"""Waiting for news, but not for ever."""

from __future__ import annotations

import asyncio

from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock

_SHORTEST_NS = 1_000_000
LOOK_AGAIN_NS = 5 * NS_PER_S
"""Who waits for a time of the wall clock looks this often: the clock may be set meanwhile."""


class Wake:
    """A loop arms it, looks, and waits: what rang after `arm` ends the wait at once.

    A wait may end early, for the loop looks again anyway: an alarm that was set for an earlier time
    stays set, so that not every wait has to start and to stop one. Alarms run in `group`.
    """

    def __init__(self, clock: Clock, group: asyncio.TaskGroup) -> None:
        self._clock = clock
        self._group = group
        self._event = asyncio.Event()
        self._alarm: asyncio.Task[None] | None = None
        self._alarm_ns = 0

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
        """Until it rings, at the latest when the span is over."""
        if self._event.is_set():
            return
        if span_ns is not None:
            self._ring_within(max(span_ns, _SHORTEST_NS))
        await self._event.wait()

    def _ring_within(self, span_ns: int) -> None:
        at_ns = self._clock.monotonic_ns() + span_ns
        if self._alarm is not None:
            if self._alarm_ns <= at_ns:
                return
            self._alarm.cancel()
        self._alarm_ns = at_ns
        self._alarm = self._group.create_task(self._sound(span_ns / NS_PER_S))

    async def _sound(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._alarm = None
        self.ring()

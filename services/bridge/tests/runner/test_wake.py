"""Waiting for a time of a clock that somebody may set."""

from __future__ import annotations

import asyncio

from argos_bridge.runner.wake import LOOK_AGAIN_NS, Wake
from argos_common.domain.times import NS_PER_S


class _Clock:
    """Each sleep is over at once, and remembered."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now_ns(self) -> int:
        return 1_000 * NS_PER_S

    def monotonic_ns(self) -> int:
        return 0

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_who_waits_for_an_hour_of_the_wall_clock_looks_at_it_again_in_seconds() -> None:
    clock = _Clock()
    async with asyncio.TaskGroup() as group:
        wake = Wake(clock, group)
        for seconds in (3600, 1):
            wake.arm()
            await wake.wait_until(clock.now_ns() + seconds * NS_PER_S)
    assert clock.slept == [LOOK_AGAIN_NS / NS_PER_S, 1.0]

"""A bridge's life inside its process: run, say how it is, keep snapshots, end in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from argos_common.runtime.service import Context

from argos_bridge.runner.bridge import Bridge

PULSE_EVERY_S = 0.2
KEEP_EVERY = 5_000
"""Log entries between two snapshots."""


async def live(context: Context, bridge: Bridge, keep: Callable[[], None]) -> None:
    """Until the context says stop; what is under way then ends before this returns."""
    context.gauges.append(bridge.measure)
    async with asyncio.TaskGroup() as group:
        work = [
            group.create_task(bridge.run()),
            group.create_task(_pulse(context, bridge, keep)),
        ]
        await context.stopping.wait()
        await bridge.drain()
        for task in work:
            task.cancel()
    keep()


async def _pulse(context: Context, bridge: Bridge, keep: Callable[[], None]) -> None:
    kept = bridge.sequence
    while True:
        context.pulse.sequence = bridge.sequence
        context.pulse.ready = bridge.current and context.connected
        context.pulse.state = "running" if context.pulse.ready else "waiting"
        if bridge.sequence >= kept + KEEP_EVERY:
            keep()
            kept = bridge.sequence
        await context.clock.sleep(PULSE_EVERY_S)

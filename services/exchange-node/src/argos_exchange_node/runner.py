"""Runs a node: opens its last hops, serves them, reports readiness, and closes them in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.local import LocalNode
from argos_common.lasthop.server import NodeServer
from argos_common.runtime.clock import Clock
from argos_common.runtime.telemetry import NullTelemetry, Telemetry

READY_EVERY_S = 0.5


class Runner:
    """`serve` makes the server; `listening` hears its port, `report` twice a second whether the venue is ready."""

    def __init__(
        self,
        clock: Clock,
        serve: Callable[[LocalNode], NodeServer],
        listening: Callable[[int], None],
        report: Callable[[bool], None],
        telemetry: Telemetry | None = None,
    ) -> None:
        self._clock = clock
        self._telemetry = telemetry or NullTelemetry()
        self._serve = serve
        self._listening = listening
        self._report = report

    async def run(self, hops: Sequence[LastHop], until: Callable[[], Awaitable[object]]) -> None:
        """Serves until `until` returns; then nothing new is taken and what is under way ends."""
        async with AsyncExitStack() as stack:
            for hop in hops:
                await hop.start()
                stack.push_async_callback(hop.stop)
            node = LocalNode(hops, self._clock, self._telemetry)
            server = self._serve(node)
            self._listening(await server.start())
            stack.push_async_callback(server.stop, 2.0)
            await until()

    async def watch_readiness(self, hops: Sequence[LastHop]) -> None:
        """For ever."""
        while True:
            self._report(all(hop.ready() for hop in hops))
            await self._clock.sleep(READY_EVERY_S)

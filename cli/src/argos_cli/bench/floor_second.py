"""Second process of the floor: reads the log, appends on the head of a lane, one at a time."""

from __future__ import annotations

import asyncio

from argos_common.runtime.event_loop import run_loop
from argos_common.runtime.log import Append, Head, Mine
from argos_common.runtime.nats_log import NatsLog
from argos_common.wire import subjects

from argos_cli.bench.floor_env import LANES, floor_log, lane_of, read

SIGNALS = subjects.PREFIX + "signal."


async def main() -> None:
    """Serve until ended."""
    async with floor_log("floor-second") as log, asyncio.TaskGroup() as group:
        lanes: list[asyncio.Queue[bytes]] = [asyncio.Queue() for _ in range(LANES)]
        for number, lane in enumerate(lanes):
            group.create_task(_lane(log, number, lane))
        async for entry in log.read(0):
            if entry.subject.startswith(SIGNALS):
                lanes[lane_of(read(entry.data)[0])].put_nowait(entry.data)


async def _lane(log: NatsLog, number: int, queue: asyncio.Queue[bytes]) -> None:
    subject, head = subjects.verdict(f"floor{number}"), 0
    while True:
        data = await queue.get()
        answer = await log.append(Append(subject=subject, data=data, condition=Head(head)))
        head = answer.sequence if isinstance(answer, Mine) else head


if __name__ == "__main__":
    run_loop(main())

"""Third process of the floor: reads the log, claims with fence and once-only id, then calls gRPC."""

from __future__ import annotations

import asyncio

import grpc
from argos_common.runtime.event_loop import run_loop
from argos_common.runtime.log import Append, Fence, Mine
from argos_common.runtime.nats_log import NatsLog
from argos_common.wire import subjects

from argos_cli.bench.floor_env import LANES, METHOD, floor_log, lane_of, read, settings

VERDICTS = subjects.PREFIX + "verdict."


async def main() -> None:
    """Serve until ended."""
    address = f"127.0.0.1:{settings().grpc_port}"
    async with (
        floor_log("floor-third") as log,
        grpc.aio.insecure_channel(address) as channel,
        asyncio.TaskGroup() as group,
    ):
        call = channel.unary_unary(METHOD, _same, _same)
        lanes: list[asyncio.Queue[bytes]] = [asyncio.Queue() for _ in range(LANES)]
        for number, lane in enumerate(lanes):
            group.create_task(_lane(log, call, number, lane))
        async for entry in log.read(0):
            if entry.subject.startswith(VERDICTS):
                lanes[lane_of(read(entry.data)[0])].put_nowait(entry.data)


def _same(data: bytes) -> bytes:
    return data


async def _lane(
    log: NatsLog,
    call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes],
    number: int,
    queue: asyncio.Queue[bytes],
) -> None:
    account = f"floor{number}"
    while True:
        data = await queue.get()
        key, _ = read(data)
        answer = await log.append(
            Append(
                subject=subjects.order(account, key, 1),
                data=data,
                condition=Fence(subjects.control(account), 0),
                once_id=f"order-{key}",
            )
        )
        if isinstance(answer, Mine):
            await call(data, timeout=10)


if __name__ == "__main__":
    run_loop(main())

"""Runs the floor: its own NATS server of the same kind, four small processes, the same load."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_MS
from argos_common.runtime.clock import Clock
from argos_common.runtime.embedded_nats import free_port, start_nats
from argos_common.runtime.nats_connection import NatsSettings, connect
from argos_common.runtime.provision import ensure_stream

from argos_cli.bench.floor_env import FloorSettings
from argos_cli.bench.load import LoadPlan, answers
from argos_cli.bench.loading import load_environment, load_process

PARTS = ("fourth", "third", "second", "http")
READY_S = 15.0
SETTLE_S = 10.0


async def measure_floor(
    folder: Path, rates: tuple[float, ...], seconds: float, clock: Clock
) -> dict[float, list[float]]:
    """Rate -> milliseconds from the request's receipt to the moment of the call, per request."""
    found: dict[float, list[float]] = {}
    async with _floor(folder, clock) as given:
        for number, rate in enumerate(rates):
            found[rate] = await _at(folder, given, rate, seconds, number, clock)
    return found


async def _at(  # one run of the load
    folder: Path, given: FloorSettings, rate: float, seconds: float, number: int, clock: Clock
) -> list[float]:
    plan = LoadPlan(
        port=given.http_port,
        path="/floor",
        out=str(folder / f"floor-load-{number}.txt"),
        name=f"r{number}",
        seconds=seconds,
        rate=rate,
    )
    process = await load_process(plan, folder)
    await process.wait()
    sent = [each for each in answers(Path(plan.out)) if each.status == 200]  # HTTP OK
    wanted = {each.key for each in sent}
    waited_s = 0.0
    while True:
        rows = _called(Path(given.out))
        mine = [row for row in rows if row[0] in wanted]
        if len(mine) >= len(wanted) or waited_s >= SETTLE_S:
            break
        await clock.sleep(0.1)
        waited_s += 0.1
    if len(mine) < len(wanted):
        raise OurMistake(f"the floor lost {len(wanted) - len(mine)} of {len(wanted)} requests")
    return [(int(called) - int(received)) / NS_PER_MS for _, received, called in mine]


def _called(file: Path) -> list[list[str]]:
    """(key, received, called) of every call that the last process noted."""
    return [line.split(" ") for line in file.read_text("ascii").splitlines()]


@asynccontextmanager
async def _floor(folder: Path, clock: Clock) -> AsyncIterator[FloorSettings]:
    server = await start_nats((folder / "floor-nats").resolve(), port=0, monitor_port=0)
    processes: list[asyncio.subprocess.Process] = []
    try:
        connection = await connect(NatsSettings(url=server.url, name="floor"), timeout_s=10.0)
        await ensure_stream(connection, "g1")
        await connection.close()
        given = FloorSettings(
            nats=server.url,
            http_port=free_port(),
            grpc_port=free_port(),
            journal=str(folder / "floor-journal.sqlite"),
            out=str(folder / "floor-called.txt"),
        )
        env = load_environment() | {"ARGOS_FLOOR": json.dumps(asdict(given))}
        with (folder / "floor.out").open("wb") as said:
            for part in PARTS:
                module = f"argos_cli.bench.floor_{part}"
                processes.append(
                    await asyncio.create_subprocess_exec(
                        *(sys.executable, "-m", "argos_cli.fleet.tether", str(folder), module),
                        env=env | {"ARGOS_PARENT_PID": str(os.getpid())},
                        stdin=asyncio.subprocess.DEVNULL,
                        stdout=said,
                        stderr=said,
                    )
                )
        await _until_listening((given.http_port, given.grpc_port), folder, clock)
        await clock.sleep(0.5)  # the two readers have no port of their own
        yield given
    finally:
        for process in processes:
            if process.returncode is None:
                process.terminate()
        for process in processes:
            await process.wait()
        await asyncio.to_thread(server.stop)


async def _until_listening(ports: tuple[int, ...], folder: Path, clock: Clock) -> None:
    waited_s = 0.0
    left = list(ports)
    while left:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", left[0])
            writer.close()
            left.pop(0)
        except OSError:
            if waited_s > READY_S:
                raise OurMistake(f"the floor does not start: see {folder / 'floor.out'}") from None
            await clock.sleep(0.05)
            waited_s += 0.05

"""`python -m argos_cli.chaos.supervise PLAN`: the embedded fleet, in a process that may be killed.

The same supervisor as `argos up` runs, with each process led through its cables. It ends when it is
told to (SIGTERM), and on Linux also when the one that started it is gone.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from argos_common.domain.errors import ArgosError
from argos_common.runtime.fleet import Fleet

from argos_cli.fleet import plan
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_cli.output import say

_PDEATHSIG = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPlan:
    """`environment`: variables for all; `led`: process -> variables of its own, for its cables."""

    config: str
    state: str
    ports: dict[str, int]
    environment: dict[str, str]
    led: dict[str, dict[str, str]]
    parent_pid: int

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


def led_processes(
    led: Mapping[str, Mapping[str, str]],
    fleet: Fleet,
    state: Path,
    env: dict[str, str],
    ports: Mapping[str, int],
) -> tuple[plan.Process, ...]:
    """The fleet's processes, each with its cables."""
    return tuple(
        replace(process, env={**process.env, **led.get(process.name, {})})
        for process in plan.processes(fleet, state, env, ports)
    )


async def _supervise(given: FleetPlan) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    fleet = EmbeddedFleet(
        Path(given.config),
        Path(given.state),
        ports=given.ports,
        env=given.environment,
        say=say,
        planner=lambda *arguments: led_processes(given.led, *arguments),
    )
    starting = asyncio.create_task(fleet.start())
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if starting.done():
            starting.result()
            await stopped
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await fleet.stop()


def main() -> int:
    """Run until told to stop; 1 if the fleet could not be started."""
    given = FleetPlan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != given.parent_pid:
            return 1
    try:
        asyncio.run(_supervise(given))
    except ArgosError as error:
        say(str(error), "error")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Starting the process that makes the load."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from argos_cli.bench.load import LoadPlan

_LOOPBACK = "127.0.0.1,localhost,::1"


def load_environment() -> dict[str, str]:
    """Ours, without what belongs to a fleet, and with no proxy for loopback."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARGOS_")}
    return env | {"NO_PROXY": _LOOPBACK, "no_proxy": _LOOPBACK}


async def load_process(plan: LoadPlan, folder: Path) -> asyncio.subprocess.Process:
    """Start it; its stdin takes credits."""
    file = folder / f"plan-{plan.name}.json"
    plan.save(file)
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "argos_cli.fleet.tether", str(folder)),
        *("argos_cli.bench.load", str(file)),
        env=load_environment() | {"ARGOS_PARENT_PID": str(os.getpid())},
        stdin=asyncio.subprocess.PIPE,
    )

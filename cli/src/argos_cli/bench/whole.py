"""The whole measurement: the floor, then a fleet at each rate, then what it sustains, and memory."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import Clock

from argos_cli.bench.config import bench_config
from argos_cli.bench.floor import measure_floor
from argos_cli.bench.measure import Subject, at_rate, quantiles, sustained
from argos_cli.bench.memory import cpu_s, memory_mb
from argos_cli.client.opened import open_fleet
from argos_cli.demo.screen import Screen
from argos_cli.fleet.supervisor import EmbeddedFleet

WARM_S = 2.0
WARM_RATE = 10.0


def _pids(fleet: EmbeddedFleet) -> dict[str, int]:
    return {name: fleet.pid(name) for name in fleet.names}


async def measure_all(
    folder: Path,
    rates: tuple[float, ...],
    seconds: float,
    burst: bool,
    screen: Screen,
    clock: Clock,
) -> dict[str, Any]:
    screen.say(f"the floor: {len(rates)} rates, {seconds:g} s each")
    floor = await measure_floor(folder, rates, seconds, clock)
    lanes = bench_config(folder / "fleet.toml")
    fleet = EmbeddedFleet(
        folder / "fleet.toml",
        folder / "state",
        ports={"gateway": 0, "monitor": 0},
        say=lambda text: screen.say(text, "dim"),
        clock=clock,
        env={"LOG_LEVEL": "warning"},
    )
    async with fleet, open_fleet(fleet.folder) as opened:
        subject = Subject(
            fleet=fleet, log=opened.log, lanes=tuple(lanes), folder=folder, clock=clock
        )
        screen.say("warming up")
        await at_rate(subject, "warm", WARM_RATE, WARM_S)
        before = memory_mb(_pids(fleet))
        found = []
        for rate in rates:
            screen.say(f"{rate:g} alerts/s for {seconds:g} s")
            each = await at_rate(subject, f"r{rate:g}".replace(".", "-"), rate, seconds)
            each["floor_ms"] = quantiles(floor[rate])
            least = each["floor_ms"]["p50"]
            each["ratio_p50"] = round(each["to_call_ms"]["p50"] / least, 2) if least else 0.0
            found.append(each)
        whole: dict[str, Any] = {}
        if burst:
            screen.say(f"as fast as it can for {seconds:g} s")
            pids = _pids(fleet)
            whole = await sustained(subject, seconds, lambda: cpu_s(pids))
        after = memory_mb(_pids(fleet))
        restarts = {state.name: state.restarts for state in fleet.state if state.restarts}
    memory = [
        {"process": name, "start_mb": round(mb, 1), "after_mb": round(after.get(name, 0), 1)}
        for name, mb in before.items()
    ]
    return {
        "seconds": seconds,
        "machine": _machine(),
        "rates": found,
        "sustained": whole,
        "lost": sum(each["lost"] for each in found) + whole.get("lost", 0),
        "restarts": restarts,
        "memory": memory,
        "measured_at_ns": clock.now_ns() // NS_PER_S * NS_PER_S,
    }


def _machine() -> dict[str, Any]:
    return {
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }

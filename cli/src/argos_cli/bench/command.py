"""`argos bench`: how fast the order path is on this machine, beside the least it could cost."""

from __future__ import annotations

import os
import platform
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from argos_common.runtime.clock import NS_PER_S, Clock, SystemClock

from argos_cli.bench.config import bench_config
from argos_cli.bench.floor import measure_floor
from argos_cli.bench.measure import Subject, at_rate, quantiles, sustained
from argos_cli.bench.memory import memory_mb
from argos_cli.bench.tables import markdown, sections
from argos_cli.client.opened import open_fleet
from argos_cli.commands.options import JsonOption
from argos_cli.demo.screen import Screen
from argos_cli.exits import Code, Ended, run, usage
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_cli.output import show_json

WARM_S = 2.0
WARM_RATE = 10.0


def bench(
    seconds: Annotated[float, typer.Option("--seconds", min=1, help="For each rate.")] = 15.0,
    rates: Annotated[str, typer.Option("--rates", help="Alerts per second.")] = "1,20,100",
    burst: Annotated[
        bool, typer.Option("--burst/--no-burst", help="Also what it sustains.")
    ] = True,
    out: Annotated[Path | None, typer.Option("--out", help="Write Markdown there.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure latency per hop, what is sustained, and memory; compare with the floor."""
    clock = SystemClock()
    screen = Screen(clock, to_stderr=as_json)
    try:
        chosen = tuple(float(rate) for rate in rates.split(","))
    except ValueError:
        raise usage(
            f"--rates {rates!r} is no list of numbers: write for instance 1,20,100"
        ) from None
    if any(not 0 < rate <= 10_000 for rate in chosen):  # beyond any sense
        raise usage(f"--rates {rates!r}: each must be above 0 and at most 10000")
    with tempfile.TemporaryDirectory(prefix="argos-bench-") as folder:
        result = run(_bench(Path(folder), chosen, seconds, burst, screen, clock))
    if out is not None:
        out.write_text(markdown(result), encoding="utf-8")
        screen.say(f"written to {out}")
    if as_json:
        show_json(result)
    else:
        for title, columns, rows in sections(result):
            screen.heading(title)
            screen.table(columns, rows)
    if result["lost"]:
        raise Ended(Code.FAILED, f"{result['lost']} alerts answered 200 were not finished")


async def _bench(
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
        before = memory_mb({name: fleet.pid(name) for name in fleet.names})
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
            whole = await sustained(subject, seconds)
        after = memory_mb({name: fleet.pid(name) for name in fleet.names})
        restarts = {state.name: state.restarts for state in fleet.state if state.restarts}
    return {
        "seconds": seconds,
        "machine": {
            "cpus": os.cpu_count(),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "rates": found,
        "sustained": whole,
        "lost": sum(each["lost"] for each in found) + whole.get("lost", 0),
        "restarts": restarts,
        "memory": [
            {"process": name, "start_mb": round(mb, 1), "after_mb": round(after.get(name, 0), 1)}
            for name, mb in before.items()
        ],
        "measured_at_ns": clock.now_ns() // NS_PER_S * NS_PER_S,
    }

"""`argos bench`: how fast the order path is on this machine, beside the least it could cost."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from argos_common.runtime.clock import SystemClock

from argos_cli.bench.tables import markdown, sections
from argos_cli.commands.options import JsonOption, finite
from argos_cli.demo.screen import Screen
from argos_cli.exits import Code, Ended, run, usage
from argos_cli.output import show_json


def bench(
    seconds: Annotated[
        float, typer.Option("--seconds", min=1, callback=finite, help="For each rate.")
    ] = 15.0,
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
        # Imported here, because it takes a moment and no other command needs it.
        from argos_cli.bench.whole import measure_all

        result = run(measure_all(Path(folder), chosen, seconds, burst, screen, clock))
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

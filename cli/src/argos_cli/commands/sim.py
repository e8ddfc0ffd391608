"""`argos sim`: the whole fleet in one process on virtual time, under faults, seed by seed."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from argos_common.domain.errors import BadInput
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import SystemClock
from argos_common.wire.codec import to_plain

from argos_cli.commands.options import JsonOption
from argos_cli.exits import Code, Ended
from argos_cli.output import say, show, show_json

NONE = "none"


def sim(
    seeds: Annotated[int, typer.Option(help="How many seeds.")] = 50,
    first: Annotated[int, typer.Option("--from", help="The first seed.")] = 1,
    faults: Annotated[
        str, typer.Option(help="Only these faults, comma-separated; `none` for a calm day.")
    ] = "",
    minutes: Annotated[float, typer.Option(help="How long it goes on before faults heal.")] = 1.5,
    processes: Annotated[int, typer.Option(help="At once; 0: one per processor.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run the services' own code under drawn faults; exit 1 if anything that must hold did not."""
    from argos_simulation.faults import NAMES, check_names  # slow to import: a kill must not wait
    from argos_simulation.report import lines_of, report_of
    from argos_simulation.simulate import run_many

    if seeds < 1 or first < 0 or minutes <= 0:
        raise BadInput("seeds must be 1 or more, --from 0 or more, and minutes above 0")
    named = [name for name in faults.split(",") if name and name != NONE]
    allowed = check_names(named) if faults else NAMES
    clock = SystemClock()
    begun_ns = clock.monotonic_ns()
    say(f"running {seeds} seeds from {first}")
    outcomes = run_many(
        range(first, first + seeds),
        allowed=allowed,
        minutes=minutes,
        processes=processes or os.cpu_count() or 1,
    )
    report = report_of(outcomes, allowed, minutes)
    took_s = (clock.monotonic_ns() - begun_ns) / NS_PER_S
    if as_json:
        show_json(
            {"simulation": "PASS" if report.passed else "FAIL"}
            | to_plain(report)
            | {"digests": {str(each.seed): each.digest for each in outcomes}}
        )
    else:
        for line in lines_of(report):
            show(line)
    say(f"{seeds / took_s:.1f} seeds/s")
    if not report.passed:
        raise Ended(Code.FAILED)

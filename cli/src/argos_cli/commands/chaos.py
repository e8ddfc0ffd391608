"""`argos chaos`: the real processes under attack, and a checker that only believes the outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from argos_common.domain.errors import BadInput, OurMistake
from argos_common.runtime.clock import SystemClock

from argos_cli.commands.options import JsonOption
from argos_cli.demo.screen import Screen
from argos_cli.exits import Code, Ended, run, usage
from argos_cli.output import say, show, show_json, show_table
from argos_cli.report.folder import new_run_folder

if TYPE_CHECKING:
    from argos_cli.chaos.report import Campaign

DEFAULT_OUT = Path("runs")


def chaos(
    cycles: Annotated[int, typer.Option("--cycles", help="How many.")] = 50,
    seed: Annotated[int, typer.Option("--seed", help="The first cycle's; then one more each.")] = 1,
    faults: Annotated[
        str, typer.Option("--faults", help="Only these, comma-separated; `none` for calm.")
    ] = "",
    out: Annotated[
        Path, typer.Option("--out", help="Where the run gets a folder for its report.")
    ] = DEFAULT_OUT,
    as_json: JsonOption = False,
) -> None:
    """Kill, freeze, cut and fill up a running fleet; exit 3 unless every promise was kept."""
    from argos_cli.chaos.faults import (  # slow to import: a kill must not wait
        chosen,
        needs_small_disk,
    )
    from argos_cli.chaos.report import Campaign
    from argos_cli.chaos.small_disk import NotPermitted, enter

    if os.name != "posix":
        raise Ended(
            Code.FAILED, "argos chaos freezes and kills with signals that this system lacks"
        )
    if cycles < 1 or seed < 0:
        raise BadInput("--cycles must be 1 or more, and --seed 0 or more")
    names = chosen(faults)
    clock = SystemClock()
    try:
        folder = new_run_folder(out, clock.now_ns(), option="--out")
    except OurMistake as error:
        raise usage(str(error)) from None
    skipped: dict[str, str] = {}
    if needs_small_disk(names):
        try:
            enter()
        except NotPermitted as error:
            skipped = dict.fromkeys(needs_small_disk(names), str(error))
    names = tuple(name for name in names if name not in skipped)
    for name, reason in skipped.items():
        say(f"{name} is skipped: {reason}", "warn")
    planned = Campaign(seed=seed, asked=cycles, faults=names, skipped=skipped)
    _run(planned, folder, as_json=as_json)


def _run(planned: Campaign, folder: Path, *, as_json: bool) -> None:
    from argos_cli.chaos.campaign import campaign  # as above
    from argos_cli.chaos.report import document, fault_rows

    clock = SystemClock()
    screen = Screen(clock, to_stderr=True)
    screen.say(
        f"argos chaos: {planned.asked} cycles from seed {planned.seed} on a fleet of its own,"
        " simulated money"
    )

    async def all_cycles() -> None:
        working = asyncio.current_task()
        assert working is not None  # noqa: S101  # we are in it
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, working.cancel)
        await campaign(planned, folder, screen, clock)

    try:
        run(all_cycles())
    except (asyncio.CancelledError, KeyboardInterrupt):
        _save(folder, document(planned))
        done = len(planned.outcomes)
        raise Ended(
            Code.FAILED, f"ended after {done} of {planned.asked} cycles; all is stopped"
        ) from None
    found = document(planned)
    _save(folder, found)
    if as_json:
        show_json(found)
    else:
        _show(found, fault_rows(planned))
    say(f"report: {folder / 'chaos.json'}", "dim")
    if not planned.held:
        raise Ended(Code.RED)


def _show(found: dict[str, Any], faults: list[list[str]]) -> None:
    """The report for people."""
    show_table("", ("fault", "fired", "p50 s to green", "max s", "what it is"), faults)
    show("")
    answers = ", ".join(f"{count} x {status}" for status, count in found["answers"].items())
    show(f"cycles      {found['cycles']} of {found['cycles_asked']} in {found['seconds']} s")
    show(f"alerts      {found['alerts']}, answered {answers.replace(' 0,', ' nothing,')}")
    show(
        f"signals     {found['signals']} accepted, {found['refusals']} verdicts refused,"
        f" {found['orders']} orders at the venues, {found['exits_while_killed']} exits while killed"
    )
    heal = found["heal_s"]
    show(f"green again p50 {heal['p50']} s, max {heal['max']} s")
    findings = found["findings"]
    show(f"findings    {len(findings)}", "error" if findings else "good")
    for each in findings:
        show(f"  cycle {each['cycle']} {each['code']}: {each['sentence']}", "error")
        show(f"    {each['replay']}")


def _save(folder: Path, found: dict[str, Any]) -> None:
    (folder / "chaos.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")

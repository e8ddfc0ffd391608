"""`argos demo`: the whole path on this machine, in less than a minute, with proof."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Annotated

import typer
from argos_common.runtime.clock import SystemClock

from argos_cli.commands.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from argos_cli.demo.screen import Screen
from argos_cli.exits import Code, Ended, run
from argos_cli.output import say, show_json
from argos_cli.report.folder import new_run_folder

DEFAULT_RUNS = Path("runs")


def demo(
    config: ConfigOption = DEFAULT_CONFIG,
    runs: Annotated[
        Path, typer.Option("--runs", help="Where each run gets a folder.")
    ] = DEFAULT_RUNS,
    keep_state: Annotated[
        bool, typer.Option("--keep-state/--drop-state", help="Keep the fleet's own state folder.")
    ] = True,
    fast: Annotated[bool, typer.Option("--fast", help="No pauses for the reader.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Play alerts through the whole fleet and check every promise; ends by itself."""
    clock = SystemClock()
    screen = Screen(clock, to_stderr=as_json, unhurried=not fast)
    screen.say("argos demo: starting a fleet of its own; simulated market, simulated money")
    folder = new_run_folder(runs, clock.now_ns())
    # Imported here, because it takes a moment and no other command needs it.
    from argos_cli.demo.performance import perform

    try:
        view = run(perform(config, folder, screen, clock))
    except asyncio.CancelledError:
        raise Ended(Code.FAILED, "ended before the story was over; the fleet is stopped") from None
    if not keep_state:
        shutil.rmtree(folder / "state", ignore_errors=True)
    if as_json:
        show_json(view.document)
    broken = [promise for promise in view.promises if not promise.held]
    for promise in broken:
        say(f"broken: {promise.name}: {promise.detail}", "error")
    if broken:
        raise Ended(Code.FAILED)

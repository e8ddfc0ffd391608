"""`argos replay`: the recorded log gives the same state and the same verdicts again."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from argos_cli.client.history import Recorded, read_now, read_recording
from argos_cli.client.opened import open_fleet
from argos_cli.commands.options import DEFAULT_STATE, JsonOption, StateOption
from argos_cli.exits import Code, Ended, run
from argos_cli.output import say, show, show_json


def replay(
    recording: Annotated[
        Path | None,
        typer.Argument(help="A recording (events.jsonl); the fleet's own log if left out."),
    ] = None,
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """Fold a record and decide every verdict again; exit 3 at a difference."""
    from argos_cli.audit.replay import replay_record  # slow to import: a kill must not wait

    items = list(read_recording(recording)) if recording is not None else run(_stored(state))
    say(f"replaying {len(items)} entries")
    report = replay_record(items)
    if as_json:
        show_json({"replay": "PASS" if report.passed else "FAIL"} | asdict(report))
    else:
        show(f"entries    {report.entries} ({report.dead_letters} dead letters)")
        show(f"verdicts   {report.verdicts} decided again, {report.differences} differ")
        show(f"state      {report.state_hash}")
        if report.difference:
            show(f"first difference: {report.difference}", "error")
        show(f"REPLAY: {'PASS' if report.passed else 'FAIL'}", "good" if report.passed else "error")
    if not report.passed:
        raise Ended(Code.RED)


async def _stored(state: Path) -> list[Recorded]:
    async with open_fleet(state, stopped_too=True) as opened:
        return await read_now(opened.log)

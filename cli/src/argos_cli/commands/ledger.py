"""`argos ledger rebuild`: make the ledger again from the log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import typer

from argos_cli.client.ledger import Rebuilt, rebuild_ledger
from argos_cli.client.opened import open_fleet
from argos_cli.commands.options import DEFAULT_STATE, JsonOption, StateOption
from argos_cli.exits import run
from argos_cli.output import say, show, show_json

ledger = typer.Typer(no_args_is_help=True, help="The ledger: what people query.")


@ledger.callback()
def _group() -> None:
    """The ledger: what people query."""


@ledger.command()
def rebuild(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Make the ledger again from the log; refuses while the reconciler holds it."""
    made = run(_rebuild(state))
    if as_json:
        show_json(asdict(made))
    else:
        show(f"{made.ledger}: {made.entries} entries, hash {made.hash}", "good")


async def _rebuild(state: Path) -> Rebuilt:
    async with open_fleet(state, stopped_too=True) as opened:
        say("making the ledger again from the log")
        return await rebuild_ledger(opened)

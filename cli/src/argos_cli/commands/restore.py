"""`argos log restore`: go on from an older copy of the log, on a fleet that has stopped."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from argos_cli.client.commands import default_actor
from argos_cli.client.restore import Order, Restored, restore_log
from argos_cli.commands.options import DEFAULT_STATE, ActorOption, JsonOption, StateOption
from argos_cli.exits import run, usage
from argos_cli.fleet.state_folder import read_record
from argos_cli.output import say, show, show_json


def restore(  # noqa: PLR0913  # the command's own options
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record.")],
    state: StateOption = DEFAULT_STATE,
    actor: ActorOption = "",
    up_to: Annotated[
        int, typer.Option("--up-to", min=0, help="Go on without what follows this entry.")
    ] = 0,
    journal: Annotated[
        list[Path] | None, typer.Option("--journal", help="A node's journal from elsewhere.")
    ] = None,
    without_journal: Annotated[
        list[str] | None, typer.Option("--without-journal", help="An account that has none here.")
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Although nothing shows that entries are missing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Make the log's next generation from a copy, the ledger and the node journals; all is killed."""
    if not reason.strip():
        raise usage("--reason is empty: say why the log is restored")
    record = read_record(state)
    if record is not None:
        raise usage(f"a fleet runs on {state} (process {record.supervisor_pid}): stop it first")
    if not state.is_dir():
        raise usage(f"there is no folder {state}: name the fleet's with --state")
    missing = next((path for path in journal or () if not path.is_file()), None)
    if missing is not None:
        raise usage(f"there is no journal {missing}: name a file with --journal")
    say("making the next generation of the log")
    order = Order(
        actor=actor or default_actor(),
        reason=reason,
        up_to=up_to,
        journals=tuple(journal or ()),
        without_journal=tuple(without_journal or ()),
        anyway=anyway,
    )
    made = run(restore_log(state.resolve(), order))
    if as_json:
        show_json(asdict(made))
    else:
        _tell(made)


def _tell(made: Restored) -> None:
    show(
        f"generation {made.generation}: {made.last_known} entries stand as they stood"
        f" ({made.from_copy} from the copy, {made.from_ledger} from the ledger)",
        "good",
    )
    if made.places_lost:
        show(f"at least {made.places_lost} entries after them are lost", "warn")
    for order_id in made.put_back:
        show(f"put back from a node's journal: order {order_id}", "warn")
    for order_id in made.unexplained:
        show(f"NOT explained by anything: order {order_id}; look at the venue", "error")
    for account in made.without_journal:
        show(f"no journal of account {account}: look at the venue for orders of ours", "error")
    if made.archive:
        show(f"the old store is kept in {made.archive}")
    show("every account is KILLED: start the fleet, look, then `argos resume`", "warn")

"""`argos discrepancy list | resolve`: where venue and log disagree, and a person's word that it is settled."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from argos_common.domain.node import CommandKind, CommandReply
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyResolved

from argos_cli.client.commands import ask_risk, command, default_actor
from argos_cli.client.history import read_now
from argos_cli.client.opened import Opened, open_fleet
from argos_cli.commands.options import (
    DEFAULT_STATE,
    ActorOption,
    JsonOption,
    ReasonOption,
    StateOption,
)
from argos_cli.exits import Code, Ended, run, usage
from argos_cli.output import show, show_json, show_table

discrepancy = typer.Typer(
    no_args_is_help=True, help="Where the venue and the log disagree; each holds its symbol."
)


@discrepancy.command("list")
def list_open(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Show the open ones: what was expected, what was found, and the id to resolve it by."""
    found = run(_list(state))
    if as_json:
        show_json([asdict(each) for each in found])
        return
    show_table(
        "",
        ("Id", "Account", "Symbol", "What is wrong"),
        [(each.discrepancy_id, each.account, each.symbol, each.sentence) for each in found],
    )


async def _list(state: Path) -> list[DiscrepancyFound]:
    async with open_fleet(state, stopped_too=True) as opened:
        return await still_open(opened)


async def still_open(opened: Opened) -> list[DiscrepancyFound]:
    """Every discrepancy on record that is not resolved, oldest first."""
    found: dict[str, DiscrepancyFound] = {}
    for item in await read_now(opened.log):
        match item.event:
            case DiscrepancyFound():
                found[item.event.discrepancy_id] = item.event
            case DiscrepancyResolved():
                found.pop(item.event.discrepancy_id, None)
            case _:
                pass
    return list(found.values())


@discrepancy.command()
def resolve(
    identity: Annotated[
        str, typer.Argument(metavar="ID", help="A discrepancy's id, or its beginning.")
    ],
    reason: ReasonOption,
    state: StateOption = DEFAULT_STATE,
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Accept what the venue shows, on your word; its symbol takes new risk again."""
    if not identity or not reason.strip():
        raise usage("name the discrepancy, and with --reason why it is settled")
    reply = run(_resolve(state, identity, reason, actor or default_actor()))
    if as_json:
        show_json(reply)
    elif reply.ok:
        show(reply.sentence, "good")
    if not reply.ok:
        raise Ended(Code.FAILED, "" if as_json else reply.sentence)


async def _resolve(state: Path, identity: str, reason: str, actor: str) -> CommandReply:
    async with open_fleet(state) as opened:
        meant = [each for each in await still_open(opened) if _begins(each, identity)]
        if not meant:
            raise usage(
                f"no open discrepancy begins with {identity!r}: see `argos discrepancy list`"
            )
        if len(meant) > 1:
            names = ", ".join(each.discrepancy_id for each in meant[:5])
            raise usage(f"{identity!r} may mean {names}: write more of it")
        return await ask_risk(
            opened,
            command(
                CommandKind.RESOLVE_DISCREPANCY,
                actor=actor,
                reason=reason,
                accounts=(meant[0].account,),
                reference=meant[0].discrepancy_id,
            ),
        )


def _begins(found: DiscrepancyFound, identity: str) -> bool:
    return found.discrepancy_id.startswith(identity)

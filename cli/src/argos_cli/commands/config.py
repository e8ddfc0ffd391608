"""`argos config check | approve`: the configuration, and what waits for approval."""

from __future__ import annotations

import typer
from argos_common.domain.ids import Account
from argos_common.domain.node import CommandKind
from argos_common.runtime.settings import account_documents, check_fleet, load_fleet

from argos_cli.client.commands import (
    ask_risk,
    check_account,
    command,
    default_actor,
    folded,
)
from argos_cli.client.opened import Opened, open_fleet
from argos_cli.commands.options import (
    DEFAULT_CONFIG,
    DEFAULT_STATE,
    ActorOption,
    ConfigOption,
    JsonOption,
    ReasonOption,
    StateOption,
)
from argos_cli.exits import Code, Ended, run
from argos_cli.output import say, show, show_json

config = typer.Typer(no_args_is_help=True, help="Check the configuration, approve a change.")


@config.command()
def check(file: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Name every mistake of the configuration file at once, each with its line."""
    mistakes = check_fleet(file)
    if as_json:
        show_json(
            {
                "file": str(file),
                "ok": not mistakes,
                "mistakes": [
                    {"line": each.line, "key": each.key, "sentence": each.sentence}
                    for each in mistakes
                ],
            }
        )
    elif not mistakes:
        fleet = load_fleet(file)
        show(f"{file} can be used", "good")
        for account, document in account_documents(fleet).items():
            show(f"  {account}: configuration {document.config_hash[:12]}")
    for each in () if as_json else mistakes:
        show(f"{file}:{each.line}: {each.sentence}", "error")
    if mistakes:
        count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
        raise Ended(Code.USAGE, f"{count}: correct {file} and check again")


@config.command()
def approve(
    account: str = typer.Option(..., "--account", help="Whose proposed configuration."),
    reason: ReasonOption = ...,  # type: ignore[assignment]  # typer's way to say that it is required
    reference: str = typer.Option(
        "", "--hash", help="The proposal's hash; the newest one if left out."
    ),
    state: StateOption = DEFAULT_STATE,
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a configuration that raises a limit take effect."""

    async def ask() -> None:
        async with open_fleet(state) as opened:
            await check_account(opened, account)
            wanted = reference or await _newest(opened, account)
            reply = await ask_risk(
                opened,
                command(
                    CommandKind.APPROVE_CONFIG,
                    actor=actor or default_actor(),
                    reason=reason,
                    accounts=(account,),
                    reference=wanted,
                ),
            )
        if as_json:
            show_json(reply)
        elif reply.ok:
            show(reply.sentence, "good")
        if not reply.ok:
            raise Ended(Code.FAILED, reply.sentence)

    run(ask())


async def _newest(opened: Opened, account: str) -> str:
    """The hash of what waits for approval on the account; what it raises is said."""
    proposal = (await folded(opened)).control(Account(account)).proposal
    if proposal is None:
        raise Ended(Code.FAILED, f"nothing waits for approval on {account}")
    say(f"configuration {proposal.config_hash[:12]} of {account}: {'; '.join(proposal.raises)}")
    return proposal.config_hash

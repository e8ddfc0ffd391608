"""`argos kill | resume | flatten`: an operator's hand on the fleet."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from argos_common.domain.control import Scope
from argos_common.domain.ids import Account
from argos_common.domain.node import CommandKind, CommandReply
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import SystemClock

from argos_cli.audit.fleet_fold import FleetFold
from argos_cli.client.commands import (
    KillReport,
    ask_risk,
    check_account,
    command,
    confirmations,
    default_actor,
    engage_kill,
    known_accounts,
    under_way,
)
from argos_cli.client.history import follow
from argos_cli.client.opened import Opened, open_fleet
from argos_cli.commands.options import (
    DEFAULT_STATE,
    ActorOption,
    JsonOption,
    ReasonOption,
    StateOption,
    YesOption,
)
from argos_cli.exits import Code, Ended, run, unreachable, usage
from argos_cli.output import say, show, show_json

RELEASE_WORD = "RESUME"
AccountOption = Annotated[
    str, typer.Option("--account", help="One account; the whole fleet if left out.")
]


def kill(
    state: StateOption = DEFAULT_STATE,
    account: AccountOption = "",
    reason: ReasonOption = "",
    actor: ActorOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bar new risk at once. Exits still pass. Needs neither risk nor the monitor."""
    run(_kill(state, account, reason or "no reason given", actor or default_actor(), as_json))


async def _kill(state: Path, account: str, reason: str, actor: str, as_json: bool) -> None:
    async with open_fleet(state, stopped_too=True) as opened:
        report = await kill_fleet(opened, account=account, reason=reason, actor=actor)
    if as_json:
        show_json(asdict(report))
        return
    what = f"account {account}" if account else "the fleet"
    show(f"KILLED {what}: nothing that adds risk is submitted after entry {report.log_position}")
    if not report.under_way:
        show("nothing was under way")
    for each in report.under_way:
        show(
            f"under way: {each.side} {each.quantity} {each.symbol} on {each.account}, order"
            f" {each.order_id} ({each.state.replace('_', ' ')})",
            "warn",
        )
    if report.unconfirmed:
        late = ", ".join(report.unconfirmed)
        show(f"final: one lease has passed; not confirmed by the node of {late}")
    else:
        show(f"final: confirmed by the node of {', '.join(report.confirmed)}")


async def kill_fleet(opened: Opened, *, account: str, reason: str, actor: str) -> KillReport:
    """Engage a kill (of the whole fleet if `account` is empty) and wait until it is final."""
    try:
        accounts = await asyncio.wait_for(known_accounts(opened), 10.0)
        await check_account(opened, account)
    except TimeoutError:
        raise unreachable("the log does not answer: the accounts are not known") from None
    if not accounts:
        raise usage("the log knows no account yet: there is nothing to kill")
    scope = Scope.ACCOUNT if account else Scope.FLEET
    chosen = (account,) if account else accounts
    positions, by = await engage_kill(opened, chosen, scope, actor, reason)
    say(f"the kill is on record at entry {max(positions.values())}")
    confirmed, late = await asyncio.gather(
        confirmations(opened, positions), under_way(opened, positions)
    )
    unconfirmed = tuple(name for name in positions if name not in confirmed)
    return KillReport(
        log_position=max(positions.values()),
        recorded_by=by,
        accounts=tuple(positions),
        positions=positions,
        under_way=late,
        confirmed=confirmed,
        unconfirmed=unconfirmed,
        final_by="lease" if unconfirmed else "nodes",
    )


def resume(
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe; it goes on record.")],
    state: StateOption = DEFAULT_STATE,
    account: AccountOption = "",
    actor: ActorOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Open the latch of a kill again: asks for a word, needs risk, goes on record."""
    if not reason.strip():
        raise usage("--reason is empty: say why it is safe to go on")
    what = f"account {account}" if account else "the whole fleet"
    if not yes:
        try:
            typed = typer.prompt(
                f"New risk will start on {what}. Type {RELEASE_WORD} to go on", err=True
            )
        except typer.Abort:
            say("")
            typed = ""
        if typed.strip() != RELEASE_WORD:
            raise Ended(
                Code.FAILED,
                f"nothing was changed: type {RELEASE_WORD} when asked, or give --yes in a script",
            )
    reply = run(_ask(state, CommandKind.RELEASE, account, "", reason, actor or default_actor()))
    _tell_reply(reply, as_json=as_json)


async def _ask(
    state: Path, kind: CommandKind, account: str, symbol: str, reason: str, actor: str
) -> CommandReply:
    accounts = (account,) if account else ()
    async with open_fleet(state) as opened:
        await check_account(opened, account)
        return await ask_risk(
            opened,
            command(kind, actor=actor, reason=reason, accounts=accounts, symbol=symbol),
        )


def _tell_reply(reply: CommandReply, *, as_json: bool) -> None:
    if as_json:
        show_json(reply)
    elif reply.ok:
        show(reply.sentence, "good")
    else:
        raise Ended(Code.FAILED, reply.sentence)
    if not reply.ok:
        raise Ended(Code.FAILED)


def flatten(
    reason: ReasonOption,
    state: StateOption = DEFAULT_STATE,
    account: AccountOption = "",
    symbol: Annotated[str, typer.Option("--symbol", help="One symbol only.")] = "",
    actor: ActorOption = "",
    wait: Annotated[int, typer.Option("--wait", min=0, help="Seconds to wait until flat.")] = 30,
    as_json: JsonOption = False,
) -> None:
    """Close everything on an account or on the fleet, and wait until it is flat."""
    run(_flatten(state, account, symbol, reason, actor or default_actor(), wait, as_json=as_json))


async def _flatten(  # the command's own options
    state: Path, account: str, symbol: str, reason: str, actor: str, wait_s: int, *, as_json: bool
) -> None:
    async with open_fleet(state) as opened:
        await check_account(opened, account)
        reply = await ask_risk(
            opened,
            command(
                CommandKind.FLATTEN,
                actor=actor,
                reason=reason,
                accounts=(account,) if account else (),
                symbol=symbol,
            ),
        )
        if not reply.ok:
            _tell_reply(reply, as_json=as_json)
        say(reply.sentence)
        left = await until_flat(opened, account=account, symbol=symbol, timeout_s=wait_s)
    if as_json:
        show_json({"ok": not left, "sentence": reply.sentence, "left": left})
    elif not left:
        show("flat", "good")
    for name, held in ({} if as_json else left).items():
        show(f"still held: {held} {name}", "warn")
    if left:
        raise Ended(
            Code.FAILED, f"not flat within {wait_s} s: see what is held with `argos trades`"
        )


async def until_flat(
    opened: Opened, *, account: str, symbol: str, timeout_s: float
) -> dict[str, str]:
    """Wait until nothing is held or expected; what is left as `account symbol` -> quantity."""
    fold = FleetFold()
    clock = SystemClock()
    until_ns = clock.monotonic_ns() + int(timeout_s * NS_PER_S)
    left: dict[str, str] = {}
    try:
        async with asyncio.timeout(timeout_s):
            last = (await opened.log.status()).last_sequence
            async for item in follow(opened.log, 0):
                fold.take(item.entry, item.event)
                if item.entry.sequence >= last:
                    left = _held(fold, account, symbol)
                    if not left or clock.monotonic_ns() > until_ns:
                        return left
    except TimeoutError:
        pass  # what is left is the answer
    return _held(fold, account, symbol)


def _held(fold: FleetFold, account: str, symbol: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, book in fold.books.items():
        if account and name != Account(account):
            continue
        for trade in book.trades.values():
            if symbol and trade.symbol != symbol:
                continue
            held, expected = trade.position, book.expected(trade)
            if held != 0 or expected != 0:
                found[f"{name} {trade.symbol} (trade {trade.trade_id})"] = str(held)
    return found

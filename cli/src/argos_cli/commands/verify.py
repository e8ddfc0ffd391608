"""`argos verify`: are the promises kept, in the log of a running or a stopped fleet."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from argos_common.domain.errors import OurMistake
from argos_common.runtime.log import LogDamaged
from argos_common.runtime.provision import verify_sync_always

from argos_cli.audit.promises import SHOWN_MAX, Audit, Check
from argos_cli.client.history import read_until
from argos_cli.client.ledger import check_ledger
from argos_cli.client.opened import Opened, open_fleet
from argos_cli.commands.options import DEFAULT_STATE, JsonOption, StateOption, finite
from argos_cli.exits import Code, Ended, run
from argos_cli.output import say, show, show_json

GRACE_S = 10.0
_PAUSE_S = 0.3


def verify(
    state: StateOption = DEFAULT_STATE,
    wait: Annotated[
        float,
        typer.Option(
            "--wait",
            min=0,
            callback=finite,
            help="Seconds that verdicts under way may still take.",
        ),
    ] = GRACE_S,
    as_json: JsonOption = False,
) -> None:
    """Check every promise against the record; exit 3 if one is broken."""
    checks = run(_verify(state, wait))
    passed = all(check.passed for check in checks)
    if as_json:
        rows = [
            {
                "name": check.name,
                "passed": check.passed,
                "looked_at": check.looked_at,
                "broken": list(check.broken),
            }
            for check in checks
        ]
        show_json({"verify": "PASS" if passed else "FAIL", "checks": rows})
    else:
        for check in checks:
            _show(check)
        show(f"VERIFY: {'PASS' if passed else 'FAIL'}", "good" if passed else "error")
    if not passed:
        raise Ended(Code.RED)


def _show(check: Check) -> None:
    mark = "ok  " if check.passed else "FAIL"
    show(f"{mark}  {check.name:<20} {check.looked_at}", "good" if check.passed else "error")
    for sentence in check.broken[:SHOWN_MAX]:
        show(f"        {sentence}", "error")
    if len(check.broken) > SHOWN_MAX:
        show(f"        and {len(check.broken) - SHOWN_MAX} more (--json shows all)", "error")


async def _verify(state: Path, wait_s: float) -> tuple[Check, ...]:
    async with open_fleet(state, stopped_too=True) as opened:
        say("checking every entry of the log, and every row of the ledger", "dim")
        try:
            return await verify_fleet(opened, wait_s=wait_s if opened.running else 0.0)
        except LogDamaged as error:
            return (Check(name="readable", looked_at="the log", broken=(str(error),)),)


async def verify_fleet(opened: Opened, *, wait_s: float) -> tuple[Check, ...]:
    """All checks on what the log holds; a verdict still missing may take `wait_s` more."""
    audit = Audit()
    loop = asyncio.get_running_loop()
    until = loop.time() + wait_s
    while True:
        last = (await opened.log.status()).last_sequence
        async for item in read_until(opened.log, last, audit.fold.sequence):
            audit.take(item)
        if not audit.missing_verdicts() or loop.time() >= until:
            break
        await asyncio.sleep(_PAUSE_S)
    return (*audit.checks(), await _durable(opened), await check_ledger(opened))


async def _durable(opened: Opened) -> Check:
    try:
        await verify_sync_always(opened.nats_monitor)
    except OurMistake as error:
        return Check(name="durable log", looked_at="NATS server", broken=(str(error),))
    return Check(name="durable log", looked_at="synced to disk before every acknowledgement")

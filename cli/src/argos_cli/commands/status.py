"""`argos status`: can it trade now, and what needs a person."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from argos_common.domain.times import NS_PER_S
from argos_common.runtime.clock import SystemClock

from argos_cli.client.http import get_json
from argos_cli.client.opened import running_record
from argos_cli.commands.options import DEFAULT_STATE, JsonOption, StateOption
from argos_cli.exits import Code, Ended, run
from argos_cli.fleet.state_folder import FleetRecord
from argos_cli.output import show, show_json, show_table

FAILING_S = 30
"""Whoever has lived this long since it ended last is taken to be well."""

GRANTING = ("risk", "bridge")
"""Without them no new risk starts."""


def status(state: StateOption = DEFAULT_STATE, as_json: JsonOption = False) -> None:
    """Show the fleet's health; exit 3 if something is wrong, 4 if the monitor is not there."""
    document = run(fetch_status(state))
    if as_json:
        show_json(document)
    else:
        _show(document)
    if not is_healthy(document):
        raise Ended(Code.RED)


async def fetch_status(state: Path) -> dict[str, Any]:
    """The monitor's own document. Raises Ended (not reachable)."""
    record = running_record(state)
    found = await get_json(record.urls["monitor"] + "/api/system/status", "the monitor")
    document = found if isinstance(found, dict) else {"status": "unreadable"}
    return with_failing(document, record, SystemClock().now_ns())


def with_failing(document: dict[str, Any], record: FleetRecord, now_ns: int) -> dict[str, Any]:
    """The monitor's word, unless the supervisor knows a process that ends again and again."""
    failing = [
        f"{name} ended {end.in_a_row} times in a row ({end.reason})"
        for name, end in record.ended.items()
        if end.in_a_row > 1 and now_ns - end.at_ns < FAILING_S * NS_PER_S
    ]
    if not failing:
        return document
    return document | {"status": "stale", "healthy": False, "message": "; ".join(failing)}


def is_healthy(document: dict[str, Any]) -> bool:
    """The monitor's own judgement; a document without one is not healthy."""
    return document.get("healthy") is True


def _show(document: dict[str, Any]) -> None:
    """Can it trade, is it exposed, does the broker agree, what needs a person: in that order."""
    healthy = is_healthy(document)
    word = str(document.get("status", "unknown")).upper()
    show(f"{word}: {document.get('message', '')}", "good" if healthy else "error")
    kill = document.get("kill") or {}
    if kill.get("engaged"):
        where = "the fleet" if kill.get("fleet") else ", ".join(kill.get("accounts") or ())
        show(f"KILLED {where}: {kill.get('reason') or 'no reason given'}", "error")
    show("")
    services = document.get("services") or []
    _accounts(document.get("accounts") or [], services)
    _services(services)
    today = document.get("today") or {}
    show("today     " + ", ".join(f"{_words(key)} {value}" for key, value in today.items()))
    log = document.get("log") or {}
    filled = Decimal(str(log.get("used_ratio") or 0)) * 100
    show(
        f"log       {log.get('generation', '-')}, {log.get('last_sequence', '-')} entries,"
        f" {filled:.1f} % full, {'fresh' if log.get('fresh') else 'NOT FRESH'}"
    )


def _accounts(accounts: list[dict[str, Any]], services: list[dict[str, Any]]) -> None:
    columns = ("account", "mode", "new risk", "equity", "open", "in doubt", "held", "last fill")
    rows = []
    for account in accounts:
        venue, fill = account.get("venue") or {}, account.get("last_fill")
        equity = f"{venue.get('equity', '-')} {venue.get('currency', '')}".strip()
        last = "-"
        if fill:
            last = f"{fill['quantity']} {fill['symbol']} at {fill['price']}, {fill['age_seconds']} s ago"
        rows.append(
            (
                account.get("account"),
                account.get("mode"),
                _may_open(account, venue, services),
                equity,
                account.get("open_positions"),
                account.get("in_doubt"),
                ", ".join(account.get("held_symbols") or ()) or "-",
                last,
            )
        )
    show_table("", columns, rows)
    for account in accounts:
        for each in account.get("discrepancies") or ():
            show(
                f"held      {each['symbol'] or 'everything'} on {account.get('account')}:"
                f" {each['sentence']}; when you know why: argos discrepancy resolve"
                f" {each['discrepancy_id']} --reason '…'",
                "warn",
            )
    show("")


def _may_open(
    account: dict[str, Any], venue: dict[str, Any], services: list[dict[str, Any]]
) -> str:
    if account.get("killed"):
        return "no: killed"
    for service in services:
        if service.get("name") in GRANTING and service.get("state") in {"late", "offline"}:
            return f"no: {service['name']} is {service['state']}"
    if not venue.get("ready"):
        return f"no: {venue.get('reason') or 'the venue is not heard of'}"
    if account.get("config_proposal"):
        return "yes; a configuration waits for approval"
    return "yes"


def _services(services: list[dict[str, Any]]) -> None:
    rows = [
        (
            service.get("name"),
            service.get("state"),
            f"{service.get('age_ms')} ms",
            service.get("said"),
            "-" if service.get("lag") is None else f"{service.get('lag')} entries",
        )
        for service in services
    ]
    show_table("", ("service", "state", "last heard", "says", "behind the log"), rows)
    show("")


def _words(key: str) -> str:
    return key.replace("_", " ")

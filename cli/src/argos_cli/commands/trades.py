"""`argos trades`, `argos trade show ID`: what became of each, from the log."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from argos_common.domain.money import plain

from argos_cli.audit.trades import matching_trades, since_ms, timeline, trade_rows
from argos_cli.client.history import Recorded, read_now
from argos_cli.client.opened import open_fleet
from argos_cli.commands.options import DEFAULT_STATE, JsonOption, StateOption
from argos_cli.exits import Code, Ended, run, usage
from argos_cli.output import clock_text, say, show, show_json, show_table

trade = typer.Typer(no_args_is_help=True, help="One trade.")


async def _history(state: Path) -> list[Recorded]:
    async with open_fleet(state, stopped_too=True) as opened:
        return await read_now(opened.log)


def trades(
    state: StateOption = DEFAULT_STATE,
    open_only: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the trades: position, profit, cost, slippage, latency."""
    rows = trade_rows(run(_history(state)))
    rows = [row for row in rows if not open_only or row.status == "open"][-limit:]
    if as_json:
        show_json([asdict(row) | {"status": row.status} for row in rows])
        return
    show_table(
        "",
        ("Time", "Trade", "Account", "Strategy", "Symbol", "Status", "Position", "Profit", "Cost",
         "Slippage", "ms", "Orders", "Matched"),
        [
            (
                clock_text(row.opened_ns, with_day=True), row.trade_id, row.account,
                row.strategy or ("external" if row.external else ""), row.symbol, row.status,
                plain(row.position), plain(row.profit), plain(row.cost), plain(row.slippage_cash),
                plain(row.latency_ms) if row.latency_ms is not None else "", row.orders,
                row.matched,
            )
            for row in rows
        ],
    )  # fmt: skip


@trade.command("show")
def show_trade(
    trade_id: Annotated[str, typer.Argument(help="A trade's or signal's id, or its beginning.")],
    state: StateOption = DEFAULT_STATE,
    as_json: JsonOption = False,
) -> None:
    """The timeline of one trade, in milliseconds since the signal was received."""
    if not trade_id:
        raise usage("the trade's id is empty: see `argos trades`")
    items = run(_history(state))
    found = matching_trades(items, trade_id.lower())
    if not found:
        raise Ended(Code.FAILED, f"no trade or signal begins with {trade_id!r}: see `argos trades`")
    if len(found) > 1:
        raise usage(f"{trade_id!r} may mean {', '.join(found[:5])}: write more of it")
    lines = since_ms(timeline(items, found[0]))
    if as_json:
        show_json({"trade_id": found[0], "timeline": [asdict(m) | {"ms": ms} for m, ms in lines]})
        return
    show(f"trade {found[0]}")
    for moment, ms in lines:
        entry = f"#{moment.sequence}" if moment.sequence else ""
        account = f"[{moment.account}]" if moment.account else ""
        show(f"{plain(ms):>12} ms  {entry:>7}  {moment.clock:<8}{moment.what}  {account}".rstrip())
    say("times are those of the clock named; clocks of different machines differ", "dim")

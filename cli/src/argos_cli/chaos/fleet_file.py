"""The fleet that is attacked: a hedging, a netting and a spot account, and five lanes of alerts.

A lane is one strategy on one symbol; no two lanes share a symbol on an account, so that what an
account holds of a symbol follows from one lane alone. Limits are wide and the door's rate is open:
a refusal comes from what is late, missing, in doubt or killed, not from a limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from argos_cli.bench.config import wide_account
from argos_cli.chaos.checker.records import Lane

SOURCE = "argos"
VERSION = "chaos-1"
HEDGE, NET, SPOT = "chaos-hedge", "chaos-net", "chaos-spot"
ACCOUNTS = (HEDGE, NET, SPOT)
MT5, PAPER = "mt5", "paper"
WORKERS = (HEDGE, NET)
"""Accounts whose terminal has a worker process."""
PAPER_BASE = "BTC"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A lane and how its alerts look. `stop`: distance of an entry's stop, far from any market."""

    lane: Lane
    quantity: Decimal
    stop: str = ""
    both_sides: bool = True


def _stream(name: str, symbol: str, accounts: dict[str, str], quantity: str, stop: str) -> Stream:
    spot = SPOT in accounts
    routed = {account: Decimal(factor) for account, factor in accounts.items()}
    dust = Decimal("0.0005") if spot else Decimal(0)
    return Stream(
        lane=Lane(name=name, symbol=symbol, accounts=routed, dust=dust),
        quantity=Decimal(quantity),
        stop=stop,
        both_sides=not spot,
    )


STREAMS = (
    _stream("pair", "EURUSD", {HEDGE: "1", NET: "0.5"}, "0.02", "0.05"),
    _stream("hedger", "GBPUSD", {HEDGE: "1"}, "0.03", "0.05"),
    _stream("netter", "USDJPY", {NET: "1"}, "0.02", "7"),
    _stream("golden", "XAUUSD", {NET: "1"}, "0.01", "100"),
    _stream("stacker", "BTCUSD", {SPOT: "1"}, "0.01", ""),
)

_HEAD = """\
name = "chaos"
[gateway]
port = 0
[monitor]
port = 0
[sources.argos]
dialect = "argos"
token_files = ["secrets/argos.token"]
rate_per_minute = 1_000_000
max_age_s = 30
[nodes.mt5]
kind = "mt5"
terminal = "simulated"
seed = 7
balance = 10_000_000
[nodes.paper]
kind = "paper"
seed = 7
balance = 10_000_000
"""

_STRATEGY = """\
[strategies.{name}]
sources = ["argos"]
bot_versions = ["chaos-1"]
symbols = ["{symbol}"]
accounts = [{accounts}]
quantity_rule = "fixed"
quantity = {quantity}
require_stop = {stop}
"""


def write_fleet_file(path: Path) -> None:
    """Write the fleet's configuration."""
    parts = [_HEAD, "[symbols]"]
    parts += [f'"{each.lane.symbol}" = "{each.lane.symbol}"' for each in STREAMS]
    for each in STREAMS:
        lane = each.lane
        parts.append(
            _STRATEGY.format(
                name=lane.name,
                symbol=lane.symbol,
                accounts=", ".join(f'"{account}"' for account in lane.accounts),
                quantity=each.quantity,
                stop=str(bool(each.stop)).lower(),
            )
        )
        shared = {a: factor for a, factor in lane.accounts.items() if factor != 1}
        if shared:
            parts.append(f"[strategies.{lane.name}.multipliers]")
            parts += [f"{account} = {factor}" for account, factor in shared.items()]
    for name, node, kind in ((HEDGE, MT5, "hedging"), (NET, MT5, "netting"), (SPOT, PAPER, "spot")):
        symbols = [each.lane.symbol for each in STREAMS if name in each.lane.accounts]
        parts.append(
            wide_account(
                name, node=node, kind=kind, symbols=symbols,
                deadline_s=10, signal_age_s=30, facts_age_s=3,
            )
        )  # fmt: skip
    path.write_text("\n".join(parts) + "\n", encoding="utf-8")

"""The fleet that is measured: four accounts of one simulated terminal, and 40 lanes.

A lane is one strategy on one symbol of one account; its alerts alternate between an entry and an
exit, so that whatever is sent, positions net out. Limits are wide, the door's rate is open.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY", "XAUUSD", "BTCUSD")
STOPS = {"EURUSD": "0.02", "GBPUSD": "0.02", "USDJPY": "3", "XAUUSD": "40", "BTCUSD": "3000"}
HEDGING = ("bench-h1", "bench-h2")
NETTING = ("bench-n1", "bench-n2")
STRATEGIES_EACH = 3
SOURCE = "argos"

_HEAD = """\
name = "bench"
[gateway]
port = 0
[monitor]
port = 0
[sources.argos]
dialect = "argos"
token_files = ["secrets/argos.token"]
rate_per_minute = 1_000_000
max_age_s = 60
[nodes.mt5]
kind = "mt5"
terminal = "simulated"
seed = 7
balance = 10_000_000
"""

_STRATEGY = """\
[strategies.{name}]
sources = ["argos"]
bot_versions = ["bench-1"]
symbols = [{symbols}]
accounts = ["{account}"]
quantity_rule = "fixed"
quantity = 0.02
"""

_ACCOUNT = """\
[accounts.{name}]
node = "{node}"
kind = "{kind}"
currency = "USD"
settling_s = 3
entry_deadline_s = {deadline_s}
[accounts.{name}.limits]
order_quantity_max = 1000
order_value_max = 1_000_000_000
open_positions_max = 10_000
daily_loss_max = 1_000_000_000
account_value_max = 10_000_000_000
risk_percent_max = 100
signal_age_max_s = {signal_age_s}
facts_age_max_s = {facts_age_s}
[accounts.{name}.symbols]
{symbols}
"""


def bench_config(path: Path) -> list[dict[str, Any]]:
    """Write the fleet file; the lanes, as fields of their alerts."""
    symbols = ", ".join(f'"{symbol}"' for symbol in SYMBOLS)
    same = "\n".join(f'{symbol} = "{symbol}"' for symbol in SYMBOLS)
    parts = [_HEAD, f"[symbols]\n{same}\n"]
    places: list[tuple[float, dict[str, Any]]] = []
    for account in (*HEDGING, *NETTING):
        kind = "hedging" if account in HEDGING else "netting"
        parts.append(
            wide_account(
                account, node="mt5", kind=kind, symbols=SYMBOLS,
                deadline_s=30, signal_age_s=60, facts_age_s=10,
            )
        )  # fmt: skip
        count = STRATEGIES_EACH if kind == "hedging" else 1
        for number in range(count):
            name = f"{account}-s{number}"
            parts.append(_STRATEGY.format(name=name, account=account, symbols=symbols))
            for place, symbol in enumerate(SYMBOLS, start=number * len(SYMBOLS)):
                places.append((place / (count * len(SYMBOLS)), _lane(name, symbol)))
    path.write_text("\n".join(parts), encoding="utf-8")
    # Neighbours in time go to different accounts, each account gets its share all the time.
    return [lane for _, lane in sorted(places, key=lambda item: item[0])]


def wide_account(
    name: str,
    *,
    node: str,
    kind: str,
    symbols: Iterable[str],
    deadline_s: int,
    signal_age_s: int,
    facts_age_s: int,
) -> str:
    """An account whose limits nothing reaches; venue symbols are called as ours."""
    return _ACCOUNT.format(
        name=name, node=node, kind=kind, deadline_s=deadline_s, signal_age_s=signal_age_s,
        facts_age_s=facts_age_s, symbols="\n".join(f'{symbol} = "{symbol}"' for symbol in symbols),
    )  # fmt: skip


def _lane(strategy: str, symbol: str) -> dict[str, Any]:
    return {
        "strategy": strategy,
        "bot_version": "bench-1",
        "ticker": symbol,
        "stopLoss": {"type": "stop", "amount": STOPS[symbol]},
    }

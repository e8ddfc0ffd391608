"""What the simulated venues themselves recorded: asked behind the fleet's back, to compare with.

The simulated MetaTrader broker keeps a record of its own, which its control channel gives out. The
paper exchange keeps its books in a file, read here without touching it.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from argos_common.domain.ids import TAG_LENGTH, TAG_MARK
from argos_common.runtime.fleet import Fleet
from argos_mt5_node.core.simulated_accounts import logins
from argos_mt5_node.simulator.control import SimulatorControl

from argos_cli.fleet.plan import is_simulated


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueOrder:
    """An order as a venue recorded it. `born`: ours, broker (a stop …) or manual."""

    account: str
    venue_order_id: str
    born: str
    tag: str
    symbol: str
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueDeal:
    account: str
    deal_id: str
    venue_order_id: str
    reason: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """Everything the venues recorded so far."""

    orders: Sequence[VenueOrder]
    deals: Sequence[VenueDeal]

    def ours(self) -> list[VenueOrder]:
        return [order for order in self.orders if order.born == "ours"]

    def born_at_broker(self) -> list[VenueOrder]:
        return [order for order in self.orders if order.born == "broker"]

    def duplicates(self) -> int:
        """Orders of ours beyond one for each order id."""
        counts = Counter((order.account, order.tag) for order in self.ours())
        return sum(count - 1 for count in counts.values())

    def with_tag(self, tag: str) -> list[VenueOrder]:
        return [order for order in self.ours() if order.tag == tag]


class Witness:
    """Reads records, and makes the simulated broker misbehave. One at a time: it blocks a thread."""

    def __init__(self, fleet: Fleet, ports: Mapping[str, int], state: Path) -> None:
        self._state = state
        self._paper = [
            (node.name, each.account)
            for node in fleet.nodes.values()
            if node.kind == "paper" and not node.address
            for each in fleet.node_accounts(node.name)
        ]
        self._logins: dict[str, tuple[str, int]] = {}
        self._venue_symbols: dict[str, str] = {}
        self._controls: dict[str, SimulatorControl] = {}
        for node in fleet.nodes.values():
            if is_simulated(node):
                served = fleet.node_accounts(node.name)
                for account, login in logins(served).items():
                    self._logins[account] = (node.name, login)
                for config in served:
                    for route in config.symbols:
                        self._venue_symbols[route.symbol] = route.venue_symbol
                self._controls[node.name] = SimulatorControl(
                    ("127.0.0.1", ports[f"sim-{node.name}"])
                )
        self._lock = asyncio.Lock()

    def close(self) -> None:
        for control in self._controls.values():
            control.close()

    async def arm(self, account: str, fault: str, params: Mapping[str, int | str]) -> None:
        """Let a fault strike the account's next order."""
        node, login = self._logins[account]
        await self._ask(self._controls[node].arm, login, fault, count=1, params=params)

    async def move(self, symbol: str, price: Decimal) -> None:
        """Let a price jump, and go on from there."""
        for control in self._controls.values():
            await self._ask(control.script, self._venue_symbols[symbol], "jump", price)

    async def record(self) -> Record:
        """What all venues recorded until now."""
        orders: list[VenueOrder] = []
        deals: list[VenueDeal] = []
        for node, control in self._controls.items():
            accounts = {login: a for a, (n, login) in self._logins.items() if n == node}
            _sort_entries(await self._ask(control.record), accounts, orders, deals)
        for node, account in self._paper:
            path = self._state / "nodes" / node / f"{account}.venue.sqlite"
            _sort_executions(await asyncio.to_thread(_executions, path), account, orders, deals)
        return Record(orders, deals)

    async def positions(self) -> dict[tuple[str, str], Decimal]:
        """(account, venue symbol) -> signed quantity, as the simulated broker's own books say."""
        found: dict[tuple[str, str], Decimal] = {}
        for account, (node, login) in self._logins.items():
            books = await self._ask(self._controls[node].books, login)
            for position in books["positions"]:
                sign = 1 if position["type"] == 0 else -1
                key = (account, str(position["symbol"]))
                found[key] = found.get(key, Decimal(0)) + sign * Decimal(position["volume"])
        return found

    async def _ask(
        self, call: Any, *args: Any, **kwargs: Any
    ) -> Any:  # JSON from the control channel
        async with self._lock:
            return await asyncio.to_thread(call, *args, **kwargs)


_BORN = {"expert": "ours", "broker": "broker", "manual": "manual"}


def _sort_entries(
    entries: list[dict[str, Any]],
    accounts: Mapping[int, str],
    orders: list[VenueOrder],
    deals: list[VenueDeal],
) -> None:
    for entry in entries:
        account = accounts.get(entry["login"], str(entry["login"]))
        if entry["kind"] == "order":
            orders.append(
                VenueOrder(
                    account=account,
                    venue_order_id=str(entry["order"]),
                    born=_BORN[entry["origin"]],
                    tag=str(entry["comment"])[:TAG_LENGTH],
                    symbol=entry["symbol"],
                    quantity=Decimal(entry["volume"]),
                )
            )
        elif entry["kind"] == "deal":
            deals.append(
                VenueDeal(
                    account=account,
                    deal_id=str(entry["deal"]),
                    venue_order_id=str(entry["order"]),
                    reason=int(entry["reason"]),
                )
            )


def _executions(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
        rows = database.execute("SELECT body FROM execution ORDER BY number").fetchall()
    return [json.loads(body) for (body,) in rows]


def _sort_executions(
    executions: list[dict[str, Any]],
    account: str,
    orders: list[VenueOrder],
    deals: list[VenueDeal],
) -> None:
    known: dict[str, VenueOrder] = {}
    for execution in executions:
        for order in execution["orders"]:
            client_id = str(order["client_id"])
            asked = order["kind"] == "MARKET" and client_id.startswith(TAG_MARK)
            known[str(order["venue_order_id"])] = VenueOrder(
                account=account,
                venue_order_id=str(order["venue_order_id"]),
                born="ours" if asked else "broker",
                tag=client_id[:TAG_LENGTH],
                symbol=str(order["venue_symbol"]),
                quantity=Decimal(order["quantity"]),
            )
        for trade in execution["trades"]:
            deals.append(
                VenueDeal(
                    account=account,
                    deal_id=str(trade["trade_id"]),
                    venue_order_id=str(trade["venue_order_id"]),
                )
            )
    orders.extend(known.values())

"""What can be seen from outside: the broker's own record, the exchange's file, the public pages."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from argos_mt5_node.simulator.control import SimulatorControl

from argos_cli.chaos.arena import Arena
from argos_cli.chaos.checker import read
from argos_cli.chaos.checker.records import Declared, Evidence, Kill, Verdict
from argos_cli.chaos.fleet_file import MT5, PAPER, PAPER_BASE, SPOT, STREAMS
from argos_cli.chaos.traffic import Notes
from argos_cli.client.http import request

PAGE_S = 5.0
SIGNALS_MAX = TRADES_MAX = 1_000


@dataclass(slots=True)
class Witness:
    """Keeps what it has read, so that each look asks for the rest only."""

    arena: Arena
    entries: list[dict[str, Any]] = field(default_factory=list)
    """The broker's record."""
    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)
    """By signal."""
    orders: dict[str, list[Declared]] = field(default_factory=dict)
    """By trade."""
    _seen: dict[str, int] = field(default_factory=dict)

    async def status(self) -> dict[str, Any]:
        """/api/system/status. Raises OSError, TimeoutError, ValueError."""
        return await self._page("/api/system/status")

    async def look(self, signals: int) -> None:
        """Read the newest `signals` signals and every trade that moved. Raises as `status`."""
        limit = min(SIGNALS_MAX, max(1, signals))
        for line in (await self._page(f"/api/signals?limit={limit}"))["signals"]:
            if line["accepted"]:
                self.verdicts[line["signal_id"]] = read.verdicts(line)
        trades = (await self._page(f"/api/trades?limit={TRADES_MAX}"))["trades"]
        last: dict[str, int] = {}
        for row in trades:
            last[row["trade_id"]] = max(last.get(row["trade_id"], 0), int(row["last_ns"]))
        for trade_id, at_ns in last.items():
            if self._seen.get(trade_id) != at_ns:
                page = await self._page(f"/api/trades/{trade_id}")
                self.orders[trade_id] = read.declared(page)
                self._seen[trade_id] = at_ns

    async def evidence(self, notes: Notes, kills: Sequence[Kill]) -> Evidence:
        """Everything until now. Raises as `status`; the venues are asked directly."""
        positions = await asyncio.to_thread(self._broker)
        requests, orders, deals = read.broker_record(self.entries, self._accounts())
        rows = await asyncio.to_thread(self._paper_rows)
        spot = [(s.lane.symbol, PAPER_BASE) for s in STREAMS if SPOT in s.lane.accounts]
        paper_orders, paper_deals, held = read.paper_record(rows, SPOT, spot)
        return Evidence(
            lanes=[stream.lane for stream in STREAMS],
            alerts=list(notes.alerts),
            answers=list(notes.answers),
            kills=list(kills),
            requests=requests,
            orders=orders + paper_orders,
            deals=deals + paper_deals,
            positions=positions | held,
            verdicts=[each for found in self.verdicts.values() for each in found],
            declared=[each for found in self.orders.values() for each in found],
        )

    def _accounts(self) -> dict[int, str]:
        world = self.arena.state / "simulator" / MT5 / "accounts.json"
        accounts = json.loads(world.read_text("utf-8"))["accounts"]
        return {int(each["login"]): str(each["name"]) for each in accounts}

    def _broker(self) -> dict[tuple[str, str], Decimal]:
        control = SimulatorControl(("127.0.0.1", self.arena.ports[f"sim-{MT5}"]))
        try:
            self.entries += control.record(len(self.entries))
            found: dict[tuple[str, str], Decimal] = {}
            for login, account in self._accounts().items():
                found |= read.broker_positions(control.books(login), account)
            return found
        finally:
            control.close()

    def _paper_rows(self) -> list[str]:
        path = self.arena.state / "nodes" / PAPER / f"{SPOT}.venue.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)) as database:
            rows = database.execute("SELECT body FROM execution ORDER BY number").fetchall()
        return [str(body) for (body,) in rows]

    async def _page(self, path: str) -> dict[str, Any]:
        response = await request(self.arena.monitor_url + path, timeout_s=PAGE_S)
        if response.status != 200:  # HTTP OK
            raise ValueError(f"{path} answered {response.status}")
        found = response.json()
        if not isinstance(found, dict):
            raise ValueError(f"{path} is no object")
        return found

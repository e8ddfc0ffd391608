"""What the tests on a whole fleet share: alerts, patient senders, and the witnesses at the venues.

A fleet here is the real one: every service its own process, a real log server, and a simulated
broker and a paper exchange that keep records of their own. Tests wait with deadlines, never by luck.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

import pytest
from argos_cli.audit.replay import replay_record
from argos_cli.client.history import Recorded, read_now
from argos_cli.client.http import Response, request
from argos_cli.client.opened import open_fleet
from argos_cli.commands.verify import verify_fleet
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_common.domain.order import (
    OrderAbsent,
    OrderDeclined,
    OrderFilled,
    OrderPresumedAbsent,
    OrderRefused,
    OrderSubmitting,
)
from argos_common.domain.reconcile import OrderMatched
from argos_common.domain.venue import DealRecorded
from argos_common.domain.verdict import Decision, VerdictGiven
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.fleet import Fleet
from argos_common.runtime.log import LogUnavailable
from argos_common.runtime.times import utc_text
from argos_mt5_node.simulator.control import SimulatorControl

FLEET_TOML = Path(__file__).resolve().parents[2] / "fleet.toml"
FREE = {"gateway": 0, "monitor": 0}
LATE = ("too_late", "superseded", "trade_closed", "nothing_to_close")
"""Codes of a leg that was overtaken: by its deadline, or by an exit sent after it."""

SCALPER = ("scalper", "scalper-0.9.2", "EURUSD", "0.10")
TREND = ("trend", "trend-1.2.0", "EURUSD", "0.10")
STACKER = ("stacker", "stacker-2.0.0", "BTCUSD", "0.01")


def alert(sender_id: str, action: str = "buy", bot: tuple[str, str, str, str] = SCALPER) -> bytes:
    """An alert of its own in Argos's own dialect, fired now."""
    strategy, version, ticker, quantity = bot
    body: dict[str, object] = {
        "id": sender_id,
        "strategy": strategy,
        "bot_version": version,
        "ticker": ticker,
        "action": action,
        "fired_at": utc_text(SystemClock().now_ns()),
    }
    if action != "exit":
        body["quantity"] = quantity
        if bot != STACKER:
            body["stopLoss"] = {"type": "stop", "amount": "0.0050"}
    return json.dumps(body).encode()


class Addressed(Protocol):
    """A fleet of either kind, as a sender sees it."""

    @property
    def fleet(self) -> Fleet | None: ...

    def webhook_url(self, source: str) -> str: ...


@dataclass(slots=True)
class Sender:
    """Posts alerts as a careful sender does: again until it is answered 200.

    `taken`: signal id -> the accounts it is routed to. `answers` counts every HTTP status that came,
    0 where nobody answered. `late`: alerts whose resend came too late to be traded.
    """

    fleet: Addressed
    taken: dict[str, tuple[str, ...]] = field(default_factory=dict)
    answers: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    late: list[str] = field(default_factory=list)

    async def once(self, body: bytes) -> Response | None:
        """One request; None if nobody answered."""
        clock = SystemClock()
        began_ns = clock.monotonic_ns()
        try:
            response = await request(
                self.fleet.webhook_url("argos"), method="POST", body=body, timeout_s=5
            )
        except (OSError, TimeoutError, ValueError):
            self.answers[0] += 1
            return None
        self.slowest_s = max(self.slowest_s, (clock.monotonic_ns() - began_ns) / 1e9)
        self.answers[response.status] += 1
        return response

    async def send(self, body: bytes) -> str:
        """Until it is taken; the signal's id, empty if it was refused as late."""
        async with asyncio.timeout(60):
            while True:
                response = await self.once(body)
                if response is None or response.status == 503:
                    await asyncio.sleep(0.1)
                    continue
                answer = response.json()
                assert isinstance(answer, dict)
                if response.status == 422 and answer["code"] == "stale":
                    self.late.append(answer["error"])
                    return ""
                assert response.status == 200, answer
                known = self.fleet.fleet
                assert known is not None
                strategy = known.strategies[json.loads(body)["strategy"]]
                self.taken[answer["signal_id"]] = tuple(strategy.accounts)
                return str(answer["signal_id"])

    async def flow(
        self,
        stop: asyncio.Event,
        prefix: str,
        bots: tuple[tuple[str, str, str, str], ...] = (SCALPER,),
        pause_s: float = 0.05,
    ) -> None:
        """Entries and exits by turns, of each bot, until told to stop."""
        number = 0
        while not stop.is_set():
            for bot in bots:
                action = "exit" if number % 2 else "buy"
                await self.send(alert(f"{prefix}-{bot[0]}-{number}", action, bot))
            number += 1
            await asyncio.sleep(pause_s)


@asynccontextmanager
async def running(
    state: Path, config: Path = FLEET_TOML, **options: Any
) -> AsyncIterator[tuple[EmbeddedFleet, list[str]]]:
    """A fleet on a state folder, and what it says."""
    said: list[str] = []
    chosen = {"ports": FREE} | options
    async with EmbeddedFleet(config, state, say=said.append, **chosen) as fleet:
        yield fleet, said


async def until(true: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Poll until it is so; fail with `what` at the deadline."""
    try:
        async with asyncio.timeout(timeout_s):
            while not true():  # noqa: ASYNC110  # other processes set no event of ours
                await asyncio.sleep(0.02)
    except TimeoutError:
        pytest.fail(f"not within {timeout_s:g} s: {what}")


async def history(fleet: EmbeddedFleet) -> list[Recorded]:
    async with open_fleet(fleet.folder) as opened:
        return await read_now(opened.log)


async def until_at_rest(
    fleet: EmbeddedFleet, taken: Iterable[str], timeout_s: float = 60
) -> list[Recorded]:
    """Every signal has its verdicts, every approved leg its end, every fill its match; the log."""
    why, wanted = "", set(taken)
    items: list[Recorded] = []
    async with open_fleet(fleet.folder) as opened:
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        items = await read_now(opened.log)
                    except LogUnavailable as error:
                        why = str(error)
                    else:
                        why = unfinished(items, wanted)
                    if not why:
                        return items
                    await asyncio.sleep(0.2)
        except TimeoutError:
            pytest.fail(f"not at rest after {timeout_s:g} s: {why}")


def unfinished(items: list[Recorded], wanted: set[str]) -> str:
    """What is still open, in words; empty at rest."""
    events = [item.event for item in items]
    judged = {e.cause_id for e in events if isinstance(e, VerdictGiven)}
    legs = {
        (e.account, leg.trade_id, leg.leg)
        for e in events
        if isinstance(e, VerdictGiven) and e.decision is not Decision.REFUSED
        for leg in e.legs
    }
    begun = {
        (e.account, e.trade_id, e.leg)
        for e in events
        if isinstance(e, OrderSubmitting | OrderDeclined)
    }
    claimed = {e.order_id for e in events if isinstance(e, OrderSubmitting)}
    filled = {e.order_id for e in events if isinstance(e, OrderFilled) and e.done}
    ended = OrderRefused | OrderAbsent | OrderPresumedAbsent  # the last is watched for a day
    refused = {e.order_id for e in events if isinstance(e, ended)}
    matched = {e.order_id for e in events if isinstance(e, OrderMatched)}
    for what, left in (
        ("signals without verdict", wanted - judged),
        ("legs without order", legs - begun),
        ("orders without outcome", claimed - filled - refused),
        ("fills without match", filled - matched),
    ):
        if left:
            return f"{what}: {sorted(left)}"
    return ""


@dataclass(frozen=True, slots=True)
class VenueRecord:
    """What the venues themselves wrote down: tags of our accepted orders; fills by (tag, venue)."""

    tags: list[str]
    fills: Counter[str]


def venue_record(fleet: EmbeddedFleet) -> VenueRecord:
    """Read behind the fleet's back: the simulated broker's record and the paper exchange's file."""
    tags: list[str] = []
    fills: Counter[str] = Counter()
    control = SimulatorControl(fleet.simulator_folder("mt5") / "port")
    try:
        for entry in control.record():
            if entry["origin"] != "expert" or not entry["comment"].startswith("a1"):
                continue
            if entry["kind"] == "order":
                tags.append(entry["comment"])
            elif entry["kind"] == "deal":
                fills[entry["comment"]] += Decimal(entry["volume"])  # type: ignore[assignment]  # a Counter of exact numbers
    finally:
        control.close()
    paper = fleet.folder / "nodes/paper/paper-spot.venue.sqlite"
    with closing(sqlite3.connect(f"file:{paper}?mode=ro", uri=True, timeout=5)) as database:
        rows = database.execute("SELECT body FROM execution ORDER BY number").fetchall()
    for (body,) in rows:
        execution = json.loads(body)
        asked = {
            order["venue_order_id"]: str(order["client_id"])
            for order in execution["orders"]
            if str(order["client_id"]).startswith("a1") and order["kind"] == "MARKET"
        }
        tags.extend(asked.values())
        for trade in execution["trades"]:
            if trade["venue_order_id"] in asked:
                fills[asked[trade["venue_order_id"]]] += Decimal(trade["quantity"])  # type: ignore[assignment]  # as above
    return VenueRecord(tags, fills)


async def assert_promises_kept(fleet: EmbeddedFleet, sender: Sender) -> list[Recorded]:
    """After rest: one verdict each, no order twice, fills at the venues == fills on record."""
    items = await until_at_rest(fleet, sender.taken, timeout_s=90)
    events = [item.event for item in items]
    verdicts = Counter((e.cause_id, e.account) for e in events if isinstance(e, VerdictGiven))
    wanted = {(s, account) for s, accounts in sender.taken.items() for account in accounts}
    assert {key: count for key, count in verdicts.items() if count != 1} == {}
    assert wanted <= set(verdicts), "a signal answered 200 has no verdict"
    claims = {e.order_id: e.tag for e in events if isinstance(e, OrderSubmitting)}
    there = venue_record(fleet)
    assert len(there.tags) == len(set(there.tags)), "a venue accepted an order twice"
    assert set(there.tags) <= set(claims.values()), "a venue accepted what nobody claimed"
    recorded: Counter[str] = Counter()
    for event in events:
        if isinstance(event, DealRecorded) and event.deal.order_id in claims:
            recorded[claims[event.deal.order_id]] += event.deal.quantity  # type: ignore[assignment]  # exact numbers
    assert recorded == there.fills, "the fills on record are not those of the venues"
    for event in events:
        if isinstance(event, OrderDeclined):
            assert event.code in LATE, event.sentence
    async with open_fleet(fleet.folder) as opened:
        checks = await verify_fleet(opened, wait_s=20)
    assert [(check.name, check.broken) for check in checks if not check.passed] == []
    report = replay_record(items)
    assert report.passed, report.difference
    return items

"""The whole fleet as processes: an alert becomes a reconciled fill, whatever is killed on the way."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from argos_cli.audit.replay import replay_record
from argos_cli.client.history import Recorded, read_now
from argos_cli.client.http import request
from argos_cli.client.opened import open_fleet
from argos_cli.commands.control import kill_fleet
from argos_cli.commands.verify import verify_fleet
from argos_cli.fleet.supervisor import EmbeddedFleet
from argos_common.domain.order import (
    OrderAbsent,
    OrderDeclined,
    OrderFilled,
    OrderRefused,
    OrderSubmitting,
)
from argos_common.domain.reconcile import OrderMatched
from argos_common.domain.signal import SignalAccepted
from argos_common.domain.verdict import VerdictGiven
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.times import utc_text
from argos_mt5_node.simulator.control import SimulatorControl

FLEET_TOML = Path(__file__).resolve().parents[2] / "fleet.toml"
MODULES = ("risk", "bridge", "reconciler", "monitor", "gateway", "mt5_node", "exchange_node")
FREE = {"gateway": 0, "monitor": 0}

pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(
        not all(importlib.util.find_spec(f"argos_{name}.__main__") for name in MODULES),
        reason="not every service is there yet",
    ),
]


def alert(number: int, action: str = "buy") -> bytes:
    """An alert of its own: entries and exits of the scalper."""
    body: dict[str, object] = {
        "id": f"test-{number}",
        "strategy": "scalper",
        "bot_version": "scalper-0.9.2",
        "ticker": "EURUSD",
        "action": action,
        "fired_at": utc_text(SystemClock().now_ns()),
    }
    if action != "exit":
        body |= {"quantity": "0.10", "stopLoss": {"type": "stop", "amount": "0.0050"}}
    return json.dumps(body).encode()


async def post(fleet: EmbeddedFleet, body: bytes) -> str:
    """Send it until it is answered 2xx, as a careful sender does; the signal's id."""
    async with asyncio.timeout(60):
        while True:
            try:
                response = await request(
                    fleet.webhook_url("argos"), method="POST", body=body, timeout_s=5
                )
            except (OSError, TimeoutError, ValueError):
                await asyncio.sleep(0.2)
                continue
            if response.status == 200:
                answer = response.json()
                assert isinstance(answer, dict)
                return str(answer["signal_id"])
            assert response.status in {429, 503}, response
            await asyncio.sleep(0.2)


async def history(fleet: EmbeddedFleet) -> list[Recorded]:
    async with open_fleet(fleet.folder) as opened:
        return await read_now(opened.log)


async def until_at_rest(fleet: EmbeddedFleet, signals: set[str], timeout_s: float = 60) -> None:
    """Every signal has its verdict, every claimed order its outcome, every fill its match."""
    why = ""
    async with open_fleet(fleet.folder) as opened:
        try:
            async with asyncio.timeout(timeout_s):
                while why := _unfinished(await read_now(opened.log), signals):  # noqa: ASYNC110  # other processes
                    await asyncio.sleep(0.2)  # the log is asked again
        except TimeoutError:
            pytest.fail(f"not at rest after {timeout_s} s: {why}")


def _unfinished(items: list[Recorded], signals: set[str]) -> str:
    events = [item.event for item in items]
    judged = {e.cause_id for e in events if isinstance(e, VerdictGiven)}
    approved = {
        (e.account, leg.trade_id, leg.leg)
        for e in events
        if isinstance(e, VerdictGiven)
        for leg in e.legs
    }
    begun = {
        (e.account, e.trade_id, e.leg)
        for e in events
        if isinstance(e, OrderSubmitting | OrderDeclined)
    }
    claimed = {e.order_id for e in events if isinstance(e, OrderSubmitting)}
    filled = {e.order_id for e in events if isinstance(e, OrderFilled) and e.done}
    refused = {e.order_id for e in events if isinstance(e, OrderRefused | OrderAbsent)}
    matched = {e.order_id for e in events if isinstance(e, OrderMatched)}
    for what, left in (
        ("without verdict", signals - judged),
        ("without order", {str(leg) for leg in approved - begun}),
        ("without outcome", claimed - filled - refused),
        ("without match", filled - matched),
    ):
        if left:
            return f"{what}: {sorted(left)}"
    return ""


async def assert_promises_kept(fleet: EmbeddedFleet) -> None:
    async with open_fleet(fleet.folder) as opened:
        checks = await verify_fleet(opened, wait_s=20)
        items = await read_now(opened.log)
    assert [(check.name, check.broken) for check in checks if not check.passed] == []
    report = replay_record(items)
    assert report.passed, report.difference
    claims = [item.event.tag for item in items if isinstance(item.event, OrderSubmitting)]
    accepted = [comment for comment in broker_orders(fleet) if comment.startswith("a1")]
    assert len(accepted) == len(set(accepted)), "the broker accepted an order twice"
    assert set(accepted) <= set(claims), "the broker accepted what nobody claimed"


PATH = {
    ("gateway", "POST /v1/webhooks/argos"),
    ("risk", "process signal"),
    ("bridge", "claim"),
    ("bridge", "submit"),
    ("mt5-node-mt5", "place"),
    ("bridge", "send outcome"),
    ("reconciler", "reconcile"),
}
"""(process, span) from the webhook to the match, across HTTP, NATS, gRPC and the terminal."""


async def spans_of(fleet: EmbeddedFleet, trade_id: str) -> set[tuple[str, str]]:
    """The spans of the trade's one trace; every one but the root has its parent in it."""
    async with asyncio.timeout(20):
        while True:
            spans = [
                span
                for path in sorted((fleet.folder / "traces").glob("*.jsonl"))
                for line in path.read_text(encoding="utf-8").splitlines()
                if (span := json.loads(line))["trace_id"] == trade_id.replace("-", "")
            ]
            found = {(str(span["service"]), str(span["name"])) for span in spans}
            if found >= PATH:
                break
            await asyncio.sleep(0.2)  # spans are written in batches
    known = {span["span_id"] for span in spans}
    roots = [span["name"] for span in spans if span.get("parent_id") not in known]
    assert set(roots) == {"POST /v1/webhooks/argos"}  # a resend is a request of its own
    return found


def broker_orders(fleet: EmbeddedFleet) -> list[str]:
    """What the simulated broker itself recorded from us: the comment of every accepted order."""
    control = SimulatorControl(fleet.simulator_folder("mt5") / "port")
    try:
        entries = control.record()
    finally:
        control.close()
    return [e["comment"] for e in entries if e["kind"] == "order" and e["origin"] == "expert"]


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[EmbeddedFleet]:
    said: list[str] = []
    async with EmbeddedFleet(FLEET_TOML, tmp_path, ports=FREE, say=said.append) as running:
        yield running


async def test_an_alert_becomes_a_reconciled_fill_and_a_kill_bars_the_next(
    fleet: EmbeddedFleet,
) -> None:
    body = alert(1)
    first = await post(fleet, body)
    assert await post(fleet, body) == first  # the sender tries again: the same signal
    await until_at_rest(fleet, {first})
    items = await history(fleet)
    assert sum(isinstance(item.event, SignalAccepted) for item in items) == 1
    assert sum(isinstance(item.event, OrderMatched) for item in items) == 1

    assert await spans_of(fleet, first) >= PATH

    async with open_fleet(fleet.folder) as opened:
        report = await kill_fleet(opened, account="", reason="drill", actor="test")
    assert report.recorded_by == "log"
    assert report.under_way == ()
    entry, leave = await post(fleet, alert(2)), await post(fleet, alert(3, "exit"))
    await until_at_rest(fleet, {first, entry, leave})
    items = await history(fleet)
    late = [e for e in items if isinstance(e.event, OrderSubmitting)]
    assert [e.event.effect.name for e in late if isinstance(e.event, OrderSubmitting)] == [
        "OPEN",
        "CLOSE",
    ]
    await assert_promises_kept(fleet)


async def test_any_service_may_be_killed_while_alerts_flow(fleet: EmbeddedFleet) -> None:
    signals: set[str] = set()
    number = 100
    for name in (*(each for each in fleet.names if each != "nats"), "nats"):
        stop = asyncio.Event()
        flow = asyncio.create_task(_flow(fleet, number, signals, stop))
        number += 100
        await asyncio.sleep(0.3)
        before = fleet.kill(name)
        async with asyncio.timeout(30):
            while fleet.pid(name) in {0, before}:  # noqa: ASYNC110  # other processes
                await asyncio.sleep(0.05)
        await fleet.wait_ready(timeout_s=60)
        stop.set()
        await flow
    await until_at_rest(fleet, signals, timeout_s=120)
    await assert_promises_kept(fleet)


async def _flow(fleet: EmbeddedFleet, number: int, signals: set[str], stop: asyncio.Event) -> None:
    """Entries and exits by turns until told to stop."""
    while not stop.is_set():
        action = "buy" if number % 2 == 0 else "exit"
        signals.add(await post(fleet, alert(number, action)))
        number += 1
        await asyncio.sleep(0.1)


async def test_starting_again_continues_where_it_was(tmp_path: Path) -> None:
    async with EmbeddedFleet(FLEET_TOML, tmp_path, ports=FREE) as fleet:
        first = await post(fleet, alert(1))
        await until_at_rest(fleet, {first})
        before = await history(fleet)
    async with EmbeddedFleet(FLEET_TOML, tmp_path, ports=FREE) as fleet:
        leave = await post(fleet, alert(2, "exit"))
        await until_at_rest(fleet, {first, leave})
        after = await history(fleet)
        assert after[: len(before)] == before
        await assert_promises_kept(fleet)

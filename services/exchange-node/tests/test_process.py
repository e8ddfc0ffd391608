"""The exchange node as a process of its own: killed with an order on the books, started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import grpc
import pytest
from argos_common.domain.ids import Account, OrderId, Strategy, Symbol, order_id, tag
from argos_common.domain.node import LeaseAnswer, Question, Result, Submission
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.lasthop.client import NodeClient
from grpc_health.v1 import health_pb2, health_pb2_grpc

FLEET = """
[sources.tradingview]
dialect = "argos"
token_hashes = ["{hash}"]

[strategies.stacker]
sources = ["tradingview"]
bot_versions = ["stacker-1"]
symbols = ["BTCUSD"]
accounts = ["spot"]
quantity_rule = "fixed"
quantity = 0.01
require_stop = false

[accounts.spot]
node = "paper"
kind = "spot"
currency = "USD"
[accounts.spot.limits]
order_quantity_max = 1
order_value_max = 100_000
open_positions_max = 5
daily_loss_max = 2_000
account_value_max = 200_000
risk_percent_max = 5
[accounts.spot.symbols]
BTCUSD = "BTCUSD"

[nodes.paper]
kind = "paper"

[symbols]
BTCUSD = "BTCUSD"
"""
ACCOUNT = Account("spot")
# Far away, not some minutes from the import: a whole suite may take longer than that to come here.
DEADLINE_NS = 4_000_000_000_000_000_000


class Node:
    """One running process."""

    def __init__(self, folder: Path, name: str = "paper") -> None:
        self._run_file = folder / "state/run/exchange-node-paper.json"
        self._run_file.unlink(missing_ok=True)
        environment = {
            **os.environ,
            "ARGOS_CONFIG": str(folder / "fleet.toml"),
            "ARGOS_STATE": str(folder / "state"),
            "ARGOS_NODE": name,
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "argos_exchange_node"],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def port(self) -> int:
        until = time.monotonic() + 30
        while time.monotonic() < until and self.process.poll() is None:
            if self._run_file.exists():
                facts = json.loads(self._run_file.read_text())
                if "node_port" in facts:
                    return int(facts["node_port"])
            time.sleep(0.02)
        self.process.kill()
        raise AssertionError(self.process.communicate()[1])

    def end(self, how: signal.Signals) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        self.process.communicate(timeout=20)
        return self.process.returncode


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "fleet.toml").write_text(FLEET.format(hash="0" * 64))
    return tmp_path


def submission(identity: OrderId, lease: str) -> Submission:
    return Submission(
        order_id=identity,
        account=ACCOUNT,
        strategy=Strategy("stacker"),
        symbol=Symbol("BTCUSD"),
        venue_symbol="BTCUSD",
        side=Side.BUY,
        effect=Effect.OPEN,
        quantity=Decimal("0.01"),
        deadline_ns=DEADLINE_NS,
        budget_ns=5_000_000_000,
        epoch=0,
        lease=lease,
        tag=tag(identity),
        magic=1,
    )


async def place(port: int, identity: OrderId) -> Result:
    """One order under a lease that is granted on the way."""
    client = NodeClient(f"127.0.0.1:{port}")
    answers: asyncio.Queue[LeaseAnswer] = asyncio.Queue()

    async def queued() -> AsyncIterator[LeaseAnswer]:
        while True:
            yield await answers.get()

    stream = client.lease(queued())
    try:
        first = await anext(stream)
        answers.put_nowait(
            LeaseAnswer(account=ACCOUNT, nonce=first.nonce, granted=True, epoch=0, reason="")
        )
        await anext(stream)  # half a second later: the answer has arrived long since
        return (await client.submit(submission(identity, first.nonce))).result
    finally:
        await stream.aclose()
        await client.close()


async def evidence_and_trades(port: int, identity: OrderId) -> tuple[bool, int]:
    client = NodeClient(f"127.0.0.1:{port}")
    order = submission(identity, "")
    question = Question(
        order_id=identity,
        account=ACCOUNT,
        symbol=order.symbol,
        venue_symbol=order.venue_symbol,
        side=order.side,
        effect=order.effect,
        quantity=order.quantity,
        since_ns=0,
        tag=order.tag,
        magic=1,
    )
    repeated = await client.submit(order)
    assert repeated.result is Result.DONE
    found = await client.find(question)
    deals = await client.deals(ACCOUNT, 0)
    await client.close()
    return found.found, len(deals.deals)


async def serving(port: int, service: str) -> bool:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@pytest.mark.timeout(120)
def test_a_killed_node_remembers_what_it_sent_and_what_was_filled(folder: Path) -> None:
    identity = order_id("trade", ACCOUNT, "1", 1)
    node = Node(folder)
    try:
        assert asyncio.run(place(node.port(), identity)) is Result.DONE
    finally:
        node.end(signal.SIGKILL)

    again = Node(folder)
    try:
        port = again.port()
        assert asyncio.run(evidence_and_trades(port, identity)) == (True, 1)
        assert asyncio.run(serving(port, "process"))
    finally:
        assert again.end(signal.SIGTERM) == 0


def test_a_second_node_on_the_state_folder_refuses_in_one_sentence(folder: Path) -> None:
    node = Node(folder)
    try:
        node.port()
        second = Node(folder)
        _, said = second.process.communicate(timeout=30)
    finally:
        node.end(signal.SIGTERM)

    assert second.process.returncode == 1
    assert "another process already" in said
    assert "Traceback" not in said


def test_a_node_that_is_not_in_the_configuration_says_so(folder: Path) -> None:
    node = Node(folder, "nowhere")
    _, said = node.process.communicate(timeout=30)

    assert node.process.returncode == 2
    assert "ARGOS_NODE is 'nowhere'; the nodes of fleet.toml are paper" in said
    assert "Traceback" not in said

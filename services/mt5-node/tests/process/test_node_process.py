"""The node as a process: killed in the middle of a call, started again, started twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from argos_common.domain.ids import Account
from argos_common.domain.node import (
    Journaled,
    LeaseAnswer,
    Question,
    Result,
    Submission,
)
from argos_common.lasthop.client import NodeClient
from argos_common.lasthop.contract import NodeUnavailable
from argos_mt5_node.simulator.harness import HEDGING, ServerProcess

Maker = Callable[..., Submission]
Asker = Callable[..., Question]
ACCOUNT = Account("mt5-hedge")

FLEET = """
name = "test"
[symbols]
"EURUSD" = "EURUSD"
[sources.argos]
dialect = "argos"
token_files = ["secrets/argos.token"]
[strategies.trend]
sources = ["argos"]
bot_versions = ["trend-1"]
symbols = ["EURUSD"]
accounts = ["mt5-hedge"]
quantity_rule = "fixed"
quantity = 0.1
[accounts.mt5-hedge]
node = "mt5"
kind = "hedging"
currency = "USD"
live = false
[accounts.mt5-hedge.limits]
order_quantity_max = 5
order_value_max = 500_000
open_positions_max = 20
daily_loss_max = 5_000
account_value_max = 2_000_000
risk_percent_max = 2
[accounts.mt5-hedge.symbols]
EURUSD = "EURUSD"
[nodes.mt5]
kind = "mt5"
terminal = "simulated"
"""


@dataclass(slots=True)
class NodeProcess:
    folder: Path
    simulator: Path
    process: subprocess.Popen[str] | None = None
    others: list[subprocess.Popen[str]] = field(default_factory=list)

    def spawn(self, fleet: str = FLEET) -> subprocess.Popen[str]:
        config = self.folder / "fleet.toml"
        config.write_text(fleet, encoding="utf-8")
        env = {name: value for name, value in os.environ.items() if not name.startswith("ARGOS_")}
        env |= {
            "ARGOS_CONFIG": str(config),
            "ARGOS_STATE": str(self.folder / "state"),
            "ARGOS_NODE": "mt5",
            "ARGOS_NODE_PORT": "0",
            "ARGOS_MT5_SIMULATOR": str(self.simulator),
        }
        found = subprocess.Popen(
            [sys.executable, "-m", "argos_mt5_node"], env=env, stderr=subprocess.PIPE, text=True
        )
        self.others.append(found)
        return found

    async def start(self) -> str:
        """The address it listens on."""
        run_file = self.folder / "state" / "run" / "mt5-node-mt5.json"
        self.process = self.spawn()
        async with asyncio.timeout(30):
            while True:
                with suppress(OSError, ValueError):
                    facts = json.loads(run_file.read_text())
                    if facts["pid"] == self.process.pid and "grpc_port" in facts:
                        return f"127.0.0.1:{facts['grpc_port']}"
                assert self.process.poll() is None, self.process.communicate()
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.communicate(timeout=10)


@pytest.fixture
def node(tmp_path: Path, server: ServerProcess) -> Iterator[NodeProcess]:
    found = NodeProcess(tmp_path, server.port_file)
    yield found
    for process in found.others:
        process.kill()
        process.communicate(timeout=10)


@asynccontextmanager
async def client_of(address: str) -> AsyncIterator[NodeClient]:
    client = NodeClient(address)
    async with asyncio.timeout(20):
        while True:
            with suppress(NodeUnavailable):
                if (await client.snapshot(ACCOUNT)).facts.ready:
                    break
            await asyncio.sleep(0.05)
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def leased(client: NodeClient) -> AsyncIterator[str]:
    """A nonce that was granted a moment ago."""
    granted: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    answers: asyncio.Queue[LeaseAnswer] = asyncio.Queue()

    async def flow() -> AsyncIterator[LeaseAnswer]:
        while True:
            answer = await answers.get()
            yield answer
            if not granted.done():
                granted.set_result(answer.nonce)

    async def take() -> None:
        async for ask in client.lease(flow()):
            answers.put_nowait(
                LeaseAnswer(account=ask.account, nonce=ask.nonce, granted=True, epoch=0, reason="")
            )

    taking = asyncio.create_task(take())
    try:
        yield await asyncio.wait_for(granted, 10)
    finally:
        taking.cancel()
        await asyncio.wait([taking])


def executed(server: ServerProcess, order: Submission) -> int:
    control = server.control()
    try:
        return sum(
            entry["kind"] == "deal" and entry["comment"] == order.tag for entry in control.record()
        )
    finally:
        control.close()


def arm(server: ServerProcess, name: str, **params: Any) -> None:
    control = server.control()
    control.arm(HEDGING, name, count=1, params=params)
    control.close()


async def test_killed_in_the_call_it_finds_the_order_by_its_tag_and_never_sends_it_again(
    node: NodeProcess, server: ServerProcess, submission: Maker, question: Asker
) -> None:
    arm(server, "answer_lost", mode="hang")
    async with client_of(await node.start()) as client, leased(client) as lease:
        order = submission(account=ACCOUNT, lease=lease)
        call = asyncio.create_task(client.submit(order))
        async with asyncio.timeout(10):
            while not executed(server, order):  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.01)
        await asyncio.to_thread(node.kill)
        assert (await call).result is Result.IN_DOUBT

    async with client_of(await node.start()) as client:
        asked = question(order)
        evidence = await client.find(asked)
        repeated = await client.submit(order)

    assert (evidence.found, evidence.method, evidence.done) == (True, "tag", True)
    assert evidence.filled_quantity == order.quantity
    assert evidence.journal in {Journaled.SENDING, Journaled.ANSWERED}
    assert repeated.code == "found"
    assert executed(server, order) == 1


async def test_a_second_process_on_the_state_folder_refuses(
    node: NodeProcess, server: ServerProcess
) -> None:
    await node.start()
    second = node.spawn()
    _, words = await asyncio.to_thread(second.communicate, timeout=20)
    assert second.returncode == 1
    assert "another process already serves account mt5-hedge" in words
    assert "Traceback" not in words


async def test_it_stops_in_order_and_leaves_no_worker(
    node: NodeProcess, server: ServerProcess
) -> None:
    async with client_of(await node.start()):
        worker = int((node.folder / "state/journals/mt5-hedge.worker.pid").read_text())
    assert node.process is not None
    node.process.send_signal(signal.SIGTERM)
    _, words = await asyncio.to_thread(node.process.communicate, timeout=20)
    assert (node.process.returncode, "Traceback" in words) == (0, False), words
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("live = false", "live = true\nsettling_s = 60", "real money"),
        ("[nodes.mt5]", "[nodes.other]", "mt5"),
    ],
)
async def test_it_refuses_real_money_that_is_not_armed_and_a_node_that_is_not_there(
    node: NodeProcess, before: str, after: str, words: str
) -> None:
    process = node.spawn(FLEET.replace(before, after))
    _, said = await asyncio.to_thread(process.communicate, timeout=20)
    assert process.returncode == 2
    assert words in said
    assert "Traceback" not in said

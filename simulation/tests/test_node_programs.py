"""The simulated venue nodes answer as the real ones do, over gRPC and through kill -9.

Each program of `testing/node_programs.py` is played twice: on the node as the simulation runs it
(last hop, journal in memory, the MetaTrader adapter over the inline terminal or the paper venue, a
simulated network, virtual time) and on a real node process with its worker and its terminal. What
both tell must be the same. The MetaTrader node's process lives through all programs of its test; the
exchange node begins each with a new account.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from argos_common.domain.ids import Account, OrderId
from argos_common.domain.node import Submission
from argos_common.lasthop.client import NodeClient
from argos_common.lasthop.contract import Node, NodeUnavailable
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, MemoryJournal
from argos_common.lasthop.local import LocalNode
from argos_common.lasthop.venue import Venue
from argos_common.testing.examples import examples
from argos_common.testing.node_player import Player
from argos_common.testing.node_programs import Step, Told, programs
from argos_exchange_node.adapters.memory_store import MemoryStore as PaperStore
from argos_exchange_node.adapters.paper import PaperVenue
from argos_mt5_node.adapters.inline_terminal import InlineTerminal
from argos_mt5_node.runner.tuning import Tuning
from argos_mt5_node.runner.venue import Mt5Venue
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.desk import TerminalDesk
from argos_mt5_node.simulator.harness import HEDGING, START_NS, ServerProcess
from argos_mt5_node.simulator.link import CallNeverReturns, InProcessLink
from argos_mt5_node.simulator.symbols import AccountSpec
from argos_mt5_node.simulator.terminal import SimulatedTerminal
from argos_simulation import fleet
from argos_simulation.chance import Chance
from argos_simulation.faults import Faults
from argos_simulation.loop import VirtualLoop
from argos_simulation.network import Cable
from argos_simulation.nodes import Life, SimNode, Site
from argos_simulation.process import HostClock, Process
from argos_simulation.venues import GatedTerminal, SimDisk, WitnessedVenue
from hypothesis import given

FLEET = """
[symbols]
EURUSD = "EURUSD"
GBPUSD = "GBPUSD"
BTCUSD = "BTCUSD"
[sources.desk]
dialect = "argos"
token_hashes = ["{zeros}"]
[strategies.trend]
sources = ["desk"]
bot_versions = ["sim-1"]
symbols = ["EURUSD", "GBPUSD"]
accounts = ["hedge"]
quantity_rule = "fixed"
quantity = 0.02
[strategies.stacker]
sources = ["desk"]
bot_versions = ["sim-1"]
symbols = ["BTCUSD"]
accounts = ["spot"]
quantity_rule = "fixed"
quantity = 0.01
require_stop = false
{accounts}
[accounts.hedge.symbols]
EURUSD = "EURUSD"
GBPUSD = "GBPUSD"
[accounts.spot.symbols]
BTCUSD = "BTCUSD"
[nodes.mt5]
kind = "mt5"
terminal = "simulated"
[nodes.paper]
kind = "paper"
"""
ACCOUNT = """
[accounts.{name}]
node = "{node}"
kind = "{kind}"
currency = "USD"
live = false
[accounts.{name}.limits]
order_quantity_max = 5
order_value_max = 500_000
open_positions_max = 20
daily_loss_max = 5_000
account_value_max = 2_000_000
risk_percent_max = 2
"""


class NobodyLooks:
    """Implements `PlaceWitness`."""

    def placing(self, submission: Submission, process: Process, node_now_ns: int) -> None: ...

    def placed(self, order_id: OrderId) -> None: ...


@dataclass(slots=True)
class SimStage:
    """One account on the simulation's node. Its venue and its journal outlive it."""

    account: Account
    symbols: tuple[str, str]
    quantity: Decimal
    make_venue: Callable[[SimStage, Cable], Coroutine[Any, Any, Venue]]
    epoch: int = 0
    lives: int = 0
    clock: HostClock = field(default_factory=lambda: HostClock(START_NS))
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    broker: SimulatedBroker = field(init=False)
    store: PaperStore = field(default_factory=PaperStore)
    site: Site = field(default_factory=lambda: Site("node"))

    def __post_init__(self) -> None:
        self.broker = SimulatedBroker(1, (AccountSpec(login=HEDGING),), now_ns=START_NS)

    def _cable(self, name: str) -> Cable:
        self.lives += 1
        return Cable(Process(name, self.lives), Chance(f"{name}/{self.lives}"), Faults({}))

    @property
    def node(self) -> Node:
        return SimNode(self.site, self._cable("bridge"))

    def now_ns(self) -> int:
        return self.clock.now_ns()

    def arm(self, fault: str, params: dict[str, int | str]) -> None:
        self.broker.arm(HEDGING, fault, self.now_ns(), count=1, params=params)

    def calm(self) -> None:
        self.broker.clear(HEDGING, self.now_ns())

    async def restart(self) -> None:
        self.kill()
        cable = self._cable("node")
        clock = HostClock(START_NS, 0, cable.process)
        venue = WitnessedVenue(await self.make_venue(self, cable), cable, NobodyLooks(), clock)
        journal = AsyncJournal(self.journal, SimDisk(cable))
        hop = LastHop(self.account, venue, journal, clock, cable.chance)
        await hop.start()
        while not hop.ready():  # noqa: ASYNC110  # virtual time
            await asyncio.sleep(0.05)
        self.site.life = Life(cable.process, LocalNode([hop], clock))

    def kill(self) -> None:
        if self.site.life is not None:
            self.site.life.process.kill()
            self.site.life = None


async def mt5_venue(stage: SimStage, cable: Cable) -> Venue:
    config = next(each for each in fleet.configs() if each.account == fleet.HEDGE)
    clock = HostClock(START_NS, 0, cable.process)
    module = SimulatedTerminal(InProcessLink(TerminalDesk(stage.broker), stage.clock.now_ns))
    terminal = InlineTerminal(
        module,
        lambda: module.initialize(
            "C:\\hedge", login=HEDGING, password="demo"
        ),  # a simulated account
        clock,
        never_returns=CallNeverReturns,
        patience_s=1.0,
    )
    tuning = Tuning(poll_s=0.25, poll_hot_s=0.1, facts_every_s=0.5, history_settles_s=2.0)
    gated = GatedTerminal(terminal, cable)
    venue = Mt5Venue(config, fleet.expected(config), gated, clock, tuning)
    venue.remember(entry.order_id for entry in stage.journal.unanswered())
    return venue


async def paper_venue(stage: SimStage, cable: Cable) -> Venue:
    clock = HostClock(START_NS, 0, cable.process)
    venue = PaperVenue(fleet.paper_account(1), stage.store, clock, SimDisk(cable))
    await venue.start()
    return venue


@dataclass(slots=True)
class RealStage:
    """One account on a real node process."""

    folder: Path
    module: str
    name: str
    account: Account
    symbols: tuple[str, str]
    quantity: Decimal
    simulator: ServerProcess | None = None
    epoch: int = 0
    process: subprocess.Popen[bytes] | None = None
    client: NodeClient | None = None

    @property
    def node(self) -> Node:
        assert self.client is not None
        return self.client

    def now_ns(self) -> int:
        return time.time_ns()

    def arm(self, fault: str, params: dict[str, int | str]) -> None:
        assert self.simulator is not None
        control = self.simulator.control()
        control.arm(HEDGING, fault, count=1, params=params)
        control.close()

    def calm(self) -> None:
        if self.simulator is not None:
            control = self.simulator.control()
            control.clear(HEDGING)
            control.close()

    async def restart(self) -> None:
        await self.stop()
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ARGOS_")}
        environment |= {
            "ARGOS_CONFIG": str(self.folder / "fleet.toml"),
            "ARGOS_STATE": str(self.folder / "state"),
            "ARGOS_NODE": self.name,
            "ARGOS_NODE_PORT": "0",
        }
        if self.simulator is not None:
            environment["ARGOS_MT5_SIMULATOR"] = str(self.simulator.port_file)
        self.process = subprocess.Popen(  # noqa: ASYNC220  # forking is quick
            [sys.executable, "-m", self.module],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.client = NodeClient(f"127.0.0.1:{await self._port()}")
        async with asyncio.timeout(30):
            while True:
                with suppress(NodeUnavailable):
                    if (await self.client.snapshot(self.account)).facts.ready:
                        return
                await asyncio.sleep(0.02)

    async def _port(self) -> int:
        service = self.module.removeprefix("argos_").replace("_", "-")
        run_file = self.folder / "state" / "run" / f"{service}-{self.name}.json"
        async with asyncio.timeout(30):
            while True:
                assert self.process is not None
                with suppress(OSError, ValueError):
                    facts = json.loads(run_file.read_text())
                    port = facts.get("grpc_port") or facts.get("node_port")
                    if facts["pid"] == self.process.pid and port:
                        return int(port)
                assert self.process.poll() is None, "the node ended"
                await asyncio.sleep(0.02)

    async def forget(self) -> None:
        """A new account: what an earlier program bought would pay for a later one's exits."""
        await self.stop()
        shutil.rmtree(self.folder / "state")
        self.epoch = 0
        await self.restart()

    async def stop(self) -> None:
        """kill -9 of this very process."""
        if self.client is not None:
            await self.client.close()
        if self.process is not None:
            self.process.kill()
            await asyncio.to_thread(self.process.wait)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    accounts = ACCOUNT.format(name="hedge", node="mt5", kind="hedging")
    accounts += ACCOUNT.format(name="spot", node="paper", kind="spot")
    (tmp_path / "fleet.toml").write_text(FLEET.format(zeros="0" * 64, accounts=accounts))
    return tmp_path


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path / "sim", world={"accounts": [{"login": HEDGING}]})
    server.start()
    yield server
    server.kill()


def simulated(make: Callable[[], SimStage], program: list[Step], run_id: str) -> list[Told]:
    async def play() -> list[Told]:
        stage = make()  # its clocks read the loop
        await stage.restart()
        told = await Player(stage, run_id).play(program)
        stage.kill()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:  # nothing of a killed process runs on; here its loop ends, too
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        return told

    loop = VirtualLoop()
    try:
        return loop.run_until_complete(play())
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def compare(
    real: RealStage,
    make: Callable[[SimStage, Cable], Coroutine[Any, Any, Venue]],
    *,
    faults: bool,
    count_of: int,
) -> None:
    """Every program tells the same on both stages."""
    runs = count(1)
    with asyncio.Runner() as runner:

        @examples(count_of, dear=True)
        @given(programs(faults=faults))
        def same(program: list[Step]) -> None:
            run_id = f"run-{next(runs)}"
            if real.simulator is None and run_id != "run-1":
                runner.run(real.forget())
            stage = partial(SimStage, real.account, real.symbols, real.quantity, make)
            expected = simulated(stage, program, run_id)
            found = runner.run(Player(real, run_id).play(program))
            for step, ours, theirs in zip(program, expected, found, strict=True):
                assert ours == theirs, f"{step}: simulated {ours}, real {theirs}"

        try:
            runner.run(real.restart())
            same()
        finally:
            runner.run(real.stop())


@pytest.mark.timeout(180)
def test_the_metatrader_node_answers_as_the_simulated_one(
    folder: Path, simulator: ServerProcess
) -> None:
    real = RealStage(
        folder,
        "argos_mt5_node",
        "mt5",
        fleet.HEDGE,
        ("EURUSD", "GBPUSD"),
        Decimal("0.02"),
        simulator,
    )
    compare(real, mt5_venue, faults=True, count_of=3)


@pytest.mark.timeout(180)
def test_the_exchange_node_answers_as_the_simulated_one(folder: Path) -> None:
    real = RealStage(
        folder,
        "argos_exchange_node",
        "paper",
        fleet.SPOT,
        ("BTCUSD", "BTCUSD"),
        Decimal("0.01"),
    )
    compare(real, paper_venue, faults=False, count_of=2)

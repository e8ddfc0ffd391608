"""A simulated broker, and accounts of it behind a terminal of either kind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pytest
from argos_common.domain.config import AccountConfig, Limits, SymbolRoute
from argos_common.domain.ids import Account, OrderId, Strategy, Symbol, magic, order_id, tag
from argos_common.domain.instrument import AccountKind
from argos_common.domain.node import Question, Submission
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.runtime.clock import Clock, SystemClock
from argos_mt5_node.adapters.inline_terminal import InlineTerminal
from argos_mt5_node.adapters.worker_terminal import Budgets, WorkerPlan, WorkerTerminal
from argos_mt5_node.core.standing import Expected
from argos_mt5_node.ports import Terminal, TerminalModule
from argos_mt5_node.runner.tuning import Tuning
from argos_mt5_node.runner.venue import Mt5Venue
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.desk import TerminalDesk
from argos_mt5_node.simulator.harness import HEDGING, NETTING, ServerProcess, quiet_accounts
from argos_mt5_node.simulator.link import CallNeverReturns, InProcessLink
from argos_mt5_node.simulator.terminal import SimulatedTerminal

SYMBOLS = ("EURUSD", "GBPUSD", "USDJPY")
KINDS = {HEDGING: AccountKind.HEDGING, NETTING: AccountKind.NETTING}
QUICK = Tuning(poll_s=0.05, poll_hot_s=0.02, scan_every_s=1.0, history_settles_s=0.0)
BUDGETS = Budgets(send_s=1.0, read_s=2.0, start_s=15.0)


def config_of(login: int, name: str = "bench", **changes: Any) -> AccountConfig:
    values: dict[str, Any] = {
        "account": Account(name),
        "node": "mt5",
        "kind": KINDS[login],
        "currency": "USD",
        "live": False,
        "limits": Limits(
            order_quantity_max=Decimal(5),
            order_value_max=Decimal(500_000),
            open_positions_max=10,
            daily_loss_max=Decimal(1000),
            account_value_max=Decimal(1_000_000),
            risk_percent_max=Decimal(1),
        ),
        "strategies": (),
        "symbols": tuple(SymbolRoute(symbol=Symbol(name), venue_symbol=name) for name in SYMBOLS),
    }
    return AccountConfig(**values | changes)


def expected_of(on: int, **changes: Any) -> Expected:
    values: dict[str, Any] = {
        "login": on,
        "server": "Argos-Sim",
        "kind": KINDS[on],
        "live": False,
        "currency": "USD",
    }
    return Expected(**values | changes)


@dataclass(slots=True)
class Inline:
    """A broker inside the test, on whatever clock it is given."""

    clock: Clock
    broker: SimulatedBroker
    desk: TerminalDesk

    def terminal(self, login: int = HEDGING, patience_s: float = 0.2) -> InlineTerminal:
        module = SimulatedTerminal(InProcessLink(self.desk, self.clock.now_ns))
        return InlineTerminal(
            cast(TerminalModule, module),
            lambda: module.initialize(f"C:\\{login}", login=login, password="demo"),
            self.clock,
            never_returns=CallNeverReturns,
            patience_s=patience_s,
        )

    def venue(self, on: int = HEDGING, **expected: Any) -> Mt5Venue:
        """Over the terminal that is logged in to `on`, whatever is expected."""
        return Mt5Venue(
            config_of(on), expected_of(on, **expected), self.terminal(on), self.clock, QUICK
        )

    def arm(self, name: str, login: int = HEDGING, count: int | None = 1, **params: Any) -> None:
        self.broker.arm(login, name, self.clock.now_ns(), count=count, params=params)

    def clear(self, name: str, login: int = HEDGING) -> None:
        self.broker.clear(login, self.clock.now_ns(), name)

    def sent(self, order: Submission) -> int:
        """Executions of an order by the broker's own record."""
        return sum(e.kind == "deal" and e.comment == order.tag for e in self.broker.record)


def inline_broker(clock: Clock) -> Inline:
    broker = SimulatedBroker(1, quiet_accounts(), (), now_ns=clock.now_ns())
    return Inline(clock, broker, TerminalDesk(broker))


@pytest.fixture
def make_inline() -> Callable[[Clock], Inline]:
    return inline_broker


@pytest.fixture
def inline() -> Inline:
    return inline_broker(SystemClock())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    world = {"accounts": [{"login": HEDGING}, {"login": NETTING, "margin_mode": 0}]}
    process = ServerProcess(tmp_path / "sim", world=world)
    process.start()
    yield process
    process.kill()


WorkerMaker = Callable[..., AbstractAsyncContextManager[WorkerTerminal]]


@pytest.fixture
def worker(server: ServerProcess, tmp_path: Path) -> WorkerMaker:
    """Makes a worker that is up; ended at the end of the block."""

    @asynccontextmanager
    async def make(
        login: int = HEDGING, budgets: Budgets = BUDGETS, wait: bool = True
    ) -> AsyncIterator[WorkerTerminal]:
        plan = WorkerPlan(
            module="simulated",
            path=f"C:\\{login}",
            login=login,
            server="Argos-Sim",
            lock=str(tmp_path / f"{login}.worker.lock"),
            address=str(server.port_file),
            password="demo",
        )
        terminal = WorkerTerminal(plan, SystemClock(), lambda _text: None, budgets)
        running = asyncio.create_task(terminal.run())
        async with asyncio.timeout(20):
            while wait and not terminal.up:  # noqa: ASYNC110 - what it waits for has no event
                await asyncio.sleep(0.01)
        try:
            yield terminal
        finally:
            running.cancel()
            await asyncio.wait([running])
            await terminal.close()

    return make


VenueMaker = Callable[..., Mt5Venue]


@pytest.fixture
def venue_on() -> VenueMaker:
    def make(terminal: Terminal, clock: Clock, login: int = HEDGING, **expected: Any) -> Mt5Venue:
        return Mt5Venue(config_of(login), expected_of(login, **expected), terminal, clock, QUICK)

    return make


SubmissionMaker = Callable[..., Submission]


@pytest.fixture
def submission() -> SubmissionMaker:
    """Buy 0.10 EURUSD, unless told otherwise; every call is another order."""
    count = iter(range(1, 1_000_000))

    def make(**changes: Any) -> Submission:
        identity: OrderId = order_id("trade", "bench", f"{next(count)}", 1)
        now_ns = SystemClock().now_ns()
        values: dict[str, Any] = {
            "order_id": identity,
            "account": Account("bench"),
            "strategy": Strategy("trend"),
            "symbol": Symbol("EURUSD"),
            "venue_symbol": "EURUSD",
            "side": Side.BUY,
            "effect": Effect.OPEN,
            "quantity": Decimal("0.1"),
            "deadline_ns": now_ns + 5_000_000_000,
            "budget_ns": 5_000_000_000,
            "epoch": 0,
            "lease": "",
            "tag": tag(identity),
            "magic": magic(identity, "trend"),
        }
        return Submission(**values | changes)

    return make


@pytest.fixture
def question() -> Callable[..., Question]:
    def make(order: Submission, since_ns: int = 0) -> Question:
        return Question(
            order_id=order.order_id,
            account=order.account,
            symbol=order.symbol,
            venue_symbol=order.venue_symbol,
            side=order.side,
            effect=order.effect,
            quantity=order.quantity,
            since_ns=since_ns or SystemClock().now_ns() - 60_000_000_000,
            tag=order.tag,
            magic=order.magic,
            position_ref=order.position_ref,
        )

    return make

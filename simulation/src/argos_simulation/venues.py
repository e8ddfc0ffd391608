"""Venues as the simulated nodes see them: the real adapters, over gates and with bad days.

The simulated broker and the paper venue live outside every process: they run on true time and
outlive a node. What a node does to them passes its process's gate immediately before the effect, so
a killed node has none, and again after it, so that it may die between an order and its answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from argos_common.domain.ids import OrderId
from argos_common.domain.node import (
    AccountFacts,
    Deals,
    Evidence,
    Outcome,
    Question,
    Snapshot,
    Submission,
)
from argos_common.domain.venue import Deal
from argos_common.lasthop.journal import JournalFailed
from argos_common.lasthop.venue import Capabilities, Venue
from argos_exchange_node.adapters.paper import Faults as PaperFaults
from argos_mt5_node.core.calls import Answer, Call
from argos_mt5_node.ports import Terminal
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.desk import TerminalDesk
from argos_mt5_node.simulator.link import InProcessLink
from argos_mt5_node.simulator.link import Outcome as LinkOutcome
from argos_mt5_node.simulator.switchboard import ALL_LOGINS, Params, Switchboard
from argos_reconciler.adapters.memory_ledger import MemoryLedger
from argos_reconciler.core.rows import Item
from argos_reconciler.ports import Checkpoint, LedgerUnavailable

from argos_simulation.faults import VENUE, Faults
from argos_simulation.network import Cable
from argos_simulation.process import HostClock, Process

T = TypeVar("T")


class PlaceWitness(Protocol):
    """Who is told, truthfully, when a call to a venue begins and ends."""

    def placing(self, submission: Submission, process: Process, node_now_ns: int) -> None: ...

    def placed(self, order_id: OrderId) -> None: ...


@dataclass(slots=True)
class GatedTerminal:
    """A terminal behind a node process's gate. Implements `Terminal`."""

    inner: Terminal
    cable: Cable

    async def ask(self, *calls: Call) -> list[Answer]:
        await self.cable.travel()
        sends = any(call.function == "order_send" for call in calls)
        await (self.cable.process.point() if sends else self.cable.process.gate())
        answers = await self.inner.ask(*calls)
        await self.cable.travel()
        await (self.cable.process.point() if sends else self.cable.process.gate())
        return answers

    async def kill(self) -> None:
        await self.cable.process.leaving()
        await self.inner.kill()

    async def alone(self) -> bool:
        await self.cable.process.gate()
        return await self.inner.alone()

    @property
    def life(self) -> int:
        return self.inner.life


class SimDisk:
    """An `Offload`: the work takes a moment, and the process may die before or after it.

    `steady` is set once the process has started: then the disk may fail, before the work or after.
    """

    def __init__(self, cable: Cable) -> None:
        self._cable = cable
        self.steady = False
        self.fails_after = True

    async def __call__(self, work: Callable[[], T]) -> T:
        cable = self._cable
        await cable.travel()
        await cable.process.point()
        failing = self.steady and cable.faults.strike("journal-failing", cable.chance)
        if failing and self.fails_after and cable.chance.happens(0.3):
            work()
        if failing:
            raise JournalFailed("no space left on device")
        done = work()
        await self._cable.travel()
        await self._cable.process.point()
        return done


@dataclass(slots=True)
class SimLedger:
    """The reconciler's ledger over a database that is away now and then. Implements `Ledger`."""

    inner: MemoryLedger
    cable: Cable

    async def open(self, generation: str) -> Checkpoint:
        await self._reach()
        return await self.inner.open(generation)

    async def project(self, items: Sequence[Item]) -> Checkpoint:
        await self._reach()
        return await self.inner.project(items)

    async def close(self) -> None:
        await self.inner.close()

    async def _reach(self) -> None:
        await self.cable.process.point()
        if self.cable.faults.strike("ledger-away", self.cable.chance):
            raise LedgerUnavailable("the database does not answer")


class SimLink(InProcessLink):
    """A client's connection to a terminal that may be started anew, or show quotes that are wrong."""

    def __init__(self, desk: TerminalDesk, now_ns: Callable[[], int]) -> None:
        super().__init__(desk, now_ns)
        self.restarted = False
        self.crossed = False

    def open(self) -> None:
        self.restarted = False

    def is_broken(self) -> bool:
        return self.restarted

    def call(self, path: str, operation: str, args: Mapping[str, Any]) -> LinkOutcome:
        code, text, value = super().call(path, operation, args)
        if self.crossed and operation == "symbol_info_tick" and value is not None:
            seconds, bid, ask, *others = value
            value = [seconds, 0.0, 0.0, *others] if others[2] % 2 else [seconds, ask, bid, *others]
        return code, text, value


@dataclass(slots=True)
class WitnessedVenue:
    """A venue whose calls are witnessed. Implements `Venue`.

    `paper`: the paper venue's own faults, drawn anew for each order.
    """

    inner: Venue
    cable: Cable
    witness: PlaceWitness
    clock: HostClock
    paper: PaperFaults | None = None

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    async def place(self, submission: Submission) -> Outcome:
        # No await between the last hop's look at its gates and this line.
        self.witness.placing(submission, self.cable.process, self.clock.now_ns())
        if self.paper is not None:
            self._draw(self.paper)
        outcome = await self.inner.place(submission)
        self.witness.placed(submission.order_id)
        return outcome

    def _draw(self, paper: PaperFaults) -> None:
        faults, chance = self.cable.faults, self.cable.chance
        if faults.strike("venue-answer-lost", chance):
            paper.lose_answers = 1
        elif faults.strike("venue-request-lost", chance):
            paper.lose_calls = 1
        elif faults.strike("venue-rejected", chance):
            paper.refuse = 1

    async def search(self, question: Question) -> Evidence:
        return await self.inner.search(question)

    async def snapshot(self) -> Snapshot:
        return await self.inner.snapshot()

    async def deals(self, since_ns: int) -> Deals:
        return await self.inner.deals(since_ns)

    def watch(self) -> AsyncIterator[Deal | AccountFacts]:
        return self.inner.watch()

    async def abandon(self, order_id: OrderId) -> bool:
        return await self.inner.abandon(order_id)


_SWITCHES: dict[str, tuple[str, dict[str, int | str]]] = {
    "venue-answer-lost": ("answer_lost", {}),
    "venue-request-lost": ("request_lost", {}),
    "venue-late-fill": ("late_fill", {"after_ms": 2500}),
    "venue-no-connection": ("no_connection", {}),
    "venue-requote": ("requote", {}),
    "venue-rejected": ("rejected", {}),
    "venue-partial": ("partial_fill", {}),
    "venue-unclear-done": ("locked", {"executed": 1}),
    "venue-unclear-undone": ("processing_error", {}),
    "venue-price-changed": ("price_changed", {}),
    "venue-no-quotes": ("no_quotes", {}),
    "venue-market-closed": ("market_closed", {}),
    "venue-throttled": ("too_many_requests", {}),
    "venue-slippage": ("slippage", {}),
    "venue-bare-done": ("bare_done", {}),
    "venue-comment-erased": ("comment_erased", {}),
    "venue-comment-cut": ("comment_truncated", {}),
    "venue-magic-zeroed": ("magic_zeroed", {}),
    "venue-manual-trade": ("manual_trade", {}),
    "venue-read-error": ("read_error", {}),
}
_STATES: dict[str, tuple[str, dict[str, int | str]]] = {
    "venue-late-deals": ("deal_lag", {"min_ms": 200, "max_ms": 3000}),
    "venue-thin-book": ("thin_book", {}),
}
_NAMELESS = ("venue-comment-erased", "venue-comment-cut")
_HANGING: tuple[str, ...] = ("venue-answer-lost", "venue-request-lost")
_NAMES = {switch: name for name, (switch, _) in _SWITCHES.items()}


class CountingSwitchboard(Switchboard):
    """The broker's switchboard, which counts what strikes."""

    def __init__(self, board: Switchboard, faults: Faults) -> None:
        super().__init__(board._prng)  # noqa: SLF001  # the broker's own source of chance
        self._faults = faults

    def take(self, login: int, name: str) -> Params | None:
        struck = super().take(login, name)
        if struck is not None and name in _NAMES and not self._faults.fire(_NAMES[name]):
            return None
        return struck


def arm(broker: SimulatedBroker, faults: Faults, now_ns: int, *, hang: bool) -> None:
    """Switch the seed's venue faults on at the broker. `hang`: lost answers never return."""
    broker.state.switchboard = CountingSwitchboard(broker.state.switchboard, faults)
    for name, (switch, params) in _SWITCHES.items():
        rate = faults.rate(name)
        if name == "venue-magic-zeroed" and any(faults.has(each) for each in _NAMELESS):
            continue  # an order that has lost both of its names is a person's to find
        if not rate:
            continue
        mode = {"mode": "hang"} if hang and name in _HANGING else {}
        broker.arm(
            ALL_LOGINS, switch, now_ns, rate_ppm=round(rate * 1e6), params={**params, **mode}
        )
    for name, (state, params) in _STATES.items():
        if faults.has(name) and faults.fire(name):
            broker.arm(ALL_LOGINS, state, now_ns, params=params)


def disarm(broker: SimulatedBroker, now_ns: int) -> None:
    """A good day again."""
    broker.clear(ALL_LOGINS, now_ns)


assert set(_SWITCHES) | set(_STATES) == set(VENUE)  # noqa: S101  # one table, two views

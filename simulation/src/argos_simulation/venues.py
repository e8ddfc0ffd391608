"""Venues as the simulated nodes see them: the real adapters, over gates and with bad days.

The simulated broker and the paper venue live outside every process: they run on true time and
outlive a node. What a node does to them passes its process's gate immediately before the effect, so
a killed node has none, and again after it, so that it may die between an order and its answer.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

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
from argos_common.lasthop.venue import Capabilities, Venue
from argos_exchange_node.adapters.paper import Faults as PaperFaults
from argos_mt5_node.core.calls import Answer, Call
from argos_mt5_node.ports import Terminal
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.switchboard import ALL_LOGINS, Params, Switchboard

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
        await self.cable.process.gate()
        await self.inner.kill()

    async def alone(self) -> bool:
        await self.cable.process.gate()
        return await self.inner.alone()

    @property
    def life(self) -> int:
        return self.inner.life


class SimDisk:
    """An `Offload`: the work takes a moment, and the process may die before or after it."""

    def __init__(self, cable: Cable) -> None:
        self._cable = cable

    async def __call__(self, work: Callable[[], T]) -> T:
        await self._cable.travel()
        await self._cable.process.point()
        done = work()
        await self._cable.travel()
        await self._cable.process.point()
        return done


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
    "venue-bare-done": ("bare_done", {}),
    "venue-comment-erased": ("comment_erased", {}),
}
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
        if not rate:
            continue
        mode = {"mode": "hang"} if hang and name in _HANGING else {}
        broker.arm(
            ALL_LOGINS, switch, now_ns, rate_ppm=round(rate * 1e6), params={**params, **mode}
        )
    if faults.has("venue-late-deals"):
        faults.fired["venue-late-deals"] += 1
        broker.arm(ALL_LOGINS, "deal_lag", now_ns, params={"min_ms": 200, "max_ms": 3000})


def disarm(broker: SimulatedBroker, now_ns: int) -> None:
    """A good day again."""
    broker.clear(ALL_LOGINS, now_ns)


assert set(_SWITCHES) | {"venue-late-deals"} == set(VENUE)  # noqa: S101  # one table, two views

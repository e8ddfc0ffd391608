"""A bridge with a real last hop behind real gRPC: entry, lost answer, exit, kill."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from argos_bridge.ports import Surroundings
from argos_bridge.runner.bridge import Bridge
from argos_common.domain.event import Event
from argos_common.domain.ids import TradeId
from argos_common.domain.node import LeaseAnswer, LeaseAsk
from argos_common.domain.verdict import Leg
from argos_common.lasthop.client import NodeClient
from argos_common.lasthop.hop import LastHop
from argos_common.lasthop.journal import AsyncJournal, MemoryJournal
from argos_common.lasthop.local import LocalNode
from argos_common.lasthop.server import NodeServer
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.entropy import SystemEntropy
from argos_common.runtime.log import Append, Unconditional
from argos_common.runtime.metrics import Metrics
from argos_common.runtime.telemetry import NullTelemetry
from argos_common.testing.memory_bus import MemoryBus
from argos_common.testing.memory_log import MemoryLog
from argos_common.testing.node_bench import eventually
from argos_common.testing.trial_venue import FakeVenue, TrialVenue
from argos_common.wire import subjects
from argos_common.wire.codec import decode, encode, pack, unpack

from services.bridge.tests.bridge_kit import (
    DEMO,
    T1,
    T2,
    S,
    applied,
    closing,
    config,
    kill,
    opening,
    verdict,
)
from services.bridge.tests.fleet_kit import Lines


@dataclass(slots=True)
class Live:
    """The parts, running."""

    clock: SystemClock
    log: MemoryLog
    venue: TrialVenue
    bridge: Bridge

    async def says(self, event: Event, subject: str) -> None:
        await self.log.append(
            Append(subject=subject, data=encode(event), condition=Unconditional())
        )

    async def approve(self, *legs: Leg) -> None:
        now_ns = self.clock.now_ns()
        late = tuple(replace(leg, deadline_ns=now_ns + 10 * S) for leg in legs)
        await self.says(verdict(*late, now_ns=now_ns), subjects.verdict(DEMO))

    def story(self) -> list[str]:
        entries = [e for e in self.log.store.entries if ".order." in e.subject]
        return [type(decode(entry.data)).__name__ for entry in entries]

    def kinds(self) -> set[str]:
        return {type(decode(entry.data)).__name__ for entry in self.log.store.entries}

    def held(self, trade: TradeId) -> str:
        found = self.bridge.state.account(DEMO).book.trades.get(trade)
        return str(found.position) if found else "closed"


@pytest.fixture
async def live() -> AsyncIterator[Live]:
    clock = SystemClock()
    log, bus = MemoryLog(clock), MemoryBus(clock)
    venue = TrialVenue(FakeVenue(DEMO, clock))
    hop = LastHop(DEMO, venue, AsyncJournal(MemoryJournal()), clock, SystemEntropy())
    await hop.start()
    server = NodeServer(LocalNode([hop], clock), clock)
    client = NodeClient(f"127.0.0.1:{await server.start()}")
    around = Surroundings(
        log=log,
        bus=bus.another(),
        clock=clock,
        writer="w",
        telemetry=NullTelemetry(),
        metrics=Metrics("bridge"),
        lines=Lines(),
    )
    bridge = Bridge(around, {"n1": client})

    async def grant(subject: str, payload: bytes) -> bytes:
        ask = unpack(LeaseAsk, payload)
        epoch = bridge.state.account(DEMO).control.epoch
        return pack(
            LeaseAnswer(account=DEMO, nonce=ask.nonce, granted=True, epoch=epoch, reason="")
        )

    await bus.subscribe(f"{subjects.LEASE}.*", grant)
    running = asyncio.create_task(bridge.run())
    made = Live(clock, log, venue, bridge)
    await made.says(applied(config(settling_ns=S)), subjects.control(DEMO))
    yield made
    await bridge.drain()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    venue.open.set()
    await client.close()
    await server.stop(0)
    await hop.stop()


async def test_an_entry_and_its_exit(live: Live) -> None:
    await live.approve(opening())
    await eventually(lambda: live.held(T1) == "1")
    await live.approve(closing())
    await eventually(lambda: live.held(T1) == "closed")
    assert live.story() == ["OrderSubmitting", "OrderFilled"] * 2
    assert len(live.venue.placed) == 2


async def test_a_lost_answer_is_adopted_and_nothing_is_sent_twice(live: Live) -> None:
    live.venue.lose_answers = True
    await live.approve(opening())
    await eventually(lambda: live.held(T1) == "1" and live.story()[-1] == "OrderFilled")
    assert live.story() == ["OrderSubmitting", "OrderInDoubt", "OrderFilled"]
    assert len(live.venue.placed) == 1


async def test_a_kill_is_confirmed_by_the_node_and_bars_entries(live: Live) -> None:
    await live.approve(opening())
    await eventually(lambda: live.held(T1) == "1")
    await live.says(kill(), subjects.control(DEMO))
    await live.approve(opening(trade=T2), closing())
    await eventually(lambda: live.held(T1) == "closed" and live.held(T2) == "closed")
    await eventually(lambda: "NodeConfirmed" in live.kinds())
    assert len(live.venue.placed) == 2

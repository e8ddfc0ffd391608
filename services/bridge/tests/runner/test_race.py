"""Two bridges on one log and one node, with anything lost, late or killed: what must always hold."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import pytest
from argos_common.domain.instrument import AccountKind
from argos_common.domain.order import OrderSubmitting
from argos_common.domain.verdict import Effect
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from services.bridge.tests.fleet_kit import Fleet

HOWS = ("fill", "lost", "dropped", "hang", "stall", "part:0.4", "work", "no:REQUOTE", "no:FINAL")
MOVES = ("entry", "exit", "kill", "crash", "start", "away", "back", "exit", "cut", "heal")


async def _story(
    kind: AccountKind,
    seed: int,
    loss: float,
    script: list[str],
    moves: list[tuple[str, float]],
) -> Fleet:
    fleet = Fleet(seed, loss)
    fleet.node.script = list(script)
    fleet.node.netting = kind is AccountKind.NETTING
    times = {"settling_ns": 2 * S, "submit_window_ns": 2 * S, "doubt_grace_ns": S}
    await fleet.says(applied(config(kind, watch_ns=20 * S, **times)))
    await fleet.start()
    await fleet.start()
    await fleet.says(verdict(opening()))
    alive = [0, 1]
    fleet.node.deal_lag_s = 3.0 if seed % 2 else 0.01
    for number, (move, pause_s) in enumerate(moves):
        await fleet.clock.run(pause_s)
        match move:
            case "entry":
                await fleet.says(verdict(opening(trade=T2)))
            case "exit":
                await fleet.says(verdict(closing(leg=number + 2)))
            case "kill":
                fleet.grants = False
                await fleet.says(kill())
            case "crash" if alive:
                await fleet.crash(alive.pop(0))
            case "start" if len(alive) < 2:
                await fleet.start()
                alive.append(len(fleet.bridges) - 1)
            case "away" | "back":
                fleet.node.away = move == "away"
            case "cut" | "heal":
                fleet.logs[-1].inner.unavailable = move == "cut"
            case _:
                pass
    # Faults end; whatever is open must come to an end.
    fleet.node.away = False
    for log in fleet.logs:
        log.loss, log.inner.unavailable = 0, False
    await fleet.start()
    await fleet.clock.run(15)
    return fleet


def _check(fleet: Fleet) -> None:
    claims = [each for each in fleet.events(OrderSubmitting) if isinstance(each, OrderSubmitting)]
    assert len({each.order_id for each in claims}) == len(claims), "claimed twice"
    claimed = {each.order_id for each in claims}
    placed = fleet.node.placed
    assert {each.order_id for each in placed} <= claimed, "sent without a claim"
    assert max(Counter(each.order_id for each in placed).values(), default=0) <= 1, "sent twice"
    part = {each.order_id: (each.trade_id, each.leg, each.part) for each in claims}
    entries = [each for each in claims if each.effect is Effect.OPEN]
    done = Counter(part[each.order_id] for each in entries if each.order_id in fleet.node.executed)
    assert max(done.values(), default=0) <= 1, "two entries of one part are live"
    held = sum((each.position_delta for each in fleet.node.executed.values()), Decimal(0))
    assert held >= 0, "an exit went beyond the position"
    book = fleet.bridges[-1].state.account(DEMO).book
    assert book.held("EURUSD") == held, "book and venue differ"
    assert not fleet.demo.unresolved, "an outcome stayed unknown"


@pytest.mark.timeout(240)
@settings(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    kind=st.sampled_from((AccountKind.HEDGING, AccountKind.NETTING)),
    seed=st.integers(0, 2**32),
    loss=st.sampled_from((0.0, 0.1, 0.4)),
    script=st.lists(st.sampled_from(HOWS), max_size=3),
    moves=st.lists(
        st.tuples(st.sampled_from(MOVES), st.sampled_from((0.005, 0.02, 0.1, 0.5, 2.5))), max_size=6
    ),
)
def test_at_most_one_live_order_whatever_happens(
    kind: AccountKind, seed: int, loss: float, script: list[str], moves: list[tuple[str, float]]
) -> None:
    async def run() -> None:
        fleet = await _story(kind, seed, loss, script, moves)
        try:
            _check(fleet)
        finally:
            await fleet.stop()

    asyncio.run(run())


def test_two_bridges_send_a_hundred_entries_once_each() -> None:
    async def run() -> None:
        fleet = Fleet(7)
        await fleet.says(applied(config()))
        await fleet.start()
        await fleet.start()
        trades = [T1[:-3] + f"{number:03d}" for number in range(100)]
        for trade in trades:
            await fleet.says(verdict(opening(trade=type(T2)(trade), deadline_s=100)))
        await fleet.clock.run(60)
        placed = [each.order_id for each in fleet.node.placed]
        assert len(placed) == len(set(placed)) == 100
        await fleet.stop()

    asyncio.run(run())

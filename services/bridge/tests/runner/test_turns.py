"""Two bridges, one netting account: exits that could do more than close take turns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
from argos_common.domain.instrument import AccountKind
from argos_common.domain.order import ExitTurn, OrderSubmitting
from argos_common.runtime.log import Answer, Append, Head, Mine
from argos_common.wire import codec, subjects

from services.bridge.tests.bridge_kit import (
    DEMO,
    EURUSD,
    NOW,
    T1,
    D,
    S,
    applied,
    closing,
    config,
    oid,
    opening,
    verdict,
)
from services.bridge.tests.fleet_kit import Fleet


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    made = Fleet()
    await made.says(applied(config(AccountKind.NETTING, settling_ns=4 * S)))
    await made.start()
    await made.clock.run(1)
    await made.says(verdict(opening()))
    await made.clock.run(1)
    assert made.demo.book.trades[T1].position == D(1)
    yield made
    await made.stop()


async def test_an_exit_is_claimed_in_one_batch_with_its_turn(fleet: Fleet) -> None:
    await fleet.says(verdict(closing("0.4")))
    await fleet.clock.run(1)
    (turn,) = fleet.events(ExitTurn)
    claim = fleet.events(OrderSubmitting)[-1]
    assert isinstance(turn, ExitTurn)
    assert isinstance(claim, OrderSubmitting)
    assert turn.order_id == claim.order_id == oid(leg=2)
    assert fleet.demo.book.trades[T1].position == D("0.6")


async def test_a_claim_that_met_another_bridges_turn_is_refused_and_nothing_is_sent(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_batch = fleet.logs[0].append_batch
    taken: list[Answer] = []

    async def beaten(appends: Sequence[Append]) -> Answer:
        """Another bridge's turn lands just before our batch does, the first time."""
        if not taken:
            turn = ExitTurn(account=DEMO, order_id=oid(leg=9), symbol=EURUSD, claimed_at_ns=NOW)
            append = Append(subject=subjects.turn(DEMO), data=codec.encode(turn), condition=Head(0))
            taken.append(await fleet.log.append(append))
            answer = await append_batch(appends)
            assert not isinstance(answer, Mine)
            assert len(fleet.node.placed) == 1, "only the entry has been sent"
            return answer
        return await append_batch(appends)

    monkeypatch.setattr(fleet.logs[0], "append_batch", beaten)
    await fleet.says(verdict(closing()))
    await fleet.clock.run(2)
    assert isinstance(taken[0], Mine)
    # The other bridge claimed nothing after all, so the exit goes on with the turn after it.
    assert [each.order_id for each in fleet.node.placed] == [oid(), oid(leg=2)]
    assert T1 not in fleet.demo.book.trades


async def test_entries_and_exits_on_hedging_accounts_take_no_turn() -> None:
    fleet = Fleet()
    await fleet.says(applied(config(settling_ns=4 * S)))
    await fleet.start()
    await fleet.clock.run(1)
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    await fleet.says(verdict(closing()))
    await fleet.clock.run(1)
    assert fleet.events(ExitTurn) == []
    assert T1 not in fleet.demo.book.trades
    await fleet.stop()

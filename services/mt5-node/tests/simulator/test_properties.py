"""Whatever is sent: deals add up to positions, balances to deals, and a seed replays itself."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.harness import HEDGING, NETTING, START_NS, quiet_accounts
from argos_mt5_node.simulator.records import TradeRequest
from hypothesis import given, settings
from hypothesis import strategies as st

FAULTS = ("thin_book", "partial_fill", "late_fill", "answer_lost", "no_connection", "slippage")


@dataclass(frozen=True)
class Step:
    login: int
    wait_ms: int
    action: int
    side: int
    lots: int
    stop_points: int
    pick: int
    fault: str | None


steps = st.lists(
    st.builds(
        Step,
        login=st.sampled_from([HEDGING, NETTING]),
        wait_ms=st.integers(0, 20_000),
        action=st.sampled_from([1, 1, 1, 5, 6, 8, 10]),
        side=st.integers(0, 1),
        lots=st.integers(1, 60),
        stop_points=st.integers(0, 15),
        pick=st.integers(0, 5),
        fault=st.none() | st.sampled_from(FAULTS),
    ),
    max_size=25,
)


def request_for(broker: SimulatedBroker, step: Step, now_ns: int) -> TradeRequest:
    """A request that is mostly, not always, acceptable."""
    book = broker.book(step.login)
    tickets = [*book.positions, 0]
    position = tickets[step.pick % len(tickets)]
    quote = broker.quote("EURUSD", now_ns)
    away = Decimal(step.stop_points).scaleb(-5)
    buying = step.side == 0
    stop = (quote.bid - away if buying else quote.ask + away) if step.stop_points else Decimal(0)
    price = quote.ask - away if buying else quote.bid + away
    orders = [*book.orders, 0]
    return TradeRequest(
        action=step.action,
        symbol="EURUSD",
        type=step.side if step.action == 1 else step.side + 2,
        volume=Decimal(step.lots) / 100,
        price=price if step.action == 5 else Decimal(0),
        sl=Decimal(0) if step.action == 5 else stop,
        type_filling=2 if step.action == 5 else 1,
        position=position if step.pick % 2 else 0,
        position_by=tickets[0],
        order=orders[0],
        magic=step.pick,
        comment=f"step{step.pick}",
    )


def run(story: list[Step], *, sliced: bool = False) -> SimulatedBroker:
    broker = SimulatedBroker(11, quiet_accounts(), now_ns=START_NS)
    now_ns = START_NS
    for step in story:
        if step.fault is not None:
            broker.arm(step.login, step.fault, now_ns, count=1)
        target_ns = now_ns + step.wait_ms * 1_000_000
        while sliced and now_ns < target_ns:
            now_ns = min(target_ns, now_ns + 70_000_000)
            broker.advance(now_ns)
        now_ns = target_ns
        broker.advance(now_ns)  # the request is made from what is there then
        broker.send(step.login, request_for(broker, step, now_ns), now_ns)
    broker.advance(now_ns + 60_000_000_000)
    return broker


@settings(max_examples=60, deadline=None)
@given(steps)
def test_deals_add_up_to_positions_and_balances_exactly(story: list[Step]) -> None:
    broker = run(story)
    for login in (HEDGING, NETTING):
        book = broker.book(login)
        traded: dict[int, Decimal] = {}
        for deal in book.deals:
            if deal.type in {0, 1}:
                signed = deal.volume if deal.type == 0 else -deal.volume
                traded[deal.position_id] = traded.get(deal.position_id, Decimal(0)) + signed
        held = {
            p.identifier: p.volume if p.type == 0 else -p.volume for p in book.positions.values()
        }
        assert {key: lots for key, lots in traded.items() if lots} == held
        moved = sum(d.profit + d.commission + d.swap + d.fee for d in book.deals)
        assert book.balance == moved
        exposure = book.exposure.get("EURUSD")
        if exposure is not None:
            assert exposure.buy_lots - exposure.sell_lots == sum(held.values())
            assert exposure.count == len(held)


@settings(max_examples=25, deadline=None)
@given(steps)
def test_the_same_seed_replays_identically(story: list[Step]) -> None:
    first, second = run(story), run(story)
    assert first.record == second.record
    assert first.book(HEDGING).deals == second.book(HEDGING).deals


@settings(max_examples=25, deadline=None)
@given(steps)
def test_the_outcome_does_not_depend_on_how_often_time_is_advanced(story: list[Step]) -> None:
    assert run(story).record == run(story, sliced=True).record

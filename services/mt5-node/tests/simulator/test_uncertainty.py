"""Lag and uncertainty: answers lost, late or bare; a terminal that shows too little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argos_mt5_node.simulator.harness import HEDGING, VirtualRig
from argos_mt5_node.simulator.link import CallNeverReturns
from argos_mt5_node.simulator.switchboard import FAULTS, FaultError
from argos_mt5_node.simulator.symbols import AccountSpec

Deal = Callable[..., dict[str, Any]]


def filled(rig: VirtualRig) -> int:
    """Executions by the broker's own record."""
    return sum(entry.kind == "deal" for entry in rig.broker.record)


def test_deals_and_positions_lag_the_reply_within_the_accounts_range(deal: Deal) -> None:
    rig = VirtualRig(accounts=[AccountSpec(login=HEDGING, deal_lag_ms=(10, 40))])
    terminal = rig.terminal()
    result = terminal.order_send(deal())
    assert result.retcode == 10009
    assert terminal.history_deals_get(ticket=result.deal) == ()
    assert (terminal.positions_get(), terminal.history_orders_get(ticket=result.order)) == ((), ())
    rig.wait_ms(41)
    assert len(terminal.history_deals_get(ticket=result.deal)) == 1
    assert (
        len(terminal.positions_get()) == len(terminal.history_orders_get(ticket=result.order)) == 1
    )


def test_a_closed_position_is_still_shown_while_the_lag_lasts(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal()).order
    rig.broker.arm(HEDGING, "deal_lag", rig.now_ns, params={"min_ms": 300, "max_ms": 300})
    terminal.order_send(deal(type=1, position=ticket))
    assert [p.volume for p in terminal.positions_get()] == [0.1]
    rig.wait_ms(300)
    assert terminal.positions_get() == ()


def test_10009_may_carry_deal_0_and_price_0(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, "bare_done", rig.now_ns, count=1)
    result = terminal.order_send(deal())
    assert (result.retcode, result.deal, result.price) == (10009, 0, 0.0)
    assert len(terminal.history_deals_get(position=result.order)) == 1


@pytest.mark.parametrize("retcode", [10012, 10008])
def test_a_timeout_may_be_followed_by_a_fill(rig: VirtualRig, deal: Deal, retcode: int) -> None:
    terminal = rig.terminal()
    params = {"after_ms": 2000, "retcode": retcode}
    rig.broker.arm(HEDGING, "late_fill", rig.now_ns, count=1, params=params)
    received_ns = rig.now_ns
    result = terminal.order_send(deal())
    assert (result.retcode, result.order, result.deal) == (retcode, 0, 0)
    rig.wait_ms(1999)
    assert (terminal.positions_get(), filled(rig)) == ((), 0)
    rig.wait_ms(1)
    assert (terminal.positions_get()[0].comment, filled(rig)) == ("v1abc", 1)
    witness = rig.broker.record[0]
    assert (witness.received_ns, witness.time_ns) == (received_ns, received_ns + 2_000_000_000)


@pytest.mark.parametrize(("fault", "deals"), [("request_lost", 0), ("answer_lost", 1)])
def test_none_may_mean_before_or_after_the_broker_accepted(
    rig: VirtualRig, deal: Deal, fault: str, deals: int
) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, fault, rig.now_ns, count=1, params={"error": -10002})
    assert terminal.order_send(deal()) is None
    assert terminal.last_error() == (-10002, "IPC recv failed")
    assert filled(rig) == len(terminal.positions_get()) == deals


@pytest.mark.parametrize(("fault", "deals"), [("request_lost", 0), ("answer_lost", 1)])
def test_a_call_may_never_return_whether_or_not_it_was_executed(
    rig: VirtualRig, deal: Deal, fault: str, deals: int
) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, fault, rig.now_ns, count=1, params={"mode": "hang"})
    with pytest.raises(CallNeverReturns):
        terminal.order_send(deal())
    assert filled(rig) == deals


@pytest.mark.parametrize(
    ("fault", "retcode"),
    [
        ("requote", 10004),
        ("rejected", 10006),
        ("processing_error", 10011),
        ("market_closed", 10018),
        ("price_changed", 10020),
        ("no_quotes", 10021),
        ("too_many_requests", 10024),
        ("locked", 10028),
        ("no_connection", 10031),
    ],
)
def test_an_answer_fault_strikes_as_often_as_armed(
    rig: VirtualRig, deal: Deal, fault: str, retcode: int
) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, fault, rig.now_ns, count=2)
    codes = [terminal.order_send(deal()).retcode for _ in range(3)]
    assert (codes, filled(rig)) == ([retcode, retcode, 10009], 1)


def test_an_uncertain_answer_may_hide_an_execution(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, "no_connection", rig.now_ns, count=1, params={"executed": 1})
    assert terminal.order_send(deal()).retcode == 10031
    assert filled(rig) == len(terminal.positions_get()) == 1


def test_a_rate_draws_from_the_seed(deal: Deal) -> None:
    def codes(seed: int) -> list[int]:
        rig = VirtualRig(seed=seed)
        terminal = rig.terminal()
        rig.broker.arm(HEDGING, "requote", rig.now_ns, rate_ppm=400_000)
        return [terminal.order_send(deal()).retcode for _ in range(50)]

    assert codes(1) == codes(1) != codes(2)
    assert 5 < codes(1).count(10004) < 40


def test_a_fault_of_one_account_leaves_the_others_alone(rig: VirtualRig, deal: Deal) -> None:
    rig.broker.arm(HEDGING, "requote", rig.now_ns)
    assert rig.terminal(10_002, "C:\\B").order_send(deal()).retcode == 10009
    rig.broker.arm(0, "requote", rig.now_ns)
    assert rig.terminal(10_002, "C:\\B").order_send(deal()).retcode == 10004


def test_slippage_makes_the_fill_worse(rig: VirtualRig, deal: Deal) -> None:
    rig.broker.arm(HEDGING, "slippage", rig.now_ns, params={"points": 30})
    terminal = rig.terminal()
    assert [terminal.order_send(deal(type=t)).price for t in (0, 1)] == [1.10038, 1.0997]


def test_a_disconnected_terminal_shows_the_books_as_they_were(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(sl=1.09)).order
    rig.wait_ms(1000)
    rig.broker.arm(HEDGING, "disconnected", rig.now_ns, params={"history_delay_ms": 3000})
    rig.wait_ms(1000)
    rig.price("EURUSD", "1.08900")
    assert [p.ticket for p in terminal.positions_get()] == [ticket]
    assert terminal.terminal_info().connected is False
    assert terminal.symbol_info_tick("EURUSD").bid == 1.1


def test_history_is_incomplete_for_a_while_after_reconnecting(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(sl=1.09)).order
    rig.wait_ms(1000)
    rig.broker.arm(HEDGING, "disconnected", rig.now_ns, params={"history_delay_ms": 3000})
    rig.wait_ms(1000)
    rig.price("EURUSD", "1.08900")
    rig.broker.clear(HEDGING, rig.now_ns, "disconnected")
    assert terminal.positions_get() == ()
    assert [d.entry for d in terminal.history_deals_get(position=ticket)] == [0]
    rig.wait_ms(3000)
    assert [d.entry for d in terminal.history_deals_get(position=ticket)] == [0, 1]


def test_a_read_error_gives_none_which_is_not_flat(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    terminal.order_send(deal())
    rig.broker.arm(HEDGING, "read_error", rig.now_ns, count=1)
    assert terminal.positions_get() is None
    assert terminal.last_error() == (-1, "Terminal: Call failed")
    assert len(terminal.positions_get()) == 1


def test_a_manual_trade_may_happen_just_before_ours(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, "manual_trade", rig.now_ns, count=1, params={"side": "sell"})
    terminal.order_send(deal())
    assert [(p.type, p.magic, p.reason) for p in terminal.positions_get()] == [
        (1, 0, 0),
        (0, 77, 3),
    ]


def test_an_unknown_fault_or_parameter_is_refused_with_what_is_known(rig: VirtualRig) -> None:
    with pytest.raises(FaultError, match="known: request_lost"):
        rig.broker.arm(HEDGING, "nope", rig.now_ns)
    with pytest.raises(FaultError, match="it has: percent"):
        rig.broker.arm(HEDGING, "partial_fill", rig.now_ns, params={"share": 3})
    with pytest.raises(FaultError, match="at least one"):
        rig.broker.arm(HEDGING, "requote", rig.now_ns, count=0)
    with pytest.raises(FaultError, match="from 0 to 1000000"):
        rig.broker.arm(HEDGING, "requote", rig.now_ns, rate_ppm=1_000_001)


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_armed_struck_and_cleared(
    rig: VirtualRig, deal: Deal, name: str
) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, name, rig.now_ns)
    try:
        terminal.order_send(deal())
        terminal.positions_get()
    except CallNeverReturns:
        pass
    rig.broker.clear(HEDGING, rig.now_ns, name)
    rig.wait_ms(2000)
    assert rig.broker.state.switchboard.armed == {HEDGING: {}}
    assert terminal.order_send(deal()).retcode == 10009

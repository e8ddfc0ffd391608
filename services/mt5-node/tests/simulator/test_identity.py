"""Identity: order, position and deal; netting; what the broker overwrites; the independent record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from argos_mt5_node.simulator.harness import HEDGING, NETTING, VirtualRig
from argos_mt5_node.simulator.records import TradeRequest
from argos_mt5_node.simulator.symbols import AccountSpec

Deal = Callable[..., dict[str, Any]]


def test_the_opening_deals_position_id_is_the_order_ticket(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    result = terminal.order_send(deal())
    opened = terminal.history_deals_get(ticket=result.deal)[0]
    position = terminal.positions_get()[0]
    order = terminal.history_orders_get(ticket=result.order)[0]
    assert opened.order == opened.position_id == order.position_id == result.order
    assert (position.ticket, position.identifier) == (result.order, result.order)
    for record in (opened, position, order):
        assert (record.magic, record.comment, record.reason) == (77, "v1abc", 3)


def test_a_netting_reversal_is_one_inout_deal_with_the_same_identifier_and_a_new_ticket(
    rig: VirtualRig, deal: Deal
) -> None:
    terminal = rig.terminal(NETTING)
    first = terminal.order_send(deal()).order
    second = terminal.order_send(deal(type=1, volume=0.3)).order
    position = terminal.positions_get()[0]
    assert (position.ticket, position.identifier) == (second, first)
    assert (position.type, position.volume, position.price_open) == (1, 0.2, 1.1)
    assert [d.entry for d in terminal.history_deals_get(position=first)] == [0, 2]


def test_netting_adds_at_the_average_price_and_flattens(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal(NETTING)
    terminal.order_send(deal())
    rig.price("EURUSD", "1.10100")
    terminal.order_send(deal())
    assert terminal.positions_get()[0].price_open == 1.10058
    terminal.order_send(deal(type=1, volume=0.2))
    assert terminal.positions_get() == ()


def test_netting_takes_stops_by_symbol_and_refuses_close_by(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal(NETTING)
    terminal.order_send(deal())
    stops = {"action": 6, "symbol": "EURUSD", "sl": 1.09}
    assert terminal.order_send(stops).retcode == 10009
    close_by = {"action": 10, "position": 1, "position_by": 2}
    assert terminal.order_send(close_by).retcode == 10013


@pytest.mark.parametrize(
    ("bid", "reason", "comment"),
    [("1.08900", 4, "[sl 1.09000]"), ("1.11100", 5, "[tp 1.11000]")],
)
def test_a_stop_or_target_closes_at_market_and_overwrites_the_comment(
    rig: VirtualRig, deal: Deal, bid: str, reason: int, comment: str
) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(sl=1.09, tp=1.11)).order
    rig.price("EURUSD", bid)
    last = terminal.history_deals_get(position=ticket)[-1]
    assert (last.reason, last.comment, last.magic, last.entry) == (reason, comment, 77, 1)
    assert (last.price, terminal.positions_get()) == (float(bid), ())
    assert rig.broker.record[-1].origin == "broker"


def test_a_stop_zeroes_the_magic_where_the_broker_does_so(deal: Deal) -> None:
    rig = VirtualRig(accounts=[AccountSpec(login=HEDGING, stop_magic_zero=True)])
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(sl=1.09)).order
    rig.price("EURUSD", "1.08900")
    assert [d.magic for d in terminal.history_deals_get(position=ticket)] == [77, 0]


@pytest.mark.parametrize(
    ("fault", "stored"),
    [
        ("comment_erased", ""),
        ("comment_truncated", "v1abcdef"),
        ("comment_appended", "v1abcdefgh#b"),
    ],
)
def test_the_broker_may_change_the_comment_but_records_what_was_sent(
    rig: VirtualRig, deal: Deal, fault: str, stored: str
) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, fault, rig.now_ns, count=1)
    terminal.order_send(deal(comment="v1abcdefgh"))
    assert terminal.positions_get()[0].comment == stored
    witness = rig.broker.record[0]
    assert (witness.kind, witness.comment, witness.comment_stored) == (
        "order",
        "v1abcdefgh",
        stored,
    )


def test_the_broker_may_drop_the_magic(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, "magic_zeroed", rig.now_ns, count=1)
    terminal.order_send(deal())
    assert (terminal.positions_get()[0].magic, rig.broker.record[0].magic) == (0, 77)


def test_a_manual_close_has_reason_0_and_magic_0(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    result = terminal.order_send(deal())
    volume = rig.broker.book(HEDGING).positions[result.order].volume
    close = TradeRequest(
        action=1, symbol="EURUSD", type=1, volume=volume, type_filling=1, position=result.order
    )
    assert rig.broker.manual_trade(HEDGING, close, rig.now_ns).retcode == 10009
    last = terminal.history_deals_get(position=result.order)[-1]
    assert (last.reason, last.magic) == (0, 0)
    assert rig.broker.record[-1].origin == "manual"


def test_a_swap_reopen_changes_the_ticket_but_not_the_identifier(
    rig: VirtualRig, deal: Deal
) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(volume=1.0)).order
    rig.broker.rollover(HEDGING, rig.now_ns, reopen=True)
    position = terminal.positions_get()[0]
    assert position.ticket != ticket
    assert (position.identifier, position.swap) == (ticket, -6.5)


def test_swap_is_charged_at_the_servers_midnight_and_settled_by_the_closing_deal(
    rig: VirtualRig, deal: Deal
) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(volume=1.0)).order
    rig.broker._catch_up_ticks = 10**9
    rig.wait_ms(13 * 3_600_000)
    assert terminal.positions_get()[0].swap == -6.5
    terminal.order_send(deal(type=1, volume=0.5, position=ticket))
    assert terminal.history_deals_get(position=ticket)[-1].swap == -3.25
    assert terminal.positions_get()[0].swap == -3.25


def test_the_record_tells_requests_orders_and_deals_apart(rig: VirtualRig, deal: Deal) -> None:
    rig.terminal().order_send(deal())
    record = rig.broker.record
    assert [(e.seq, e.kind, e.origin) for e in record] == [
        (1, "order", "expert"),
        (2, "deal", "expert"),
        (3, "request", "expert"),
    ]
    assert {(e.magic, e.comment, e.received_ns) for e in record} == {(77, "v1abc", rig.now_ns)}

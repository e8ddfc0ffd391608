"""Trading on a hedging account: retcodes, filling, levels, pending orders, closing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.harness import HEDGING, VirtualRig
from argos_mt5_node.simulator.symbols import SymbolSpec, default_symbols

Deal = Callable[..., dict[str, Any]]


def eurusd(**changes: Any) -> VirtualRig:
    """A rig whose EURUSD differs from the default."""
    spec = next(s for s in default_symbols() if s.name == "EURUSD")
    changed: SymbolSpec = replace(spec, **changes)
    rest = [s for s in default_symbols() if s.name != "EURUSD"]
    return VirtualRig(symbols=[changed, *rest])


@pytest.mark.parametrize(
    ("fault", "retcode"),
    [
        ("autotrading_off", 10027),
        ("expert_off", 10026),
        ("disconnected", 10031),
        ("trade_disabled", 10017),
    ],
)
def test_each_rung_of_the_permission_ladder_has_its_retcode(
    rig: VirtualRig, deal: Deal, fault: str, retcode: int
) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, fault, rig.now_ns)
    assert terminal.order_send(deal()).retcode == retcode
    assert rig.broker.record == []
    rig.broker.clear(HEDGING, rig.now_ns, fault)
    assert terminal.order_send(deal()).retcode == 10009


def test_the_permission_flags_show_in_the_infos(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    for fault in (
        "autotrading_off",
        "expert_off",
        "disconnected",
        "trade_disabled",
        "api_disabled",
    ):
        rig.broker.arm(HEDGING, fault, rig.now_ns)
    shown, account = terminal.terminal_info(), terminal.account_info()
    assert (shown.connected, shown.trade_allowed, shown.tradeapi_disabled) == (False, False, True)
    assert (account.trade_allowed, account.trade_expert) == (False, False)


def test_a_disabled_api_gives_none_and_minus_8(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    rig.broker.arm(HEDGING, "api_disabled", rig.now_ns)
    assert terminal.order_send(deal()) is None
    assert terminal.last_error()[0] == -8


def test_a_closed_session_gives_10018_and_no_order(deal: Deal) -> None:
    rig = eurusd(weekend_closed=True)
    terminal = rig.terminal()
    rig.wait_ms(5 * 86_400_000)
    tick = terminal.symbol_info_tick("EURUSD")
    assert terminal.order_send(deal()).retcode == 10018
    rig.wait_ms(3_600_000)
    assert terminal.symbol_info_tick("EURUSD").time == tick.time
    assert (terminal.orders_get(), terminal.positions_get()) == ((), ())


@pytest.mark.parametrize(
    ("changes", "retcode"),
    [
        ({"volume": 0.015}, 10014),
        ({"volume": 0.0}, 10014),
        ({"volume": 501.0}, 10014),
        ({"volume": float("nan")}, 10013),
        ({"symbol": "NOPE"}, 10013),
        ({"action": 99}, 10013),
        ({"type": 2}, 10035),
        ({"type_filling": 2}, 10030),
        ({"type_filling": 3}, 10030),
        ({"sl": 1.11}, 10016),
        ({"tp": 1.09}, 10016),
        ({"sl": 1.0999999}, 10016),
        ({"volume": 400.0}, 10019),
        ({"position": 123}, 10036),
        ({"action": 6, "position": 123}, 10036),
        ({"action": 8, "order": 123}, 10013),
        ({"action": 7, "order": 123}, 10013),
        ({"action": 10, "position": 1, "position_by": 2}, 10036),
    ],
)
def test_a_refused_request_changes_nothing(
    rig: VirtualRig, deal: Deal, changes: dict[str, Any], retcode: int
) -> None:
    terminal = rig.terminal()
    assert terminal.order_send(deal(**changes)).retcode == retcode
    assert (terminal.positions_get(), terminal.orders_get()) == ((), ())
    assert terminal.account_info().balance == 100_000.0
    assert [entry.kind for entry in rig.broker.record] == ["request"]


def test_stops_inside_the_stops_level_give_10016(deal: Deal) -> None:
    terminal = eurusd(stops_level=50).terminal()
    assert terminal.order_send(deal(sl=1.0996)).retcode == 10016
    assert terminal.order_send(deal(sl=1.0995)).retcode == 10009


def test_a_modify_inside_the_freeze_level_gives_10029(deal: Deal) -> None:
    rig = eurusd(freeze_level=30)
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(sl=1.0998)).order
    assert terminal.order_send({"action": 6, "position": ticket, "sl": 1.09}).retcode == c.FROZEN
    rig.price("EURUSD", "1.10100")
    assert terminal.order_send({"action": 6, "position": ticket, "sl": 1.09}).retcode == c.DONE


def test_instant_execution_beyond_the_deviation_requotes(deal: Deal) -> None:
    terminal = eurusd(exemode=c.EXECUTION_INSTANT).terminal()
    instant = deal(type_filling=0, price=1.1, deviation=7)
    assert terminal.order_send(instant).retcode == 10004
    assert terminal.order_send(instant | {"deviation": 8}).retcode == 10009
    assert terminal.order_send(deal(price=1.1)).retcode == 10030


def test_market_execution_fills_at_market_whatever_price_was_asked(
    rig: VirtualRig, deal: Deal
) -> None:
    assert rig.terminal().order_send(deal(price=1.05)).price == 1.10008


def test_ioc_on_a_thin_book_gives_10010_with_less_volume(rig: VirtualRig, deal: Deal) -> None:
    rig.broker.arm(HEDGING, "thin_book", rig.now_ns, params={"lots": "0.03", "levels": 2})
    terminal = rig.terminal()
    result = terminal.order_send(deal())
    assert (result.retcode, result.volume) == (10010, 0.06)
    assert len(terminal.history_deals_get(position=result.order)) == 2
    assert terminal.positions_get()[0].volume == 0.06
    order = terminal.history_orders_get(ticket=result.order)[0]
    assert (order.state, order.volume_current) == (2, 0.04)


def test_fok_on_a_thin_book_fills_nothing(rig: VirtualRig, deal: Deal) -> None:
    rig.broker.arm(HEDGING, "thin_book", rig.now_ns)
    terminal = rig.terminal()
    result = terminal.order_send(deal(type_filling=0))
    assert (result.retcode, result.volume) == (10006, 0.0)
    assert terminal.positions_get() == ()


def test_a_partial_fill_takes_its_share_of_the_volume(rig: VirtualRig, deal: Deal) -> None:
    rig.broker.arm(HEDGING, "partial_fill", rig.now_ns, count=1, params={"percent": 35})
    terminal = rig.terminal()
    assert terminal.order_send(deal()).volume == 0.03
    assert terminal.order_send(deal()).volume == 0.1


def test_exchange_return_leaves_a_partial_order_that_fills_on(deal: Deal) -> None:
    rig = eurusd(exemode=c.EXECUTION_EXCHANGE)
    rig.broker.arm(HEDGING, "thin_book", rig.now_ns, params={"lots": "0.04"})
    terminal = rig.terminal()
    result = terminal.order_send(deal(type_filling=2))
    assert (result.retcode, terminal.orders_get()[0].state) == (10010, 3)
    rig.wait_ms(200)
    assert terminal.orders_get() == ()
    volumes = [d.volume for d in terminal.history_deals_get(position=result.order)]
    assert (volumes, terminal.positions_get()[0].volume) == ([0.04, 0.04, 0.02], 0.1)


def test_an_opposite_deal_without_position_opens_a_second_position(
    rig: VirtualRig, deal: Deal
) -> None:
    terminal = rig.terminal()
    terminal.order_send(deal())
    terminal.order_send(deal(type=1))
    assert [p.type for p in terminal.positions_get()] == [0, 1]


def test_closing_with_position_reduces_volume_and_keeps_the_identifier(
    rig: VirtualRig, deal: Deal
) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal()).order
    close = deal(type=1, volume=0.04, position=ticket)
    assert terminal.order_send(close).retcode == 10009
    left = terminal.positions_get()[0]
    assert (left.ticket, left.identifier, left.volume) == (ticket, ticket, 0.06)
    assert terminal.order_send(close | {"volume": 0.07}).retcode == 10038
    assert terminal.order_send(close | {"volume": 0.06}).retcode == 10009
    assert terminal.order_send(close | {"volume": 0.06}).retcode == 10036
    assert [d.entry for d in terminal.history_deals_get(position=ticket)] == [0, 1, 1]


def test_close_by_gives_two_out_by_deals(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    buy = terminal.order_send(deal()).order
    sell = terminal.order_send(deal(type=1, volume=0.04)).order
    result = terminal.order_send({"action": 10, "position": buy, "position_by": sell})
    assert result.retcode == 10009
    assert [d.entry for d in terminal.history_deals_get(position=buy)] == [0, 3]
    assert [d.entry for d in terminal.history_deals_get(position=sell)] == [0, 3]
    assert [(p.ticket, p.volume) for p in terminal.positions_get()] == [(buy, 0.06)]


def test_unchanged_stops_give_10025(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(sl=1.09)).order
    assert terminal.order_send({"action": 6, "position": ticket, "sl": 1.09}).retcode == 10025


def test_a_pending_limit_fills_at_its_price_or_better(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    result = terminal.order_send(deal(action=5, type=2, price=1.098, type_filling=2, sl=1.09))
    assert (result.retcode, result.deal) == (10009, 0)
    assert (terminal.orders_get()[0].state, terminal.positions_get()) == (1, ())
    rig.price("EURUSD", "1.09700")
    position = terminal.positions_get()[0]
    assert (position.ticket, position.price_open, position.sl) == (result.order, 1.09708, 1.09)
    assert terminal.orders_get() == ()


def test_a_removed_order_never_fills_and_a_filled_one_is_not_removed(
    rig: VirtualRig, deal: Deal
) -> None:
    terminal = rig.terminal()
    pending = deal(action=5, type=4, price=1.102, type_filling=2)
    first, second = terminal.order_send(pending).order, terminal.order_send(pending).order
    assert terminal.order_send({"action": 8, "order": first}).retcode == 10009
    rig.price("EURUSD", "1.10300")
    assert [p.ticket for p in terminal.positions_get()] == [second]
    assert terminal.order_send({"action": 8, "order": second}).retcode != 10009


def test_a_modified_order_waits_at_its_new_price(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(action=5, type=2, price=1.098, type_filling=2)).order
    modify = {"action": 7, "order": ticket, "price": 1.095, "sl": 1.09}
    assert [terminal.order_send(modify).retcode for _ in range(2)] == [10009, 10025]
    rig.price("EURUSD", "1.09600")
    assert terminal.orders_get()[0].price_open == 1.095


def test_a_stop_limit_rests_as_a_limit_once_its_stop_is_reached(
    rig: VirtualRig, deal: Deal
) -> None:
    terminal = rig.terminal()
    request = deal(action=5, type=6, price=1.102, stoplimit=1.101, type_filling=2)
    assert terminal.order_send(request).retcode == 10009
    rig.price("EURUSD", "1.10250")
    assert (terminal.orders_get()[0].type, terminal.positions_get()) == (2, ())
    rig.price("EURUSD", "1.10080")
    assert terminal.positions_get()[0].price_open == 1.10088


@pytest.mark.parametrize(
    ("changes", "retcode"),
    [
        ({"type": 2, "price": 1.2}, 10015),
        ({"type": 4, "price": 1.0}, 10015),
        ({"type": 2, "price": 1.09, "sl": 1.095}, 10016),
        ({"type": 2, "price": 1.09, "type_time": 2, "expiration": 5}, 10022),
        ({"type": 0, "price": 1.09}, 10035),
    ],
)
def test_a_pending_order_with_impossible_levels_is_refused(
    rig: VirtualRig, deal: Deal, changes: dict[str, Any], retcode: int
) -> None:
    terminal = rig.terminal()
    request = deal(action=5, type_filling=2) | changes
    assert (terminal.order_send(request).retcode, terminal.orders_get()) == (retcode, ())


def test_an_order_expires_on_the_servers_clock(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    server_now = terminal.symbol_info_tick("EURUSD").time
    request = deal(action=5, type=2, price=1.09, type_filling=2, type_time=2)
    ticket = terminal.order_send(request | {"expiration": server_now + 60}).order
    rig.wait_ms(59_000)
    assert len(terminal.orders_get()) == 1
    rig.wait_ms(2_000)
    assert terminal.orders_get() == ()
    assert terminal.history_orders_get(ticket=ticket)[0].state == 6


def test_order_check_answers_zero_and_leaves_everything_unchanged(
    rig: VirtualRig, deal: Deal
) -> None:
    terminal = rig.terminal()
    before = (terminal.account_info(), terminal.positions_get())
    check = terminal.order_check(deal())
    assert (check.retcode, check.margin) == (0, 110.0)
    assert terminal.order_check(deal(volume=0.015)).retcode == 10014
    assert (terminal.account_info(), terminal.positions_get()) == before
    assert rig.broker.record == []


def test_a_stop_out_closes_the_worst_position_with_reason_6(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal(volume=80.0)).order
    rig.price("EURUSD", "1.09300")
    last = terminal.history_deals_get(position=ticket)[-1]
    assert (last.entry, last.reason, last.comment[:3]) == (1, 6, "[so")
    assert terminal.positions_get() == ()


def test_profit_is_converted_to_the_accounts_currency(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    rig.price("USDJPY", "150.000")
    assert terminal.order_calc_profit(0, "USDJPY", 1.0, 150.0, 151.0) == 666.63
    assert terminal.order_calc_margin(0, "USDJPY", 1.0, 150.0) == 1000.0


def test_commission_is_charged_per_lot_and_deal(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    ticket = terminal.order_send(deal()).order
    terminal.order_send(deal(type=1, position=ticket))
    deals = terminal.history_deals_get(position=ticket)
    assert [(d.commission, d.profit) for d in deals] == [(-0.35, 0.0), (-0.35, -0.8)]
    assert rig.broker.book(HEDGING).balance == Decimal("99998.50")

"""Parsing: the argument traps, all refused before anything is sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from argos_mt5_node.simulator.harness import VirtualRig
from argos_mt5_node.simulator.parsing import is_in_group, server_seconds

Deal = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"volume": 1}, 'Invalid "volume" argument'),
        ({"sl": 0}, 'Invalid "sl" argument'),
        ({"price": "1.1"}, 'Invalid "price" argument'),
        ({"position": 1.0}, 'Invalid "position" argument'),
        ({"comment": "x" * 30}, 'Invalid "comment" argument'),
        ({"comment": "😀" * 15}, 'Invalid "comment" argument'),
        ({"comment": 5}, 'Invalid "comment" argument'),
        ({"symbol": "E" * 30}, 'Invalid "symbol" argument'),
        ({"expiration": 1.5}, 'Invalid "expiration" argument'),
    ],
)
def test_a_wrong_type_is_refused_and_nothing_is_sent(
    rig: VirtualRig, deal: Deal, changes: dict[str, Any], message: str
) -> None:
    terminal = rig.terminal()
    assert terminal.order_send(deal(**changes)) is None
    assert terminal.last_error() == (-2, message)
    assert rig.broker.record == []


@pytest.mark.parametrize(
    "changes",
    [
        {"sl": 0.0},
        {"comment": "x" * 29},
        {"comment": "😀" * 14},
        {"comment": "[in brackets]"},
        {"strategy": "unknown keys are ignored"},
        {"deviation": True},
    ],
)
def test_what_looks_odd_but_is_accepted(
    rig: VirtualRig, deal: Deal, changes: dict[str, Any]
) -> None:
    assert rig.terminal().order_send(deal(**changes)).retcode == 10009


@pytest.mark.parametrize("changes", [{"magic": -1}, {"magic": 1 << 64}, {"type": 1 << 32}])
def test_integers_that_do_not_fit_raise_system_error(
    rig: VirtualRig, deal: Deal, changes: dict[str, Any]
) -> None:
    with pytest.raises(SystemError):
        rig.terminal().order_send(deal(**changes))
    assert rig.broker.record == []


def test_an_omitted_filling_acts_as_fok(rig: VirtualRig, deal: Deal) -> None:
    request = deal()
    del request["type_filling"]
    terminal = rig.terminal()
    result = terminal.order_send(request)
    assert terminal.history_orders_get(ticket=result.order)[0].type_filling == 0


def test_keywords_equal_a_request_dict(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    assert terminal.order_send(**deal()).request == terminal.order_send(deal()).request


def test_request_as_a_keyword_sends_an_all_zero_request(rig: VirtualRig, deal: Deal) -> None:
    result = rig.terminal().order_send(request=deal())
    assert result.retcode == 10013
    assert result.request.symbol == ""


@pytest.mark.parametrize("args", [([1],), ("x",), (), ({}, {})])
def test_anything_but_one_dict_is_invalid_arguments(
    rig: VirtualRig, args: tuple[object, ...]
) -> None:
    terminal = rig.terminal()
    assert terminal.order_send(*args) is None
    assert terminal.last_error() == (-2, "Invalid arguments")


def test_positions_get_refuses_unnamed_arguments(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    assert terminal.positions_get("EURUSD") is None
    assert terminal.last_error() == (-2, "Unnamed arguments not allowed")


def test_a_misspelt_keyword_returns_everything(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    terminal.order_send(deal())
    terminal.order_send(deal(symbol="GBPUSD"))
    assert len(terminal.positions_get(magic=1)) == 2


def test_ticket_beats_symbol_beats_group(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    eur = terminal.order_send(deal()).order
    gbp = terminal.order_send(deal(symbol="GBPUSD")).order
    by_ticket = terminal.positions_get(ticket=eur, symbol="GBPUSD", group="GBP*")
    by_symbol = terminal.positions_get(symbol="GBPUSD", group="EUR*")
    assert [p.ticket for p in by_ticket] == [eur]
    assert [p.ticket for p in by_symbol] == [gbp]


def test_an_unknown_ticket_gives_an_empty_tuple_with_success(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    assert terminal.positions_get(ticket=5) == ()
    assert terminal.last_error() == (1, "Success")


def test_groups_exclude_with_an_exclamation_mark() -> None:
    symbols = ["EURUSD", "GBPUSD", "USDJPY", "XAUEUR"]
    assert [s for s in symbols if is_in_group(s, "*USD*,!EUR*")] == ["GBPUSD", "USDJPY"]


@pytest.mark.parametrize("kwargs", [{}, {"date_from": 1, "date_to": 2}, {"group": "*"}])
def test_history_without_positional_dates_is_invalid(
    rig: VirtualRig, kwargs: dict[str, Any]
) -> None:
    terminal = rig.terminal()
    assert terminal.history_deals_get(**kwargs) is None
    assert terminal.last_error()[0] == -2


def test_two_dates_make_ticket_and_position_ignored(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    order = terminal.order_send(deal()).order
    assert len(terminal.history_deals_get(1, 4e9, position=1)) == 2
    assert len(terminal.history_deals_get(position=order)) == 1


def test_history_by_ticket_is_a_deal_lookup(rig: VirtualRig, deal: Deal) -> None:
    terminal = rig.terminal()
    result = terminal.order_send(deal())
    assert terminal.history_deals_get(ticket=result.order) == ()
    assert terminal.history_deals_get(ticket=result.deal)[0].order == result.order


def test_naive_datetimes_are_read_in_the_hosts_zone() -> None:
    naive = datetime(2026, 3, 2, 12, 0)  # noqa: DTZ001 - the trap under test
    assert server_seconds("date_from", naive) == int(naive.timestamp())


def test_a_date_of_zero_is_refused_loudly(rig: VirtualRig) -> None:
    with pytest.raises(ValueError, match="date of 0"):
        rig.terminal().history_deals_get(0, 10)

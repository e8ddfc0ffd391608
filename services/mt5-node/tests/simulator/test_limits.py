"""Limits of symbols and accounts, and what a broker closes or forbids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from argos_mt5_node.simulator import constants as c
from argos_mt5_node.simulator.harness import HEDGING, VirtualRig
from argos_mt5_node.simulator.symbols import (
    AccountSpec,
    SymbolSpec,
    default_symbols,
    spec_from_json,
)

Deal = Callable[..., dict[str, Any]]


def eurusd(**changes: Any) -> list[SymbolSpec]:
    """The default symbols with another EURUSD."""
    return [replace(s, **changes) if s.name == "EURUSD" else s for s in default_symbols()]


@pytest.mark.parametrize(
    ("mode", "buy", "sell"),
    [
        (c.TRADE_MODE_DISABLED, 10017, 10017),
        (c.TRADE_MODE_LONGONLY, 10009, 10042),
        (c.TRADE_MODE_SHORTONLY, 10043, 10009),
        (c.TRADE_MODE_CLOSEONLY, 10044, 10044),
        (c.TRADE_MODE_FULL, 10009, 10009),
    ],
)
def test_the_symbols_trade_mode_says_what_may_be_opened(
    deal: Deal, mode: int, buy: int, sell: int
) -> None:
    terminal = VirtualRig(symbols=eurusd(trade_mode=mode)).terminal()
    assert [terminal.order_send(deal(type=side)).retcode for side in (0, 1)] == [buy, sell]


def test_a_long_only_symbol_may_be_closed(deal: Deal) -> None:
    terminal = VirtualRig(symbols=eurusd(trade_mode=c.TRADE_MODE_LONGONLY)).terminal()
    ticket = terminal.order_send(deal()).order
    assert terminal.order_send(deal(type=1, position=ticket)).retcode == 10009


def test_the_volume_limit_counts_one_side_of_the_symbol(deal: Deal) -> None:
    terminal = VirtualRig(symbols=eurusd(volume_limit=Decimal("0.15"))).terminal()
    sides = (0, 0, 1)
    codes = [terminal.order_send(deal(type=side)).retcode for side in sides]
    assert codes == [10009, 10034, 10009]


def test_the_accounts_limits_of_orders_and_positions_hold(deal: Deal) -> None:
    account = AccountSpec(login=HEDGING, limit_orders=1, limit_positions=1)
    terminal = VirtualRig(accounts=[account]).terminal()
    pending = deal(action=5, type=2, price=1.05, type_filling=2)
    assert [terminal.order_send(pending).retcode for _ in range(2)] == [10009, 10033]
    assert [terminal.order_send(deal()).retcode for _ in range(2)] == [10009, 10040]


def test_a_filling_mode_the_symbol_lacks_is_refused(deal: Deal) -> None:
    terminal = VirtualRig(symbols=eurusd(filling_mode=c.FILLING_FOK_BIT)).terminal()
    codes = [terminal.order_send(deal(type_filling=f)).retcode for f in (0, 1, 2)]
    assert codes == [10009, 10030, 10030]


def test_an_account_sees_only_its_own_symbols(deal: Deal) -> None:
    account = AccountSpec(login=HEDGING, symbols=("EURUSD.r",))
    terminal = VirtualRig(accounts=[account]).terminal()
    assert [s.name for s in terminal.symbols_get()] == ["EURUSD.r"]
    assert terminal.symbol_info("EURUSD") is None
    assert terminal.order_send(deal()).retcode == 10013
    assert terminal.order_send(deal(symbol="EURUSD.r")).retcode == 10009


def test_an_unknown_key_of_a_specification_is_named() -> None:
    with pytest.raises(ValueError, match="unknown key 'leverge'"):
        spec_from_json(AccountSpec, {"login": 1, "leverge": 5})

"""Every answer the terminal can give has a meaning, and the unsure ones are never a refusal."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from argos_common.domain.node import Result
from argos_common.domain.order import RefusalClass
from argos_mt5_node.core import constants
from argos_mt5_node.core.retcode import NOT_SENT, RETCODES, of_error, of_retcode


def module_constants() -> dict[str, Any]:
    text = files("argos_mt5_node.simulator").joinpath("mt5_api.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)["constants"]
    return found


def test_every_retcode_of_the_module_has_a_row_of_its_name() -> None:
    prefix = "TRADE_RETCODE_"
    named = {
        value: name.removeprefix(prefix)
        for name, value in module_constants().items()
        if name.startswith(prefix)
    }
    named[10046] = "HEDGE_PROHIBITED"  # the module has no name for it
    assert {code: row.name for code, row in RETCODES.items()} == named


def test_a_refusal_has_a_class_and_nothing_else_has() -> None:
    for row in (*RETCODES.values(), *NOT_SENT.values()):
        assert (row.refusal is not None) == (row.result is Result.REFUSED), row


@pytest.mark.parametrize("code", [10011, 10012, 10023, 10028, 10031])
def test_an_answer_that_leaves_room_for_an_execution_is_in_doubt(code: int) -> None:
    assert of_retcode(code).result is Result.IN_DOUBT


@pytest.mark.parametrize("code", [0, 10005, 10037, 10099])
def test_an_unknown_retcode_is_in_doubt(code: int) -> None:
    assert of_retcode(code).result is Result.IN_DOUBT


@pytest.mark.parametrize("code", [1, -1, -3, -5, -6, -7, -10000, -10001, -10002, -10003, -10005])
def test_none_is_in_doubt_unless_the_code_says_that_nothing_was_sent(code: int) -> None:
    assert of_error(code, "text").result is Result.IN_DOUBT


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (-2, RefusalClass.FINAL),
        (-4, RefusalClass.FINAL),
        (-8, RefusalClass.NODE_GATE),
        (-10004, RefusalClass.NODE_GATE),
    ],
)
def test_where_nothing_was_sent_it_is_a_refusal(code: int, refusal: RefusalClass) -> None:
    assert of_error(code, "text").refusal is refusal


def test_our_numbers_are_the_modules() -> None:
    theirs = module_constants()
    pairs = {
        "ACTION_DEAL": "TRADE_ACTION_DEAL",
        "ORDER_TYPE_BUY": "ORDER_TYPE_BUY",
        "ORDER_TYPE_SELL": "ORDER_TYPE_SELL",
        "ORDER_TIME_GTC": "ORDER_TIME_GTC",
        "FILLING_FOK": "ORDER_FILLING_FOK",
        "FILLING_IOC": "ORDER_FILLING_IOC",
        "FILLING_RETURN": "ORDER_FILLING_RETURN",
        "EXECUTION_REQUEST": "SYMBOL_TRADE_EXECUTION_REQUEST",
        "EXECUTION_INSTANT": "SYMBOL_TRADE_EXECUTION_INSTANT",
        "EXECUTION_MARKET": "SYMBOL_TRADE_EXECUTION_MARKET",
        "EXECUTION_EXCHANGE": "SYMBOL_TRADE_EXECUTION_EXCHANGE",
        "STATE_FILLED": "ORDER_STATE_FILLED",
        "REASON_EXPERT": "DEAL_REASON_EXPERT",
        "REASON_SL": "DEAL_REASON_SL",
        "REASON_TP": "DEAL_REASON_TP",
        "REASON_SO": "DEAL_REASON_SO",
        "DEAL_BUY": "DEAL_TYPE_BUY",
        "DEAL_SELL": "DEAL_TYPE_SELL",
        "POSITION_BUY": "POSITION_TYPE_BUY",
        "MARGIN_HEDGING": "ACCOUNT_MARGIN_MODE_RETAIL_HEDGING",
        "TRADE_MODE_REAL": "ACCOUNT_TRADE_MODE_REAL",
    }
    for ours, name in pairs.items():
        assert getattr(constants, ours) == theirs[name], name

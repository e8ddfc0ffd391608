"""Surface and error slot: the names, records and constants of the MetaTrader5 module."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from argos_mt5_node.ports import TerminalModule
from argos_mt5_node.simulator import constants
from argos_mt5_node.simulator.harness import VirtualRig


def test_32_functions_and_223_constants_exist_with_the_values_of_the_json(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    assert len(constants.FUNCTIONS) == 32
    assert all(callable(getattr(terminal, name)) for name in constants.FUNCTIONS)
    assert len(constants.CONSTANTS) == 223
    assert {name: getattr(terminal, name) for name in constants.CONSTANTS} == constants.CONSTANTS


def test_literals_of_the_broker_equal_the_json() -> None:
    table = constants.CONSTANTS
    for prefix, names in {
        "TRADE_ACTION_": {
            "ACTION_" + n: n for n in "DEAL PENDING SLTP MODIFY REMOVE CLOSE_BY".split()
        },
        "ORDER_TYPE_": {n: n for n in "BUY SELL BUY_LIMIT SELL_LIMIT BUY_STOP SELL_STOP".split()},
        "ORDER_FILLING_": {n: n for n in "FOK IOC RETURN BOC".split()},
        "ORDER_STATE_": {
            "STATE_" + n: n for n in "PLACED CANCELED PARTIAL FILLED REJECTED EXPIRED".split()
        },
        "DEAL_ENTRY_": {"ENTRY_" + n: n for n in "IN OUT INOUT OUT_BY".split()},
        "ORDER_REASON_": {"REASON_" + n: n for n in "CLIENT EXPERT SL TP SO".split()},
        "TRADE_RETCODE_": {
            n: n for n in "DONE DONE_PARTIAL PLACED TIMEOUT ERROR CONNECTION LOCKED".split()
        },
    }.items():
        for ours, theirs in names.items():
            assert getattr(constants, ours) == table[prefix + theirs], ours


@pytest.mark.parametrize("name", ["TRADE_RETCODE_HEDGE_PROHIBITED", "SYMBOL_FILLING_FOK"])
def test_names_the_module_lacks_raise_attribute_error(rig: VirtualRig, name: str) -> None:
    with pytest.raises(AttributeError):
        getattr(rig.terminal(), name)


def test_records_are_tuples_with_the_exact_field_order_and_no_fields_attribute(
    rig: VirtualRig,
) -> None:
    terminal = rig.terminal()
    shown: list[tuple[Any, str]] = [
        (terminal.account_info(), "AccountInfo"),
        (terminal.terminal_info(), "TerminalInfo"),
        (terminal.symbol_info("EURUSD"), "SymbolInfo"),
        (terminal.symbol_info_tick("EURUSD"), "Tick"),
    ]
    for record, name in shown:
        assert issubclass(type(record), tuple)
        assert type(record).__name__ == name
        assert type(record).__module__ == "builtins"
        assert tuple(record._asdict()) == constants.STRUCTS[name]
        assert not hasattr(record, "_fields")


def test_trade_records_have_the_exact_field_order(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    result = terminal.order_send(
        {"action": 1, "symbol": "EURUSD", "volume": 0.1, "type_filling": 1}
    )
    terminal.order_send(
        {
            "action": 5,
            "symbol": "EURUSD",
            "volume": 0.1,
            "type": 2,
            "price": 1.09,
            "type_filling": 2,
        }
    )
    for record, name in (
        (result, "OrderSendResult"),
        (result.request, "TradeRequest"),
        (terminal.order_check(result.request._asdict()), "OrderCheckResult"),
        (terminal.positions_get()[0], "TradePosition"),
        (terminal.orders_get()[0], "TradeOrder"),
        (terminal.history_orders_get(position=result.order)[0], "TradeOrder"),
        (terminal.history_deals_get(position=result.order)[0], "TradeDeal"),
    ):
        assert type(record).__name__ == name
        assert tuple(record._asdict()) == constants.STRUCTS[name]


def test_a_record_can_not_be_pickled(rig: VirtualRig) -> None:
    with pytest.raises(pickle.PicklingError):
        pickle.dumps(rig.terminal().account_info())


def test_assigning_a_record_field_raises_attribute_error(rig: VirtualRig) -> None:
    account = rig.terminal().account_info()
    with pytest.raises(AttributeError):
        account.balance = 1.0
    with pytest.raises(AttributeError):
        account.other = 1.0


def test_result_asdict_keeps_the_request_a_trade_request(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    result = terminal.order_send({"action": 1, "symbol": "EURUSD", "volume": 0.1})
    assert isinstance(result._asdict()["request"], type(result.request))
    assert type(result.request).__name__ == "TradeRequest"


def test_struct_names_are_importable_from_the_module(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    assert all(isinstance(getattr(terminal, name), type) for name in constants.STRUCTS)
    assert len(constants.STRUCTS) == 11


def test_positional_only_functions_refuse_keywords(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    for name in ("symbol_info", "symbol_info_tick", "copy_rates_from_pos", "copy_ticks_range"):
        with pytest.raises(TypeError):
            getattr(terminal, name)(symbol="EURUSD")


def test_market_data_that_is_not_simulated_says_so(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    copy: Any = terminal.copy_rates_from_pos
    assert copy("EURUSD", 1, 0, 10) is None
    assert terminal.last_error()[0] == constants.RES_UNSUPPORTED


def test_last_error_is_zero_before_any_call(rig: VirtualRig) -> None:
    assert rig.offline_terminal().last_error() == (0, "")


def test_a_successful_call_sets_success_and_reading_does_not_reset(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    terminal.account_info()
    assert [terminal.last_error(), terminal.last_error()] == [(1, "Success"), (1, "Success")]


def test_a_failing_calls_error_is_overwritten_by_the_next_call(rig: VirtualRig) -> None:
    terminal = rig.terminal()
    assert terminal.symbol_info("NOPE") is None
    assert terminal.last_error() == (-4, "Terminal: Not found")
    terminal.account_info()
    assert terminal.last_error() == (1, "Success")


def test_the_facade_fulfils_the_nodes_port(rig: VirtualRig) -> None:
    module: TerminalModule = rig.terminal()
    assert module.shutdown() is True

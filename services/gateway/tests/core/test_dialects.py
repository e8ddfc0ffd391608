"""What recorded messages mean, dialect by dialect."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from argos_common.domain.errors import BadInput
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, QuantityRule
from argos_gateway.core.dialect import Message, StrategyBeat, Wanted
from argos_gateway.core.payload import Payload
from argos_gateway.core.registry import DIALECTS
from argos_gateway.core.strict_json import read_object

ARGOS: dict[str, Any] = {"strategy": "trend", "bot_version": "v1", "ticker": "EURUSD"}
VIEW: dict[str, Any] = {
    "strategy": "trend",
    "bot_version": "v1",
    "ticker": "EURUSD",
    "exchange": "FX",
    "interval": "1",
    "contracts": "0.2",
    "price": "1.1",
    "order_id": "Long",
    "time": "2026-01-02T03:04:00Z",
    "timenow": "2026-01-02T03:04:05Z",
}


def read(dialect: str, fields: dict[str, Any]) -> Message:
    return DIALECTS[dialect](Payload(read_object(json.dumps(fields).encode())))


def wanted(dialect: str, fields: dict[str, Any]) -> Wanted:
    found = read(dialect, fields)
    assert isinstance(found, Wanted)
    return found


def refused(dialect: str, fields: dict[str, Any]) -> BadInput:
    with pytest.raises(BadInput) as caught:
        read(dialect, fields)
    assert "\n" not in str(caught.value)
    return caught.value


FIXED, STRATEGY = QuantityRule.FIXED, QuantityRule.STRATEGY
PERCENT = QuantityRule.POSITION_PERCENT


def move(found: Wanted) -> tuple[Action, Side | None, QuantityRule, Decimal | None, Decimal | None]:
    return found.action, found.side, found.quantity_rule, found.quantity, found.target_position


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"action": "buy"}, (Action.ENTER, Side.BUY, STRATEGY, None, None)),
        ({"action": "SELL", "quantity": 2}, (Action.ENTER, Side.SELL, FIXED, Decimal(2), None)),
        ({"action": "exit"}, (Action.EXIT, None, STRATEGY, None, None)),
        ({"action": "exit", "sentiment": "long"}, (Action.EXIT, Side.BUY, STRATEGY, None, None)),
        (
            {"action": "exit", "quantity": "50", "quantityType": "percent_of_position"},
            (Action.EXIT, None, PERCENT, Decimal(50), None),
        ),
        ({"action": "sell", "sentiment": "flat"}, (Action.EXIT, Side.BUY, STRATEGY, None, None)),
        (
            {"action": "sell", "sentiment": "bullish", "quantity": "0.1"},
            (Action.EXIT, Side.BUY, FIXED, Decimal("0.1"), None),
        ),
        ({"action": "buy", "sentiment": "bullish"}, (Action.ENTER, Side.BUY, STRATEGY, None, None)),
        ({"action": "add", "sentiment": "short"}, (Action.ENTER, Side.SELL, STRATEGY, None, None)),
        ({"target_position": -0.3}, (Action.TARGET, None, FIXED, None, Decimal("-0.3"))),
        ({"target_position": "0"}, (Action.TARGET, None, FIXED, None, Decimal(0))),
        (
            {"action": "buy", "quantity": 1000, "quantityType": "dollar_amount"},
            (Action.ENTER, Side.BUY, QuantityRule.VALUE, Decimal(1000), None),
        ),
        (
            {"action": "buy", "quantity": 1, "quantityType": "risk_percent",
             "stopLoss": {"amount": "0.01"}},
            (Action.ENTER, Side.BUY, QuantityRule.RISK_PERCENT, Decimal(1), None),
        ),
    ],
)  # fmt: skip
def test_argos_actions(
    fields: dict[str, Any],
    expected: tuple[Action, Side | None, QuantityRule, Decimal | None, Decimal | None],
) -> None:
    assert move(wanted("argos", ARGOS | fields)) == expected


def test_argos_stops_and_targets_are_prices_or_distances() -> None:
    found = wanted(
        "argos",
        ARGOS
        | {
            "action": "buy",
            "signalPrice": "1.2000",
            "stopLoss": {"type": "stop", "percent": 0.5},
            "takeProfit": {"limitPrice": 1.25},
        },
    )
    assert (found.stop_price, found.stop_distance) == (None, Decimal("0.006"))
    assert (found.take_profit_price, found.take_profit_distance) == (Decimal("1.25"), None)
    assert found.price == Decimal("1.2")


def test_argos_times_are_exact() -> None:
    found = wanted(
        "argos",
        ARGOS
        | {"action": "buy", "fired_at": "2026-01-02T04:04:05.000000006+01:00", "bar_time": 1767323045},
    )  # fmt: skip
    assert found.fired_at_ns == 1_767_323_045_000_000_006
    assert found.bar_time_ns == 1_767_323_045_000_000_000


@pytest.mark.parametrize(
    ("fields", "code", "sentence"),
    [
        ({}, "missing_field", "action is missing"),
        ({"action": "hold"}, "bad_value", "use one of buy, sell"),
        ({"action": "buy", "orderType": "limit"}, "unsupported_order_type", "send a market order"),
        ({"action": "buy", "limitPrice": 1}, "unsupported_order_type", "limitPrice"),
        ({"action": "cancel"}, "unsupported_order_type", "nothing can be cancelled"),
        ({"action": "add"}, "missing_field", "sentiment is missing"),
        ({"action": "buy", "stoploss": {}}, "unknown_field", "did you mean stopLoss?"),
        ({"action": "buy", "mine": 1}, "unknown_field", '"extras"'),
        ({"action": "buy", "quantity": "1,5"}, "bad_value", "is not a number"),
        ({"action": "buy", "quantity": "NaN"}, "bad_value", "is not a number"),
        ({"action": "buy", "quantity": 0}, "bad_value", "above zero"),
        ({"action": "buy", "quantity": True}, "bad_value", "must be a number"),
        ({"action": "buy", "quantity": 1e300}, "bad_input", "too many digits"),
        ({"action": "buy", "quantityType": "risk_percent", "quantity": 1}, "missing_field", "stop"),
        ({"action": "buy", "quantityType": "percent_of_position", "quantity": 1}, "bad_value", "exits"),
        ({"action": "exit", "quantityType": "dollar_amount", "quantity": 1}, "bad_value", "an exit"),
        ({"action": "buy", "stopLoss": {"type": "trailing_stop"}}, "unsupported_order_type", "plain"),
        ({"action": "buy", "stopLoss": {}}, "bad_value", "exactly one of"),
        ({"action": "buy", "stopLoss": {"percent": 1}}, "missing_field", "signalPrice"),
        ({"action": "buy", "stopLoss": "1.1"}, "bad_value", "an object"),
        ({"action": "buy", "target_position": 1}, "bad_value", "send one of them"),
        ({"action": "buy", "fired_at": "yesterday"}, "bad_value", "send a time such as"),
        ({"action": "buy", "fired_at": "2026-02-31T00:00:00Z"}, "bad_value", "no moment"),
        ({"action": "buy", "exchange": "NASDAQ_DLY"}, "delayed_data", "delayed data"),
        ({"action": "buy", "ticker": "NYSE_DL:IBM"}, "delayed_data", "delayed data"),
        ({"action": "buy", "ticker": ""}, "missing_field", "ticker is missing"),
        ({"action": "buy", "comment": "x" * 201}, "bad_value", "shorten it"),
    ],
)  # fmt: skip
def test_argos_refusals_name_the_field_and_the_fix(
    fields: dict[str, Any], code: str, sentence: str
) -> None:
    error = refused("argos", ARGOS | fields)
    assert error.code == code
    assert sentence in str(error)


def view(
    action: str, before: str | None, size_before: str | None, now: str | None, size: str | None
) -> dict[str, Any]:
    fields = {
        "action": action,
        "prev_market_position": before,
        "prev_market_position_size": size_before,
        "market_position": now,
        "market_position_size": size,
    }
    return VIEW | {key: value for key, value in fields.items() if value is not None}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (view("buy", "flat", "0", "long", "0.2"),
         (Action.ENTER, Side.BUY, FIXED, Decimal("0.2"), None)),
        (view("sell", "flat", "0", "short", "0.2"),
         (Action.ENTER, Side.SELL, FIXED, Decimal("0.2"), None)),
        (view("sell", "long", "0.2", "flat", "0"), (Action.EXIT, Side.BUY, STRATEGY, None, None)),
        (view("buy", "short", "0.2", "flat", "0"), (Action.EXIT, Side.SELL, STRATEGY, None, None)),
        (view("sell", None, None, "flat", None), (Action.EXIT, Side.BUY, STRATEGY, None, None)),
        (view("sell", "long", "0.2", "short", "0.3"),
         (Action.TARGET, None, FIXED, None, Decimal("-0.3"))),
        (view("buy", "short", "0.2", "long", "0.3"),
         (Action.TARGET, None, FIXED, None, Decimal("0.3"))),
        (view("buy", "long", "0.2", "long", "0.5"),
         (Action.ENTER, Side.BUY, FIXED, Decimal("0.3"), None)),
        (view("sell", "long", "0.5", "long", "0.2"),
         (Action.EXIT, Side.BUY, FIXED, Decimal("0.3"), None)),
        (view("buy", "short", "0.5", "short", "0.2"),
         (Action.EXIT, Side.SELL, FIXED, Decimal("0.3"), None)),
        (view("buy", "long", None, "long", None),
         (Action.ENTER, Side.BUY, FIXED, Decimal("0.2"), None)),
        (view("buy", None, None, "long", "0.4"),
         (Action.TARGET, None, FIXED, None, Decimal("0.4"))),
        (view("buy", "flat", "0", "long", "9") | {"sizing": "strategy"},
         (Action.ENTER, Side.BUY, STRATEGY, None, None)),
        (view("sell", "long", "9", "short", "9") | {"sizing": "strategy"},
         (Action.ENTER, Side.SELL, STRATEGY, None, None)),
        (view("sell", "long", "8", "long", "6") | {"sizing": "strategy"},
         (Action.EXIT, Side.BUY, PERCENT, Decimal(25), None)),
    ],
)  # fmt: skip
def test_tradingview_change_of_position_decides(
    fields: dict[str, Any],
    expected: tuple[Action, Side | None, QuantityRule, Decimal | None, Decimal | None],
) -> None:
    assert move(wanted("tradingview", fields)) == expected


@pytest.mark.parametrize(
    ("fields", "code", "sentence"),
    [
        (VIEW, "missing_field", "{{strategy.order.action}}"),
        (view("buy", None, None, None, None), "missing_field", "told from an exit"),
        (view("sell", "flat", "0", "long", "1"), "contradiction", "does not lead from flat to long"),
        (view("buy", "long", "1", "flat", "0"), "contradiction", "from long to flat"),
        (view("sell", "long", "1", "long", "2"), "contradiction", "from long to long"),
        (view("buy", "long", "1", "long", "1"), "bad_value", "nothing to do"),
        (view("buy", "flat", "0", "flat", "0"), "bad_value", "nothing to do"),
        (view("buy", "flat", "0", "long", "0"), "bad_value", "is 0, but"),
        (view("sell", "long", None, "short", None), "missing_field", "market_position_size"),
        (view("sell", None, None, "long", None), "missing_field", "prev_market_position"),
        (view("buy", "flat", "0", "long", "-1"), "bad_value", "not negative"),
        (view("buy", "flat", "0", "long", "1") | {"exchange": "FX_DL"}, "delayed_data", "delayed"),
    ],
)  # fmt: skip
def test_tradingview_refusals(fields: dict[str, Any], code: str, sentence: str) -> None:
    error = refused("tradingview", fields)
    assert error.code == code
    assert sentence in str(error)


def test_tradingview_keeps_the_times_and_names_of_the_alert() -> None:
    found = wanted(
        "tradingview",
        view("buy", "flat", "0", "long", "0.2") | {"stop": "1.05", "target": 1.2, "comment": ""},
    )
    assert found.symbols == ("FX:EURUSD", "EURUSD")
    assert (found.stop_price, found.take_profit_price) == (Decimal("1.05"), Decimal("1.2"))
    assert found.fired_at_ns == found.bar_time_ns + 5_000_000_000  # type: ignore[operator]  # both are given


def test_two_orders_of_one_second_are_two_alerts() -> None:
    leave = wanted("tradingview", view("sell", "long", "0.2", "flat", "0"))
    enter = wanted("tradingview", view("sell", "flat", "0", "short", "0.2"))
    assert leave.fired_at_ns == enter.fired_at_ns
    assert leave.facts != enter.facts


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_a_heartbeat_is_no_signal(dialect: str) -> None:
    assert read(dialect, {"type": "heartbeat", "strategy": "trend"}) == StrategyBeat(
        strategy="trend"
    )
    assert refused(dialect, {"type": "heartbeat"}).field == "strategy"


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        (b"", "malformed", "is empty"),
        (b"buy EURUSD", "malformed", "not JSON"),
        (b"[1]", "malformed", "must be a JSON object"),
        (b'{"a": 1, "a": 2}', "duplicate_key", "a is given twice"),
        (b'{"stop": NaN}', "not_a_number", "NaN"),
        (b'{"stop": -Infinity}', "not_a_number", "Infinity"),
        (b'{"a": "\xff"}', "not_text", "UTF-8"),
        (b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}", "too_deep", "nested"),
        (b"[" * 16_000, "too_deep", "nested"),
        (b'{"a": "' + b"x" * 17_000 + b'"}', "too_large", "larger than"),
        (b'{"contracts": {{strategy.order.contracts}}}', "placeholder", "contracts holds {{strategy"),
        (b'{"a": 1, "price": "{{close}}"}', "placeholder", "price holds {{close}}"),
        (b'{"a": {"b": ["x", "{{plot_0}}"]}}', "placeholder", "was not substituted"),
        (b'{"a": "\\ud800"}', "bad_value", "cannot be stored"),
        (b'{"a": "\\u0000"}', "bad_value", "cannot be stored"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "", ""),
    ],
)  # fmt: skip
def test_what_is_not_plain_json_is_refused(body: bytes, code: str, sentence: str) -> None:
    if not code:
        assert read_object(body)
        return
    with pytest.raises(BadInput) as caught:
        read_object(body)
    assert caught.value.code == code
    assert sentence in str(caught.value)


def test_a_byte_order_mark_is_harmless() -> None:
    assert read_object(b'\xef\xbb\xbf{"a": 1.10}') == {"a": Decimal("1.10")}

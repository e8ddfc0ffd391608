"""Argos's own dialect: TradersPost's schema, and what makes a signal exact.

    action      buy | sell: be in the market on that side (opens, adds, reverses)
                exit: leave; with sentiment only that side, with quantity only a part
                add: more of what is held; sentiment says which side
                cancel: refused, nothing rests here that could be cancelled
    sentiment   flat turns buy and sell into the exit of a short or a long position;
                the side opposite to the action makes it a partial exit
    target_position instead of action: end up with that signed position

Only market orders. Added to TradersPost's fields: id, strategy, bot_version, target_position,
fired_at (`time` is taken for it), bar_time, max_lag (seconds), quantityType risk_percent.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from argos_common.domain.money import plain
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, QuantityRule

from argos_gateway.core.dialect import (
    COMMON_FIELDS,
    STRATEGY_FIX,
    VERSION_FIX,
    Message,
    Wanted,
    read_beat,
    symbol_names,
)
from argos_gateway.core.payload import Payload

QUANTITY_TYPES = {
    "fixed_quantity": QuantityRule.FIXED,
    "dollar_amount": QuantityRule.VALUE,
    "risk_dollar_amount": QuantityRule.RISK_AMOUNT,
    "percent_of_equity": QuantityRule.EQUITY_PERCENT,
    "percent_of_position": QuantityRule.POSITION_PERCENT,
    "risk_percent": QuantityRule.RISK_PERCENT,
}
SENTIMENTS = {
    "": None, "flat": None, "bullish": Side.BUY, "long": Side.BUY, "bearish": Side.SELL,
    "short": Side.SELL,
}  # fmt: skip
SIDES = {"buy": Side.BUY, "sell": Side.SELL}
FIELDS = (
    *COMMON_FIELDS, "ticker", "exchange", "interval", "action", "sentiment", "orderType",
    "quantity", "quantityType", "takeProfit", "stopLoss", "signalPrice", "price", "time",
    "fired_at", "bar_time", "target_position", "max_lag", "timeInForce",
)  # fmt: skip
NOT_SUPPORTED = (
    "limitPrice", "stopPrice", "trailPrice", "trailAmount", "trailPercent", "cancel",
    "cancelAfter", "delay",
)  # fmt: skip
EXIT_RULES = (QuantityRule.STRATEGY, QuantityRule.FIXED, QuantityRule.POSITION_PERCENT)
NEED_STOP = (QuantityRule.RISK_AMOUNT, QuantityRule.RISK_PERCENT)


@dataclass(frozen=True, slots=True)
class _Exit:
    """A protective stop or a target: at a price, or at a distance from the entry."""

    price: Decimal | None = None
    distance: Decimal | None = None


def read(payload: Payload) -> Message:
    """What an Argos message asks for. Raises BadInput."""
    beat = read_beat(payload)
    if beat is not None:
        return beat
    _only_market(payload)
    payload.only(FIELDS)
    ticker = payload.text("ticker", 'add "ticker", such as "EURUSD"').upper()
    action, side = _action(payload)
    price = payload.positive("signalPrice") or payload.positive("price")
    stop = _exit(payload, "stopLoss", "stopPrice", price)
    target = _exit(payload, "takeProfit", "limitPrice", price)
    rule, quantity = _quantity(payload, action, stop)
    position = payload.number("target_position")
    fired_at_ns = payload.time_ns("fired_at") or payload.time_ns("time")
    bar_time_ns = payload.time_ns("bar_time")
    names = symbol_names(payload, ticker)
    return Wanted(
        strategy=payload.text("strategy", STRATEGY_FIX),
        bot_version=payload.text("bot_version", VERSION_FIX),
        symbols=names,
        action=action,
        side=side,
        quantity_rule=rule,
        quantity=quantity,
        target_position=position,
        stop_price=stop.price,
        stop_distance=stop.distance,
        take_profit_price=target.price,
        take_profit_distance=target.distance,
        price=price,
        bar_time_ns=bar_time_ns,
        fired_at_ns=fired_at_ns,
        sender_id=payload.text("id"),
        max_lag_s=payload.positive("max_lag"),
        comment=payload.text("comment"),
        facts=(
            payload.text("strategy"),
            names[0],
            payload.text("interval"),
            str(bar_time_ns or ""),
            payload.text("action").lower(),
            payload.text("sentiment").lower(),
            rule.name,
            plain(quantity) if quantity is not None else "",
            plain(position) if position is not None else "",
        ),
    )


def _only_market(payload: Payload) -> None:
    order_type = payload.text("orderType").lower()
    entry_field = next((field for field in NOT_SUPPORTED if payload.has(field)), "")
    if order_type not in {"", "market"} or entry_field:
        raise payload.refuse(
            entry_field if order_type in {"", "market"} else "orderType",
            "asks for what is not supported: limit and stop entries are not supported;"
            " send a market order",
            "unsupported_order_type",
        )


def _action(payload: Payload) -> tuple[Action, Side | None]:
    word = payload.choice("action", ("buy", "sell", "exit", "add", "cancel"))
    mood = payload.choice("sentiment", tuple(filter(None, SENTIMENTS)))
    if payload.has("target_position"):
        if word:
            raise payload.refuse("target_position", "and action are both given: send one of them")
        return Action.TARGET, None
    side = SENTIMENTS[mood]
    match word:
        case "":
            raise payload.missing("action", "send buy, sell, exit or add, or a target_position")
        case "cancel":
            raise payload.refuse(
                "action",
                "is cancel: limit and stop entries are not supported, so nothing can be cancelled;"
                " send exit to close a position",
                "unsupported_order_type",
            )
        case "exit":
            return Action.EXIT, side
        case "add":
            if side is None:
                raise payload.missing("sentiment", "an add needs bullish or bearish")
            return Action.ENTER, side
        case _:
            acting = SIDES[word]
            if mood == "flat" or (side is not None and side is not acting):
                return Action.EXIT, acting.opposite
            return Action.ENTER, acting


def _quantity(payload: Payload, action: Action, stop: _Exit) -> tuple[QuantityRule, Decimal | None]:
    kind = payload.choice("quantityType", tuple(QUANTITY_TYPES))
    quantity = payload.positive("quantity")
    if action is Action.TARGET:
        if quantity is not None or kind not in {"", "fixed_quantity"}:
            raise payload.refuse("quantity", "does not go with target_position: leave it out")
        return QuantityRule.FIXED, None
    if quantity is None:
        if kind:
            raise payload.missing("quantity", "quantityType needs it")
        return QuantityRule.STRATEGY, None
    rule = QUANTITY_TYPES[kind or "fixed_quantity"]
    if action is Action.EXIT and rule not in EXIT_RULES:
        raise payload.refuse(
            "quantityType", f"is {kind}: an exit takes fixed_quantity or percent_of_position"
        )
    if action is Action.ENTER and rule is QuantityRule.POSITION_PERCENT:
        raise payload.refuse("quantityType", "is percent_of_position: that is for exits")
    if rule in NEED_STOP and stop == _Exit():
        raise payload.missing("stopLoss", f"quantityType {kind} is computed from the stop")
    if rule is QuantityRule.POSITION_PERCENT and quantity > 100:
        raise payload.refuse("quantity", "is more than 100 percent of the position")
    return rule, quantity


def _exit(payload: Payload, field: str, price_field: str, price: Decimal | None) -> _Exit:
    inner = payload.inner(field)
    if inner is None:
        return _Exit()
    if inner.text("type").lower() not in {"", "stop"} or inner.has("trailPercent"):
        raise inner.refuse("type", "is not supported: use a plain stop", "unsupported_order_type")
    inner.only(("type", price_field, "percent", "amount"))
    found = [name for name in (price_field, "percent", "amount") if inner.has(name)]
    if len(found) != 1:
        raise payload.refuse(field, f"needs exactly one of {price_field}, percent and amount")
    value = inner.positive(found[0]) or Decimal(0)
    if found[0] == price_field:
        return _Exit(price=value)
    if found[0] == "amount":
        return _Exit(distance=value)
    if price is None:
        raise payload.missing("signalPrice", f"{field}.percent is computed from it")
    return _Exit(distance=price * value / 100)

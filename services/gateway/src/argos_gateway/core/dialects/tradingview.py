"""TradingView's strategy alerts, written with its placeholders.

An order's action alone does not say what is meant: a sell may enter a short, leave a long, or do
both. So the change of position decides, from prev_market_position to market_position:

    flat -> long, short      entry
    long, short -> flat      exit of that side
    long <-> short           reversal: end up with the signed market_position_size (a target)
    grown, shrunk            an add, a partial exit, of the difference

`sizing` says what the numbers are: "contracts" (default) takes them as units of the venue,
"strategy" ignores them and sizes by the strategy's own rule. `stop` and `target` are prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

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

FIELDS = (
    *COMMON_FIELDS, "ticker", "exchange", "interval", "action", "contracts", "market_position",
    "market_position_size", "prev_market_position", "prev_market_position_size", "position_size",
    "price", "order_id", "alert_message", "time", "timenow", "stop", "target", "sizing",
    "max_lag", "open", "high", "low", "close", "volume",
)  # fmt: skip
POSITIONS = ("long", "short", "flat")
SIDES = {"long": Side.BUY, "short": Side.SELL}
ACTIONS = {"buy": Side.BUY, "sell": Side.SELL}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """A change of position. Sizes are not negative; None where the message does not say."""

    action: str
    now: str
    before: str
    size: Decimal | None
    size_before: Decimal | None
    contracts: Decimal | None
    by_strategy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Move:
    """What is asked for, without its identity."""

    action: Action
    side: Side | None = None
    rule: QuantityRule = QuantityRule.STRATEGY
    quantity: Decimal | None = None
    target: Decimal | None = None


def read(payload: Payload) -> Message:
    """What a TradingView message asks for. Raises BadInput."""
    beat = read_beat(payload)
    if beat is not None:
        return beat
    payload.only(FIELDS)
    ticker = payload.text("ticker", 'add "ticker": "{{ticker}}"').upper()
    names = symbol_names(payload, ticker)
    strategy = payload.text("strategy", STRATEGY_FIX)
    version = payload.text("bot_version", VERSION_FIX)
    move = _move(payload, _change(payload))
    bar_time_ns = payload.time_ns("time")
    return Wanted(
        strategy=strategy,
        bot_version=version,
        symbols=names,
        action=move.action,
        side=move.side,
        quantity_rule=move.rule,
        quantity=move.quantity,
        target_position=move.target,
        stop_price=payload.positive("stop"),
        take_profit_price=payload.positive("target"),
        price=payload.positive("price"),
        bar_time_ns=bar_time_ns,
        fired_at_ns=payload.time_ns("timenow"),
        fired_field="timenow",
        sender_id=payload.text("id"),
        max_lag_s=payload.positive("max_lag"),
        comment=payload.text("comment") or payload.text("alert_message"),
        facts=(
            strategy,
            names[0],
            payload.text("interval"),
            str(bar_time_ns or ""),
            *(
                payload.text(field).lower()
                for field in (
                    "order_id", "action", "contracts", "prev_market_position",
                    "prev_market_position_size", "market_position", "market_position_size",
                )
            ),
        ),
    )  # fmt: skip


def _change(payload: Payload) -> _Change:
    action = payload.choice("action", ("buy", "sell"), 'add "action": "{{strategy.order.action}}"')
    now = payload.choice(
        "market_position",
        POSITIONS,
        'add "market_position": "{{strategy.market_position}}", so that an entry can be told from'
        " an exit",
    )
    return _Change(
        action=action,
        now=now,
        before=payload.choice("prev_market_position", POSITIONS),
        size=_size(payload, "market_position_size"),
        size_before=_size(payload, "prev_market_position_size"),
        contracts=payload.positive("contracts"),
        by_strategy=payload.choice("sizing", ("contracts", "strategy")) == "strategy",
    )


def _size(payload: Payload, field: str) -> Decimal | None:
    value = payload.number(field)
    if value is not None and value < 0:
        raise payload.refuse(field, f"is {value}: a size is not negative")
    return value


def _move(payload: Payload, change: _Change) -> _Move:
    acting = ACTIONS[change.action]
    if change.now == "flat":
        return _to_flat(payload, change, acting)
    side = SIDES[change.now]
    if change.size == 0:
        raise payload.refuse("market_position_size", f"is 0, but market_position is {change.now}")
    if not change.before:
        return _without_before(payload, change, acting, side)
    if change.before == change.now:
        return _more_or_less(payload, change, acting, side)
    if acting is not side:
        raise _contradiction(payload, change)
    if change.before == "flat":
        return _sized(change, side, change.contracts or change.size)
    if change.by_strategy:
        return _Move(action=Action.ENTER, side=side)
    return _target(payload, change, side)


def _to_flat(payload: Payload, change: _Change, acting: Side) -> _Move:
    if change.before == "flat":
        raise payload.refuse("market_position", "is flat as before: there is nothing to do")
    if change.before and SIDES[change.before] is acting:
        raise _contradiction(payload, change)
    return _Move(action=Action.EXIT, side=acting.opposite)


def _without_before(payload: Payload, change: _Change, acting: Side, side: Side) -> _Move:
    if change.size is not None and not change.by_strategy:
        return _target(payload, change, side)
    if acting is not side:
        raise payload.missing(
            "prev_market_position",
            'add "prev_market_position": "{{strategy.prev_market_position}}", so that a partial'
            " exit can be told from a reversal",
        )
    return _sized(change, side, change.contracts)


def _more_or_less(payload: Payload, change: _Change, acting: Side, side: Side) -> _Move:
    difference = None
    if change.size is not None and change.size_before is not None:
        difference = change.size - change.size_before
        if difference == 0:
            raise payload.refuse("market_position_size", "is as before: there is nothing to do")
        if (difference > 0) is not (acting is side):
            raise _contradiction(payload, change)
    if acting is side:
        return _sized(change, side, difference or change.contracts)
    if change.by_strategy and difference is not None and change.size_before:
        part = -difference * 100 / change.size_before
        return _Move(
            action=Action.EXIT,
            side=side,
            rule=QuantityRule.POSITION_PERCENT,
            quantity=part.quantize(Decimal("0.0001")),
        )
    left = -difference if difference is not None else change.contracts
    if left is None or change.by_strategy:
        raise payload.missing(
            "market_position_size", "a partial exit needs it, and prev_market_position_size"
        )
    return _Move(action=Action.EXIT, side=side, rule=QuantityRule.FIXED, quantity=left)


def _sized(change: _Change, side: Side, quantity: Decimal | None) -> _Move:
    if change.by_strategy or quantity is None:
        return _Move(action=Action.ENTER, side=side)
    return _Move(action=Action.ENTER, side=side, rule=QuantityRule.FIXED, quantity=quantity)


def _target(payload: Payload, change: _Change, side: Side) -> _Move:
    if change.size is None:
        raise payload.missing(
            "market_position_size",
            'a reversal needs "market_position_size": "{{strategy.market_position_size}}"',
        )
    return _Move(action=Action.TARGET, rule=QuantityRule.FIXED, target=side.sign * change.size)


def _contradiction(payload: Payload, change: _Change) -> Exception:
    return payload.refuse(
        "action",
        f"is {change.action}, which does not lead from {change.before} to {change.now}:"
        " send both from the same order",
        "contradiction",
    )

"""How much may be done: sizes, stops, and what the account may have at stake."""

from __future__ import annotations

from decimal import Decimal

from argos_common.domain.money import plain
from argos_common.domain.side import Side

from argos_risk.core.rule import (
    Finding,
    OpenCase,
    OpenRule,
    allowed,
    at_most,
    missing,
    money,
    refused,
)

_HUNDRED = Decimal(100)


def _size(case: OpenCase) -> Finding:
    if case.size.quantity is None:
        return refused("none", "known", f"the size cannot be worked out: {case.size.problem}")
    return allowed(plain(case.size.quantity), "known")


def _quantity_min(case: OpenCase) -> Finding:
    quantity, instrument = case.size.quantity, case.facts.instrument
    if quantity is None or instrument is None:
        return missing("whether the quantity is large enough")
    least = instrument.quantity_min
    if quantity >= least and quantity > 0:
        return allowed(plain(quantity), plain(least))
    return refused(
        plain(quantity),
        plain(least),
        f"the quantity {plain(quantity)} is below the venue's minimum of {plain(least)}",
    )


def _quantity_max(case: OpenCase) -> Finding:
    quantity, instrument = case.size.quantity, case.facts.instrument
    if quantity is None or instrument is None or case.config is None:
        return missing("whether the quantity is small enough")
    limit = case.config.limits.order_quantity_max
    if instrument.quantity_max > 0:
        limit = min(limit, instrument.quantity_max)
    return at_most("the order quantity", quantity, limit)


def _order_value(case: OpenCase) -> Finding:
    if case.value is None or case.config is None:
        return missing("the order's value")
    limits = case.config.limits
    return at_most("the order value", case.value, limits.order_value_max, case.config.currency)


def _open_positions(case: OpenCase) -> Finding:
    if case.config is None:
        return missing("how many positions may be open")
    count = case.exposure.open_trades + (1 if case.new_trade else 0)
    limit = case.config.limits.open_positions_max
    if count <= limit or not case.new_trade:
        return allowed(str(count), str(limit))
    return refused(
        str(count), str(limit), f"this would be open position {count}, the limit is {limit}"
    )


def _account_value(case: OpenCase) -> Finding:
    held = case.exposure.held_value
    if held is None:
        return missing(f"the value of what is held in {case.exposure.unvalued}")
    if case.value is None or case.config is None:
        return missing("the account's value with this order")
    total = held + case.exposure.reserved_value + case.value
    limits = case.config.limits
    return at_most(
        "the account's open value", total, limits.account_value_max, case.config.currency
    )


def _stop(case: OpenCase) -> Finding:
    stop, facts = case.protection.stop_price, case.facts
    if stop is None:
        asked = case.signal.stop_price is not None or case.signal.stop_distance is not None
        if not asked and case.route is not None and not case.route.require_stop:
            return allowed("none", "optional")
        if asked:
            return missing("the stop price")
        return refused("none", "required", "the entry has no protective stop")
    if facts.bid is None or facts.ask is None or facts.instrument is None:
        return missing("whether the stop is on the losing side")
    least = facts.instrument.stop_distance_min
    distance = facts.bid - stop if case.side is Side.BUY else stop - facts.ask
    if stop <= 0 or distance <= 0:
        side = "below the bid" if case.side is Side.BUY else "above the ask"
        return refused(
            plain(stop), f"{side}", f"the stop {plain(stop)} is not {side} of the market"
        )
    return _far_enough("stop", distance, least)


def _take_profit(case: OpenCase) -> Finding:
    target, facts = case.protection.take_profit_price, case.facts
    if target is None:
        if case.signal.take_profit_distance is not None:
            return missing("the target price")
        return allowed("none", "optional")
    if facts.bid is None or facts.ask is None or facts.instrument is None:
        return missing("whether the target is on the winning side")
    least = facts.instrument.stop_distance_min
    distance = target - facts.ask if case.side is Side.BUY else facts.bid - target
    if target <= 0 or distance <= 0:
        side = "above the ask" if case.side is Side.BUY else "below the bid"
        return refused(
            plain(target), side, f"the target {plain(target)} is not {side} of the market"
        )
    return _far_enough("target", distance, least)


def _far_enough(what: str, distance: Decimal, least: Decimal) -> Finding:
    if distance >= least:
        return allowed(plain(distance), plain(least))
    return refused(
        plain(distance),
        plain(least),
        f"the {what} is {plain(distance)} from the market, the venue wants at least {plain(least)}",
    )


def _risk_percent(case: OpenCase) -> Finding:
    facts, loss = case.facts, case.protection.loss
    if case.config is None:
        return missing("how much a trade may risk")
    limit = case.config.limits.risk_percent_max
    no_stop = case.signal.stop_price is None and case.signal.stop_distance is None
    if no_stop and case.route is not None and not case.route.require_stop:
        return allowed("no stop", plain(limit))
    if loss is None or case.size.quantity is None or facts.instrument is None:
        return missing("the loss at the stop")
    if facts.equity is None or facts.equity <= 0:
        return missing("the share of equity at risk")
    at_risk = facts.instrument.value(case.size.quantity, loss)
    # Compared without dividing, so that no rounding decides; the percentage is for the reader.
    percent = (at_risk * _HUNDRED / facts.equity).quantize(Decimal("0.0001"))
    if at_risk * _HUNDRED <= limit * facts.equity:
        return allowed(plain(percent), plain(limit))
    return refused(
        plain(percent),
        plain(limit),
        f"the loss at the stop, {money(at_risk)} {case.config.currency} or {plain(percent)} % of"
        f" equity, is above the limit of {plain(limit)} %",
    )


def _daily_loss(case: OpenCase) -> Finding:
    if case.day_loss is None or case.config is None:
        return missing("today's loss")
    limit = case.config.limits.daily_loss_max
    if case.day_loss < limit:
        return allowed(plain(case.day_loss), plain(limit))
    currency = case.config.currency
    return refused(
        plain(case.day_loss),
        plain(limit),
        f"today's loss of {money(case.day_loss)} {currency} has reached the limit of"
        f" {money(limit)} {currency}",
    )


LIMIT_RULES: tuple[OpenRule, ...] = (
    OpenRule("size", _size),
    OpenRule("quantity_min", _quantity_min),
    OpenRule("quantity_max", _quantity_max),
    OpenRule("order_value", _order_value),
    OpenRule("open_positions", _open_positions),
    OpenRule("account_value", _account_value),
    OpenRule("stop", _stop),
    OpenRule("take_profit", _take_profit),
    OpenRule("risk_percent", _risk_percent),
    OpenRule("daily_loss", _daily_loss),
)

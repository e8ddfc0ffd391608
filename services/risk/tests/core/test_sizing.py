"""Sizes: what each rule gives, and that none is ever more than its rule allows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from argos_common.domain.config import StrategyRoute
from argos_common.domain.instrument import Instrument
from argos_common.domain.side import Side
from argos_common.domain.signal import QuantityRule as Rule
from argos_risk.core.protection import protect
from argos_risk.core.sizing import Sizer
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.tests.risk_kit import FACTS, INSTRUMENT, ROUTE, D, signal


def sizer(route: StrategyRoute = ROUTE, instrument: Instrument = INSTRUMENT) -> Sizer:
    return Sizer(route=route, instrument=instrument, price=D("1.1002"), equity=D(100_000))


@pytest.mark.parametrize(
    ("rule", "amount", "multiplier", "quantity"),
    [
        (Rule.STRATEGY, None, "1", "0.10"),
        (Rule.STRATEGY, None, "0.55", "0.05"),
        (Rule.FIXED, "0.37", "1", "0.37"),
        (Rule.FIXED, "0.37", "2", "0.74"),
        (Rule.FIXED, "0.379", "1", "0.37"),
        (Rule.RISK_PERCENT, "0.5", "1", "0.5"),  # 500 USD over 100 points of 10 USD
        (Rule.RISK_AMOUNT, "123", "1", "0.12"),
        (Rule.VALUE, "110020", "1", "1"),
        (Rule.VALUE, "110019", "1", "0.99"),
        (Rule.EQUITY_PERCENT, "50", "1", "0.45"),
        (Rule.FIXED, "0.004", "1", "0"),
    ],
)
def test_each_rule_gives_its_size(
    rule: Rule, amount: str | None, multiplier: str, quantity: str
) -> None:
    ask = signal(quantity_rule=rule, quantity=None if amount is None else D(amount))
    route = replace(ROUTE, multiplier=D(multiplier))
    assert sizer(route).opening(ask, stop_loss=D("0.01")).quantity == D(quantity)


@pytest.mark.parametrize(
    ("rule", "amount", "problem"),
    [
        (Rule.FIXED, None, "the signal names no quantity above zero"),
        (Rule.FIXED, "-1", "the signal names no quantity above zero"),
        (Rule.RISK_PERCENT, "1", "sizing by risk needs a stop on the losing side of the price"),
        (Rule.POSITION_PERCENT, "50", "a percentage of the position can only be closed"),
    ],
)
def test_what_cannot_be_sized_says_why(rule: Rule, amount: str | None, problem: str) -> None:
    ask = signal(quantity_rule=rule, quantity=None if amount is None else D(amount))
    assert sizer().opening(ask, stop_loss=None).problem == problem


def test_a_stop_distance_counts_from_the_side_of_entry_and_stands_on_the_tick() -> None:
    ask = signal(stop_distance=D("0.005004"), take_profit_distance=D("0.01"))
    buy, sell = protect(ask, Side.BUY, FACTS), protect(ask, Side.SELL, FACTS)
    assert (buy.stop_price, buy.take_profit_price) == (D("1.0952"), D("1.1102"))
    assert (sell.stop_price, sell.take_profit_price) == (D("1.1050"), D("1.0900"))
    assert (buy.loss, sell.loss) == (D("0.0050"), D("0.0050"))


def test_a_stop_on_the_winning_side_measures_no_loss() -> None:
    assert protect(signal(stop_price=D("1.2")), Side.BUY, FACTS).loss is None


positive = st.decimals("0.0001", "100000", places=4)


@settings(deadline=None)
@given(
    rule=st.sampled_from([Rule.RISK_PERCENT, Rule.RISK_AMOUNT, Rule.VALUE, Rule.EQUITY_PERCENT]),
    amount=positive,
    stop_loss=st.decimals("0.0001", "0.9", places=4),
    price=positive,
    equity=positive,
    contract=st.sampled_from([D(1), D(100), D(100_000)]),
    fx=st.decimals("0.001", "200", places=5),
    step=st.sampled_from([D("0.01"), D("0.00001"), D("0.3"), D(1)]),
)
def test_a_size_is_a_multiple_of_the_step_and_never_above_its_rule(
    rule: Rule, amount: D, stop_loss: D, price: D, equity: D, contract: D, fx: D, step: D
) -> None:
    instrument = replace(
        INSTRUMENT, contract_size=contract, quote_to_account=fx, quantity_step=step
    )
    size = Sizer(route=ROUTE, instrument=instrument, price=price, equity=equity).opening(
        signal(quantity_rule=rule, quantity=amount), stop_loss
    )
    assert size.quantity is not None
    assert size.quantity % step == 0
    by_risk = rule in (Rule.RISK_PERCENT, Rule.RISK_AMOUNT)
    spent = instrument.value(size.quantity, stop_loss if by_risk else price)
    by_share = rule in (Rule.RISK_PERCENT, Rule.EQUITY_PERCENT)
    assert spent <= (equity * amount / 100 if by_share else amount)

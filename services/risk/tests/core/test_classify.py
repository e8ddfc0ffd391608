"""What a signal means for the position it meets, as a table; and that parts never exceed the whole."""

from __future__ import annotations

import pytest
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, QuantityRule, SignalAccepted
from argos_common.domain.verdict import Change
from argos_risk.core.classify import classify
from argos_risk.core.sizing import Sizer
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.tests.risk_kit import INSTRUMENT, ROUTE, D, signal

SIZER = Sizer(route=ROUTE, instrument=INSTRUMENT, price=D("1.1"), equity=D(100_000))
BLIND = Sizer(route=ROUTE, instrument=None, price=None, equity=None)


def enter(side: Side) -> SignalAccepted:
    return signal(side=side)


def leave(
    quantity: str | None = None,
    rule: QuantityRule = QuantityRule.FIXED,
    side: Side | None = None,
) -> SignalAccepted:
    amount = None if quantity is None else D(quantity)
    rule = QuantityRule.STRATEGY if quantity is None else rule
    return signal(action=Action.EXIT, quantity=amount, quantity_rule=rule, side=side)


def target(position: str, rule: QuantityRule = QuantityRule.STRATEGY) -> SignalAccepted:
    return signal(action=Action.TARGET, target_position=D(position), quantity_rule=rule)


P, V = QuantityRule.POSITION_PERCENT, QuantityRule.VALUE
# signal, position it meets, change, closes (None: all, "-": no close), opens side, sized to
TABLE: list[tuple[SignalAccepted, str, Change, str | None, Side | None, str | None]] = [
    (enter(Side.BUY), "0", Change.ENTRY, "-", Side.BUY, None),
    (enter(Side.SELL), "0", Change.ENTRY, "-", Side.SELL, None),
    (enter(Side.BUY), "0.1", Change.ADD, "-", Side.BUY, None),
    (enter(Side.SELL), "-0.1", Change.ADD, "-", Side.SELL, None),
    (enter(Side.SELL), "0.1", Change.REVERSAL, None, Side.SELL, None),
    (enter(Side.BUY), "-0.1", Change.REVERSAL, None, Side.BUY, None),
    (leave(), "0", Change.NONE, "-", None, None),
    (leave(), "0.1", Change.EXIT, None, None, None),
    (leave(side=Side.BUY), "0.1", Change.EXIT, None, None, None),
    (leave(side=Side.BUY), "-0.1", Change.NONE, "-", None, None),
    (leave("0.04"), "0.1", Change.PARTIAL_EXIT, "0.04", None, None),
    (leave("0.1"), "0.1", Change.EXIT, None, None, None),
    (leave("5"), "-0.1", Change.EXIT, None, None, None),
    (leave("0.095"), "0.1", Change.PARTIAL_EXIT, "0.09", None, None),
    (leave("0.0951"), "0.0999", Change.EXIT, None, None, None),
    (leave("50", P), "0.1", Change.PARTIAL_EXIT, "0.05", None, None),
    (leave("1", P), "0.1", Change.PARTIAL_EXIT, "0.01", None, None),
    (leave("1", P), "0.01", Change.EXIT, None, None, None),
    (leave("5500", V), "0.1", Change.PARTIAL_EXIT, "0.05", None, None),
    (leave("1", QuantityRule.RISK_PERCENT), "0.1", Change.EXIT, None, None, None),
    (target("0"), "0.1", Change.EXIT, None, None, None),
    (target("0.3"), "0", Change.ENTRY, "-", Side.BUY, "0.3"),
    (target("-0.3"), "0", Change.ENTRY, "-", Side.SELL, "0.3"),
    (target("0.3"), "0.1", Change.ADD, "-", Side.BUY, "0.2"),
    (target("-0.3"), "-0.1", Change.ADD, "-", Side.SELL, "0.2"),
    (target("0.1"), "0.3", Change.PARTIAL_EXIT, "0.2", None, None),
    (target("0.1"), "0.1", Change.NONE, "-", None, None),
    (target("0.1"), "0.0999", Change.NONE, "-", None, None),
    (target("-0.2"), "0.1", Change.REVERSAL, None, Side.SELL, "0.2"),
    (target("0.001"), "0.1", Change.EXIT, None, None, None),
    (target("22000", V), "0", Change.ENTRY, "-", Side.BUY, "0.2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("ask", "held", "change", "closes", "side", "size"),
    TABLE,
    ids=[f"{row[0].action.name}-meets-{row[1]}-is-{row[2].name}" for row in TABLE],
)
def test_the_change_follows_from_the_position_met(
    ask: SignalAccepted,
    held: str,
    change: Change,
    closes: str | None,
    side: Side | None,
    size: str | None,
) -> None:
    plan = classify(ask, D(held), SIZER)
    assert plan.change is change
    if closes == "-":
        assert plan.closing is None
    else:
        assert plan.closing is not None
        assert plan.closing.quantity == (None if closes is None else D(closes))
    assert (plan.opening.side if plan.opening else None) is side
    sized = plan.opening.size if plan.opening else None
    assert (sized.quantity if sized else None) == (None if size is None else D(size))
    assert bool(plan.note) is (change is Change.NONE)


def test_a_target_to_zero_needs_no_facts() -> None:
    assert classify(target("0"), D("0.1"), BLIND).change is Change.EXIT


def test_a_target_that_cannot_be_measured_still_closes_the_other_side() -> None:
    plan = classify(target("-5", QuantityRule.EQUITY_PERCENT), D("0.1"), BLIND)
    assert plan.change is Change.REVERSAL
    assert plan.closing is not None
    assert plan.opening is not None
    assert plan.opening.size is not None
    assert plan.opening.size.quantity is None


@settings(deadline=None)
@given(
    held=st.decimals("0.01", "50", places=2),
    amount=st.decimals("0.001", "80", places=3),
    rule=st.sampled_from([QuantityRule.FIXED, P, V]),
    blind=st.booleans(),
)
def test_an_exit_always_closes_something_and_never_more_than_is_held(
    held: D, amount: D, rule: QuantityRule, blind: bool
) -> None:
    plan = classify(leave(str(amount), rule), held, BLIND if blind else SIZER)
    assert plan.opening is None
    assert plan.closing is not None
    part = plan.closing.quantity
    assert part is None or 0 < part < held
    if part is not None and not blind:
        assert part % INSTRUMENT.quantity_step == 0
        assert part >= INSTRUMENT.quantity_min
        assert held - part >= INSTRUMENT.quantity_min

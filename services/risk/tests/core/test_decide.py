"""Verdicts: their legs, their numbers, what is reserved, and what a log of them folds to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from argos_common.domain.ids import Strategy, Symbol, TradeId
from argos_common.domain.instrument import AccountKind
from argos_common.domain.side import Side
from argos_common.domain.signal import Action, QuantityRule
from argos_common.domain.venue import DealEntry
from argos_common.domain.verdict import Change, Decision, Effect, Facts, Leg, Origin
from argos_risk.core.exposure import day_loss, measure
from argos_risk.core.kill import kill_sentence, kill_sequences
from argos_risk.core.state import next_cause

from services.risk.tests.risk_kit import (
    CONFIG,
    DEMO,
    EURUSD,
    FACTS,
    FIRST,
    NOW,
    NS_PER_S,
    D,
    World,
    applied,
    config_with,
    configured,
    deal,
    flatten,
    holding,
    kill,
    signal,
)

OTHER = "00000000-0000-5000-8000-000000000000"


def test_an_entry_is_one_leg_of_a_new_trade_with_its_protection_and_reservation() -> None:
    ask = signal("s", stop_price=D("1.0950"), take_profit_distance=D("0.01"))
    verdict = configured().verdict(ask)
    assert verdict.legs == (
        Leg(
            leg=1,
            trade_id=TradeId(ask.signal_id),
            effect=Effect.OPEN,
            side=Side.BUY,
            quantity=D("0.1"),
            deadline_ns=NOW + 10 * NS_PER_S,
            stop_price=D("1.0950"),
            take_profit_price=D("1.1102"),
            reserved_value=D(11002),
        ),
    )
    assert (verdict.change, verdict.trade_id) == (Change.ENTRY, TradeId(ask.signal_id))
    assert (verdict.control_sequence, verdict.epoch, verdict.folded_sequence) == (1, 1, 2)
    assert verdict.reason == "Approved: entry, buy 0.1 EURUSD with stop 1.095 and target 1.1102."


def test_an_add_is_the_next_leg_of_the_open_trade() -> None:
    verdict = holding().verdict(signal("more"))
    (leg,) = verdict.legs
    assert (verdict.change, leg.trade_id, leg.leg, leg.effect) == (
        Change.ADD, FIRST, 2, Effect.OPEN,
    )  # fmt: skip


def test_an_exit_while_the_entry_is_under_way_is_an_exit() -> None:
    world = configured()
    world.verdict(signal("first"))
    verdict = world.verdict(signal("out", Action.EXIT))
    (leg,) = verdict.legs
    assert (verdict.change, leg.trade_id, leg.leg, leg.close_all, leg.side) == (
        Change.EXIT, FIRST, 2, True, Side.SELL,
    )  # fmt: skip
    assert leg.deadline_ns == NOW + CONFIG.exit_deadline_ns
    assert leg.reserved_value == 0


def test_a_partial_exit_closes_its_part() -> None:
    verdict = holding(quantity="0.10").verdict(
        signal("part", Action.EXIT, quantity_rule=QuantityRule.POSITION_PERCENT, quantity=D(30))
    )
    (leg,) = verdict.legs
    assert (verdict.change, leg.quantity, leg.close_all) == (Change.PARTIAL_EXIT, D("0.03"), False)
    assert verdict.reason == "Approved: partial exit, close 0.03 of the long in EURUSD."


def test_a_reversal_closes_the_old_trade_then_opens_under_the_signals_id() -> None:
    ask = signal("turn", side=Side.SELL)
    verdict = holding().verdict(ask)
    close, opening = verdict.legs
    assert (close.trade_id, close.leg, close.effect, close.close_all) == (
        FIRST, 2, Effect.CLOSE, True,
    )  # fmt: skip
    assert (opening.trade_id, opening.leg, opening.effect, opening.after_leg) == (
        TradeId(ask.signal_id), 1, Effect.OPEN, 2,
    )  # fmt: skip
    assert verdict.change is Change.REVERSAL
    assert verdict.trade_id == TradeId(ask.signal_id)


def test_of_a_reversal_that_may_not_open_the_closing_half_passes() -> None:
    verdict = holding().says(kill()).verdict(signal("turn", side=Side.SELL))
    (leg,) = verdict.legs
    assert (verdict.decision, leg.effect, leg.trade_id) == (Decision.PARTLY, Effect.CLOSE, FIRST)
    assert verdict.reason == (
        "Approved in part: close all of the long in EURUSD."
        " Not opened: the fleet is killed (drill)."
    )


def test_a_reversal_is_measured_without_what_it_closes() -> None:
    world = holding(config_with(account_value_max=D(12_000), open_positions_max=1))
    assert world.verdict(signal("turn", side=Side.SELL)).decision is Decision.APPROVED


def test_a_sell_on_a_spot_account_closes_and_does_not_go_short() -> None:
    config = config_with(kind=AccountKind.SPOT)
    verdict = holding(config).verdict(signal("turn", side=Side.SELL))
    assert verdict.decision is Decision.PARTLY
    assert [leg.effect for leg in verdict.legs] == [Effect.CLOSE]


def test_an_exit_when_flat_is_refused_as_nothing_to_close() -> None:
    verdict = configured().verdict(signal("out", Action.EXIT))
    assert (verdict.decision, verdict.change) == (Decision.REFUSED, Change.NONE)
    assert verdict.reason == "Refused: nothing to close: the strategy is flat."


def test_another_strategys_position_is_not_closed() -> None:
    routes = (*CONFIG.strategies, replace(CONFIG.strategies[0], strategy=Strategy("other")))
    world = holding(replace(CONFIG, strategies=routes))
    verdict = world.verdict(signal("out", Action.EXIT, strategy=Strategy("other")))
    assert verdict.change is Change.NONE


def test_a_reservation_counts_until_the_deal_then_the_position_does() -> None:
    world = configured()
    entry = world.verdict(signal("first"))
    seen = [measure(world.risk, EURUSD, FACTS)]
    order = world.claim(entry, entry.legs[0])
    seen.append(measure(world.risk, EURUSD, FACTS))
    world.says(world.filled(order, D("0.1")))
    seen.append(measure(world.risk, EURUSD, FACTS))
    world.says(deal(FIRST, "0.1", order=order))
    seen.append(measure(world.risk, EURUSD, FACTS))
    assert [(each.reserved_value, each.held_value, each.open_trades) for each in seen] == [
        (D(11002), D(0), 1), (D(11002), D(0), 1), (D(0), D(11002), 1), (D(0), D(11002), 1),
    ]  # fmt: skip


def test_doubt_keeps_the_reservation_and_a_refusal_frees_it() -> None:
    world = configured()
    entry = world.verdict(signal("first"))
    order = world.claim(entry, entry.legs[0])
    world.says(world.doubt(order))
    assert measure(world.risk, EURUSD, FACTS).reserved_value == 11002
    world.says(world.no(order))
    assert measure(world.risk, EURUSD, FACTS).reserved_value == 0


def test_a_declined_leg_leaves_the_strategy_flat() -> None:
    world = configured()
    entry = world.verdict(signal("first"))
    world.decline(entry, entry.legs[0])
    assert world.verdict(signal("next")).change is Change.ENTRY


def test_the_loss_of_the_day_is_the_worse_of_deals_and_equity() -> None:
    world = holding()
    assert day_loss(world.risk, FACTS) == 0
    world.says(deal(FIRST, "0.1", Side.SELL, profit=D(-70), commission=D(-5), entry=DealEntry.OUT))
    assert day_loss(world.risk, FACTS) == 75
    floating = replace(FACTS, equity=D(99_900), balance=D(99_925))
    assert day_loss(world.risk, floating) == 100
    assert day_loss(world.risk, replace(FACTS, equity=D(99_700), balance=D(99_700))) == 300
    tomorrow = replace(FACTS, now_ns=NOW + 86_400 * NS_PER_S)
    assert day_loss(world.risk, tomorrow) == 0
    assert day_loss(world.risk, Facts(now_ns=NOW)) is None


def test_a_withdrawal_is_not_a_loss() -> None:
    world = holding().says(
        deal(OTHER, "0", entry=DealEntry.BALANCE, profit=D(-5_000), number=9, external=True)
    )
    assert day_loss(world.risk, replace(FACTS, equity=D(95_000), balance=D(95_000))) == 0


def test_a_flatten_is_one_verdict_per_open_trade_external_ones_too() -> None:
    world = holding().says(
        deal(OTHER, "0.5", Side.SELL, symbol=Symbol("XAUUSD"), venue_position_id="p9",
             external=True, number=7),
        flatten(),
    )  # fmt: skip
    given = [world.verdict(facts=Facts(now_ns=NOW)) for _ in range(2)]
    assert next_cause(world.state, DEMO) is None
    assert [each.origin for each in given] == [Origin.FLATTEN] * 2
    assert [(each.trade_id, each.legs[0].side, each.legs[0].quantity) for each in given] == [
        (FIRST, Side.SELL, D("0.1")),
        (TradeId(OTHER), Side.BUY, D("0.5")),
    ]
    assert all(each.legs[0].close_all for each in given)
    assert given[0].cause_id != given[1].cause_id
    assert given[0].reason == ("Approved: exit, close all of the long in EURUSD. Flatten: the end.")


def test_a_flatten_of_one_symbol_leaves_the_others() -> None:
    world = holding().says(flatten("XAUUSD"))
    assert next_cause(world.state, DEMO) is None


def test_a_flatten_of_a_trade_that_is_over_meanwhile_is_refused_in_words() -> None:
    world = holding().says(flatten())
    world.says(deal(FIRST, "0.1", Side.SELL, venue_position_id=f"p-{FIRST}", entry=DealEntry.OUT))
    verdict = world.verdict()
    assert verdict.decision is Decision.REFUSED
    assert verdict.reason == "Refused: nothing to close: the trade is over. Flatten: the end."


def test_a_signal_that_no_account_lists_waits_for_the_first_configuration_that_does() -> None:
    world = World().says(signal("early"))
    assert next_cause(world.state, DEMO) is None
    world.says(applied())
    assert world.verdict().decision is Decision.APPROVED
    assert world.state.unrouted == {}


def test_a_verdict_takes_its_cause_away_whoever_gave_it() -> None:
    world = configured().says(signal("s"))
    given = world.decide()
    world.says(given)
    assert next_cause(world.state, DEMO) is None
    assert world.risk.verdict_head == 3


def test_a_signal_is_pending_on_every_account_that_lists_its_strategy() -> None:
    second = replace(CONFIG, account=type(DEMO)("second"))
    third = replace(config_with(strategy=Strategy("other")), account=type(DEMO)("third"))
    world = configured().says(applied(second), applied(third), signal("s"))
    asked = [name for name in world.state.accounts if next_cause(world.state, name)]
    assert asked == ["demo", "second"]


@pytest.mark.parametrize("state", ["working", "doubt"])
def test_a_kill_keeps_which_orders_were_under_way(state: str) -> None:
    world = configured()
    entry = world.verdict(signal("first"))
    order = world.claim(entry, entry.legs[0])
    if state == "doubt":
        world.says(world.doubt(order))
    world.says(kill())
    assert world.risk.kill is not None
    assert list(world.risk.kill.under_way) == [order]
    world.says(world.filled(order, D("0.1")), replace(kill(), request_id="k2"))
    assert list(world.risk.kill.under_way) == []


def test_a_kills_reply_names_what_was_under_way_also_if_another_kill_came_before_the_reply() -> (
    None
):
    world = configured()
    entry = world.verdict(signal("first"))
    order = world.claim(entry, entry.legs[0])
    world.says(kill(), world.filled(order, D("0.1")), replace(kill(), request_id="k2"))
    said = {
        request: kill_sentence(world.state, kill_sequences(world.state, [DEMO], request), request)
        for request in ("k1", "k2")
    }
    assert f"already under way: {order} (demo)" in said["k1"]
    assert "nothing was under way" in said["k2"]

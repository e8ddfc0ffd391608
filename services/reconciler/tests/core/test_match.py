"""Which deals carried out which order, and what that cost."""

from __future__ import annotations

from dataclasses import replace

import pytest
from argos_common.domain.event import Event
from argos_common.domain.ids import SignalId, TradeId
from argos_common.domain.order import OrderAbsent, OrderFilled, OrderSubmitting
from argos_common.domain.reconcile import MatchMethod, OrderMatched
from argos_common.domain.side import Side
from argos_common.domain.venue import Deal, DealReason
from argos_common.domain.verdict import Effect
from argos_reconciler.core.match import FINGERPRINT_AFTER_NS, Match, base_asset, match_of
from argos_reconciler.core.state import State

from services.reconciler.tests.reconciler_kit import (
    DEMO,
    INSTRUMENT,
    MS,
    NOW,
    SECOND,
    D,
    deal,
    filled,
    leg,
    recorded,
    signal,
    submitting,
    verdict,
)

TRADE = TradeId(signal().signal_id)
LATER = NOW + 60 * SECOND


def state_of(*events: Event) -> State:
    """The state after a signal, its verdict and these."""
    state = State()
    story = (signal(), verdict(signal().signal_id, (leg(TRADE),)), *events)
    for number, event in enumerate(story, start=1):
        state.fold(number, NOW + number * MS, event)
    return state


def matches(state: State, now_ns: int = LATER) -> list[Match]:
    matcher = state.account(DEMO).matcher
    matcher.look_again(now_ns)
    return [match_of(matcher.orders[order_id], now_ns) for order_id in matcher.complete]


def test_an_order_and_its_tagged_deal_match_with_slippage_cost_and_latency() -> None:
    asked = submitting(TRADE)
    found = matches(state_of(asked, filled(asked), recorded(deal(asked), TRADE)))
    assert found == [
        Match(
            event=OrderMatched(
                account=DEMO,
                trade_id=TRADE,
                order_id=asked.order_id,
                method=MatchMethod.TAG,
                deal_ids=("d1",),
                quantity=D(1),
                average_price=D("1.1003"),
                commission=D("3.5"),
                cost=D("13.5"),
                matched_at_ns=LATER,
                intended_price=D("1.1002"),
                slippage=D("0.0001"),
                slippage_cash=D(10),
                latency_ms=D(10),
            ),
            latency_clock="venue",
        )
    ]


@pytest.mark.parametrize(
    ("side", "price", "slippage"),
    [
        (Side.BUY, "1.1004", "0.0002"),
        (Side.BUY, "1.1001", "-0.0001"),
        (Side.SELL, "1.0998", "0.0002"),
        (Side.SELL, "1.1001", "-0.0001"),
    ],
)
def test_slippage_is_positive_when_it_is_worse_whatever_the_side(
    side: Side, price: str, slippage: str
) -> None:
    asked = submitting(TRADE, side=side)
    found = matches(
        state_of(asked, filled(asked, price), recorded(deal(asked, price=price), TRADE))
    )
    assert [each.event.slippage for each in found] == [D(slippage)]


def test_a_deal_before_the_answer_matches_as_one_after_it() -> None:
    asked = submitting(TRADE)
    told = recorded(deal(asked), TRADE)
    first = matches(state_of(asked, told, filled(asked)))
    second = matches(state_of(asked, filled(asked), told))
    assert first == second
    assert len(first) == 1


def test_an_untagged_deal_is_found_by_the_ticket_of_the_answer_whichever_comes_first() -> None:
    asked = submitting(TRADE)
    told = recorded(deal(asked, tagged=False), TRADE, "ticket")
    for events in ((asked, filled(asked), told), (asked, told, filled(asked))):
        found = matches(state_of(*events))
        assert [each.event.method for each in found] == [MatchMethod.TICKET]


def test_an_untagged_deal_is_found_by_the_position_that_only_this_order_opened() -> None:
    asked = submitting(TRADE)
    told = recorded(deal(asked, tagged=False, venue_order=""), TRADE, "ticket")
    found = matches(state_of(asked, filled(asked), told))
    assert [each.event.method for each in found] == [MatchMethod.TICKET]


def anonymous(asked: OrderSubmitting, **changes: object) -> Deal:
    """A deal that names nothing."""
    made = deal(asked, tagged=False, venue_order="", position="elsewhere")
    return replace(made, **changes)  # type: ignore[arg-type]  # any field, by name


def test_a_deal_that_names_nothing_is_found_by_its_fingerprint_after_a_while() -> None:
    asked = submitting(TRADE)
    state = state_of(asked, filled(asked), recorded(anonymous(asked), TRADE, "external"))
    assert matches(state, NOW + 4 * MS) == []
    found = matches(state, NOW + FINGERPRINT_AFTER_NS + 100 * MS)
    assert [each.event.method for each in found] == [MatchMethod.FINGERPRINT]


@pytest.mark.parametrize(
    "changes",
    [
        {"side": Side.SELL},
        {"price": D("1.2")},
        {"quantity": D("0.5")},
        {"venue_time_ns": NOW - 3600 * SECOND},
        {"venue_time_ns": NOW + 3600 * SECOND},
        {"venue_order_id": "another"},
        {"symbol": "GBPUSD"},
        {"reason": DealReason.STOP_LOSS},
    ],
)
def test_a_deal_whose_fingerprint_differs_is_not_taken(changes: dict[str, object]) -> None:
    asked = submitting(TRADE)
    told = recorded(anonymous(asked, **changes), TRADE, "external")
    assert matches(state_of(asked, filled(asked), told)) == []


def test_a_deal_that_two_orders_could_claim_is_nobodys() -> None:
    one, two = submitting(TRADE, 1), submitting(TRADE, 2)
    events = (one, two, filled(one, venue_order=""), filled(two, venue_order=""))
    told = recorded(anonymous(one), TRADE, "external")
    assert matches(state_of(*events, told)) == []


def test_two_partial_deals_match_at_their_average_when_they_add_up() -> None:
    asked = submitting(TRADE)
    half = recorded(deal(asked, "d1", "1.1003", D("0.4")), TRADE)
    rest = recorded(deal(asked, "d2", "1.1008", D("0.6")), TRADE)
    assert matches(state_of(asked, filled(asked, "1.1006"), half)) == []
    (found,) = matches(state_of(asked, filled(asked, "1.1006"), half, rest))
    assert found.event.average_price == D("1.1006")
    assert found.event.deal_ids == ("d1", "d2")
    assert found.event.commission == D(7)


def test_a_partial_fill_that_ended_matches_with_what_was_filled() -> None:
    asked = submitting(TRADE)
    told = recorded(deal(asked, quantity=D("0.3")), TRADE)
    assert matches(state_of(asked, filled(asked, quantity=D("0.3"), done=False), told)) == []
    (found,) = matches(state_of(asked, filled(asked, quantity=D("0.3")), told))
    assert found.event.quantity == D("0.3")


def test_the_same_deal_twice_is_counted_once() -> None:
    asked = submitting(TRADE)
    told = recorded(deal(asked, quantity=D("0.5")), TRADE)
    assert matches(state_of(asked, filled(asked), told, told)) == []


def test_a_matched_order_is_forgotten_and_so_is_what_it_held() -> None:
    asked = submitting(TRADE)
    state = state_of(asked, filled(asked), recorded(deal(asked), TRADE))
    (found,) = matches(state)
    state.fold(99, NOW, found.event)
    matcher = state.account(DEMO).matcher
    assert (matcher.orders, matcher.complete, matcher.by_ticket, matcher.loose) == ({}, {}, {}, {})


def test_an_order_called_absent_that_was_filled_after_all_still_matches() -> None:
    asked = submitting(TRADE)
    gone = OrderAbsent(order_id=asked.order_id, account=DEMO, why="watched", at_ns=NOW)
    state = state_of(asked, gone)
    assert state.account(DEMO).matcher.orders == {}
    late = state_of(asked, gone, filled(asked), recorded(deal(asked), TRADE))
    assert [each.event.order_id for each in matches(late)] == [asked.order_id]


def test_a_stop_hit_at_the_venue_is_no_part_of_the_order_whose_position_it_closed() -> None:
    asked = submitting(TRADE)
    stop = replace(
        deal(asked, "d2", tagged=False, venue_order="v2"),
        side=Side.SELL,
        reason=DealReason.STOP_LOSS,
    )
    told = (recorded(deal(asked), TRADE), recorded(stop, TRADE, "ticket"))
    (found,) = matches(state_of(asked, filled(asked), *told))
    assert found.event.deal_ids == ("d1",)


def test_a_system_intent_has_no_latency() -> None:
    asked = replace(submitting(TRADE, 2, Side.SELL, Effect.CLOSE), cause_id=SignalId("system"))
    told = recorded(deal(asked), TRADE)
    (found,) = matches(state_of(asked, filled(asked), told))
    assert found.event.latency_ms is None


def test_a_venue_clock_that_cannot_be_right_gives_way_to_the_nodes() -> None:
    asked = submitting(TRADE)
    skewed = replace(deal(asked), venue_time_ns=NOW + 3 * 3600 * SECOND)
    (found,) = matches(state_of(asked, filled(asked), recorded(skewed, TRADE)))
    assert (found.latency_clock, found.event.latency_ms) == ("node", D(12))


def test_a_fill_without_a_node_hop_takes_the_bridges_time() -> None:
    asked = submitting(TRADE)
    told = OrderFilled(
        order_id=asked.order_id,
        account=DEMO,
        venue_order_id="v1",
        venue_position_id="p1",
        filled_quantity=D(1),
        average_price=D("1.1003"),
        done=True,
        evidence="tag",
        at_ns=NOW + 7 * SECOND,
    )
    (found,) = matches(state_of(asked, told, recorded(deal(asked), TRADE)))
    assert found.event.latency_ms == D(10)


@pytest.mark.parametrize(
    ("fee", "asset", "cost"),
    [
        ("-2", "", "15.5"),
        ("-2", "USD", "15.5"),
        ("-0.001", "EUR", "13.5011003"),
        ("-9", "BNB", "13.5"),
    ],
)
def test_fees_count_in_the_currency_they_were_taken_in(fee: str, asset: str, cost: str) -> None:
    asked = submitting(TRADE)
    made = replace(deal(asked), fee=D(fee), fee_asset=asset)
    (found,) = matches(state_of(asked, filled(asked), recorded(made, TRADE)))
    assert found.event.cost == D(cost)


@pytest.mark.parametrize(
    ("name", "base"), [("BTC/USD", "BTC"), ("BTC-USD", "BTC"), ("BTCUSD", "BTC"), ("EURUSD", "EUR")]
)
def test_the_base_asset_comes_from_the_venues_name(name: str, base: str) -> None:
    assert base_asset(replace(INSTRUMENT, venue_symbol=name)) == base

"""Which approved leg wants an order, and which never will."""

from __future__ import annotations

from dataclasses import replace

import pytest
from argos_bridge.core.state import BridgeState
from argos_bridge.core.step import Submit, Wait
from argos_common.domain import ids
from argos_common.domain.instrument import AccountKind
from argos_common.domain.order import (
    OrderAbsent,
    OrderAcknowledged,
    OrderInDoubt,
    OrderPresumedAbsent,
    OrderSealed,
    OrderState,
    OrderSubmitting,
    RefusalClass,
)
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.wire.codec import from_json, to_json

from services.bridge.tests.bridge_kit import (
    DEMO,
    EURUSD,
    NOW,
    T1,
    T2,
    TREND,
    D,
    S,
    World,
    closing,
    deal,
    filled,
    kill,
    oid,
    opening,
    refused,
    release,
    verdict,
)


def in_doubt(order: ids.OrderId) -> OrderInDoubt:
    return OrderInDoubt(order_id=order, account=DEMO, cause="?", at_ns=NOW)


def test_an_approved_entry_is_submitted_whole() -> None:
    world = World()
    sequence = world.says(verdict(opening("0.5")))

    order = oid()
    assert world.step() == Submit(
        event=OrderSubmitting(
            order_id=order,
            account=DEMO,
            trade_id=T1,
            cause_id=ids.SignalId(T1),
            strategy=TREND,
            bot_version="trend-1",
            leg=1,
            part=1,
            attempt=1,
            symbol=EURUSD,
            venue_symbol="EURUSD.x",
            side=Side.BUY,
            effect=Effect.OPEN,
            quantity=D("0.5"),
            deadline_ns=NOW + 5 * S,
            control_sequence=1,
            epoch=0,
            lease="nonce",
            tag=ids.tag(order),
            magic=ids.magic(order, TREND),
            writer="w",
            claimed_at_ns=NOW,
            verdict_sequence=sequence,
            stop_price=D("1.09"),
            intended_price=D("1.1002"),
        )
    )


def test_without_a_lease_an_entry_waits_and_then_is_too_late() -> None:
    world = World()
    world.says(verdict(opening()))
    assert world.step(lease="") == Wait(until_ns=NOW + 10 * S, why="nothing to do")
    world.now_ns = NOW + 12 * S + 345_000_000
    step = world.step(lease="")
    assert getattr(step, "event").sentence == "too late by 2.345 s"  # noqa: B009  # any step
    assert world.declines() == "too_late"
    assert (world.demo.opening, world.demo.book.trades) == ({}, {})


def test_a_kill_between_approval_and_claim_declines_entries_and_passes_exits() -> None:
    world = World()
    world.opens()
    world.says(verdict(opening(trade=T2)), kill())
    assert world.declines() == "stale"
    world.says(release())
    world.says(verdict(closing()), kill())
    exit_order = world.submits(lease="")
    assert (exit_order.effect, exit_order.lease, exit_order.control_sequence) == (
        Effect.CLOSE,
        "",
        world.demo.control.sequence,
    )


def test_a_release_does_not_revive_what_was_approved_before_the_kill() -> None:
    world = World()
    world.says(verdict(opening()), kill(), release())
    assert world.declines() == "stale"


@pytest.mark.parametrize("state", ["submitting", "in_doubt"])
def test_an_unknown_outcome_holds_new_risk_on_its_symbol(state: str) -> None:
    world = World()
    world.says(verdict(opening()), verdict(opening(trade=T2)))
    order = world.submits().order_id
    if state == "in_doubt":
        world.says(in_doubt(order))
    assert isinstance(world.step(), Wait)
    world.says(filled(order), deal(order))
    assert world.submits().trade_id == T2


def test_presumed_absence_does_not_hold_new_risk_but_is_never_followed_by_another_attempt() -> None:
    world = World()
    world.says(verdict(opening(deadline_s=1000)))
    order = world.submits().order_id
    world.says(
        in_doubt(order),
        OrderSealed(order_id=order, account=DEMO, never_sent=False, at_ns=NOW),
        OrderPresumedAbsent(order_id=order, account=DEMO, passes=2, at_ns=NOW),
    )
    assert isinstance(world.step(), Wait)
    assert not world.demo.book.trades[T1].legs[1].over  # so that it stays reserved
    world.says(verdict(opening(trade=T2)))
    assert world.submits().trade_id == T2


def test_sealed_before_it_was_sent_is_followed_by_attempt_two() -> None:
    world = World()
    world.says(verdict(opening()))
    order = world.submits().order_id
    world.says(
        in_doubt(order),
        OrderSealed(order_id=order, account=DEMO, never_sent=True, at_ns=NOW),
        OrderAbsent(order_id=order, account=DEMO, why="sealed", at_ns=NOW),
    )
    world.now_ns += S
    second = world.submits()
    assert (second.attempt, second.order_id) == (2, oid(attempt=2))


@pytest.mark.parametrize(
    ("refusal", "code", "retries", "pause_s"),
    [
        (RefusalClass.REQUOTE, "", 3, 0.2),
        (RefusalClass.RATE_LIMIT, "", 5, 60),
        (RefusalClass.VENUE_ERROR, "", 2, 30),
        (RefusalClass.MARKET_CLOSED, "", 0, 0),
        (RefusalClass.NODE_GATE, "lease_not_live", 3, 0.6),
        (RefusalClass.NODE_GATE, "terminal_down", 5, 1),
        (RefusalClass.NODE_GATE, "epoch_old", 0, 0),
        (RefusalClass.NODE_GATE, "deadline_passed", 0, 0),
    ],
)
def test_a_refused_entry_is_retried_as_its_class_allows(
    refusal: RefusalClass, code: str, retries: int, pause_s: float
) -> None:
    world = World()
    world.says(verdict(opening(deadline_s=10_000)))
    for attempt in range(1, retries + 2):
        order = world.submits()
        assert order.attempt == attempt
        world.says(refused(order.order_id, refusal, code))
        if attempt <= retries:
            due_ns = world.now_ns + int(pause_s * S)
            assert world.step() == Wait(until_ns=due_ns, why="nothing to do")
            world.now_ns = due_ns
    assert world.declines() == (code or "refused")
    assert world.demo.book.trades == {}


@pytest.mark.parametrize("refusal", [RefusalClass.FINAL, RefusalClass.NO_MONEY])
def test_a_final_refusal_ends_an_entry_by_itself(refusal: RefusalClass) -> None:
    world = World()
    world.says(verdict(opening()))
    world.says(refused(world.submits().order_id, refusal))
    assert world.step() == Wait(until_ns=None, why="nothing to do")
    assert world.demo.book.trades == {}


def test_a_retry_that_could_only_come_after_the_deadline_is_declined_now() -> None:
    world = World()
    world.says(verdict(opening(deadline_s=10)))
    world.says(refused(world.submits().order_id, RefusalClass.RATE_LIMIT))
    assert world.declines() == "too_late"


def test_an_entry_superseded_by_an_exit_is_declined_and_the_exit_too() -> None:
    world = World()
    world.says(verdict(opening()), verdict(closing()))
    assert world.declines() == "superseded"
    assert world.declines() == "nothing_to_close"
    assert world.demo.book.trades == {}


def test_an_add_to_a_trade_closed_meanwhile_is_declined() -> None:
    world = World()
    world.opens()
    world.says(verdict(opening(leg=2)))
    world.says(deal(None, "1", out=True, number="stop"))
    assert world.declines() == "trade_closed"


def test_a_reversal_opens_after_the_old_position_is_closed() -> None:
    world = World()
    world.opens()
    world.says(verdict(closing(), opening(trade=T2, after=2), cause=T2))
    out = world.submits()
    assert (out.trade_id, out.position_ref, out.quantity, out.side) == (T1, "p1", D(1), Side.SELL)
    assert isinstance(world.step(), Wait)
    world.says(filled(out.order_id))
    assert isinstance(world.step(), Wait)  # the deal is owed
    world.says(deal(out.order_id, out=True))
    assert world.submits().trade_id == T2


def test_a_reversal_whose_exit_fails_is_declined() -> None:
    world = World()
    world.opens()
    world.says(verdict(closing(), opening(trade=T2, after=2, deadline_s=1000), cause=T2))
    world.says(refused(world.submits().order_id, RefusalClass.FINAL))
    assert world.declines() == "code"  # the exit: refused for good
    assert world.declines() == "not_closed"
    trade = world.demo.book.trades[T1]
    assert (trade.position, trade.closed, world.demo.book.expected(trade)) == (D(1), False, D(1))


def test_hedging_closes_each_position_by_its_own_order() -> None:
    world = World()
    world.opens("1")
    world.says(verdict(opening("0.5", leg=2)))
    add = world.submits().order_id
    world.says(filled(add, "0.5", position="p2"), deal(add, "0.5", position="p2"))
    world.says(verdict(closing(leg=3)))
    first, second = world.submits(), world.submits()
    assert [(o.part, o.position_ref, o.quantity) for o in (first, second)] == [
        (1, "p1", D(1)),
        (2, "p2", D("0.5")),
    ]
    world.says(filled(first.order_id), deal(first.order_id, out=True))
    assert T1 in world.demo.book.trades
    world.says(filled(second.order_id, "0.5"))
    world.says(deal(second.order_id, "0.5", position="p2", out=True))
    assert world.demo.book.trades == {}


def test_a_partial_exit_takes_the_oldest_position_first() -> None:
    world = World()
    world.opens("1")
    world.says(verdict(opening("1", leg=2)))
    add = world.submits().order_id
    world.says(filled(add, "1", position="p2"), deal(add, "1", position="p2"))
    world.says(verdict(closing("1.3", leg=3)))
    first, second = world.submits(), world.submits()
    assert [(o.position_ref, o.quantity) for o in (first, second)] == [
        ("p1", D(1)),
        ("p2", D("0.3")),
    ]
    assert isinstance(world.step(), Wait)


def test_an_exit_in_doubt_is_not_repeated_on_a_netting_account() -> None:
    world = World(kind=AccountKind.NETTING)
    world.opens()
    world.says(verdict(closing(leg=2)))
    order = world.submits()
    assert (order.position_ref, order.quantity) == ("", D(1))
    world.says(in_doubt(order.order_id), verdict(closing(leg=3)))
    world.now_ns += 60 * S
    assert isinstance(world.step(), Wait)


@pytest.mark.parametrize("kind", [AccountKind.NETTING, AccountKind.HEDGING])
def test_an_exit_waits_for_one_that_works_at_the_venue_and_whose_deals_are_to_come(
    kind: AccountKind,
) -> None:
    world = World(kind=kind)
    world.opens()
    world.says(verdict(closing("0.4", leg=2)))
    part = world.submits().order_id
    works = OrderAcknowledged(order_id=part, account=DEMO, venue_order_id="v", at_ns=NOW)
    world.says(works, verdict(closing(leg=3)))
    # Everything that is held by the deals so far would be more than what is left.
    assert isinstance(world.step(), Wait)
    world.says(deal(part, "0.4", out=True), filled(part, "0.4"))
    assert world.submits().quantity == D("0.6")


def test_an_entry_does_not_overtake_an_earlier_exit_where_a_symbol_has_one_position() -> None:
    world = World(kind=AccountKind.NETTING)
    world.says(verdict(opening()))
    entry = world.submits().order_id
    world.says(filled(entry), verdict(closing()))
    short = replace(opening(trade=T2), side=Side.SELL)
    world.says(verdict(short))
    # The exit waits for the deal of what it closes. The entry would close it, and the exit open.
    assert isinstance(world.step(), Wait)
    world.says(deal(entry))
    out = world.submits()
    assert (out.trade_id, out.quantity) == (T1, D(1))
    world.says(filled(out.order_id))
    assert isinstance(world.step(), Wait)
    world.says(deal(out.order_id, out=True))
    assert world.submits().trade_id == T2


def test_on_a_hedging_account_an_entry_waits_for_no_exit() -> None:
    world = World()
    world.says(verdict(opening()))
    world.says(filled(world.submits().order_id), verdict(closing()), verdict(opening(trade=T2)))
    assert world.submits().trade_id == T2


def test_an_exit_in_doubt_lets_a_self_limiting_one_through() -> None:
    world = World()
    world.opens()
    world.says(verdict(closing(leg=2)))
    world.says(in_doubt(world.submits().order_id), verdict(closing(leg=3)))
    again = world.submits()
    assert (again.leg, again.position_ref, again.quantity) == (3, "p1", D(1))
    assert isinstance(world.step(), Wait)


def test_an_exit_waits_while_the_entry_is_in_doubt_and_nothing_is_known_to_close() -> None:
    world = World()
    world.says(verdict(opening()))
    entry = world.submits().order_id
    world.says(in_doubt(entry), verdict(closing()))
    assert isinstance(world.step(), Wait)
    world.says(filled(entry))
    assert isinstance(world.step(), Wait)
    world.says(deal(entry))
    assert world.submits().position_ref == "p1"


def test_a_partly_filled_exit_is_followed_by_one_for_the_rest() -> None:
    world = World()
    world.opens("1")
    world.says(verdict(closing()))
    first = world.submits().order_id
    world.says(filled(first, "0.4"), deal(first, "0.4", out=True))
    second = world.submits()
    assert (second.part, second.attempt, second.quantity) == (1, 2, D("0.6"))


def test_an_exit_into_a_closed_market_is_tried_every_minute_until_its_deadline() -> None:
    world = World()
    world.opens()
    world.says(verdict(closing(deadline_s=150)))
    for _ in range(2):
        world.says(refused(world.submits().order_id, RefusalClass.MARKET_CLOSED))
        assert isinstance(world.step(), Wait)
        world.now_ns += 60 * S
    world.says(refused(world.submits().order_id, RefusalClass.MARKET_CLOSED))
    assert world.step() == Wait(until_ns=NOW + 150 * S, why="nothing to do")
    world.now_ns = NOW + 150 * S
    assert world.declines() == "too_late"
    assert world.demo.book.trades[T1].position == D(1)


def test_nothing_to_close_waits_for_the_deal_that_says_why() -> None:
    world = World()
    world.opens()
    world.says(verdict(closing()))
    world.says(refused(world.submits().order_id, RefusalClass.NOTHING_TO_CLOSE))
    assert isinstance(world.step(), Wait)
    assert T1 in world.demo.book.trades
    world.says(deal(None, out=True, number="stop"))
    assert world.demo.book.trades == {}


def test_a_spot_exit_is_rounded_down_and_leaves_dust_behind() -> None:
    world = World(kind=AccountKind.SPOT)
    world.says(verdict(opening("1")))
    entry = world.submits().order_id
    bought = deal(entry, "1", position="EURUSD.x")
    fee = replace(bought, deal=replace(bought.deal, position_delta=D("0.995")))
    world.says(filled(entry, position="EURUSD.x"), fee, verdict(closing()))
    out = world.submits()
    assert (out.position_ref, out.quantity) == ("", D("0.99"))
    world.says(filled(out.order_id, "0.99", position="EURUSD.x"))
    world.says(deal(out.order_id, "0.99", position="EURUSD.x", out=True))
    assert world.demo.book.trades == {}
    assert world.demo.book.residual == {EURUSD: D("0.005")}


@pytest.mark.parametrize("kind", [AccountKind.HEDGING, AccountKind.NETTING])
def test_a_whole_position_is_closed_as_it_is_although_the_step_has_changed(
    kind: AccountKind,
) -> None:
    world = World(kind=kind)
    world.says(verdict(opening("1")))
    entry = world.submits().order_id
    world.says(filled(entry, "0.005"), deal(entry, "0.005"), verdict(closing()))
    assert world.submits().quantity == D("0.005")


def test_a_netting_exit_never_exceeds_what_the_account_holds() -> None:
    world = World(kind=AccountKind.NETTING)
    world.opens("1")
    outside = deal(None, "0.7", out=True, number="hand", trade=T2)
    world.says(replace(outside, external=True), verdict(closing()))
    assert world.submits().quantity == D("0.3")


def test_folding_the_same_verdict_order_again_changes_nothing() -> None:
    world = World()
    world.says(verdict(opening()))
    order = world.submits()
    world.says(filled(order.order_id))
    before = to_json(world.demo.book.orders[order.order_id].state)
    world.says(order)  # a duplicate of the claim, which the log would not have stored
    assert to_json(world.demo.book.orders[order.order_id].state) == before
    assert world.oddities == [f"order {order.order_id}: OrderSubmitting while FILLED"]
    assert world.demo.book.orders[order.order_id].state is OrderState.FILLED


def test_a_state_survives_a_snapshot() -> None:
    world = World()
    world.opens()
    world.says(verdict(closing(), opening(trade=T2, after=2), cause=T2))
    world.submits()
    text = to_json(world.state)
    again = from_json(BridgeState, text)
    assert again == world.state
    assert to_json(again) == text


def test_a_position_of_somebody_elses_is_closed_also_in_a_symbol_nobody_configured() -> None:
    world = World()
    foreign = deal(None, "1", position="77", trade=T2)
    world.says(
        replace(
            foreign,
            deal=replace(foreign.deal, symbol=ids.Symbol("XAUUSD.m"), venue_symbol="XAUUSD.m"),
            how="external",
            external=True,
        )
    )
    world.says(
        replace(verdict(closing(trade=T2, leg=1)), symbol=ids.Symbol("XAUUSD.m")),
    )
    assert world.submits().venue_symbol == "XAUUSD.m"


def cannot_read(world: World, order: ids.OrderId) -> None:
    world.sequence += 1
    world.state.fold_unreadable(world.sequence, f"argos.v1.order.{DEMO}.{order}.1")


def test_a_leg_whose_claim_cannot_be_read_is_held_with_new_risk_on_its_symbol() -> None:
    world = World()
    world.says(verdict(opening(deadline_s=10)))
    cannot_read(world, oid())

    assert isinstance(world.step(), Wait)  # it may be at the venue: not claimed a second time
    world.now_ns += 11 * S
    assert isinstance(world.step(), Wait)  # nor declined, for its number is taken
    world.says(verdict(opening(trade=T2, deadline_s=60)))
    assert isinstance(world.step(), Wait)
    assert not world.demo.book.trades[T1].legs[1].over  # so that it stays reserved


def test_an_exit_that_cannot_be_read_stops_only_an_exit_that_could_do_more_than_close() -> None:
    for kind, passes in ((AccountKind.HEDGING, True), (AccountKind.NETTING, False)):
        world = World(kind)
        world.opens()
        world.says(verdict(closing(leg=2)))
        step = world.step()
        assert isinstance(step, Submit)
        cannot_read(world, step.event.order_id)
        assert isinstance(world.step(), Wait)
        world.says(verdict(closing(leg=3)))
        assert isinstance(world.step(), Submit) is passes


def test_an_unreadable_first_event_of_an_order_of_no_leg_holds_nothing() -> None:
    world = World()
    cannot_read(world, oid(T2, attempt=7))
    world.says(verdict(opening()))
    assert world.submits().trade_id == T1

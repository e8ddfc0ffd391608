"""One trade from its signal to its reconciliation."""

from __future__ import annotations

from dataclasses import replace

from argos_common.domain.event import Event
from argos_common.domain.ids import TradeId
from argos_common.domain.order import OrderInDoubt, OrderRefused, RefusalClass
from argos_common.domain.reconcile import MatchMethod, OrderMatched
from argos_common.domain.signal import SignalRefused
from argos_common.wire.codec import to_plain
from argos_monitor.core.signals import signal_lines
from argos_monitor.core.timeline import Timeline, Told, timeline

from services.reconciler.tests.reconciler_kit import (
    DEMO,
    MS,
    NOW,
    D,
    entry_story,
    filled,
    signal,
    submitting,
    verdict,
)

TRADE = TradeId(signal().signal_id)


def told(*events: Event | None) -> list[Told]:
    """Entries five milliseconds apart."""
    return [Told(n, NOW + n * 5 * MS, event) for n, event in enumerate(events, start=1)]


def matched() -> OrderMatched:
    return OrderMatched(
        account=DEMO,
        trade_id=TRADE,
        order_id=submitting(TRADE).order_id,
        method=MatchMethod.TAG,
        deal_ids=("d1",),
        quantity=D(1),
        average_price=D("1.1003"),
        commission=D("3.5"),
        cost=D("13.5"),
        matched_at_ns=NOW,
        intended_price=D("1.1002"),
        slippage=D("0.0001"),
        slippage_cash=D(10),
        latency_ms=D(10),
    )


def whole() -> Timeline:
    return timeline(TRADE, told(*entry_story(), matched()))


def test_every_hop_of_a_filled_order_is_there_with_its_milliseconds() -> None:
    assert [(each.hop, str(each.ms), str(each.total_ms)) for each in whole().hops] == [
        ("signal received", "0.000", "0.000"),
        ("appended", "5.000", "5.000"),
        ("verdict", "5.000", "10.000"),
        ("claimed", "5.000", "15.000"),
        ("node received", "-12.000", "3.000"),
        ("journaled", "1.000", "4.000"),
        ("called", "1.000", "5.000"),
        ("returned", "7.000", "12.000"),
        ("outcome appended", "8.000", "20.000"),
        ("reconciled", "10.000", "30.000"),
    ]


def test_the_order_line_says_what_was_wanted_done_and_matched() -> None:
    (line,) = whole().orders
    assert (line.state, line.effect, line.side, line.quantity) == ("filled", "open", "buy", D(1))
    assert (line.intended_price, line.average_price) == (D("1.1002"), D("1.1003"))
    assert (line.deal_ids, line.match) == (("d1",), matched())


def test_the_verdict_line_has_every_rule() -> None:
    (line,) = whole().verdicts
    assert (line.decision, line.reason) == ("approved", "all rules passed")
    assert [rule.rule for rule in line.rules] == ["volume"]


def test_moments_are_in_order_of_time_and_name_their_clocks() -> None:
    moments = whole().moments
    assert [each.at_ns for each in moments] == sorted(each.at_ns for each in moments)
    assert {each.clock for each in moments} == {"sender", "gateway", "node", "venue", "log"}
    assert moments[0].what == "alert fired"
    assert moments[-1].what.startswith("reconciled by tag")


def test_sums_are_of_all_orders_and_deals() -> None:
    found = whole()
    assert (found.position, found.cost, found.slippage_cash) == (D(1), D("13.5"), D(10))
    assert (found.accounts, found.strategy, found.symbol) == (("demo",), "trend", "EURUSD")


def test_a_refused_signal_has_a_timeline_without_orders() -> None:
    found = timeline(TRADE, told(signal(), verdict(signal().signal_id, ())))
    assert (found.orders, found.hops) == ((), ())
    assert [line.reason for line in found.verdicts] == ["the volume is above the limit"]


def test_an_order_that_was_in_doubt_and_then_adopted_says_so() -> None:
    asked = submitting(TRADE)
    doubt = OrderInDoubt(order_id=asked.order_id, account=DEMO, cause="no answer", at_ns=NOW)
    story = entry_story()
    adopted = replace(filled(asked), evidence="tag")
    found = timeline(TRADE, told(*story[:3], doubt, adopted, story[4]))
    (line,) = found.orders
    assert (line.was_in_doubt, line.state, line.evidence) == (True, "filled", "tag")


def test_a_second_attempt_is_a_line_of_its_own() -> None:
    asked = submitting(TRADE)
    no = OrderRefused(
        order_id=asked.order_id,
        account=DEMO,
        refusal=RefusalClass.REQUOTE,
        code="10004",
        sentence="requote",
        by_node=False,
        at_ns=NOW,
    )
    second = replace(asked, order_id="b" * 13, attempt=2)  # type: ignore[arg-type]  # an id of its own
    found = timeline(TRADE, told(*entry_story()[:2], asked, no, second, filled(second)))
    assert [(line.attempt, line.state, line.sentence) for line in found.orders] == [
        (1, "refused", "requote"),
        (2, "filled", ""),
    ]
    assert found.hops == found.orders[1].hops


def test_a_dead_letter_among_the_events_is_left_out() -> None:
    assert timeline(TRADE, told(None, *entry_story())).position == D(1)


def test_a_timeline_is_plain_json() -> None:
    plain = to_plain(whole())
    assert plain["hops"][0] == {
        "hop": "signal received",
        "at_ns": NOW,
        "ms": "0",
        "total_ms": "0",
    }


def test_signals_have_their_verdicts_and_reasons_newest_first() -> None:
    door = SignalRefused(
        signal_id=signal(3).signal_id,
        source=signal().source,
        code="stale",
        sentence="the alert is 90 s old; 30 s are allowed",
        received_at_ns=NOW,
        raw="{}",
    )
    no = verdict(signal(2).signal_id, ())
    lines = signal_lines(told(*entry_story()[:2], signal(2), no, door, signal(4)))
    assert [(each["accepted"], each["reason"]) for each in lines] == [
        (True, "accepted; no verdict yet"),
        (False, "the alert is 90 s old; 30 s are allowed"),
        (True, "accepted"),
        (True, "accepted"),
    ]
    assert lines[2]["verdicts"][0]["failed_rules"][0]["rule"] == "volume"
    assert lines[3]["verdicts"][0]["decision"] == "approved"

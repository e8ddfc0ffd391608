"""The famous stories of an order, whole: what ends up in the log, and what reached the venue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from argos_common.domain.order import (
    OrderAbsent,
    OrderDeclined,
    OrderFilled,
    OrderInDoubt,
    OrderRefused,
    OrderSubmitting,
)
from argos_common.domain.reconcile import DiscrepancyFound, DiscrepancyKind, DiscrepancyResolved
from argos_common.domain.venue import DealReason, DealRecorded, NodeConfirmed
from argos_common.runtime.log import Answer, Append, CreateOnce, Mine, Unknown
from argos_common.wire import subjects

from services.bridge.tests.bridge_kit import (
    DEMO,
    EURUSD,
    T1,
    T2,
    D,
    S,
    applied,
    closing,
    config,
    deal,
    kill,
    oid,
    opening,
    verdict,
)
from services.bridge.tests.fleet_kit import Fleet


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    made = Fleet()
    await made.says(applied(config(settling_ns=4 * S)))
    await made.start()
    await made.clock.run(1)
    yield made
    await made.stop()


async def test_an_entry_is_claimed_sent_filled_and_its_deal_recorded(fleet: Fleet) -> None:
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    assert fleet.story() == ["OrderSubmitting", "OrderFilled"]
    (recorded,) = fleet.events(DealRecorded)
    assert isinstance(recorded, DealRecorded)
    assert (recorded.trade_id, recorded.how) == (T1, "tag")
    assert fleet.demo.book.trades[T1].position == D(1)


async def test_what_was_sent_is_told_by_trade_and_bot_version(fleet: Fleet) -> None:
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    ((_, told),) = [line for line in fleet.lines.said if line[0] == "sent"]
    assert told == {
        "trade_id": T1,
        "account": "demo",
        "order_id": oid(),
        "leg": "1",
        "attempt": "1",
        "bot_version": "trend-1",
        "result": "DONE",
        "code": "",
    }


async def test_a_replayed_verdict_is_not_an_order_twice(fleet: Fleet) -> None:
    given = verdict(opening())
    await fleet.says(given)
    await fleet.clock.run(1)
    await fleet.says(given)
    await fleet.clock.run(30)
    assert [each.order_id for each in fleet.node.placed] == [oid()]


async def test_a_claim_whose_ack_is_lost_is_never_sent_and_attempt_two_is(fleet: Fleet) -> None:
    fleet.logs[0].inner.lose_ack()
    await fleet.says(verdict(opening()))
    await fleet.clock.run(3)
    assert [each.order_id for each in fleet.node.placed] == [oid(attempt=2)]
    assert fleet.story() == [
        "OrderSubmitting", "OrderInDoubt", "OrderSealed", "OrderAbsent",
        "OrderSubmitting", "OrderFilled",
    ]  # fmt: skip


async def test_a_claim_whose_ack_is_lost_for_long_is_put_in_doubt_once(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = fleet.logs[0].append

    async def late(what: Append) -> Answer:
        answer = await append(what)
        if not what.once_id:
            return answer
        await fleet.clock.sleep(9)
        return Unknown("no answer in time")

    monkeypatch.setattr(fleet.logs[0], "append", late)
    await fleet.says(verdict(opening()))
    await fleet.clock.run(10.5)
    # The watcher has ended it long before the answer: nothing is left to say.
    assert fleet.story()[:4] == ["OrderSubmitting", "OrderInDoubt", "OrderSealed", "OrderAbsent"]
    assert fleet.story().count("OrderInDoubt") == 1
    assert fleet.node.placed == []


async def test_an_answer_that_never_comes_is_doubt_until_the_order_is_found(fleet: Fleet) -> None:
    fleet.node.script = ["hang"]
    fleet.node.deal_lag_s = 1000
    await fleet.says(verdict(opening()))
    await fleet.clock.run(6)
    assert fleet.story() == ["OrderSubmitting"]
    await fleet.clock.run(3)
    assert fleet.story() == ["OrderSubmitting", "OrderInDoubt", "OrderFilled"]
    (found,) = fleet.events(OrderFilled)
    assert isinstance(found, OrderFilled)
    assert (found.evidence, found.filled_quantity) == ("tag", D(1))
    assert len(fleet.node.placed) == 1


async def test_a_lost_answer_is_adopted_from_deals_or_search(fleet: Fleet) -> None:
    fleet.node.script = ["lost"]
    await fleet.says(verdict(opening()))
    await fleet.clock.run(5)
    assert fleet.story()[:2] == ["OrderSubmitting", "OrderInDoubt"]
    assert set(fleet.story()[2:]) == {"OrderFilled"}
    assert fleet.demo.book.trades[T1].position == D(1)
    assert not fleet.demo.unresolved


async def test_a_call_that_vanished_is_presumed_absent_then_found_late(fleet: Fleet) -> None:
    fleet.node.script = ["lost"]
    fleet.node.blind = True
    fleet.node.deal_lag_s = 1000
    await fleet.says(verdict(opening()))
    await fleet.clock.run(3)
    assert fleet.story() == ["OrderSubmitting", "OrderInDoubt", "OrderSealed"]
    await fleet.clock.run(3)
    assert fleet.story()[-1] == "OrderPresumedAbsent"
    fleet.node.blind = False
    await fleet.clock.run(6)
    assert fleet.story()[-1] == "OrderFilled"
    assert [what for what, _ in fleet.lines.said if what == "oddity"] == ["oddity"]
    assert len(fleet.node.placed) == 1


async def test_what_was_watched_to_the_end_is_absent_and_too_late_to_repeat(fleet: Fleet) -> None:
    await fleet.says(applied(config(settling_ns=4 * S, watch_ns=100 * S)))
    fleet.node.script = ["dropped"]
    await fleet.says(verdict(opening(), control=2))
    await fleet.clock.run(20)
    assert fleet.story()[-1] == "OrderPresumedAbsent"
    await fleet.clock.run(150)
    assert fleet.story()[-2:] == ["OrderAbsent", "OrderDeclined"]
    assert fleet.demo.book.trades == {}


async def test_without_conclusive_evidence_doubt_stays(fleet: Fleet) -> None:
    fleet.node.script = ["dropped"]
    await fleet.says(verdict(opening()))
    await fleet.clock.run(0.2, until=lambda: "OrderInDoubt" in fleet.story())
    fleet.node.away = True
    await fleet.clock.run(3600)
    assert fleet.story()[1:] in (["OrderInDoubt"], ["OrderInDoubt", "OrderSealed"])


async def test_what_stays_ambiguous_is_settled_by_a_person_and_still_watched(fleet: Fleet) -> None:
    fleet.node.script = ["lost"]
    fleet.node.blind = fleet.node.ambiguous = True
    fleet.node.deal_lag_s = 10_000
    await fleet.says(verdict(opening()))
    await fleet.clock.run(3600)
    assert fleet.story() == ["OrderSubmitting", "OrderInDoubt", "OrderSealed"]
    order_id = fleet.node.placed[0].order_id
    found = DiscrepancyFound(
        discrepancy_id="d", account=DEMO, symbol=EURUSD, kind=DiscrepancyKind.UNRESOLVED,
        expected="an outcome", actual="IN_DOUBT", sentence="?", since_ns=1, found_at_ns=1,
        order_id=order_id,
    )  # fmt: skip
    await fleet.says(found)
    await fleet.says(
        DiscrepancyResolved(
            discrepancy_id="d", account=DEMO, symbol=EURUSD, how="not at the broker", actor="ann",
            resolved_at_ns=2,
        )
    )  # fmt: skip
    await fleet.clock.run(1)
    assert fleet.story()[3:] == ["OrderPresumedAbsent"]
    assert not fleet.demo.unresolved
    fleet.node.blind = False  # it shows after all
    await fleet.clock.run(60)
    assert fleet.story()[4:] == ["OrderFilled"]
    assert len(fleet.node.placed) == 1


async def test_a_kill_between_approval_and_claim_sends_nothing(fleet: Fleet) -> None:
    await fleet.says(verdict(opening()))
    await fleet.says(kill())
    await fleet.clock.run(5)
    assert fleet.story() == ["OrderDeclined"]
    assert fleet.node.placed == []
    assert [type(each) for each in fleet.events(NodeConfirmed)] == [NodeConfirmed]


async def test_a_kill_between_claim_and_send_is_refused_by_the_node(fleet: Fleet) -> None:
    fleet.node.script = ["stall"]
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1, until=lambda: fleet.story() == ["OrderSubmitting"])
    await fleet.says(kill())
    await fleet.clock.run(10)
    (refused,) = fleet.events(OrderRefused)
    assert isinstance(refused, OrderRefused)
    assert refused.code == "epoch_old"
    assert fleet.node.placed == []
    assert fleet.story() == ["OrderSubmitting", "OrderRefused", "OrderDeclined"]


async def test_a_reversal_closes_before_it_opens(fleet: Fleet) -> None:
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    await fleet.says(verdict(closing(), opening(trade=T2, after=2), cause=T2))
    await fleet.clock.run(2)
    assert [(o.order_id, o.position_ref) for o in fleet.node.placed] == [
        (oid(), ""),
        (oid(T1, 2), "p1"),
        (oid(T2, 1), ""),
    ]


async def test_an_exit_waits_for_an_entry_in_doubt_and_then_closes_it(fleet: Fleet) -> None:
    fleet.node.script = ["hang"]
    fleet.node.deal_lag_s = 12
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    await fleet.says(verdict(closing()))
    await fleet.clock.run(20)
    assert [each.order_id for each in fleet.node.placed] == [oid(), oid(T1, 2)]


async def test_a_requote_is_tried_again_after_a_moment(fleet: Fleet) -> None:
    fleet.node.script = ["no:REQUOTE", "no:REQUOTE", "fill"]
    await fleet.says(verdict(opening()))
    await fleet.clock.run(2)
    assert [each.order_id for each in fleet.node.placed] == [oid(attempt=n) for n in (1, 2, 3)]
    assert fleet.story()[-1] == "OrderFilled"


async def test_a_part_filled_is_what_is_held_and_what_an_exit_closes(fleet: Fleet) -> None:
    fleet.node.script = ["part:0.4"]
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    await fleet.says(verdict(closing()))
    await fleet.clock.run(1)
    assert [str(each.quantity) for each in fleet.node.placed] == ["1", "0.4"]
    assert fleet.demo.book.trades == {}


async def test_an_accepted_order_is_completed_by_its_deals(fleet: Fleet) -> None:
    fleet.node.script = ["work"]
    await fleet.says(verdict(opening()))
    await fleet.clock.run(2)
    assert fleet.story() == ["OrderSubmitting", "OrderAcknowledged", "OrderFilled"]
    (done,) = fleet.events(OrderFilled)
    assert isinstance(done, OrderFilled)
    assert (done.evidence, done.average_price, done.done) == ("deals", D("1.1"), True)


async def test_no_lease_no_entry_but_exits(fleet: Fleet) -> None:
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    fleet.grants = False
    await fleet.clock.run(3)
    await fleet.says(verdict(opening(trade=T2, deadline_s=12)))
    await fleet.says(verdict(closing()))
    await fleet.clock.run(15)
    assert [each.order_id for each in fleet.node.placed] == [oid(), oid(T1, 2)]
    (declined,) = fleet.events(OrderDeclined)
    assert isinstance(declined, OrderDeclined)
    assert declined.code == "too_late"


async def test_an_outcome_is_kept_while_the_log_is_away(fleet: Fleet) -> None:
    fleet.node.call_s = 0.2
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1, until=lambda: bool(fleet.node.placed))
    fleet.logs[0].inner.unavailable = True
    await fleet.clock.run(4)
    assert fleet.story() == ["OrderSubmitting"]
    fleet.logs[0].inner.unavailable = False
    await fleet.clock.run(2)
    assert fleet.story() == ["OrderSubmitting", "OrderFilled"]


async def test_a_second_bridge_ends_what_the_first_left(fleet: Fleet) -> None:
    fleet.node.script = ["lost"]
    fleet.node.call_s = 0.2
    fleet.node.deal_lag_s = 1000
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1, until=lambda: bool(fleet.node.placed))
    await fleet.crash(0)
    await fleet.start()
    await fleet.clock.run(12)
    assert fleet.story() == ["OrderSubmitting", "OrderInDoubt", "OrderFilled"]
    (doubt,) = fleet.events(OrderInDoubt)
    assert isinstance(doubt, OrderInDoubt)
    assert doubt.cause == "no outcome within its deadline and grace"
    assert len(fleet.events(OrderSubmitting)) == 1
    assert fleet.events(OrderAbsent) == []


async def test_a_deal_of_an_order_not_folded_yet_is_not_taken_for_somebody_elses(
    fleet: Fleet,
) -> None:
    await fleet.start()
    await fleet.clock.run(1)
    fleet.logs[1].slow_s = 4  # the second bridge reads far behind
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1, until=lambda: bool(fleet.node.placed))
    await fleet.crash(0)
    await fleet.clock.run(60)
    (dealt,) = fleet.events(DealRecorded)
    assert isinstance(dealt, DealRecorded)
    assert (dealt.trade_id, dealt.how, dealt.external) == (T1, "tag", False)


async def test_the_end_of_a_position_that_shows_before_its_beginning_is_the_trades_own(
    fleet: Fleet,
) -> None:
    fleet.node.script, fleet.node.deal_lag_s, fleet.node.blind = ["lost"], 1, True
    await fleet.says(verdict(opening()))
    await fleet.clock.run(0.5, until=lambda: bool(fleet.node.executed))
    position = fleet.node.executed[oid()].venue_position_id
    stopped = deal(None, position=position, number="9", out=True).deal
    fleet.node.shows(replace(stopped, reason=DealReason.STOP_LOSS, venue_order_id="9"))
    await fleet.clock.run(20, until=lambda: len(fleet.events(DealRecorded)) == 2)
    dealt = [each for each in fleet.events(DealRecorded) if isinstance(each, DealRecorded)]
    assert [(each.deal.entry.name, each.trade_id) for each in dealt] == [("IN", T1), ("OUT", T1)]


async def test_an_order_event_that_cannot_be_read_does_not_stop_the_order(fleet: Fleet) -> None:
    fleet.node.script = ["hang"]
    fleet.node.blind = True
    await fleet.says(verdict(opening()))
    await fleet.clock.run(0.05)
    unreadable = Append(
        subject=subjects.order(DEMO, oid(), 2), data=b"\xff\xff", condition=CreateOnce()
    )
    assert isinstance(await fleet.log.append(unreadable), Mine)
    await fleet.clock.run(12)
    assert fleet.demo.book.orders[oid()].state.name != "SUBMITTING"


@pytest.mark.parametrize("restarted", [True, False])
async def test_a_deal_that_the_venue_lists_minutes_late_is_asked_for_and_bars_no_exit(
    fleet: Fleet, restarted: bool
) -> None:
    fleet.node.deal_lag_s = 100_000
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    # The venue has filled it and does not list it yet.
    late = replace(fleet.node._deals.pop(), deal_id="late")
    await fleet.clock.run(300)
    fleet.node.deal_lag_s = 0.01
    await fleet.says(verdict(opening(trade=T2, deadline_s=1000)))
    await fleet.clock.run(1)
    if restarted:
        await fleet.crash(0)
    fleet.node._deals.append(late)
    if restarted:
        await fleet.start()
    await fleet.clock.run(40)
    assert fleet.demo.book.trades[T1].position == D(1)
    await fleet.says(verdict(closing(deadline_s=1000)))
    await fleet.clock.run(5)
    assert T1 not in fleet.demo.book.trades


async def test_a_deal_made_by_a_clock_an_hour_behind_is_found_and_a_strangers_is_left(
    fleet: Fleet,
) -> None:
    fleet.node.deal_lag_s = 100_000
    await fleet.says(verdict(opening()))
    await fleet.clock.run(1)
    ours = fleet.node._deals.pop()
    early = ours.venue_time_ns - 3600 * S
    fleet.node._deals += [
        replace(ours, deal_id="ours", venue_time_ns=early),
        replace(ours, deal_id="theirs", venue_time_ns=early, order_id=None),
    ]
    await fleet.clock.run(200)
    (recorded,) = fleet.events(DealRecorded)
    assert isinstance(recorded, DealRecorded)
    assert (recorded.deal.deal_id, recorded.trade_id) == ("ours", T1)

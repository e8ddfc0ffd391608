"""What is asked about an order in doubt, and what ends it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from argos_bridge.core import doubt
from argos_bridge.core.doubt import Do, Inquiry
from argos_bridge.core.outcome import of_deals, of_outcome, overdue_ns
from argos_common.domain.book import OrderView
from argos_common.domain.ids import OrderId
from argos_common.domain.node import Evidence, Journaled, Outcome, Result, Seal
from argos_common.domain.order import (
    OrderAbsent,
    OrderAcknowledged,
    OrderEvent,
    OrderFilled,
    OrderInDoubt,
    OrderPresumedAbsent,
    OrderRefused,
    OrderSealed,
    RefusalClass,
)
from argos_common.domain.reconcile import (
    ITSELF,
    DiscrepancyFound,
    DiscrepancyKind,
    DiscrepancyResolved,
)

from services.bridge.tests.bridge_kit import (
    DEMO,
    EURUSD,
    NOW,
    D,
    S,
    World,
    applied,
    config,
    deal,
    filled,
    opening,
    refused,
    verdict,
)

NOTHING = Evidence(
    order_id=OrderId(""),
    conclusive=True,
    found=False,
    journal=Journaled.NOTHING,
    as_of_ns=NOW,
)


class Case:
    """One order in doubt; `mono` is this process's clock."""

    def __init__(self, *, settling_s: int = 8, watch_s: int = 100) -> None:
        self.world = World()
        self.world.says(applied(config(settling_ns=settling_s * S, watch_ns=watch_s * S)))
        self.world.says(verdict(opening(), control=2))
        self.order_id = self.world.submits().order_id
        self.mono = S
        self.inquiry: Inquiry | None = None
        self.says(OrderInDoubt(order_id=self.order_id, account=DEMO, cause="?", at_ns=NOW))

    @property
    def order(self) -> OrderView:
        return self.world.demo.book.orders[self.order_id]

    def says(self, *events: OrderEvent) -> None:
        self.world.says(*events)

    def next(self) -> Do | int | None:
        self.inquiry = doubt.begin(self.order, self.inquiry, self.mono)
        return doubt.next_do(self.world.demo, self.order, self.inquiry, self.mono)

    def search(self, **found: object) -> OrderEvent | None:
        assert self.next() is Do.FIND
        assert self.inquiry is not None
        evidence = replace(NOTHING, order_id=self.order_id, **found)  # type: ignore[arg-type]  # the fields vary by case
        self.inquiry, event = doubt.of_evidence(
            self.world.demo,
            self.order,
            self.inquiry,
            evidence,
            asked_ns=self.mono,
            mono_ns=self.mono,
            now_ns=self.world.now_ns,
        )
        return event

    def seal(self, *, sealed: bool = True, never_sent: bool = False) -> OrderEvent | None:
        assert self.next() is Do.SEAL
        assert self.inquiry is not None
        answer = Seal(order_id=self.order_id, sealed=sealed, never_sent=never_sent, at_ns=NOW)
        self.inquiry, event = doubt.of_seal(
            self.world.demo, self.order, self.inquiry, answer, self.mono, self.world.now_ns
        )
        if event is not None:
            self.says(event)
        return event

    def conclude(self, do: Do) -> OrderEvent:
        assert self.next() is do
        assert self.inquiry is not None
        event = doubt.conclude(self.world.demo, self.order, self.inquiry, do, self.world.now_ns)
        self.says(event)
        return event

    def later(self, seconds: float) -> None:
        self.mono += int(seconds * S)
        self.world.now_ns += int(seconds * S)


def test_first_a_search_then_a_seal() -> None:
    case = Case()
    assert case.search() is None
    assert case.seal() == OrderSealed(
        order_id=case.order_id, account=DEMO, never_sent=False, at_ns=NOW
    )


def test_sealed_before_it_was_sent_is_absent() -> None:
    case = Case()
    case.search()
    case.seal(never_sent=True)
    assert case.conclude(Do.ABSENT) == OrderAbsent(
        order_id=case.order_id, account=DEMO, why="sealed before it was ever sent", at_ns=NOW
    )


def test_two_passes_after_settling_and_apart_presume_absence() -> None:
    case = Case(settling_s=8)
    case.search()
    case.seal()
    settled = case.mono + 8 * S
    assert case.next() == settled
    case.later(8)
    assert case.search() is None
    assert case.next() == case.mono + 2 * S  # a quarter of the settling time
    case.later(2)
    assert case.search() is None
    assert case.conclude(Do.PRESUME) == OrderPresumedAbsent(
        order_id=case.order_id, account=DEMO, passes=2, at_ns=NOW + 10 * S
    )


def test_a_restart_settles_anew() -> None:
    case = Case(settling_s=8)
    case.search()
    case.seal()
    case.later(8)
    case.inquiry = None
    assert case.next() == case.mono + 8 * S


@pytest.mark.parametrize("person", [True, False])
def test_a_persons_word_stands_for_the_passes_but_for_nothing_else(person: bool) -> None:
    case = Case(settling_s=8)
    found = DiscrepancyFound(
        discrepancy_id="d", account=DEMO, symbol=EURUSD, kind=DiscrepancyKind.UNRESOLVED,
        expected="an outcome", actual="IN_DOUBT", sentence="?", since_ns=NOW, found_at_ns=NOW,
        order_id=case.order_id,
    )  # fmt: skip
    resolved = DiscrepancyResolved(
        discrepancy_id="d", account=DEMO, symbol=EURUSD, how="I looked",
        actor="ann" if person else ITSELF, resolved_at_ns=NOW,
    )  # fmt: skip
    case.world.says(found, resolved)
    case.search(conclusive=False)
    case.seal()
    settled = case.next()
    assert settled == case.mono + 8 * S
    case.later(8)
    if person:
        assert case.conclude(Do.PRESUME) == OrderPresumedAbsent(
            order_id=case.order_id, account=DEMO, passes=0, at_ns=NOW + 8 * S
        )
        assert case.world.demo.settled == {}
    else:
        assert case.next() is Do.FIND


def test_a_word_about_another_kind_of_discrepancy_settles_no_order() -> None:
    case = Case(settling_s=8)
    found = DiscrepancyFound(
        discrepancy_id="d", account=DEMO, symbol=EURUSD, kind=DiscrepancyKind.MISSING_FILL,
        expected="1", actual="0", sentence="?", since_ns=NOW, found_at_ns=NOW,
        order_id=case.order_id,
    )  # fmt: skip
    case.world.says(found, DiscrepancyResolved(
        discrepancy_id="d", account=DEMO, symbol=EURUSD, how="x", actor="ann", resolved_at_ns=NOW,
    ))  # fmt: skip
    assert case.world.demo.settled == {}


def test_inconclusive_searches_never_count() -> None:
    case = Case(settling_s=8)
    case.search()
    case.seal()
    assert case.next() == case.mono + 8 * S
    case.later(8)
    for _ in range(20):
        assert case.search(conclusive=False) is None
        assert isinstance(case.next(), int)
        case.later(60)
    assert case.inquiry is not None
    assert case.inquiry.passes == 0


def test_a_seal_that_is_none_yet_asks_again_from_the_search() -> None:
    case = Case()
    case.search()
    assert case.seal(sealed=False) is None
    assert isinstance(case.next(), int)
    case.later(1)
    assert case.next() is Do.FIND


def test_presumed_absence_is_watched_to_the_end() -> None:
    case = Case(watch_s=100)
    case.says(
        OrderSealed(order_id=case.order_id, account=DEMO, never_sent=False, at_ns=NOW),
        OrderPresumedAbsent(order_id=case.order_id, account=DEMO, passes=2, at_ns=NOW),
    )
    assert case.search() is None
    assert case.next() == case.mono + 5 * S
    case.later(60)
    assert case.search() is None
    assert case.next() == case.mono + 30 * S
    case.later(41)
    assert case.search(conclusive=False) is None
    case.later(60)
    assert case.search() == OrderAbsent(
        order_id=case.order_id, account=DEMO, why="watched to the end", at_ns=NOW + 161 * S
    )


@pytest.mark.parametrize("presumed", [False, True])
def test_whatever_is_found_is_adopted(presumed: bool) -> None:
    case = Case()
    if presumed:
        case.says(
            OrderSealed(order_id=case.order_id, account=DEMO, never_sent=False, at_ns=NOW),
            OrderPresumedAbsent(order_id=case.order_id, account=DEMO, passes=2, at_ns=NOW),
        )
    event = case.search(
        found=True,
        method="fingerprint",
        done=True,
        venue_order_id="v",
        venue_position_id="p",
        filled_quantity=D(1),
        average_price=D("1.2"),
    )
    assert event == OrderFilled(
        order_id=case.order_id,
        account=DEMO,
        venue_order_id="v",
        venue_position_id="p",
        filled_quantity=D(1),
        average_price=D("1.2"),
        done=True,
        evidence="fingerprint",
        at_ns=NOW,
    )


def test_a_working_order_is_acknowledged_and_asked_about_half_a_minute_later() -> None:
    case = Case()
    event = case.search(found=True, working=True, method="tag", venue_order_id="v")
    assert event == OrderAcknowledged(
        order_id=case.order_id, account=DEMO, venue_order_id="v", at_ns=NOW, evidence="tag"
    )
    case.says(event)
    assert case.next() == case.mono + 30 * S


def test_a_refusal_in_the_nodes_journal_is_evidence() -> None:
    case = Case()
    outcome = Outcome(
        order_id=case.order_id,
        result=Result.REFUSED,
        refusal=RefusalClass.NODE_GATE,
        code="epoch_old",
        sentence="old",
        by_node=True,
    )
    assert case.search(journal=Journaled.REFUSED, outcome=outcome) == OrderRefused(
        order_id=case.order_id,
        account=DEMO,
        refusal=RefusalClass.NODE_GATE,
        code="epoch_old",
        sentence="old",
        by_node=True,
        at_ns=NOW,
    )


def test_an_order_the_venue_ended_unfilled_is_a_refusal() -> None:
    case = Case()
    event = case.search(found=True, done=True, method="tag")
    assert isinstance(event, OrderRefused)
    assert (event.refusal, event.code) == (RefusalClass.VENUE_ERROR, "cancelled")


def test_silence_is_doubt_only_past_deadline_and_grace() -> None:
    world = World()
    world.says(verdict(opening()))
    order = world.demo.book.orders[world.submits().order_id]
    assert overdue_ns(world.demo, order) == NOW + 7 * S
    world.says(filled(order.order_id))
    assert overdue_ns(world.demo, order) is None


@pytest.mark.parametrize("result", list(Result))
def test_an_answer_is_repeated_to_an_order_that_knows_it_without_effect(result: Result) -> None:
    world = World()
    world.says(verdict(opening()))
    order = world.demo.book.orders[world.submits().order_id]
    outcome = Outcome(order_id=order.order_id, result=result, filled_quantity=D(0))
    if result is Result.DONE:
        outcome = replace(outcome, filled_quantity=D(1), average_price=D("1.1"))
    event = of_outcome(world.demo, order, outcome, NOW)
    assert event is not None
    world.says(event)
    assert of_outcome(world.demo, order, outcome, NOW) is None


def test_an_answer_after_the_watcher_gave_up_is_evidence() -> None:
    case = Case()
    outcome = Outcome(
        order_id=case.order_id, result=Result.DONE, filled_quantity=D(1), average_price=D("1.1")
    )
    event = of_outcome(case.world.demo, case.order, outcome, NOW)
    assert isinstance(event, OrderFilled)
    assert event.evidence == "answer"


def test_deals_prove_a_fill_that_was_refused_or_doubted() -> None:
    world = World()
    world.says(verdict(opening(deadline_s=1000)))
    order = world.demo.book.orders[world.submits().order_id]
    world.says(refused(order.order_id, RefusalClass.VENUE_ERROR))
    assert of_deals(world.demo, order, NOW) is None
    world.says(deal(order.order_id, "0.3", number="1"))
    assert list(world.demo.undertold) == [order.order_id]
    assert of_deals(world.demo, order, NOW) == OrderFilled(
        order_id=order.order_id,
        account=DEMO,
        venue_order_id="",
        venue_position_id="p1",
        filled_quantity=D("0.3"),
        average_price=D("1.1"),
        done=False,
        evidence="deals",
        at_ns=NOW,
    )


def test_deals_wait_for_the_answer_while_it_may_come() -> None:
    world = World()
    world.says(verdict(opening()))
    order = world.demo.book.orders[world.submits().order_id]
    world.says(deal(order.order_id, "1"))
    assert of_deals(world.demo, order, NOW) is None
    assert not world.demo.undertold


def test_never_sent_by_another_node_than_the_one_it_was_claimed_for_proves_nothing() -> None:
    case = Case()
    case.world.says(applied(replace(config(), node="n2")))
    case.search()
    sealed = case.seal(never_sent=True)
    assert isinstance(sealed, OrderSealed)
    assert not sealed.never_sent
    assert isinstance(case.next(), int)  # it is settled, and searched for, first

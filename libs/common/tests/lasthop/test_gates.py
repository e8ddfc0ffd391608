"""Gates and leases, as pure decisions."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from argos_common.domain.ids import Account, OrderId, Strategy, Symbol
from argos_common.domain.node import LeaseAnswer, Submission
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.lasthop.gates import GATES, Moment, Standing, Unresolved, refuse
from argos_common.lasthop.lease import TTL_NS, Asked, Leases, answered, ask, live, raised

MS = 1_000_000
A = Account("a")
OPEN = Submission(
    order_id=OrderId("one"),
    account=A,
    strategy=Strategy("trend"),
    symbol=Symbol("EURUSD"),
    venue_symbol="EURUSD",
    side=Side.BUY,
    effect=Effect.OPEN,
    quantity=Decimal(1),
    deadline_ns=1_000 * MS,
    budget_ns=100 * MS,
    epoch=5,
    lease="n",
    tag="t",
    magic=1,
)
CLOSE = replace(OPEN, effect=Effect.CLOSE, side=Side.SELL, lease="", epoch=0)
TICKET = replace(CLOSE, position_ref="p1")
NOW = Moment(now_ns=500 * MS, monotonic_ns=50 * MS, received_monotonic_ns=0)
FREE = Standing(
    account=A,
    leases=Leases(account=A, epoch=5, granted=(Asked("n", 0),)),
    unresolved=(),
    self_limiting_close=True,
)
DOUBT = replace(FREE, unresolved=(Unresolved(OrderId("two"), Symbol("EURUSD")),))
ELSEWHERE = replace(FREE, unresolved=(Unresolved(OrderId("two"), Symbol("GBPUSD")),))
LAPSED = replace(FREE, leases=Leases(account=A, epoch=5))
TIGHTER = replace(FREE, leases=raised(FREE.leases, 6))


@pytest.mark.parametrize(
    ("submission", "moment", "standing", "code"),
    [
        (OPEN, NOW, FREE, ""),
        (CLOSE, NOW, FREE, ""),
        (replace(OPEN, account=Account("b")), NOW, FREE, "account_other"),
        (OPEN, replace(NOW, now_ns=1_000 * MS), FREE, ""),
        (OPEN, replace(NOW, now_ns=1_000 * MS + 1), FREE, "deadline_passed"),
        (CLOSE, replace(NOW, now_ns=1_000 * MS + 1), FREE, "deadline_passed"),
        (OPEN, replace(NOW, monotonic_ns=100 * MS), FREE, ""),
        (OPEN, replace(NOW, monotonic_ns=100 * MS + 1), FREE, "budget_spent"),
        (CLOSE, replace(NOW, monotonic_ns=100 * MS + 1), FREE, "budget_spent"),
        (OPEN, NOW, TIGHTER, "epoch_old"),
        (CLOSE, NOW, TIGHTER, ""),
        (replace(OPEN, epoch=6), NOW, TIGHTER, "lease_not_live"),
        (OPEN, NOW, LAPSED, "lease_not_live"),
        (replace(OPEN, lease="other"), NOW, FREE, "lease_not_live"),
        (replace(OPEN, lease=""), NOW, FREE, "lease_not_live"),
        (CLOSE, NOW, LAPSED, ""),
        (OPEN, NOW, DOUBT, "unresolved_open"),
        (replace(OPEN, order_id=OrderId("two")), NOW, DOUBT, ""),
        (OPEN, NOW, ELSEWHERE, ""),
        (CLOSE, NOW, DOUBT, "unresolved_close"),
        (CLOSE, NOW, ELSEWHERE, ""),
        (TICKET, NOW, DOUBT, ""),
        (TICKET, NOW, replace(DOUBT, self_limiting_close=False), "unresolved_close"),
    ],
)
def test_each_gate_stops_what_it_must_and_nothing_else(
    submission: Submission, moment: Moment, standing: Standing, code: str
) -> None:
    refusal = refuse(submission, moment, standing)

    assert (refusal.code if refusal else "") == code
    assert refusal is None or refusal.sentence


def test_each_gate_has_a_code_of_its_own() -> None:
    assert len({gate.code for gate in GATES}) == len(GATES)


def answer(nonce: str, *, granted: bool = True, epoch: int = 0) -> LeaseAnswer:
    return LeaseAnswer(account=A, nonce=nonce, granted=granted, epoch=epoch, reason="")


def test_a_lease_counts_from_its_question_however_late_the_answer() -> None:
    leases = answered(ask(Leases(account=A, epoch=0), "n", 100), answer("n"))

    assert live(leases, "n", 100 + TTL_NS - 1)
    assert not live(leases, "n", 100 + TTL_NS)


def test_an_answer_after_the_time_to_live_grants_nothing() -> None:
    leases = ask(Leases(account=A, epoch=0), "n", 0)

    assert not live(answered(leases, answer("n")), "n", TTL_NS)


def test_nobody_can_grant_what_was_not_asked_or_was_answered() -> None:
    leases = ask(Leases(account=A, epoch=0), "n", 0)
    refused = answered(leases, answer("n", granted=False))

    assert not live(answered(leases, answer("m")), "m", 0)
    assert not live(answered(refused, answer("n")), "n", 0)


def test_a_no_ends_every_lease_and_every_open_question() -> None:
    leases = answered(ask(Leases(account=A, epoch=0), "n", 0), answer("n"))
    leases = ask(ask(leases, "m", 1), "o", 2)

    ended = answered(leases, answer("m", granted=False))

    assert (ended.granted, ended.waiting) == ((), ())


def test_a_raised_epoch_ends_what_was_granted_before_it() -> None:
    leases = answered(ask(Leases(account=A, epoch=1), "n", 0), answer("n", epoch=1))

    assert live(raised(leases, 1), "n", 1)
    assert not live(raised(leases, 2), "n", 1)


def test_an_answer_under_an_older_epoch_grants_nothing() -> None:
    leases = raised(ask(Leases(account=A, epoch=1), "n", 0), 2)

    assert not live(answered(leases, answer("n", epoch=1)), "n", 1)
    assert live(answered(leases, answer("n", epoch=2)), "n", 1)


def test_an_answer_with_a_newer_epoch_grants_under_it_and_ends_the_older() -> None:
    leases = answered(ask(Leases(account=A, epoch=1), "n", 0), answer("n", epoch=1))
    leases = answered(ask(leases, "m", 1), answer("m", epoch=2))

    assert (leases.epoch, live(leases, "n", 2), live(leases, "m", 2)) == (2, False, True)


def test_questions_nobody_answers_do_not_pile_up() -> None:
    leases = Leases(account=A, epoch=0)
    for number in range(1_000):
        leases = ask(leases, str(number), number * 500 * MS)

    assert len(leases.waiting) == 4

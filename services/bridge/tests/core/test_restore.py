"""What the next generation of the log holds: joined, put back, killed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from argos_bridge.core import restore
from argos_bridge.core.restore import Asked, Joined, Kept, NodeJournal, Plan, Put
from argos_common.domain.control import KillEngaged, Scope
from argos_common.domain.errors import OurMistake
from argos_common.domain.event import Event
from argos_common.domain.ids import Account
from argos_common.domain.node import Outcome, Result
from argos_common.domain.order import OrderFilled, OrderSubmitting
from argos_common.domain.restore import EntryLost, LogRestored
from argos_common.domain.verdict import Decision, Effect, Origin, VerdictGiven
from argos_common.runtime.log import Entry
from argos_common.wire import codec
from argos_common.wire.documents import read_config

from services.bridge.tests.bridge_kit import (
    DEMO,
    NOW,
    D,
    World,
    applied,
    config,
    oid,
    opening,
    verdict,
)

ASKED = Asked(before="g1", generation="g2", actor="ada", reason="the disk died", now_ns=NOW + 1)


def entry(sequence: int, data: bytes = b"x") -> Entry:
    return Entry(sequence=sequence, subject="argos.v1.alert.a", data=data, appended_ns=sequence)


@dataclass(frozen=True)
class Told:
    """What happened: a configuration, a verdict, its claim; what is left of it on record."""

    events: tuple[Event, ...]

    def known(self, last: int) -> Joined:
        subjects = ("control.demo", "verdict.demo", f"order.demo.{oid()}.1")
        entries = tuple(
            Entry(
                sequence=at,
                subject=f"argos.v1.{subject}",
                data=codec.encode(event),
                appended_ns=NOW,
            )
            for at, (subject, event) in enumerate(zip(subjects, self.events, strict=True), start=1)
        )
        return Joined(entries=entries[:last], from_ledger=0)

    @property
    def claim(self) -> OrderSubmitting:
        claim = self.events[2]
        assert isinstance(claim, OrderSubmitting)
        return claim

    def journal(self, outcome: Outcome | None = None, epoch: int = 0) -> NodeJournal:
        kept = Kept(
            order_id=self.claim.order_id,
            raw=codec.encode(self.claim),
            claim=self.claim,
            outcome=outcome,
        )
        return NodeJournal(account=DEMO, epoch=epoch, kept=(kept,))


def told() -> Told:
    world = World()
    approved = verdict(opening("1"), control=1)
    world.says(approved)
    return Told((applied(config()), approved, world.submits()))


def planned(told: Told, last: int, *journals: NodeJournal) -> Plan:
    known = told.known(last)
    return restore.plan(known, told.events[:last], journals, ASKED, read_config)


def new(plan: Plan, last: int) -> list[Event | bytes]:
    return [put.content for put in plan.puts[last:]]


KILL = KillEngaged(
    account=DEMO,
    scope=Scope.FLEET,
    actor="ada",
    reason="the log was restored: the disk died",
    request_id="restore-g2",
    asked_at_ns=NOW + 1,
)


def end(last: int, places: int = 0, *, put_back: Sequence[str] = ()) -> LogRestored:
    return LogRestored(
        generation="g2",
        before="g1",
        actor="ada",
        reason="the disk died",
        restored_at_ns=NOW + 1,
        last_known=last,
        from_copy=last,
        from_ledger=0,
        places_lost=places,
        put_back=tuple(put_back),  # type: ignore[arg-type]  # ids are texts
        unexplained=(),
        without_journal=(),
    )


def test_what_is_known_stands_as_it_stood_and_then_everything_is_killed() -> None:
    found = told()
    plan = planned(found, 3, found.journal())
    entries = found.known(3).entries
    assert list(plan.puts[:3]) == [
        Put(subject=e.subject, content=e.data, appended_ns=NOW, once_id=once)
        for e, once in zip(entries, ("", "", f"claim-{oid()}"), strict=True)
    ]
    assert new(plan, 3) == [KILL, end(3)]


def test_an_order_that_only_its_node_knows_is_put_back_byte_for_byte_with_its_answer() -> None:
    found = told()
    answer = Outcome(order_id=oid(), result=Result.DONE, venue_order_id="v1")
    answer = replace(answer, filled_quantity=found.claim.quantity, venue_position_id="p1")
    plan = planned(found, 2, found.journal(answer))
    claim, filled, *rest = new(plan, 2)
    assert claim == codec.encode(found.claim)
    assert isinstance(filled, OrderFilled)
    assert (filled.order_id, filled.filled_quantity, filled.evidence) == (
        oid(),
        found.claim.quantity,
        "journal",
    )
    assert rest == [KILL, end(2, put_back=[oid()])]


def test_a_verdict_that_is_lost_too_is_put_back_as_its_claims_tell_it() -> None:
    found = told()
    places, given, claim, *rest = new(planned(found, 1, found.journal()), 1)
    assert places == EntryLost(generation="g1")
    assert isinstance(given, VerdictGiven)
    (leg,) = given.legs
    assert (given.origin, given.decision, given.cause_id, given.control_sequence) == (
        Origin.RESTORE,
        Decision.APPROVED,
        found.claim.cause_id,
        1,
    )
    assert (leg.trade_id, leg.leg, leg.effect, leg.quantity, leg.stop_price) == (
        found.claim.trade_id,
        1,
        Effect.OPEN,
        found.claim.quantity,
        found.claim.stop_price,
    )
    assert claim == codec.encode(found.claim)
    assert rest == [KILL, end(1, 1, put_back=[oid()])]


@pytest.mark.parametrize(
    ("filled", "again", "approved"), [("0.1", "0.01", "0.11"), ("0", "0.1", "0.1")]
)
def test_a_leg_is_put_back_with_all_that_its_attempts_were_for(
    filled: str, again: str, approved: str
) -> None:
    """A second attempt was for what the first had left; of one refused that is all again."""
    found = told()
    first, second = (
        replace(found.claim, attempt=number, quantity=D(quantity), order_id=oid(attempt=number))
        for number, quantity in ((1, "0.1"), (2, again))
    )
    answer = Outcome(order_id=oid(), result=Result.DONE, filled_quantity=D(filled))
    kept = tuple(
        Kept(order_id=each.order_id, raw=codec.encode(each), claim=each, outcome=outcome)
        for each, outcome in ((first, answer), (second, None))
    )
    plan = planned(found, 1, NodeJournal(account=DEMO, epoch=0, kept=kept))
    given = next(each for each in new(plan, 1) if isinstance(each, VerdictGiven))
    assert [leg.quantity for leg in given.legs] == [D(approved)]


def test_the_kill_is_newer_than_all_that_a_node_remembers() -> None:
    found = told()
    plan = planned(found, 3, found.journal(epoch=9))
    assert new(plan, 3) == [*[EntryLost(generation="g1")] * 6, KILL, end(3, 6)]
    foreign = found.journal(epoch=2_000_000)
    with pytest.raises(OurMistake, match="a journal names entry 2000000, but only 3 are known"):
        planned(found, 3, foreign)


def test_an_order_without_a_readable_claim_is_named_and_left_to_a_person() -> None:
    found = told()
    kept = Kept(order_id=oid(), raw=b"", claim=None, outcome=None)
    journal = NodeJournal(account=Account("other"), epoch=0, kept=(kept,))
    plan = planned(found, 1, journal)
    assert plan.restored.unexplained == (oid(),)
    killed = [put.subject for put in plan.puts if isinstance(put.content, KillEngaged)]
    assert killed == ["argos.v1.control.demo", "argos.v1.control.other"]


def test_copy_and_ledger_are_joined_where_one_of_them_has_a_gap() -> None:
    whole = tuple(entry(at) for at in range(1, 6))
    assert restore.joined(whole[:2], whole) == Joined(entries=whole, from_ledger=3)
    assert restore.joined(whole, whole[:2]) == Joined(entries=whole, from_ledger=0)
    gap = (*whole[:2], *whole[3:])
    assert restore.joined(gap, whole[:4]) == Joined(entries=whole, from_ledger=1)
    assert restore.joined((), ()) == Joined(entries=(), from_ledger=0)


def test_what_nobody_has_ends_the_log_and_only_if_somebody_says_so() -> None:
    whole = tuple(entry(at) for at in range(1, 6))
    gap = (*whole[:2], *whole[3:])
    with pytest.raises(OurMistake, match="entry 3 is in neither the copy nor the ledger, though"):
        restore.joined(gap, whole[:2])
    assert restore.joined(gap, whole[:2], 2) == Joined(entries=whole[:2], from_ledger=0)
    with pytest.raises(OurMistake, match="no entry up to 5 is missing: restore without --up-to"):
        restore.joined(whole, (), 3)


def test_a_copy_of_another_log_is_refused() -> None:
    with pytest.raises(OurMistake, match="contradict each other at entry 2"):
        restore.joined((entry(1), entry(2)), (entry(1), entry(2, b"y")))


def test_what_shows_that_a_copy_is_older_is_told() -> None:
    found = told()
    assert restore.losses(found.known(3), 3, [found.journal(epoch=1)]) == ()
    ledger = replace(found.known(3), from_ledger=1)
    assert restore.losses(ledger, 2, []) == ("the ledger has 1 entries that the copy has not",)
    assert restore.losses(found.known(2), 3, []) == ("entry 3 is gone from the copy",)
    assert restore.losses(found.known(2), 2, [found.journal(epoch=7)]) == (
        "the node of demo knows 1 orders that are not on record",
        "the node of demo keeps epoch 7",
    )


@pytest.mark.parametrize(
    ("known", "name"), [(("g1",), "g2"), (("g1", "g4"), "g5"), (("sim",), "sim2")]
)
def test_a_generation_has_the_name_after_all_before_it(known: tuple[str, ...], name: str) -> None:
    assert restore.next_generation(*known) == name

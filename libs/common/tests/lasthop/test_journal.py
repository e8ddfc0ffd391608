"""The journal: one contract in memory and on disk; the disk's own bad days; a kill in between."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from argos_common.domain.errors import OurMistake
from argos_common.domain.ids import Account, OrderId, Strategy, Symbol
from argos_common.domain.node import Journaled, Outcome, Result, Submission
from argos_common.domain.order import Hops, RefusalClass
from argos_common.domain.side import Side
from argos_common.domain.verdict import Effect
from argos_common.lasthop.journal import (
    Entry,
    Journal,
    JournalFailed,
    Kept,
    MemoryJournal,
    Ticket,
    digest,
)
from argos_common.lasthop.sqlite_journal import SqliteJournal

ORDER = Submission(
    order_id=OrderId("abcdefghijklm"),
    account=Account("a"),
    strategy=Strategy("trend"),
    symbol=Symbol("EURUSD"),
    venue_symbol="EURUSD",
    side=Side.BUY,
    effect=Effect.OPEN,
    quantity=Decimal("0.10"),
    deadline_ns=9,
    budget_ns=8,
    epoch=7,
    lease="n",
    tag="a1abcdefghijklm",
    magic=6,
    stop_price=Decimal("1.05"),
)
DONE = Outcome(
    order_id=ORDER.order_id,
    result=Result.DONE,
    venue_order_id="77",
    venue_position_id="88",
    filled_quantity=Decimal("0.1"),
    average_price=Decimal("1.1"),
    hops=Hops(received_ns=1, journaled_ns=2, called_ns=3, returned_ns=4),
)
NO = Outcome(
    order_id=ORDER.order_id,
    result=Result.REFUSED,
    refusal=RefusalClass.NODE_GATE,
    code="deadline_passed",
    sentence="late",
    by_node=True,
)
DOUBT = Outcome(order_id=ORDER.order_id, result=Result.IN_DOUBT, sentence="no answer")
BEGUN = Entry(
    order_id=ORDER.order_id,
    state=Journaled.SENDING,
    digest=digest(ORDER),
    submission=ORDER,
    received_ns=1,
    journaled_ns=2,
)
Open = Callable[[], Journal]


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens the journal, and again as after a restart."""
    memory = MemoryJournal()
    opened: list[Journal] = []

    def open_it() -> Journal:
        for journal in opened:
            journal.close()
        opened[:] = (
            [memory] if request.param == "memory" else [SqliteJournal(tmp_path / "j.sqlite", "a")]
        )
        return opened[0]

    yield open_it
    for journal in opened:
        journal.close()


def begin(journal: Journal) -> Kept:
    return journal.begin(ORDER, received_ns=1, now_ns=2)


def test_an_entry_is_begun_once_and_is_unresolved_until_answered(reopen: Open) -> None:
    journal = reopen()

    first, second = begin(journal), begin(reopen())

    assert first == Kept(BEGUN, fresh=True)
    assert second == Kept(BEGUN, fresh=False)
    journal = reopen()
    assert journal.unresolved() == (BEGUN,)
    answered = journal.answer(DONE, positions=True, now_ns=5)
    expected = replace(BEGUN, state=Journaled.ANSWERED, outcome=DONE, answered_ns=5)
    assert answered == Kept(expected, fresh=True)
    journal = reopen()
    assert journal.entry(ORDER.order_id) == expected
    assert journal.unresolved() == ()


def test_the_first_answer_stands(reopen: Open) -> None:
    journal = reopen()
    begin(journal)
    journal.answer(DONE, positions=True, now_ns=5)

    later = journal.answer(replace(NO, by_node=False), positions=True, now_ns=6)

    assert (later.fresh, later.entry.outcome) == (False, DONE)


def test_doubt_is_kept_but_is_no_answer(reopen: Open) -> None:
    journal = reopen()
    begin(journal)

    journal.answer(DOUBT, positions=True, now_ns=5)

    (entry,) = reopen().unresolved()
    assert entry == replace(BEGUN, outcome=DOUBT)


def test_refused_and_sealed_ids_are_never_begun(reopen: Open) -> None:
    journal = reopen()
    other = replace(ORDER, order_id=OrderId("sealed"))
    journal.refuse(ORDER, NO, received_ns=1, now_ns=2)
    journal.seal(other.order_id, now_ns=3)

    journal = reopen()
    kept = [begin(journal), journal.begin(other, received_ns=4, now_ns=4)]

    assert [(each.fresh, each.entry.state) for each in kept] == [
        (False, Journaled.REFUSED),
        (False, Journaled.SEALED),
    ]
    assert kept[0].entry.outcome == NO


def test_a_withdrawn_id_is_refused_and_an_answered_one_cannot_be(reopen: Open) -> None:
    journal = reopen()
    begin(journal)

    withdrawn = journal.withdraw(NO, now_ns=3)
    answered = journal.answer(DONE, positions=True, now_ns=4)

    assert (withdrawn.fresh, withdrawn.entry.state) == (True, Journaled.REFUSED)
    assert (answered.fresh, answered.entry.state) == (False, Journaled.REFUSED)


def test_a_seal_of_a_sent_id_changes_nothing_until_its_call_is_over(reopen: Open) -> None:
    journal = reopen()
    begin(journal)

    sealed = journal.seal(ORDER.order_id, now_ns=5)
    returned = journal.returned(ORDER.order_id, now_ns=6)

    assert (sealed.fresh, sealed.entry.unresolved) == (False, True)
    assert (returned.fresh, returned.entry.state) == (True, Journaled.SENDING)
    journal = reopen()
    assert journal.unresolved() == ()
    assert journal.unanswered() == (returned.entry,)  # its deals are still this order's
    assert journal.answer(DONE, positions=True, now_ns=7).fresh  # a late appearance
    assert journal.unanswered() == ()


def test_tickets_lead_back_to_their_first_order(reopen: Open) -> None:
    journal = reopen()
    begin(journal)
    journal.answer(DONE, positions=True, now_ns=5)
    other = replace(ORDER, order_id=OrderId("other"))
    journal.begin(other, received_ns=1, now_ns=2)
    journal.answer(replace(DONE, order_id=other.order_id), positions=True, now_ns=6)

    journal = reopen()

    assert journal.order_of(Ticket.ORDER, "77") == ORDER.order_id
    assert journal.order_of(Ticket.POSITION, "88") == ORDER.order_id
    assert journal.order_of(Ticket.ORDER, "88") is None
    assert journal.order_of(Ticket.ORDER, "") is None


def test_a_position_that_is_many_orders_is_nobodys_ticket(reopen: Open) -> None:
    journal = reopen()
    begin(journal)
    journal.answer(DONE, positions=False, now_ns=5)

    assert journal.order_of(Ticket.POSITION, "88") is None


def test_the_epoch_only_rises_and_survives(reopen: Open) -> None:
    assert [reopen().raise_epoch(epoch) for epoch in (5, 3, 8)] == [5, 5, 8]
    assert reopen().epoch() == 8


def test_budget_lease_epoch_and_trace_are_not_what_an_order_is() -> None:
    again = replace(ORDER, budget_ns=1, lease="m", epoch=9, trace_parent="00-x")

    assert digest(again) == digest(ORDER)
    assert digest(replace(ORDER, quantity=Decimal("0.2"))) != digest(ORDER)
    assert digest(replace(ORDER, stop_price=None)) != digest(ORDER)


def test_a_second_opening_is_refused_in_one_sentence(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.sqlite", "a")

    with pytest.raises(OurMistake, match="another process already serves account a") as caught:
        SqliteJournal(tmp_path / "j.sqlite", "a")

    assert "\n" not in str(caught.value)
    journal.close()
    SqliteJournal(tmp_path / "j.sqlite", "a").close()


def vanish(path: Path) -> None:
    path.unlink()


def truncate(path: Path) -> None:
    path.write_bytes(b"")


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a database at all, not even close" * 300)


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def forget_the_epoch(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM epoch")
    database.close()


def spoil_an_entry(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("UPDATE entry SET submission = x'ffffff'")
    database.close()


@pytest.mark.parametrize(
    "harm", [vanish, truncate, overwrite, halve, forget_the_epoch, spoil_an_entry]
)
def test_a_damaged_journal_is_never_taken_for_an_empty_one(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "j.sqlite"
    journal = SqliteJournal(path, "a")
    begin(journal)
    journal.close()
    harm(path)

    with pytest.raises(OurMistake, match="put back the file") as caught:
        SqliteJournal(path, "a").unresolved()

    assert "\n" not in str(caught.value)


def test_the_journal_of_another_account_is_not_taken(tmp_path: Path) -> None:
    SqliteJournal(tmp_path / "j.sqlite", "a").close()

    with pytest.raises(OurMistake, match="is that of account a, not of b"):
        SqliteJournal(tmp_path / "j.sqlite", "b")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OurMistake, match="make the folder writable"):
        SqliteJournal(tmp_path / "file" / "j.sqlite", "a")


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    journal = SqliteJournal(tmp_path / "j.sqlite", "a")
    journal._database.execute("PRAGMA query_only = 1")

    with pytest.raises(JournalFailed, match="nothing is sent until it can be written"):
        begin(journal)

    journal._database.execute("PRAGMA query_only = 0")
    assert journal.entry(ORDER.order_id) is None
    assert begin(journal).fresh
    journal.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from argos_common.lasthop.sqlite_journal import SqliteJournal
sys.path.insert(0, sys.argv[2])
from test_journal import ORDER
journal = SqliteJournal(Path(sys.argv[1]), "a")
journal.raise_epoch(41)
assert journal.begin(ORDER, received_ns=1, now_ns=2).fresh
os.kill(os.getpid(), signal.SIGKILL)  # where the call to the venue would come
"""


@pytest.mark.skipif(os.name != "posix", reason="kills a process the POSIX way")
def test_a_kill_between_journal_and_call_leaves_the_id_on_record(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == -signal.SIGKILL, ended.stderr
    journal = SqliteJournal(path, "a")
    assert (journal.unresolved(), journal.epoch()) == ((BEGUN,), 41)
    assert not begin(journal).fresh
    journal.close()

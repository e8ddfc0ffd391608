"""The ledger, on every database: exactly once, resumable anywhere, refusing what is not its log."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Protocol

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from argos_common.domain.reconcile import DiscrepancyResolved
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.log import Append, CreateOnce
from argos_common.testing.memory_log import MemoryLog
from argos_reconciler.adapters.memory_ledger import MemoryLedger
from argos_reconciler.adapters.sql import tables
from argos_reconciler.adapters.sql.engine import engine_for, open_for_writing
from argos_reconciler.adapters.sql.ledger import SqlLedger
from argos_reconciler.adapters.sql.rebuild import rebuild
from argos_reconciler.core.rows import Item
from argos_reconciler.ports import Checkpoint, Ledger, LedgerUnavailable, LedgerUnusable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.reconciler.tests.reconciler_kit import (
    DEMO,
    EURUSD,
    NOW,
    D,
    Tape,
    entry_story,
    foreign,
)

TABLES = [*tables.ADDED, "orders", "trades", "discrepancies", "checkpoint"]
Dump = dict[str, list[tuple[object, ...]]]


def story(trades: int = 3) -> Tape:
    tape = Tape()
    for number in range(1, trades + 1):
        tape.says(*entry_story(number))
    return tape.says(foreign()).garbage().says(*entry_story(trades + 1))


class MakeLedger(Protocol):
    def __call__(self) -> Ledger: ...


def dump(url: str) -> Dump:
    """Every row of every table, in the order of its key."""
    engine = engine_for(url)
    try:
        with engine.connect() as connection:
            return {
                name: [
                    tuple(row)
                    for row in connection.execute(
                        table.select().order_by(*table.primary_key.columns)
                    )
                ]
                for name, table in tables.metadata.tables.items()
            }
    finally:
        engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.db'}"
    return str(request.getfixturevalue("empty_postgres"))


@pytest.fixture
async def ledger(url: str) -> AsyncIterator[SqlLedger]:
    found = SqlLedger(url)
    yield found
    await found.close()


async def test_every_entry_becomes_rows_and_the_checkpoint_moves_with_them(
    url: str, ledger: SqlLedger
) -> None:
    tape = story(3)
    assert await ledger.open("g1") == Checkpoint(generation="g1")
    checkpoint = await ledger.project(tape.items())
    found = dump(url)
    assert checkpoint.sequence == 22
    assert {name: len(rows) for name, rows in found.items()} == {
        "checkpoint": 1,
        "events": 22,
        "signals": 4,
        "verdicts": 4,
        "legs": 4,
        "orders": 4,
        "fills": 4,
        "deals": 5,
        "trades": 5,
        "matches": 0,
        "discrepancies": 0,
        "alerts": 0,
    }
    assert [bytes(row[3]) for row in found["events"]] == [e.data for e in tape.entries]  # type: ignore[call-overload]  # raw bytes
    assert found["events"][16][4] == "DeadLetter"


async def test_later_events_of_an_order_find_its_trade(url: str, ledger: SqlLedger) -> None:
    await ledger.open("g1")
    for item in story(1).items():
        await ledger.project([item])
    kinds = {str(row[4]): row[6] for row in dump(url)["events"][:5]}
    assert len({kinds["OrderSubmitting"], kinds["OrderFilled"], kinds["DealRecorded"]}) == 1


@pytest.mark.parametrize("size", [1, 3, 7, 100])
async def test_however_entries_are_cut_into_batches_the_rows_are_the_same(
    url: str, ledger: SqlLedger, size: int, tmp_path: Path
) -> None:
    items = story(3).items()
    await ledger.open("g1")
    for start in range(0, len(items), size):
        await ledger.project(items[start : start + size])
    other = SqlLedger(f"sqlite:///{tmp_path / 'whole.db'}")
    await other.open("g1")
    await other.project(items)
    await other.close()
    assert dump(url) == dump(f"sqlite:///{tmp_path / 'whole.db'}")


async def test_entries_delivered_again_change_nothing(url: str, ledger: SqlLedger) -> None:
    items = story().items()
    await ledger.open("g1")
    await ledger.project(items)
    before = dump(url)
    await ledger.project(items[-3:])
    await ledger.project(items)
    assert dump(url) == before


async def test_a_ledger_opened_again_goes_on_where_it_was(url: str, ledger: SqlLedger) -> None:
    items = story(4).items()
    await ledger.open("g1")
    await ledger.project(items[:9])
    await ledger.close()
    again = SqlLedger(url)
    assert (await again.open("g1")).sequence == 9
    await again.project(items)
    whole = dump(url)
    await again.close()
    assert whole["checkpoint"][0][2] == len(items)
    assert len(whole["events"]) == len(items)


async def test_another_log_is_refused_with_the_way_out(url: str, ledger: SqlLedger) -> None:
    await ledger.open("g1")
    await ledger.project(story(2).items())
    await ledger.close()
    again = SqlLedger(url)
    await again.open("g1")
    foreign_log = Tape().says(*entry_story(9)).says(*entry_story(8)).says(*entry_story(7)).items()
    before = dump(url)
    with pytest.raises(LedgerUnusable, match="argos ledger rebuild"):
        await again.project([*foreign_log, *foreign_log[:0], *story(9).items()[15:]])
    assert dump(url) == before
    await again.close()


async def test_a_log_changed_in_one_byte_is_refused(url: str, ledger: SqlLedger) -> None:
    items = story(2).items()
    await ledger.open("g1")
    await ledger.project(items)
    await ledger.close()
    changed = list(items)
    old = changed[3]
    changed[3] = Item(old.sequence, old.subject, old.appended_ns, old.raw + b"\0", old.event)
    again = SqlLedger(url)
    await again.open("g1")
    with pytest.raises(LedgerUnusable, match="changed below entry"):
        await again.project(changed)
    await again.close()


async def test_it_goes_on_in_another_generation_that_begins_with_the_same_entries(
    url: str, ledger: SqlLedger
) -> None:
    await ledger.open("g1")
    items = story().items()
    half = len(items) // 2
    before = await ledger.project(items[:half])
    await ledger.close()
    again = SqlLedger(url)
    assert await again.open("g2") == before
    after = await again.project(items)
    assert (after.generation, after.sequence) == ("g2", len(items))
    await again.close()


async def test_a_second_writer_is_refused(url: str, ledger: SqlLedger) -> None:
    await ledger.open("g1")
    second = SqlLedger(url)
    with pytest.raises(LedgerUnusable, match="another process writes"):
        await second.open("g1")
    await second.close()
    await ledger.project(story(1).items())


async def test_a_discrepancy_is_resolved_once(url: str, ledger: SqlLedger) -> None:
    await ledger.open("g1")
    unknown = DiscrepancyResolved(
        discrepancy_id="never-found",
        account=DEMO,
        symbol=EURUSD,
        how="?",
        actor="ann",
        resolved_at_ns=NOW,
    )
    await ledger.project(Tape().says(unknown).items())
    assert dump(url)["discrepancies"] == []


async def test_rebuilding_gives_the_same_rows(url: str, ledger: SqlLedger) -> None:
    log = MemoryLog(SystemClock())
    tape = story(4)
    for entry in tape.entries:
        await log.append(Append(subject=entry.subject, data=entry.data, condition=CreateOnce()))
    items = [
        Item(e.sequence, e.subject, e.appended_ns, e.data, event)
        for e, event in zip(log.store.entries, tape.events, strict=True)
    ]
    await ledger.open("g1")
    await ledger.project(items)
    with pytest.raises(LedgerUnusable, match="stop it"):
        await rebuild(log, url)
    await ledger.close()
    before = dump(url)
    progress: list[tuple[int, int]] = []
    made = await rebuild(log, url, lambda done, of: progress.append((done, of)))
    assert dump(url) == before
    assert made.checkpoint.sequence == len(items)
    assert progress[-1] == (len(items), len(items))
    if made.kept is not None:
        assert dump(f"sqlite:///{made.kept}") == before


async def test_a_damaged_file_is_refused_with_the_way_out_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.write_bytes(b"this is no database" * 400)
    ledger = SqlLedger(f"sqlite:///{path}")
    with pytest.raises(LedgerUnusable, match="argos ledger rebuild"):
        await ledger.open("g1")
    await ledger.close()
    assert path.read_bytes() == b"this is no database" * 400
    await rebuild(MemoryLog(SystemClock()), f"sqlite:///{path}")
    assert (tmp_path / "ledger.db.old-1").read_bytes() == b"this is no database" * 400
    again = SqlLedger(f"sqlite:///{path}")
    assert (await again.open("g1")).sequence == 0
    await again.close()


async def test_a_page_that_was_overwritten_is_noticed_at_start(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open("g1")
    await ledger.project(story(60).items())
    await ledger.close()
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 30] = b"\x55" * (4096 * 27)
    path.write_bytes(bytes(raw))
    again = SqlLedger(f"sqlite:///{path}")
    with pytest.raises(LedgerUnusable, match="damaged"):
        await again.open("g1")
    await again.close()


async def test_somebody_elses_database_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE recipes (name TEXT)")
    connection.commit()
    connection.close()
    ledger = SqlLedger(f"sqlite:///{path}")
    with pytest.raises(LedgerUnusable, match="something else"):
        await ledger.open("g1")
    await ledger.close()


async def test_a_database_that_does_not_answer_is_waited_for() -> None:
    ledger = SqlLedger("postgresql+psycopg://argos@127.0.0.1:9/argos")
    with pytest.raises(LedgerUnavailable, match="does not answer"):
        await ledger.open("g1")
    await ledger.close()


def test_the_migrations_make_the_tables_that_the_code_uses(url: str) -> None:
    opened = open_for_writing(url)
    try:
        context = MigrationContext.configure(opened.connection)
        assert compare_metadata(context, tables.metadata) == []
    finally:
        opened.close()


PROJECTING = """
import asyncio, sys
from argos_reconciler.adapters.sql.ledger import SqlLedger
from services.reconciler.tests.adapters.test_ledger import story

async def main() -> None:
    ledger = SqlLedger(sys.argv[1])
    checkpoint = await ledger.open("g1")
    for item in story(200).items():
        checkpoint = await ledger.project([item])
        print(checkpoint.sequence, flush=True)
asyncio.run(main())
"""


def test_killed_in_the_middle_it_resumes_to_the_rows_of_a_rebuild(url: str, tmp_path: Path) -> None:
    """kill -9 three times at whatever moment; what was said to be taken is there, once."""
    for enough in (5, 60, 200):
        child = subprocess.Popen(
            [sys.executable, "-c", PROJECTING, url],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[4],
        )
        assert child.stdout is not None
        last = 0
        for line in child.stdout:
            last = int(line)
            if last >= enough:
                break
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        taken = dump(url)["checkpoint"][0][2]
        assert isinstance(taken, int)
        assert taken >= last
    compare_with_a_fresh_one(url, tmp_path)


def compare_with_a_fresh_one(url: str, tmp_path: Path) -> None:
    import asyncio

    async def finish(where: str) -> None:
        ledger = SqlLedger(where)
        deadline = time.monotonic() + 10
        while True:
            try:
                await ledger.open("g1")
            except LedgerUnusable:  # the killed one's session may take a moment to end
                assert time.monotonic() < deadline
                await asyncio.sleep(0.05)
            else:
                break
        await ledger.project(story(200).items())
        await ledger.close()

    fresh = f"sqlite:///{tmp_path / 'fresh.db'}"
    asyncio.run(finish(url))
    asyncio.run(finish(fresh))
    assert dump(url) == dump(fresh)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    amounts=st.lists(
        st.tuples(st.integers(0, 2), st.decimals("-9", "9", places=3)), min_size=1, max_size=20
    ),
    size=st.integers(1, 8),
)
async def test_the_ledgers_position_is_the_sum_of_the_deals_exactly(
    amounts: list[tuple[int, D]], size: int
) -> None:
    tape = Tape()
    for number, (position, amount) in enumerate(amounts):
        event = foreign(str(abs(amount)), f"p{position}")
        made = event.deal
        from dataclasses import replace

        tape.says(replace(event, deal=replace(made, deal_id=f"d{number}", position_delta=amount)))
    ledger = MemoryLedger()
    await ledger.open("g1")
    items = tape.items()
    for start in range(0, len(items), size):
        await ledger.project(items[start : start + size])
    sums: dict[object, D] = {}
    for row in ledger.table("deals"):
        delta = row["position_delta"]
        assert isinstance(delta, D)
        sums[row["trade_id"]] = sums.get(row["trade_id"], D(0)) + delta
    assert {row["trade_id"]: row["position"] for row in ledger.table("trades")} == sums


async def test_the_memory_ledger_holds_the_same_rows(url: str, ledger: SqlLedger) -> None:
    items = story(3).items()
    memory = MemoryLedger()
    await ledger.open("g1")
    await memory.open("g1")
    await ledger.project(items)
    for item in items:
        await memory.project([item])
    found = dump(url)
    for name, table in tables.metadata.tables.items():
        if name == "checkpoint":
            continue
        columns = [column.name for column in table.columns]
        keys = [column.name for column in table.primary_key.columns]
        rows = sorted(
            (row for row in memory.table(name)), key=lambda row: tuple(str(row[k]) for k in keys)
        )
        mine = [tuple(row[column] for column in columns) for row in rows]
        theirs = sorted(found[name], key=lambda r: tuple(str(r[columns.index(k)]) for k in keys))
        assert mine == theirs

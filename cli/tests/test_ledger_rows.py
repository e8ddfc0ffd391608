"""A ledger's rows against the log: whatever was changed, added or taken away is named."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from argos_cli.client.ledger_rows import Comparison, one_moment, stored_checkpoint
from argos_common.domain.ids import TradeId
from argos_common.domain.reconcile import (
    AlertRaised,
    DiscrepancyFound,
    DiscrepancyKind,
    MatchMethod,
    OrderMatched,
)
from argos_common.testing.builders import DEMO, EURUSD
from argos_reconciler.adapters.sql import tables
from argos_reconciler.adapters.sql.ledger import SqlLedger
from argos_reconciler.core.rows import Item
from sqlalchemy import Boolean, Column, LargeBinary, Text
from sqlalchemy.exc import SQLAlchemyError

from services.reconciler.tests.reconciler_kit import (
    Tape,
    entry_story,
    foreign,
    oid,
    signal,
    verdict,
)

NOW = 1_767_323_045_000_000_000
ALERT = AlertRaised(
    alert_id="a", level="warning", code="c", sentence="s", raised_at_ns=NOW, account="demo"
)
DISCREPANCY = DiscrepancyFound(
    discrepancy_id="d",
    account=DEMO,
    symbol=EURUSD,
    kind=DiscrepancyKind.POSITION,
    expected="1",
    actual="2",
    sentence="one too many",
    since_ns=NOW,
    found_at_ns=NOW,
)
MATCH = OrderMatched(
    order_id=oid(signal(1).signal_id),
    account=DEMO,
    trade_id=TradeId(signal(1).signal_id),
    method=MatchMethod.TAG,
    deal_ids=("1",),
    quantity=Decimal(1),
    average_price=Decimal("1.1"),
    intended_price=Decimal("1.1"),
    slippage=Decimal(0),
    slippage_cash=Decimal(0),
    commission=Decimal(0),
    cost=Decimal(0),
    latency_ms=Decimal(5),
    matched_at_ns=NOW,
)
TABLES = [table for table in tables.metadata.sorted_tables if table is not tables.checkpoint]


def log() -> list[Item]:
    refused = verdict(signal(3).signal_id, ())
    tape = Tape().says(*entry_story(1), *entry_story(2), foreign(), signal(3), refused)
    tape = tape.says(MATCH, DISCREPANCY, ALERT)
    return list(tape.garbage().items())


async def _make(path: Path) -> None:
    ledger = SqlLedger(f"sqlite:///{path}")
    await ledger.open("g1")
    await ledger.project(log())
    await ledger.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    asyncio.run(_make(path))
    return path


@pytest.fixture
def ledger(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "ledger.db"))


def change(ledger: Path, statement: str) -> int:
    with closing(sqlite3.connect(ledger)) as database, database:
        return database.execute(statement).rowcount


def compared(ledger: Path, batch: int = 5) -> list[str]:
    items = log()
    with one_moment(f"sqlite:///{ledger}") as connection:
        found = stored_checkpoint(connection)
        comparison = Comparison(connection)
        for start in range(0, len(items), batch):
            comparison.take(items[start : start + batch])
        comparison.end()
    assert found is not None
    assert (found.sequence, found.hash) == (comparison.sequence, comparison.hash)
    return comparison.differences


@pytest.mark.parametrize("batch", [1, 5, 1000])
def test_an_untouched_ledger_is_what_the_log_makes(ledger: Path, batch: int) -> None:
    assert compared(ledger, batch) == []


@pytest.mark.parametrize("name", [table.name for table in TABLES])
def test_every_changed_value_is_named(ledger: Path, name: str) -> None:
    table = tables.metadata.tables[name]
    columns = [column for column in table.columns if not column.primary_key]
    changes = ", ".join(f"{column.name} = {_other(column)}" for column in columns)
    first = f"rowid = (SELECT min(rowid) FROM {name})"  # noqa: S608  # our own names
    assert change(ledger, f"UPDATE {name} SET {changes} WHERE {first}")  # noqa: S608  # our own names
    said = compared(ledger)
    for column in columns:
        assert any(f"{name} has {column.name} " in text for text in said), column.name


def _other(column: Column[Any]) -> str:
    """A value that this column does not have in the story, as SQL."""
    match column.type:
        case LargeBinary():
            return "x'00'"
        case Boolean():
            return f"1 - {column.name}"
        case Text():
            return "'else'"
        case _:
            return "777777"


@pytest.mark.parametrize("name", ["events", "orders", "deals", "trades"])
def test_a_row_that_is_gone_is_named(ledger: Path, name: str) -> None:
    first = f"rowid = (SELECT min(rowid) FROM {name})"  # noqa: S608  # our own names
    assert change(ledger, f"DELETE FROM {name} WHERE {first}")  # noqa: S608  # our own names
    assert [text for text in compared(ledger) if f"of {name} is missing" in text]


def test_a_row_of_no_entry_is_named(ledger: Path) -> None:
    copied = "INSERT INTO events SELECT 999, subject, appended_ns, raw, kind, account, trade_id, order_id, signal_id FROM events LIMIT 1"  # fmt: skip
    change(ledger, copied)
    assert compared(ledger) == ["the row 999 of events is in the ledger only"]


def test_a_value_that_cannot_be_read_is_an_error_not_agreement(ledger: Path) -> None:
    change(ledger, "UPDATE deals SET price = 'nonsense'")
    with pytest.raises((ArithmeticError, SQLAlchemyError)):
        compared(ledger)

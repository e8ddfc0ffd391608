"""The ledger in SQL: every batch is one transaction of rows and checkpoint, in a thread of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Connection, Executable, select, text, tuple_, update
from sqlalchemy.exc import SQLAlchemyError

from argos_reconciler.adapters.sql import tables, writing
from argos_reconciler.adapters.sql.engine import (
    Opened,
    explained,
    open_for_writing,
    sqlite_path,
)
from argos_reconciler.core.checkpoint import Chain
from argos_reconciler.core.project import Wanted, fold_all, wanted
from argos_reconciler.core.rows import Item, Row, Rows
from argos_reconciler.ports import (
    REBUILD,
    Checkpoint,
    LedgerSize,
    LedgerUnavailable,
    LedgerUnusable,
)

T = TypeVar("T")
_POSTGRES_SIZE = """
SELECT pg_database_size(current_database()),
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database())
"""
IN_MAX = 200
"""Keys per SELECT: every database has a limit on bound values."""


class SqlLedger:
    """Implements `Ledger` on a SQLAlchemy URL (SQLite file or Postgres)."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._generation = ""
        self._opened: Opened | None = None
        self._chain = Chain()
        self._closed = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")

    async def open(self, generation: str) -> Checkpoint:
        return await self._run(lambda: self._open(generation))

    async def project(self, items: Sequence[Item]) -> Checkpoint:
        return await self._run(lambda: self._project(items))

    async def size(self) -> LedgerSize | None:
        """How large it is now; None while it cannot be asked."""
        return await self._run(self._size)

    async def close(self) -> None:
        """Let go of it; may be called again."""
        if self._closed:
            return
        self._closed = True
        await self._run(self._let_go)
        self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- in the thread

    def _open(self, generation: str) -> Checkpoint:
        self._let_go()
        self._generation = generation
        self._opened = open_for_writing(self._url)
        self._chain = Chain()
        try:
            with self._opened.connection.begin():
                return self._checkpoint(self._opened.connection)
        except SQLAlchemyError as error:
            self._let_go()
            raise explained(error, self._url) from None
        except LedgerUnusable:
            self._let_go()
            raise

    def _size(self) -> LedgerSize | None:
        opened = self._opened
        if opened is None:
            return None
        path = sqlite_path(self._url)
        if path is not None:
            files = (path, path.with_name(path.name + "-wal"))
            return LedgerSize(sum(each.stat().st_size for each in files if each.exists()), 1)
        try:
            with opened.connection.begin():
                row = opened.connection.execute(text(_POSTGRES_SIZE)).one()
        except SQLAlchemyError:
            return None  # the next batch says what is wrong
        return LedgerSize(*row)

    def _let_go(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def _checkpoint(self, connection: Connection) -> Checkpoint:
        row = connection.execute(select(tables.checkpoint)).mappings().first()
        if row is None:
            fresh = Checkpoint(generation=self._generation)
            connection.execute(
                tables.checkpoint.insert(),
                {"id": 1, "generation": fresh.generation, "sequence": 0, "hash": fresh.hash},
            )
            return fresh
        return Checkpoint(generation=row["generation"], sequence=row["sequence"], hash=row["hash"])

    def _project(self, items: Sequence[Item]) -> Checkpoint:
        """One batch. After a lost commit the database is asked how far it came, so none is doubled."""
        if self._opened is None:
            chain = self._chain
            self._open(self._generation)
            self._chain = chain
        opened = self._opened
        if opened is None:
            raise LedgerUnavailable("the ledger is not open")
        before = Chain(self._chain.sequence, self._chain.hash)
        try:
            with opened.connection.begin():
                return self._take(opened.connection, items)
        except SQLAlchemyError as error:
            self._chain = before
            self._let_go()
            raise explained(error, self._url) from None
        except BaseException:
            self._chain = before
            raise

    def _take(self, connection: Connection, items: Sequence[Item]) -> Checkpoint:
        stored = self._checkpoint(connection)
        new = self._chain.take(items, stored.sequence, stored.hash)
        if new is None:
            raise LedgerUnusable(
                f"the ledger was made from another log, or the log was changed below entry"
                f" {stored.sequence}: {REBUILD}"
            )
        if not new:
            return stored
        keys = wanted(new)
        rows = _load(connection, keys)
        fold_all(rows, new)
        _store(connection, rows)
        last = new[-1].sequence
        moved = connection.execute(
            update(tables.checkpoint)
            .where(tables.checkpoint.c.sequence == stored.sequence)
            .values(generation=self._generation, sequence=last, hash=self._chain.hash)
        )
        if moved.rowcount != 1:
            raise LedgerUnusable("another process writes this ledger: stop it")
        return Checkpoint(generation=self._generation, sequence=last, hash=self._chain.hash)


def _load(connection: Connection, keys: Wanted) -> Rows:
    """The rows that a batch may change, as they are now."""
    orders, trades, found = tables.orders, tables.trades, tables.discrepancies
    rows = Rows()
    for part in _parts(list(keys.orders)):
        query = select(orders).where(tuple_(orders.c.account, orders.c.order_id).in_(part))
        for row in _rows(connection, query):
            rows.orders[str(row["account"]), str(row["order_id"])] = row
    for part in _parts(list(keys.trades)):
        query = select(trades).where(tuple_(trades.c.trade_id, trades.c.account).in_(part))
        for row in _rows(connection, query):
            rows.trades[str(row["trade_id"]), str(row["account"])] = row
    for names in _parts(list(keys.discrepancies)):
        query = select(found).where(found.c.discrepancy_id.in_(names))
        for row in _rows(connection, query):
            rows.discrepancies[str(row["discrepancy_id"])] = row
    return rows


def _rows(connection: Connection, query: Executable) -> list[Row]:
    return [dict(row) for row in connection.execute(query).mappings()]


def _parts(keys: list[T]) -> list[list[T]]:
    return [keys[start : start + IN_MAX] for start in range(0, len(keys), IN_MAX)]


def _store(connection: Connection, rows: Rows) -> None:
    for name, table in tables.ADDED.items():
        writing.add(connection, table, rows.added.get(name, ()))
    writing.put(connection, tables.orders, list(rows.orders.values()))
    writing.put(connection, tables.trades, list(rows.trades.values()))
    writing.put(connection, tables.discrepancies, list(rows.discrepancies.values()))

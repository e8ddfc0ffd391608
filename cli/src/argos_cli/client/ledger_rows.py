"""The rows of a stored ledger against those that the log makes: a changed value does not hide.

The ledger is read in one transaction, so its writer may go on meanwhile. Rows that are only ever
added are compared batch by batch; those that change (orders, trades, discrepancies) at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal

from argos_monitor.adapters.ledger_sql import reading_engine
from argos_reconciler.adapters.sql import tables
from argos_reconciler.core.project import fold_all
from argos_reconciler.core.rows import START, Item, Row, Rows, chain
from argos_reconciler.ports import Checkpoint
from sqlalchemy import ColumnElement, Connection, Executable, RowMapping, Table, select

from argos_cli.client.ledger import DIFFERENCES_MAX

_CHANGED = (tables.orders, tables.trades, tables.discrepancies)
_SHOWN = 60
_Key = tuple[object, ...]


@contextmanager
def one_moment(url: str) -> Iterator[Connection]:
    """A connection on which everything read is of the same moment, and nothing can be written."""
    engine = reading_engine(url)
    try:
        sqlite = engine.dialect.name == "sqlite"
        options = (
            {} if sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        )
        with engine.connect().execution_options(**options) as connection:
            if sqlite:
                connection.exec_driver_sql("BEGIN")
            yield connection
    finally:
        engine.dispose()


def stored_checkpoint(connection: Connection) -> Checkpoint | None:
    """How far the ledger says it has come; None if it is empty."""
    row = connection.execute(select(tables.checkpoint)).mappings().first()
    if row is None:
        return None
    return Checkpoint(generation=row["generation"], sequence=row["sequence"], hash=row["hash"])


class Comparison:
    """Fed with the log's entries in order, up to and with the ledger's checkpoint.

    `hash` chains what was read. `differences` has a sentence for each row that is not as it should
    be, at most `DIFFERENCES_MAX`.
    """

    def __init__(self, connection: Connection) -> None:
        self.hash = START
        self.sequence = 0
        self.differences: list[str] = []
        self._connection = connection
        self._rows = Rows()

    def take(self, items: Sequence[Item]) -> None:
        """The next entries."""
        for item in items:
            self.hash = chain(self.hash, item.sequence, item.subject, item.raw)
        fold_all(self._rows, items)
        self._added(self.sequence + 1, items[-1].sequence)
        self.sequence = items[-1].sequence

    def end(self) -> None:
        """There are no more: compare the rows that change, and whether there are later ones."""
        for table in _CHANGED:
            made: dict[object, Row] = getattr(self._rows, table.name)
            self._table(table, made.values(), select(table))
        for table in tables.ADDED.values():
            self._table(table, (), select(table).where(_place(table) > self.sequence))

    def _added(self, first: int, last: int) -> None:
        for name, table in tables.ADDED.items():
            taken = select(table).where(_place(table).between(first, last))
            self._table(table, self._rows.added.get(name, ()), taken)
        self._rows.added.clear()

    def _table(self, table: Table, made: Iterable[Row], query: Executable) -> None:
        """Compare what the log makes with what the query finds."""
        should = {_key(table, row): row for row in made}
        for row in self._connection.execute(query).mappings():
            key = _key(table, row)
            wanted = should.pop(key, None)
            if wanted is None:
                self._say(table, key, "is in the ledger only")
                continue
            for column, value in wanted.items():
                if row[column] != value:
                    shown = f"{_short(row[column])}, the log makes it {_short(value)}"
                    self._say(table, key, f"has {column} {shown}")
        for key in should:
            self._say(table, key, "is missing")

    def _say(self, table: Table, key: _Key, what: str) -> None:
        if len(self.differences) < DIFFERENCES_MAX:
            name = " ".join(str(part) for part in key)
            self.differences.append(f"the row {name} of {table.name} {what}")


def _place(table: Table) -> ColumnElement[int]:
    """The log entry that a row was made from."""
    return table.c["verdict_sequence" if table is tables.legs else "sequence"]


def _key(table: Table, row: Row | RowMapping) -> _Key:
    return tuple(row[column.name] for column in table.primary_key.columns)


def _short(value: object) -> str:
    text = format(value, "f") if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"

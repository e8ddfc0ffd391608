"""Many rows into one table: its statement is made once, and a row becomes a plain tuple.

SQLAlchemy prepares every row of every execution anew, which was most of the ledger's time. Text and
conversions are still its own, so that both dialects store what the tables say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

from argos_reconciler.core.rows import Row

Convert = Callable[[Any], Any]  # as the dialect has it


@dataclass(frozen=True, slots=True)
class _Statement:
    """`columns`: in the order of the parameters, with what turns a value into the driver's."""

    text: str
    columns: tuple[tuple[str, Convert | None], ...]
    positional: bool

    def parameters(self, row: Row) -> Any:  # a tuple, or a dictionary
        values = [
            row[name] if convert is None else convert(row[name]) for name, convert in self.columns
        ]
        if self.positional:
            return tuple(values)
        return dict(zip((name for name, _ in self.columns), values, strict=True))


def add(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert the rows; each has all columns."""
    _write(connection, table, rows, over=False)


def put(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert each row, or put it in the place of the one with its key."""
    _write(connection, table, rows, over=True)


def _write(connection: Connection, table: Table, rows: Sequence[Row], *, over: bool) -> None:
    if not rows:
        return
    dialect = connection.dialect
    key = table.name, dialect.name, over
    statement = _STATEMENTS.get(key)
    if statement is None:
        statement = _STATEMENTS[key] = _compiled(table, dialect, over=over)
    connection.exec_driver_sql(statement.text, [statement.parameters(row) for row in rows])


_STATEMENTS: dict[tuple[str, str, bool], _Statement] = {}


def _compiled(table: Table, dialect: Dialect, *, over: bool) -> _Statement:
    statement = _upsert(table, dialect.name) if over else table.insert()
    compiled: Any = statement.compile(dialect=dialect, column_keys=list(table.c.keys()))
    names = compiled.positiontup if compiled.positional else list(table.c.keys())
    columns = [
        (name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in names
    ]
    return _Statement(compiled.string, tuple(columns), bool(compiled.positional))


def _upsert(table: Table, dialect: str) -> Insert:
    make: Any = sqlite.insert if dialect == "sqlite" else postgresql.insert
    statement = make(table)
    keys = {column.name for column in table.primary_key}
    found: Insert = statement.on_conflict_do_update(
        index_elements=[table.c[name] for name in sorted(keys)],
        set_={c.name: statement.excluded[c.name] for c in table.c if c.name not in keys},
    )
    return found

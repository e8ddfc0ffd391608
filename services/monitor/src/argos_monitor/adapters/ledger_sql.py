"""Reads the reconciler's ledger, in SQLite or Postgres; writes nothing, and cannot."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from argos_common.domain.errors import ConfigMistake, WireError
from argos_common.domain.money import plain
from argos_common.wire import codec
from sqlalchemy import (
    Connection,
    Engine,
    Executable,
    column,
    create_engine,
    event,
    or_,
    select,
    table,
    text,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from argos_monitor.core.status import Json
from argos_monitor.core.timeline import Told
from argos_monitor.ports import LedgerAway

EVENTS = table(
    "events",
    column("sequence"),
    column("appended_ns"),
    column("raw"),
    column("kind"),
    column("trade_id"),
    column("signal_id"),
)
LEGS = table("legs", column("trade_id"), column("cause_id"))
SIGNALS = table("signals", column("sequence"), column("signal_id"))
CHECKPOINT = table("checkpoint", column("sequence"))
TRADE_COLUMNS = (
    "trade_id", "account", "strategy", "bot_version", "symbol", "external", "opened_ns", "last_ns",
    "orders", "deals", "matched", "position", "traded", "profit", "commission", "swap", "fee",
    "slippage_cash", "cost", "latency_ms",
)  # fmt: skip
EXACT_COLUMNS = frozenset(TRADE_COLUMNS[11:])
TRADES = table("trades", *(column(name) for name in TRADE_COLUMNS), column("opened_sequence"))
EVENTS_MAX = 5_000


class SqlLedgerReader:
    """Implements `LedgerReader` on a SQLAlchemy URL."""

    def __init__(self, url: str) -> None:
        self._engine = reading_engine(url)

    def close(self) -> None:
        self._engine.dispose()

    def checkpoint(self) -> int:
        with self._connection() as connection:
            return int(connection.execute(select(CHECKPOINT.c.sequence)).scalar() or 0)

    def trades(self, limit: int, account: str) -> list[Json]:
        query = select(TRADES).order_by(TRADES.c.opened_sequence.desc()).limit(limit)
        if account:
            query = query.where(TRADES.c.account == account)
        with self._connection() as connection:
            return [_trade(dict(row)) for row in connection.execute(query).mappings()]

    def events_of(self, trade_id: str) -> list[Told]:
        causes = select(LEGS.c.cause_id).where(LEGS.c.trade_id == trade_id)
        query = (
            select(EVENTS.c.sequence, EVENTS.c.appended_ns, EVENTS.c.raw)
            .where(
                or_(
                    EVENTS.c.trade_id == trade_id,
                    EVENTS.c.signal_id == trade_id,
                    EVENTS.c.signal_id.in_(causes),
                )
            )
            .order_by(EVENTS.c.sequence)
            .limit(EVENTS_MAX)
        )
        return self._told(query)

    def signals(self, limit: int) -> list[Told]:
        newest = (
            select(SIGNALS.c.signal_id).order_by(SIGNALS.c.sequence.desc()).limit(limit).subquery()
        )
        kinds = ("SignalAccepted", "SignalRefused", "VerdictGiven")
        query = (
            select(EVENTS.c.sequence, EVENTS.c.appended_ns, EVENTS.c.raw)
            .where(EVENTS.c.signal_id.in_(select(newest.c.signal_id)), EVENTS.c.kind.in_(kinds))
            .order_by(EVENTS.c.sequence)
            .limit(EVENTS_MAX)
        )
        return self._told(query)

    def _told(self, query: Executable) -> list[Told]:
        with self._connection() as connection:
            rows = connection.execute(query).all()
        return [Told(int(row[0]), int(row[1]), _decoded(bytes(row[2]))) for row in rows]

    @contextmanager
    def _connection(self) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("SET TRANSACTION READ ONLY"))
                yield connection
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).splitlines()[0]
            raise LedgerAway(
                f"the ledger cannot be read now ({reason}): is the reconciler running?"
            ) from None


def _decoded(raw: bytes) -> Any:  # an event, or None for a dead letter
    try:
        return codec.decode(raw)
    except WireError:
        return None


def _trade(row: dict[str, Any]) -> Json:
    """One trade, Decimals as text on either database."""
    row.pop("opened_sequence", None)
    for name in EXACT_COLUMNS:
        if row[name] is not None:
            row[name] = plain(Decimal(str(row[name])))
    row["external"] = bool(row["external"])
    if row["position"] != "0":
        row["status"] = "open"
    else:
        row["status"] = "closed" if row["deals"] else "no fill"
    return row


def reading_engine(url: str) -> Engine:
    """An engine that reads a ledger beside its writer and cannot change it."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigMistake("the ledger's address is not a database URL") from None
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(parsed, poolclass=NullPool, connect_args={"connect_timeout": 5})
    # mode=rw, because a reader of a WAL file takes part in its locks; it makes no file, and
    # query_only lets it change nothing.
    file = URL.create(
        "sqlite", database=f"file:{parsed.database}", query={"mode": "rw", "uri": "true"}
    )
    engine = create_engine(file, poolclass=NullPool, connect_args={"timeout": 5.0})

    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.execute("PRAGMA query_only=ON")

    event.listen(engine, "connect", prepare)
    return engine

"""The broker's books on disk: one SQLite transaction per change, committed before any answer.

The write-ahead log with ``synchronous=NORMAL`` survives the death of the process (kill -9); it is
not meant to survive the loss of power. Ticks are not stored: after a restart the broker evaluates
the ticks since the last commit, which are the same ticks, and reaches the same books.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from argos_mt5_node.simulator.book import Book
from argos_mt5_node.simulator.broker import SimulatedBroker
from argos_mt5_node.simulator.records import BrokerEntry, Deal, Order, Position, TradeRequest
from argos_mt5_node.simulator.state import BrokerState, Scheduled
from argos_mt5_node.simulator.switchboard import Armed
from argos_mt5_node.simulator.valuation import CENT

T = TypeVar("T", Position, Order, Deal, BrokerEntry, TradeRequest)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS positions (login INTEGER, ticket INTEGER, body TEXT NOT NULL,
    PRIMARY KEY (login, ticket));
CREATE TABLE IF NOT EXISTS orders (login INTEGER, ticket INTEGER, body TEXT NOT NULL,
    PRIMARY KEY (login, ticket));
CREATE TABLE IF NOT EXISTS deals (login INTEGER, n INTEGER, body TEXT NOT NULL,
    PRIMARY KEY (login, n));
CREATE TABLE IF NOT EXISTS history (login INTEGER, n INTEGER, body TEXT NOT NULL,
    PRIMARY KEY (login, n));
CREATE TABLE IF NOT EXISTS record (n INTEGER PRIMARY KEY, body TEXT NOT NULL);
"""
_COLUMNS: dict[type, tuple[tuple[str, bool], ...]] = {
    cls: tuple((f.name, f.type == "Decimal") for f in fields(cls))
    for cls in (Position, Order, Deal, BrokerEntry, TradeRequest)
}


class StateMismatchError(ValueError):
    """The state directory belongs to a broker with another seed."""


def encode(entry: Position | Order | Deal | BrokerEntry | TradeRequest) -> str:
    """An entry as a JSON list in field order, decimals as strings."""
    columns = _COLUMNS[type(entry)]
    return json.dumps(
        [str(getattr(entry, n)) if is_decimal else getattr(entry, n) for n, is_decimal in columns]
    )


def decode(cls: type[T], body: str) -> T:
    """The inverse of ``encode``."""
    values = json.loads(body)
    pairs = zip(_COLUMNS[cls], values, strict=True)
    entry: dict[str, Any] = {n: Decimal(v) if is_decimal else v for (n, is_decimal), v in pairs}
    return cls(**entry)


class BrokerStore:
    """Saves and restores one broker in ``<directory>/broker.sqlite3``."""

    def __init__(self, directory: Path) -> None:
        """Open or create the database, for this process alone.

        Raises sqlite3.OperationalError if another process has it.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(directory / "broker.sqlite3", isolation_level=None, timeout=1.0)
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)
        self._saved_deals: dict[int, int] = {}
        self._saved_history: dict[int, int] = {}
        self._saved_record = 0

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def save(self, broker: SimulatedBroker, *, force: bool = False) -> bool:
        """Commit what changed since the last save; True if there was anything.

        ``force`` writes the broker's counters, faults and scripts even if no entry changed.
        """
        state = broker.state
        changed = force or len(state.record) > self._saved_record
        changed = changed or any(self._has_changed(book) for book in state.books.values())
        if not changed:
            return False
        self._db.execute("BEGIN IMMEDIATE")
        for book in state.books.values():
            self._save_book(book)
        rows = enumerate(state.record[self._saved_record :], self._saved_record)
        self._db.executemany(
            "INSERT INTO record VALUES (?, ?)", ((n, encode(entry)) for n, entry in rows)
        )
        self._db.execute(
            "INSERT OR REPLACE INTO meta VALUES ('state', ?)", (_meta(broker.seed, state),)
        )
        self._db.execute("COMMIT")
        self._saved_record = len(state.record)
        for book in state.books.values():
            login = book.spec.login
            self._saved_deals[login] = len(book.deals)
            self._saved_history[login] = len(book.history)
            book.dirty_positions.clear()
            book.dirty_orders.clear()
        return True

    def _has_changed(self, book: Book) -> bool:
        login = book.spec.login
        return bool(
            book.dirty_positions
            or book.dirty_orders
            or len(book.deals) > self._saved_deals.get(login, 0)
            or len(book.history) > self._saved_history.get(login, 0)
        )

    def _save_book(self, book: Book) -> None:
        login = book.spec.login
        self._save_live("positions", login, book.dirty_positions, book.positions)
        self._save_live("orders", login, book.dirty_orders, book.orders)
        self._append("deals", login, self._saved_deals.get(login, 0), book.deals)
        self._append("history", login, self._saved_history.get(login, 0), book.history)

    def _save_live(
        self,
        table: str,
        login: int,
        dirty: Iterable[int],
        live: dict[int, Position] | dict[int, Order],
    ) -> None:
        for ticket in dirty:
            entry = live.get(ticket)
            if entry is None:
                self._db.execute(
                    f"DELETE FROM {table} WHERE login = ? AND ticket = ?",  # noqa: S608 - the table is our own literal
                    (login, ticket),
                )
            else:
                self._db.execute(
                    f"INSERT OR REPLACE INTO {table} VALUES (?, ?, ?)",  # noqa: S608 - the table is our own literal
                    (login, ticket, encode(entry)),
                )

    def _append(self, table: str, login: int, start: int, entries: Sequence[Deal | Order]) -> None:
        self._db.executemany(
            f"INSERT INTO {table} VALUES (?, ?, ?)",  # noqa: S608 - the table is our own literal
            ((login, n, encode(entry)) for n, entry in enumerate(entries[start:], start)),
        )

    def restore(self, broker: SimulatedBroker) -> bool:
        """Fill an empty broker from disk; False if nothing was stored.

        Accounts the file does not know yet are opened with their deposit by the caller.
        Raises StateMismatchError if the books were made with another seed.
        """
        row = self._db.execute("SELECT body FROM meta WHERE key = 'state'").fetchone()
        if row is None:
            return False
        meta: dict[str, Any] = json.loads(row[0])
        if meta["seed"] != broker.seed:
            message = (
                f"the state directory was made with seed {meta['seed']}, not {broker.seed}: "
                "use that seed, or another --state-dir"
            )
            raise StateMismatchError(message)
        state = broker.state
        for login, book in state.books.items():
            self._restore_book(login, book)
        for (body,) in self._db.execute("SELECT body FROM record ORDER BY n"):
            state.record.append(decode(BrokerEntry, body))
        self._saved_record = len(state.record)
        _restore_meta(state, meta)
        for login, book in state.books.items():
            if state.switchboard.active(login, "disconnected") is not None:
                book.freeze(state.last_index * state.market.tick_ns)
        return True

    def _restore_book(self, login: int, book: Book) -> None:
        for (body,) in self._rows("positions", login, "ticket"):
            book.put_position(decode(Position, body))
        for (body,) in self._rows("orders", login, "ticket"):
            book.put_order(decode(Order, body))
        for (body,) in self._rows("deals", login, "n"):
            book.add_deal(decode(Deal, body))
        for (body,) in self._rows("history", login, "n"):
            book.finish_order(decode(Order, body))
        if book.deals:
            book.balance = book.balance.quantize(CENT)
        book.dirty_positions.clear()
        book.dirty_orders.clear()
        self._saved_deals[login] = len(book.deals)
        self._saved_history[login] = len(book.history)

    def _rows(self, table: str, login: int, order: str) -> list[tuple[str]]:
        query = f"SELECT body FROM {table} WHERE login = ? ORDER BY {order}"  # noqa: S608 - the table is our own literal
        return self._db.execute(query, (login,)).fetchall()


def _meta(seed: int, state: BrokerState) -> str:
    return json.dumps(
        {
            "seed": seed,
            "prng": state.prng.state,
            "next": [state.next_order, state.next_deal, state.next_request, state.serial],
            "last": [state.last_index, state.last_day],
            "scheduled": [
                [s.due_ns, s.serial, s.login, s.received_ns, encode(s.request)]
                for s in state.scheduled
            ],
            "scripts": state.market.scripts,
            "armed": [
                [login, name, armed.params, armed.count, armed.rate_ppm, armed.since_ns]
                for login, faults in state.switchboard.armed.items()
                for name, armed in faults.items()
            ],
        }
    )


def _restore_meta(state: BrokerState, meta: dict[str, Any]) -> None:
    state.prng.state = meta["prng"]
    state.next_order, state.next_deal, state.next_request, state.serial = meta["next"]
    state.last_index, state.last_day = meta["last"]
    state.scheduled = [
        Scheduled(due, serial, login, received, decode(TradeRequest, body))
        for due, serial, login, received, body in meta["scheduled"]
    ]
    state.market.scripts = {
        symbol: [(start, mode, amount) for start, mode, amount in entries]
        for symbol, entries in meta["scripts"].items()
    }
    for login, name, params, count, rate_ppm, since_ns in meta["armed"]:
        faults = state.switchboard.armed.setdefault(login, {})
        faults[name] = Armed(params, count, rate_ppm, since_ns)

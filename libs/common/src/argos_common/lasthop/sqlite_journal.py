"""The journal in a SQLite file: write-ahead log, synchronous FULL, under an exclusive lock.

A damaged or vanished file is never replaced by an empty one: an empty journal would let an order
be sent a second time. The lock file beside it remembers that there was one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from argos_common.domain.errors import OurMistake, WireError
from argos_common.domain.ids import OrderId
from argos_common.domain.node import Journaled, Outcome, Submission
from argos_common.lasthop.journal import Entry, Journal, JournalFailed, Ticket
from argos_common.lasthop.lock import FileLock
from argos_common.wire.codec import pack, unpack

RECENT_MAX = 256
"""Entries kept in memory: an order is begun, and answered a moment later."""
_FORMAT = "1"
_SCHEMA = """
CREATE TABLE entry (
    order_id TEXT PRIMARY KEY, state INTEGER NOT NULL, digest TEXT NOT NULL,
    submission BLOB, outcome BLOB, received_ns INTEGER NOT NULL, journaled_ns INTEGER NOT NULL,
    answered_ns INTEGER NOT NULL, sealed_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_unanswered ON entry (journaled_ns) WHERE state = 3;
CREATE TABLE ticket (
    kind TEXT NOT NULL, venue_id TEXT NOT NULL, order_id TEXT NOT NULL,
    PRIMARY KEY (kind, venue_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE epoch (one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL) STRICT;
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
"""


class SqliteJournal(Journal):
    """Opens or creates the journal of one account at `path`, and locks it for as long as it lives.

    Raises OurMistake if another process holds it, or if it is damaged, missing though it once
    existed, or another account's. Used from one thread at a time.
    """

    def __init__(self, path: Path, account: str) -> None:
        self._path = path
        self._account = account
        self._depth = 0
        self._recent: dict[OrderId, Entry] = {}  # as committed: nobody else can write the file
        self._writing: dict[OrderId, Entry] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(
                path.with_name(path.name + ".lock"),
                f"another process already serves account {account} with the journal {path};"
                " stop it first, for two could place an order twice",
            )
        except OSError as error:
            raise OurMistake(
                f"the journal of account {account} cannot be opened at {path} ({error.strerror});"
                " make the folder writable"
            ) from None
        try:
            self._database = self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> sqlite3.Connection:
        empty = not self._path.exists() or self._path.stat().st_size == 0
        if empty and self._lock.marked:
            raise self._mistake("is gone or empty, though it was there before")
        database: sqlite3.Connection | None = None
        try:
            database = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=5
            )
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            known = database.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
            if not known and not self._lock.marked:
                self._create(database)
            self._check(database)
        except sqlite3.Error as error:
            if database is not None:
                database.close()
            raise self._mistake(f"cannot be read ({error})") from None
        except OurMistake:
            if database is not None:
                database.close()
            raise
        self._lock.mark()
        return database

    def _create(self, database: sqlite3.Connection) -> None:
        database.execute("BEGIN IMMEDIATE")
        for statement in _SCHEMA.split(";\n"):
            if statement.strip():
                database.execute(statement)
        database.execute("INSERT INTO epoch VALUES (1, 0)")
        database.executemany(
            "INSERT INTO about VALUES (?, ?)", [("format", _FORMAT), ("account", self._account)]
        )
        database.execute("COMMIT")

    def _check(self, database: sqlite3.Connection) -> None:
        found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise self._mistake(f"is damaged ({found})")
        about = dict(database.execute("SELECT name, value FROM about").fetchall())
        if about.get("format") != _FORMAT:
            raise self._mistake(f"has format {about.get('format')}, known here is {_FORMAT}")
        if about.get("account") != self._account:
            raise OurMistake(
                f"the journal {self._path} is that of account {about.get('account')}, not of"
                f" {self._account}; give each account a file of its own"
            )
        if database.execute("SELECT count(*) FROM epoch").fetchone()[0] != 1:
            raise self._mistake("has lost its epoch")

    def _mistake(self, what: str) -> OurMistake:
        return OurMistake(
            f"the journal of account {self._account} at {self._path} {what}; stop trading on this"
            " account, put back the file with its -wal from a backup, and only if there is none"
            " remove its .lock file too, once every order at the venue is accounted for"
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        if self._depth:
            yield
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            self._depth = 1
            yield
            self._database.execute("COMMIT")
            self._remember()
        except sqlite3.Error as error:
            self._recent = {}  # what the file holds now only the file can say
            raise self._failed(error) from None
        finally:
            self._depth = 0
            self._writing = {}
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")

    def _remember(self) -> None:
        self._recent |= self._writing
        while len(self._recent) > RECENT_MAX:
            del self._recent[next(iter(self._recent))]

    def _failed(self, error: sqlite3.Error) -> JournalFailed:
        return JournalFailed(
            f"the journal of account {self._account} at {self._path} failed ({error}); nothing is"
            " sent until it can be written: check the disk"
        )

    def _read(self, query: str, *values: str) -> list[tuple[object, ...]]:
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise self._failed(error) from None

    def epoch(self) -> int:
        return _integer(self._read("SELECT epoch FROM epoch")[0][0])

    def unanswered(self) -> tuple[Entry, ...]:
        query = f"SELECT {_COLUMNS} FROM entry WHERE state = 3"  # noqa: S608 - both parts are constants
        rows = self._read(query + " ORDER BY journaled_ns, order_id")
        return tuple(self._entry(row) for row in rows)

    def submitted(self) -> tuple[Entry, ...]:
        query = f"SELECT {_COLUMNS} FROM entry WHERE submission IS NOT NULL"  # noqa: S608 - as above
        rows = self._read(query + " ORDER BY journaled_ns, order_id")
        return tuple(self._entry(row) for row in rows)

    def close(self) -> None:
        """Lets go of the file and of the lock."""
        self._database.close()
        self._lock.release()

    def _load(self, order_id: OrderId) -> Entry | None:
        known = self._writing.get(order_id) or self._recent.get(order_id)
        if known is not None:
            return known
        query = f"SELECT {_COLUMNS} FROM entry WHERE order_id = ?"  # noqa: S608 - both parts are constants
        rows = self._read(query, order_id)
        return self._entry(rows[0]) if rows else None

    def _entry(self, row: tuple[object, ...]) -> Entry:
        order_id, state, content, submission, outcome, *times = row
        received_ns, journaled_ns, answered_ns, sealed_ns = (_integer(item) for item in times)
        try:
            return Entry(
                order_id=OrderId(str(order_id)),
                state=Journaled(state),
                digest=str(content),
                submission=unpack(Submission, submission)
                if isinstance(submission, bytes)
                else None,
                outcome=unpack(Outcome, outcome) if isinstance(outcome, bytes) else None,
                received_ns=received_ns,
                journaled_ns=journaled_ns,
                answered_ns=answered_ns,
                sealed_ns=sealed_ns,
            )
        except (WireError, ValueError) as error:
            raise self._mistake(f"has an unreadable entry {order_id} ({error})") from None

    def _store(self, entry: Entry) -> None:
        known = self._writing.get(entry.order_id) or self._recent.get(entry.order_id)
        self._writing[entry.order_id] = entry
        if known is not None and known.submission is entry.submission:
            self._change(entry)
            return
        self._database.execute(
            "INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.order_id,
                entry.state.value,
                entry.digest,
                pack(entry.submission) if entry.submission is not None else None,
                pack(entry.outcome) if entry.outcome is not None else None,
                entry.received_ns,
                entry.journaled_ns,
                entry.answered_ns,
                entry.sealed_ns,
            ),
        )

    def _change(self, entry: Entry) -> None:
        """Write what may change of an entry whose submission is stored as it is."""
        self._database.execute(
            "UPDATE entry SET state = ?, outcome = ?, answered_ns = ?, sealed_ns = ?"
            " WHERE order_id = ?",
            (
                entry.state.value,
                pack(entry.outcome) if entry.outcome is not None else None,
                entry.answered_ns,
                entry.sealed_ns,
                entry.order_id,
            ),
        )

    def _load_ticket(self, ticket: Ticket, venue_id: str) -> OrderId | None:
        query = "SELECT order_id FROM ticket WHERE kind = ? AND venue_id = ?"
        rows = self._read(query, ticket.value, venue_id)
        return OrderId(str(rows[0][0])) if rows else None

    def _store_ticket(self, ticket: Ticket, venue_id: str, order_id: OrderId) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO ticket VALUES (?, ?, ?)", (ticket.value, venue_id, order_id)
        )

    def _store_epoch(self, epoch: int) -> None:
        self._database.execute("UPDATE epoch SET epoch = ?", (epoch,))


_COLUMNS = (
    "order_id, state, digest, submission, outcome,"
    " received_ns, journaled_ns, answered_ns, sealed_ns"
)


def _integer(item: object) -> int:
    if not isinstance(item, int):
        raise TypeError(f"{item!r} is not an integer")
    return item

"""The paper venue's books in a SQLite file: each execution is one durable transaction.

The file holds the executions themselves, one after another; the books are what they add up to.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from argos_common.domain.errors import OurMistake, WireError
from argos_common.lasthop.lock import FileLock
from argos_common.wire.codec import from_json, to_json

from argos_exchange_node.core.books import Books, Execution


class SqliteStore:
    """Opens or creates the file and locks it. Raises OurMistake. One thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(
                path.with_name(path.name + ".lock"),
                f"another process already runs the paper venue {path}; stop it first",
            )
        except OSError as error:
            raise OurMistake(
                f"the paper venue {path} cannot be opened ({error.strerror})"
            ) from None
        try:
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS execution"
                " (number INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT"
            )
        except sqlite3.Error as error:
            self._lock.release()
            raise self._damaged(str(error)) from None

    def _damaged(self, what: str) -> OurMistake:
        return OurMistake(
            f"the paper venue's file {self._path} cannot be read ({what}); put it back from a"
            " backup, or start a new paper account by moving the whole state folder away"
        )

    def load(self) -> Books:
        """Raises OurMistake if the file is damaged."""
        books = Books()
        try:
            for (body,) in self._database.execute("SELECT body FROM execution ORDER BY number"):
                books.apply(from_json(Execution, str(body)))
        except (sqlite3.Error, WireError) as error:
            raise self._damaged(str(error)) from None
        return books

    def commit(self, execution: Execution) -> None:
        try:
            self._database.execute("INSERT INTO execution (body) VALUES (?)", (to_json(execution),))
        except sqlite3.Error as error:
            raise OurMistake(f"the paper venue's file {self._path} failed ({error})") from None

    def close(self) -> None:
        self._database.close()
        self._lock.release()

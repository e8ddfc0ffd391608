"""`python slow_sqlite.py STATE MODULE ARGS…`: a process of the fleet whose SQLite commits take longer.

Every statement that ends a transaction, or writes outside one, waits `ARGOS_TEST_SYNC_S` more, in
the thread that asked for it, as a slow sync would. Then it is the fleet's own tether.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import time
from sqlite3 import dbapi2
from typing import Any

from argos_cli.fleet.tether import main

SYNC_S = float(os.environ.get("ARGOS_TEST_SYNC_S", "0.02"))
_connect = sqlite3.connect


class SlowCursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = ()) -> SlowCursor:
        within, changes = self.connection.in_transaction, self.connection.total_changes
        super().execute(sql, parameters)
        if not self.connection.in_transaction and (
            within or self.connection.total_changes != changes
        ):
            time.sleep(SYNC_S)
        return self


class SlowConnection(sqlite3.Connection):
    def cursor(self, factory: Any = SlowCursor) -> Any:  # as the library's own
        return super().cursor(factory)

    def commit(self) -> None:
        within = self.in_transaction
        super().commit()
        if within:
            time.sleep(SYNC_S)


def connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
    """As sqlite3's own."""
    made: sqlite3.Connection = _connect(*arguments, **{"factory": SlowConnection} | options)
    return made


if __name__ == "__main__":
    sqlite3.connect = dbapi2.connect = connect  # type: ignore[assignment]  # that is the point
    sys.exit(main())

"""Opening a ledger: one connection that writes, checked before it is believed.

SQLite: the file next to a lock that the process holds, WAL, every commit synced. Postgres: a
session that holds an advisory lock. Both: the schema is brought up to date, and a ledger that is
damaged, newer than this program or somebody else's is refused with one sentence.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from argos_common.domain.errors import ConfigMistake, OurMistake
from argos_common.lasthop.lock import FileLock
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from argos_reconciler.ports import REBUILD, LedgerUnavailable, LedgerUnusable

ADVISORY_LOCK = 0x6172676F73  # "argos"
OURS = ("alembic_version", "checkpoint")


@dataclass(slots=True)
class Opened:
    """A ledger held for writing."""

    engine: Engine
    connection: Connection
    lock: FileLock | None
    sqlite: bool
    closed: bool = field(default=False)

    def close(self) -> None:
        """Let go of it: connection first, then the lock."""
        if self.closed:
            return
        self.closed = True
        try:
            self.connection.close()
        except SQLAlchemyError:
            pass  # the connection is gone, and with it whatever it held
        self.engine.dispose()
        if self.lock is not None:
            self.lock.release()


def open_for_writing(url: str) -> Opened:
    """Take the ledger at a SQLAlchemy URL. Raises LedgerUnusable, LedgerUnavailable, ConfigMistake."""
    path = sqlite_path(url)
    lock = lock_file(path) if path is not None else None
    try:
        engine = engine_for(url)
        try:
            connection = engine.connect()
            try:
                _prepare(connection, path)
            except BaseException:
                connection.close()
                raise
        except SQLAlchemyError as error:
            engine.dispose()
            raise explained(error, url) from None
        except BaseException:
            engine.dispose()
            raise
    except BaseException:
        if lock is not None:
            lock.release()
        raise
    return Opened(engine=engine, connection=connection, lock=lock, sqlite=path is not None)


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL; None for another database. Raises ConfigMistake."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigMistake(
            "the ledger's address is not a database URL: use sqlite:///<file> or"
            " postgresql+psycopg://<user>@<host>/<database>"
        ) from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        return Path(parsed.database)
    if backend == "postgresql":
        return None
    raise ConfigMistake(
        f"a ledger cannot be kept in {parsed.render_as_string()}: use sqlite:///<file> or"
        " postgresql+psycopg://<user>@<host>/<database>"
    )


def engine_for(url: str) -> Engine:
    """An engine whose transactions begin as they are meant to."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        options = {"connect_timeout": 5, "application_name": "argos-ledger"}
        return create_engine(parsed, poolclass=NullPool, connect_args=options)
    engine = create_engine(parsed, poolclass=NullPool, connect_args={"timeout": 5.0})

    def prepare(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None  # sqlite3 must not begin transactions by itself
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def explained(error: SQLAlchemyError, url: str) -> OurMistake | LedgerUnavailable:
    """What a database error means to a person."""
    place = make_url(url).render_as_string(hide_password=True)
    reason = str(getattr(error, "orig", None) or error).splitlines()[0]
    if isinstance(error, DBAPIError) and isinstance(error.orig, sqlite3.DatabaseError):
        damaged = any(mark in reason for mark in ("malformed", "not a database", "corrupt"))
        if damaged:
            return LedgerUnusable(f"the ledger {place} is damaged ({reason}): {REBUILD}")
        return LedgerUnavailable(f"the ledger {place} cannot be written now ({reason})")
    if isinstance(error, OperationalError) or getattr(error, "connection_invalidated", False):
        return LedgerUnavailable(f"the ledger's database {place} does not answer ({reason})")
    return LedgerUnusable(
        f"the ledger {place} does not take this log's entries ({reason}): {REBUILD}"
    )


def lock_file(path: Path) -> FileLock:
    """The writer's lock of a SQLite ledger. Raises LedgerUnusable if somebody holds it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(
            path.with_name(path.name + ".lock"),
            f"another process writes the ledger {path}: stop it, or use another state folder",
        )
    except OSError as error:
        raise OurMistake(
            f"the ledger {path} cannot be written ({error.strerror}): correct the folder's"
            " permissions"
        ) from None
    except LedgerUnusable:
        raise
    except OurMistake as error:
        raise LedgerUnusable(str(error)) from None


def _prepare(connection: Connection, path: Path | None) -> None:
    if path is None:
        _advisory_lock(connection)
    else:
        _check_file(connection, path)
    _migrate(connection, path)


def _advisory_lock(connection: Connection) -> None:
    """Held by the session, so it ends with the connection and with the process."""
    taken = connection.execute(
        text("SELECT pg_try_advisory_lock(:key)"), {"key": ADVISORY_LOCK}
    ).scalar_one()
    connection.commit()
    if not taken:
        raise LedgerUnusable(
            "another process writes this ledger: stop it, or give this fleet its own database"
        )


def _check_file(connection: Connection, path: Path) -> None:
    """Whether every page of the file is sound. Reads all of it, once at start."""
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    connection.rollback()
    if found != "ok":
        raise LedgerUnusable(f"the ledger {path} is damaged ({found}): {REBUILD}")


def _migrate(connection: Connection, path: Path | None) -> None:
    names = set(connection.dialect.get_table_names(connection))
    connection.rollback()
    config = migrations()
    if names and "alembic_version" not in names and names & set(OURS):
        raise LedgerUnusable(f"the ledger is half made: {REBUILD}")
    if names and "alembic_version" not in names and path is not None:
        raise LedgerUnusable(f"{path} is a database of something else: name another ledger")
    config.attributes["connection"] = connection
    try:
        if not _is_newest(connection, names, config):
            with connection.begin():
                command.upgrade(config, "head")
    except CommandError:
        raise LedgerUnusable(
            f"the ledger was made by a newer version of Argos: use that one, or {REBUILD}"
        ) from None


def _is_newest(connection: Connection, names: set[str], config: Config) -> bool:
    if "alembic_version" not in names:
        return False
    found: Any = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    connection.rollback()
    return bool(found == ScriptDirectory.from_config(config).get_current_head())


def migrations() -> Config:
    """Alembic's configuration for the migrations that come with this package."""
    config = Config()
    folder = files("argos_reconciler.adapters.sql").joinpath("migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config

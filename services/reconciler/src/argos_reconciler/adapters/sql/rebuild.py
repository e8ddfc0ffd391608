"""Making the ledger again from the log, whatever state the old one is in.

SQLite: into a new file, which takes the old one's place when it is complete; the old one is kept
beside it. Postgres: the tables are dropped and made again, under the writer's lock.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from argos_common.domain.errors import OurMistake, WireError
from argos_common.lasthop.lock import FileLock
from argos_common.runtime.log import Entry, Log
from argos_common.wire import codec
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from argos_reconciler.adapters.sql import tables
from argos_reconciler.adapters.sql.engine import (
    ADVISORY_LOCK,
    engine_for,
    explained,
    lock_file,
    sqlite_path,
)
from argos_reconciler.adapters.sql.ledger import SqlLedger
from argos_reconciler.core.rows import Item
from argos_reconciler.ports import BATCH_MAX, Checkpoint, LedgerUnusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """`kept`: where the old SQLite file is now, None if there was none."""

    checkpoint: Checkpoint
    kept: Path | None


Progress = Callable[[int, int], None]
"""(entries taken, entries in all)"""


async def rebuild(log: Log, url: str, progress: Progress | None = None) -> Rebuilt:
    """Make the ledger at a SQLAlchemy URL again from everything the log holds now.

    Raises LogUnavailable, LedgerUnavailable, and OurMistake if a reconciler still writes it.
    """
    path = sqlite_path(url)
    if path is None:
        _drop(url)
        return Rebuilt(checkpoint=await _fill(log, url, progress), kept=None)
    lock: FileLock = lock_file(path)
    try:
        fresh = path.with_name(path.name + ".new")
        for leftover in _with_side_files(fresh):
            leftover.unlink(missing_ok=True)
        fresh_url = make_url(url).set(database=str(fresh)).render_as_string(hide_password=False)
        checkpoint = await _fill(log, fresh_url, progress)
        kept = _put_aside(path)
        fresh.replace(path)
        fresh.with_name(fresh.name + ".lock").unlink(missing_ok=True)
        return Rebuilt(checkpoint=checkpoint, kept=kept)
    except OSError as error:
        raise OurMistake(f"the ledger {path} cannot be replaced ({error.strerror})") from None
    finally:
        lock.release()


async def _fill(log: Log, url: str, progress: Progress | None) -> Checkpoint:
    status = await log.status()
    ledger = SqlLedger(url)
    try:
        checkpoint = await ledger.open(status.generation)
        batch: list[Item] = []
        if status.last_sequence:
            async with aclosing(log.read(0)) as entries:  # type: ignore[type-var]  # every reader is a generator
                async for entry in entries:
                    batch.append(item_of(entry))
                    last = batch[-1].sequence >= status.last_sequence
                    if last or len(batch) >= BATCH_MAX:
                        checkpoint = await ledger.project(batch)
                        batch = []
                        if progress is not None:
                            progress(checkpoint.sequence, status.last_sequence)
                    if last:
                        break
        return checkpoint
    finally:
        await ledger.close()


def item_of(entry: Entry) -> Item:
    """One entry, decoded if it can be."""
    try:
        event = codec.decode(entry.data)
    except WireError:
        event = None
    return Item(entry.sequence, entry.subject, entry.appended_ns, entry.data, event)


def _with_side_files(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + end) for end in ("", "-wal", "-shm"))


def _put_aside(path: Path) -> Path | None:
    """Keep the old file, with what SQLite wrote beside it, under a free name."""
    if not path.exists():
        return None
    number = 1
    while path.with_name(f"{path.name}.old-{number}").exists():
        number += 1
    kept = path.with_name(f"{path.name}.old-{number}")
    for old, end in zip(_with_side_files(path), ("", "-wal", "-shm"), strict=True):
        if old.exists():
            old.replace(kept.with_name(kept.name + end))
    return kept


def _drop(url: str) -> None:
    engine = engine_for(url)
    try:
        with engine.begin() as connection:
            key = {"key": ADVISORY_LOCK}
            free = text("SELECT pg_try_advisory_xact_lock(:key)")
            if not connection.execute(free, key).scalar_one():
                raise LedgerUnusable("a reconciler writes this ledger: stop it first")
            tables.metadata.drop_all(connection)
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    except SQLAlchemyError as error:
        raise explained(error, url) from None
    finally:
        engine.dispose()

"""Reading the ledger's checkpoint and making a ledger again; see `ledger`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from argos_common.domain.errors import ConfigMistake, OurMistake
from argos_common.lasthop.lock import FileLock
from argos_common.runtime.log import check_reaches
from argos_common.runtime.settings import load_fleet
from argos_reconciler.adapters.sql import tables
from argos_reconciler.adapters.sql.engine import open_for_writing, sqlite_path
from argos_reconciler.adapters.sql.ledger import SqlLedger
from argos_reconciler.core.rows import Item
from argos_reconciler.ports import Checkpoint
from argos_reconciler.settings import LEDGER_FILE
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from argos_cli.audit.promises import Check
from argos_cli.client.history import Recorded, read_until
from argos_cli.client.ledger import Rebuilt
from argos_cli.client.ledger_rows import Comparison, one_moment, stored_checkpoint
from argos_cli.client.opened import Opened
from argos_cli.fleet.state_folder import last_record

BATCH = 256

_SIDE_FILES = ("-wal", "-shm")
_REBUILD = "make it again with `argos ledger rebuild`"


def ledger_url(state: Path) -> str:
    """Where this fleet's ledger is: the environment's, the configuration's, or the state folder's."""
    named = os.environ.get("ARGOS_LEDGER_URL", "")
    record = last_record(state)
    if not named and record is not None and Path(record.config).exists():
        try:
            named = load_fleet(Path(record.config)).ledger_url
        except ConfigMistake:
            named = ""
    return named or f"sqlite:///{(state / LEDGER_FILE).resolve()}"


async def check(opened: Opened) -> Check:
    """See `ledger.check_ledger`."""
    url = ledger_url(opened.state)
    last = (await opened.log.status()).last_sequence
    path = sqlite_path(url)
    if path is not None and not path.exists():
        missing = f"there is no ledger of {last} entries: make it with `argos ledger rebuild`"
        return Check(name="ledger", looked_at="nothing", broken=(missing,) if last else ())
    try:
        with one_moment(url) as connection:
            found = stored_checkpoint(connection) or Checkpoint(generation=opened.generation)
            last = (await opened.log.status()).last_sequence
            wrong = await _differences(opened, connection, found, last)
    except (SQLAlchemyError, ArithmeticError, OSError) as error:
        first = str(getattr(error, "orig", None) or error).splitlines()[0]
        sentence = f"the ledger cannot be read ({first}): {_REBUILD}"
        return Check(name="ledger", looked_at="nothing", broken=(sentence,))
    looked_at = f"entry {found.sequence} of {last}, every row"
    return Check(name="ledger", looked_at=looked_at, broken=tuple(wrong))


async def _differences(
    opened: Opened, connection: Connection, found: Checkpoint, last: int
) -> list[str]:
    check_reaches(last, found.sequence, "the ledger")
    comparison = Comparison(connection)
    async for batch in _batches(opened, found.sequence):
        comparison.take(batch)
    if (comparison.sequence, comparison.hash) != (found.sequence, found.hash):
        return [f"the ledger at entry {found.sequence} was not made from this log: {_REBUILD}"]
    comparison.end()
    if comparison.differences:
        comparison.differences.append(_REBUILD)
    return comparison.differences


async def rebuild(opened: Opened) -> Rebuilt:
    """See `ledger.rebuild_ledger`."""
    url = ledger_url(opened.state)
    path = sqlite_path(url)
    last = (await opened.log.status()).last_sequence
    await asyncio.to_thread(_check_not_the_only_copy, url, last)
    if path is None:
        await asyncio.to_thread(_drop_tables, url)
        made = await _make(opened, url)
        return Rebuilt(_shown(url), made.sequence, made.hash)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(
        path.with_name(path.name + ".lock"),
        f"the reconciler holds the ledger {path}: stop the fleet first",
    )
    try:
        fresh = path.with_name(path.name + ".rebuild")
        _remove(fresh)
        made = await _make(opened, f"sqlite:///{fresh}")
        if path.exists():
            path.replace(path.with_name(path.name + ".old"))
        for suffix in _SIDE_FILES:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        fresh.replace(path)
        _remove(fresh)
    finally:
        lock.release()
    return Rebuilt(str(path), made.sequence, made.hash)


def _check_not_the_only_copy(url: str, last: int) -> None:
    """Raises LogDamaged if the ledger that is there has seen more of the log than is left of it."""
    try:
        with one_moment(url) as connection:
            found = stored_checkpoint(connection)
    except (SQLAlchemyError, OSError):
        return  # it cannot be read: that is why it is made again
    if found is not None:
        check_reaches(last, found.sequence, "the ledger")


async def _make(opened: Opened, url: str) -> Checkpoint:
    ledger = SqlLedger(url)
    try:
        made = await ledger.open(opened.generation)
        last = (await opened.log.status()).last_sequence
        async for batch in _batches(opened, last):
            made = await ledger.project(batch)
        return made
    finally:
        await ledger.close()


async def _batches(opened: Opened, last: int) -> AsyncIterator[list[Item]]:
    batch: list[Item] = []
    async for item in read_until(opened.log, last):
        batch.append(_item(item))
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _item(item: Recorded) -> Item:
    return Item(
        sequence=item.entry.sequence,
        subject=item.entry.subject,
        appended_ns=item.entry.appended_ns,
        raw=item.entry.data,
        event=item.event,
    )


def _drop_tables(url: str) -> None:
    held = open_for_writing(url)  # takes the lock; refuses if a reconciler has it
    try:
        with held.connection.begin():
            tables.metadata.drop_all(held.connection)
            held.connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
    finally:
        held.close()


def _remove(path: Path) -> None:
    for suffix in ("", *_SIDE_FILES, ".lock"):
        try:
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            raise OurMistake(f"{path}{suffix} cannot be removed ({error.strerror})") from None


def _shown(url: str) -> str:
    return url.rpartition("@")[2]

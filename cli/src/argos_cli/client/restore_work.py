"""The work of `argos log restore`, on the state folder of a fleet that has stopped; see ADR 10.

The new generation is made beside the old store and takes its place when it is whole; the old one is
kept in `archive`. Whatever ends the work before that has changed nothing, and it can be run again.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import asdict, dataclass
from pathlib import Path

from argos_bridge.core import restore
from argos_bridge.core.restore import Asked, NodeJournal, Plan
from argos_bridge.runner.restore import journal_of, read, write
from argos_common.domain.control import ConfigApplied
from argos_common.domain.errors import BadInput, OurMistake
from argos_common.domain.ids import Account
from argos_common.domain.restore import LogRestored
from argos_common.lasthop.sqlite_journal import SqliteJournal
from argos_common.runtime.clock import SystemClock
from argos_common.runtime.embedded_nats import start_nats
from argos_common.runtime.log import Entry
from argos_common.runtime.nats_connection import NatsConnection, NatsSettings, connect
from argos_common.runtime.nats_log import STREAM_PREFIX, NatsLog
from argos_common.runtime.provision import ensure_stream
from argos_common.wire.documents import read_config
from argos_common.wire.subjects import ALL
from argos_reconciler.adapters.sql import tables
from argos_reconciler.adapters.sql.engine import sqlite_path
from argos_reconciler.core.rows import START, chain
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from argos_cli.client.ledger_rows import one_moment, stored_checkpoint
from argos_cli.client.ledger_work import ledger_url
from argos_cli.client.restore import Order, Restored
from argos_cli.fleet.state_folder import FolderLock, end_left_over, keep_generation, log_generation

FRESH = "nats.restoring"
REPORT = "restored.json"
"""Written last: a new store that has it is whole."""
CONNECT_S, READ_S = 10.0, 30.0


@dataclass(frozen=True, slots=True)
class _Source:
    """What one place knows of the log. `last`: the last sequence it ever had."""

    generation: str
    entries: tuple[Entry, ...]
    last: int


async def restored(state: Path, order: Order) -> Restored:
    """See `restore.restore_log`."""
    nats, fresh = state / "nats", state / FRESH
    with FolderLock(state):
        end_left_over(state)
        if (fresh / REPORT).exists() and not nats.exists():
            return _switched(state)  # an earlier restore ended between the two last steps
        shutil.rmtree(fresh, ignore_errors=True)
        copy = await _copy(nats)
        ledger = await asyncio.to_thread(_ledger, ledger_url(state))
        journals = _journals(state, order.journals)
        plan = _plan(copy, ledger, journals, order)
        async with _served(fresh) as connection:
            generation = plan.restored.generation
            await ensure_stream(connection, generation)
            await write(NatsLog(connection, generation), plan)
        keep_generation(fresh, plan.restored.generation)
        _report(fresh / REPORT, plan.restored)
        if nats.exists():
            nats.replace(_archived(state, plan.restored.before))
        return _switched(state)


def _plan(
    copy: _Source | None, ledger: _Source | None, journals: Sequence[NodeJournal], order: Order
) -> Plan:
    if copy is None and ledger is None and not journals:
        raise BadInput("there is no copy of the log here, no ledger and no journal: name --state")
    known = restore.joined(
        copy.entries if copy else (), ledger.entries if ledger else (), order.up_to
    )
    losses = restore.losses(known, copy.last if copy else 0, journals)
    if copy is not None and not losses and not order.anyway:
        raise BadInput(
            f"nothing needs a restore: neither ledger nor journals know more than the log, which ends"
            f" at entry {copy.last}; if it is an older copy all the same, say --anyway"
        )
    events = [read(entry.data) for entry in known.entries]
    configured = {event.account for event in events if isinstance(event, ConfigApplied)}
    unknown = sorted(configured - {each.account for each in journals})
    missing = [each for each in unknown if each not in order.without_journal]
    if missing:
        raise BadInput(
            f"the node's journal of account {missing[0]} is not here: name a copy of it with"
            f" --journal, or go on without it with --without-journal {missing[0]}"
        )
    names = [each.generation for each in (copy, ledger) if each is not None] or ["g1"]
    generation = restore.next_generation(*names)
    asked = Asked(
        before=max(names, key=lambda name: (len(name), name)),
        generation=generation,
        actor=order.actor,
        reason=order.reason,
        now_ns=SystemClock().now_ns(),
    )
    return restore.plan(known, events, journals, asked, read_config, unknown)


# --- what is known


@asynccontextmanager
async def _served(folder: Path) -> AsyncIterator[NatsConnection]:
    """A log server on these files, for as long as this is open."""
    server = await start_nats(folder, port=0, monitor_port=0)
    try:
        connection = await connect(
            NatsSettings(url=server.url, name="restore"), timeout_s=CONNECT_S
        )
        try:
            yield connection
        finally:
            await connection.close()
    finally:
        await asyncio.to_thread(server.stop)


async def _copy(folder: Path) -> _Source | None:
    """What the store holds that is there now; None if there is none. Raises OurMistake."""
    if not (folder / "jetstream").is_dir():
        return None
    async with _served(folder) as connection:
        answer = await connection.request("$JS.API.STREAM.NAMES", b"", CONNECT_S)
        names = [n for n in json.loads(answer.data)["streams"] or () if n.startswith(STREAM_PREFIX)]
        if not names:
            return None
        if len(names) > 1:
            raise OurMistake(f"{folder} holds more than one log ({', '.join(names)}): keep one")
        asked = await connection.request(f"$JS.API.STREAM.INFO.{names[0]}", b"", CONNECT_S)
        stored = json.loads(asked.data)["state"]
        generation = names[0].removeprefix(STREAM_PREFIX)
        log = NatsLog(connection, generation)
        entries = await _entries(log, int(stored["messages"]))
        return _Source(generation, entries, int(stored["last_seq"]))


async def _entries(log: NatsLog, count: int) -> tuple[Entry, ...]:
    """So many entries, whatever is missing between them: by a subject a reader does not mind."""
    found: list[Entry] = []
    if not count:
        return ()
    async with aclosing(log.read(0, [ALL])) as entries:
        while len(found) < count:
            try:
                found.append(await asyncio.wait_for(anext(entries), READ_S))
            except TimeoutError:
                break  # it promised more than it can read: what is missing shows
    return tuple(found)


def _ledger(url: str) -> _Source | None:
    """The events of the ledger; None if there is none. Raises OurMistake if it is damaged."""
    path = sqlite_path(url)
    if path is not None and not path.exists():
        return None
    events = tables.events.c
    query = select(events.sequence, events.subject, events.raw, events.appended_ns)
    try:
        with one_moment(url) as connection:
            checkpoint = stored_checkpoint(connection)
            rows = connection.execute(query.order_by(events.sequence)).all()
    except (SQLAlchemyError, OSError) as error:
        first = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise OurMistake(
            f"the ledger cannot be read ({first}): mend it, or move it away to restore without it"
        ) from None
    if checkpoint is None:
        return None
    entries = tuple(
        Entry(sequence=row[0], subject=row[1], data=bytes(row[2]), appended_ns=row[3])
        for row in rows
    )
    value = START
    for entry in entries:
        value = chain(value, entry.sequence, entry.subject, entry.data)
    if value != checkpoint.hash:
        raise OurMistake(
            "the ledger is damaged, its hash does not follow from its entries: move it away to"
            " restore without it"
        )
    return _Source(checkpoint.generation, entries, checkpoint.sequence)


def _journals(state: Path, named: Sequence[Path]) -> tuple[NodeJournal, ...]:
    """Every journal in the folder, and those that were named. Raises OurMistake."""
    found = {*(state / "journals").glob("*.sqlite"), *state.rglob("*.journal.sqlite")}
    journals: dict[Account, NodeJournal] = {}
    for path in (*sorted(found), *named):
        account = _account_of(path)
        if account in journals:
            raise OurMistake(f"{path} is a second journal of account {account}: name one")
        journal = SqliteJournal(path, account)
        try:
            journals[account] = journal_of(account, journal)
        finally:
            journal.close()
    return tuple(journals[account] for account in sorted(journals))


def _account_of(path: Path) -> Account:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            row = database.execute("SELECT value FROM about WHERE name = 'account'").fetchone()
    except sqlite3.Error as error:
        raise OurMistake(f"the journal {path} cannot be read ({error})") from None
    if row is None:
        raise OurMistake(f"{path} is not a node's journal")
    return Account(row[0])


# --- the end


def _archived(state: Path, generation: str) -> Path:
    """A place for the old store that is free."""
    folder = state / "archive"
    folder.mkdir(exist_ok=True)
    number = 1
    while (folder / f"nats-{generation}-{number}").exists():
        number += 1
    return folder / f"nats-{generation}-{number}"


def _report(path: Path, event: LogRestored) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(asdict(event), file, indent=2)
        file.flush()
        os.fsync(file.fileno())


def _switched(state: Path) -> Restored:
    """The new generation takes its place."""
    nats = state / "nats"
    (state / FRESH).replace(nats)
    told = json.loads((nats / REPORT).read_text(encoding="utf-8"))
    if told["generation"] != log_generation(state):
        raise OurMistake(f"{nats} is not what was restored: run it again")
    archive = state / "archive"
    kept = sorted(archive.glob(f"nats-{told['before']}-*")) if archive.is_dir() else []
    return Restored(**told, archive=str(kept[-1]) if kept else "")

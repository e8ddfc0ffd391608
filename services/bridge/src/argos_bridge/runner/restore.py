"""Writing a restored generation into an empty log, and what a node's journal says for it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

from argos_common.domain.errors import OurMistake, WireError
from argos_common.domain.event import Event
from argos_common.domain.ids import Account
from argos_common.domain.order import OrderSubmitting
from argos_common.lasthop.journal import Entry as JournalEntry
from argos_common.lasthop.journal import Journal
from argos_common.runtime.log import Append, Entry, Log, Mine, Unconditional
from argos_common.wire import codec

from argos_bridge.core.restore import Kept, NodeJournal, Plan, Put

BATCH = 500


def journal_of(account: Account, journal: Journal) -> NodeJournal:
    """What a journal remembers, as a restore takes it. Raises JournalFailed."""
    kept = tuple(_kept(entry) for entry in journal.submitted())
    return NodeJournal(account=account, epoch=journal.epoch(), kept=kept)


def _kept(entry: JournalEntry) -> Kept:
    raw = entry.submission.claim if entry.submission is not None else b""
    claim = read(raw)
    return Kept(
        order_id=entry.order_id,
        raw=raw,
        claim=claim if isinstance(claim, OrderSubmitting) else None,
        outcome=entry.outcome,
    )


def read(data: bytes) -> Event | None:
    """What an entry says; None if it cannot be read."""
    try:
        return codec.decode(data)
    except WireError:
        return None


async def write(log: Log, plan: Plan) -> None:
    """The whole plan into a log that holds nothing yet, then looked at again. Raises OurMistake."""
    if (await log.status()).last_sequence:
        raise OurMistake("the new generation holds something already: remove what is left of it")
    appends = [_append(put) for put in plan.puts]
    for start in range(0, len(appends), BATCH):
        batch = appends[start : start + BATCH]
        answer = await (log.append_batch(batch) if len(batch) > 1 else log.append(batch[0]))
        if answer != Mine(start + len(batch)):
            raise OurMistake(f"the new generation could not be written ({answer}): start again")
    await _check(log, appends)


def _append(put: Put) -> Append:
    content = put.content
    return Append(
        subject=put.subject,
        data=content if isinstance(content, bytes) else codec.encode(content),
        condition=Unconditional(),
        once_id=put.once_id,
        appended_ns=put.appended_ns,
    )


async def _check(log: Log, appends: Sequence[Append]) -> None:
    async with aclosing(log.read(0)) as entries:  # type: ignore[type-var]  # every reader is a generator
        async for entry in entries:
            if not _same(entry, appends[entry.sequence - 1]):
                raise OurMistake(f"entry {entry.sequence} of the new generation is not as it was")
            if entry.sequence == len(appends):
                return


def _same(entry: Entry, append: Append) -> bool:
    stored = (entry.subject, entry.data, append.appended_ns and entry.appended_ns)
    return stored == (append.subject, append.data, append.appended_ns)

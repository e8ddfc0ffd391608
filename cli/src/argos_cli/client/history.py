"""Reading the log from a command: all that is there now, or on and on; and recordings of it.

A recording (`events.jsonl`) has one JSON object per line: the entry exactly as stored (`data` is
base64 of the raw bytes), and for people its kind and fields. Reading one uses the raw bytes only.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from argos_common.domain.errors import BadInput, WireError
from argos_common.domain.event import Event
from argos_common.runtime.log import Entry
from argos_common.runtime.nats_log import NatsLog
from argos_common.wire import codec


@dataclass(frozen=True, slots=True)
class Recorded:
    """One entry and what it says; None if it cannot be decoded (a dead letter)."""

    entry: Entry
    event: Event | None

    @property
    def kind(self) -> str:
        return type(self.event).__name__ if self.event is not None else "DeadLetter"


def recorded(entry: Entry) -> Recorded:
    try:
        return Recorded(entry, codec.decode(entry.data))
    except WireError:
        return Recorded(entry, None)


async def read_until(log: NatsLog, last: int, after: int = 0) -> AsyncIterator[Recorded]:
    """Every entry above `after` up to and with `last`."""
    if last <= after:
        return
    async with aclosing(log.read(after)) as entries:
        async for entry in entries:
            if entry.sequence <= last:
                yield recorded(entry)
            if entry.sequence >= last:
                return


async def read_now(log: NatsLog, after: int = 0) -> list[Recorded]:
    """Everything above `after` that the log holds now. Raises LogUnavailable."""
    last = (await log.status()).last_sequence
    return [item async for item in read_until(log, last, after)]


async def follow(log: NatsLog, after: int) -> AsyncIterator[Recorded]:
    """Everything above `after`, for ever."""
    async with aclosing(log.read(after)) as entries:
        async for entry in entries:
            yield recorded(entry)


def to_line(item: Recorded) -> str:
    """One line of a recording, without the line's end."""
    entry = item.entry
    return json.dumps(
        {
            "sequence": entry.sequence,
            "subject": entry.subject,
            "appended_ns": entry.appended_ns,
            "kind": item.kind,
            "event": codec.to_plain(item.event) if item.event is not None else None,
            "data": base64.b64encode(entry.data).decode("ascii"),
        },
        ensure_ascii=False,
    )


def write_recording(path: Path, items: list[Recorded]) -> None:
    """Write a recording; the file is the whole of it or is not there."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        for item in items:
            file.write(to_line(item) + "\n")
    fresh.replace(path)


def read_recording(path: Path) -> Iterator[Recorded]:
    """The entries of a recording. Raises BadInput naming the line."""
    try:
        file = path.open(encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}): name a recording") from None
    with file:
        for number, line in enumerate(file, start=1):
            try:
                values = json.loads(line)
                entry = Entry(
                    sequence=int(values["sequence"]),
                    subject=str(values["subject"]),
                    data=base64.b64decode(values["data"], validate=True),
                    appended_ns=int(values["appended_ns"]),
                )
            except (ValueError, KeyError, TypeError):
                raise BadInput(
                    f"line {number} of {path} is not an entry of a recording: make it again with"
                    " `argos log export`"
                ) from None
            yield recorded(entry)

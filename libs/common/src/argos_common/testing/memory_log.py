"""The log in memory, with the real one's answers and with faults on demand.

`MemoryLog(clock)` is a writer and reader on a store of its own; `another()` is a second one on the
same store, with its own faults. `replicas` says which real log it stands for: where a stale
condition meets a once-only id that is on record, one replica looks at the condition first and three
look at the id first (in a batch the id comes first in both). Nothing here waits, draws or reads a
clock of its own, so the same calls give the same log.

Faults are used up in the order they were asked for, one per append or batch:

    log.busy()       the next call is not stored and is answered Busy
    log.lose_ack()   the next call does what it does, and is answered Unknown
    log.ghost()      the next call is answered Unknown and lies in a buffer somewhere, until
                     `release_ghosts()` lets it arrive (its condition is checked then) or
                     `drop_ghosts()` loses it
    log.unavailable = True      this writer is cut off until it is set to False again
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Sequence
from enum import Enum

from argos_common.domain.errors import OurMistake
from argos_common.domain.times import NS_PER_S
from argos_common.runtime.append_rules import check_append, check_batch, only_create_once
from argos_common.runtime.clock import Clock
from argos_common.runtime.log import (
    Answer,
    Append,
    Busy,
    CreateOnce,
    Entry,
    Exists,
    Fence,
    Full,
    Head,
    LogStatus,
    LogUnavailable,
    Mine,
    Stale,
    Unconditional,
    Unknown,
)
from argos_common.testing.subject_match import SubjectFilter

DUPLICATE_WINDOW_NS = 3600 * NS_PER_S
CAPACITY_BYTES = 1024**3
_OVERHEAD_BYTES = 64  # of a stored entry besides subject and payload, about as on the real server


class _Fault(Enum):
    BUSY = "busy"
    LOSE_ACK = "lose_ack"
    GHOST = "ghost"


class MemoryStore:
    """What the log server holds. Several `MemoryLog`s may stand before it."""

    def __init__(
        self,
        clock: Clock,
        *,
        generation: str = "g1",
        capacity_bytes: int = CAPACITY_BYTES,
        entries: Iterable[Entry] = (),
        replicas: int = 1,
    ) -> None:
        self.generation = generation
        self.replicas = replicas
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self.entries: list[Entry] = []
        self._clock = clock
        self._last_of: dict[str, int] = {}
        self._once: dict[str, int] = {}
        self._waiting: list[asyncio.Future[None]] = []
        for entry in entries:
            self._store(entry)

    def apply(self, appends: Sequence[Append]) -> Answer:
        """Store all or nothing, now."""
        single = len(appends) == 1 and self.replicas == 1
        answer = self._single(appends[0]) if single else self._id_first(appends)
        if answer is not None:
            return answer
        added = sum(_size(append.subject, append.data) for append in appends)
        if self.used_bytes + added > self.capacity_bytes:
            return Full("the stream is full: maximum bytes exceeded")
        now_ns = self._clock.now_ns()
        for append in appends:
            sequence = len(self.entries) + 1
            self._store(
                Entry(
                    sequence=sequence,
                    subject=append.subject,
                    data=append.data,
                    appended_ns=append.appended_ns or now_ns,
                )
            )
            if append.once_id:
                self._once[append.once_id] = now_ns
        self.wake()
        return Mine(len(self.entries))

    def last(self, subject: str) -> Entry | None:
        sequence = self._last_of.get(subject, 0)
        return self.entries[sequence - 1] if sequence else None

    def wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def changed(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        await future

    def _store(self, entry: Entry) -> None:
        if entry.sequence != len(self.entries) + 1:
            raise OurMistake(f"entry {entry.sequence} cannot follow entry {len(self.entries)}")
        self.entries.append(entry)
        self._last_of[entry.subject] = entry.sequence
        self.used_bytes += _size(entry.subject, entry.data)

    def _single(self, append: Append) -> Answer | None:
        """As one replica does: the condition first, then the id."""
        if not self._holds(append):
            return Exists() if isinstance(append.condition, CreateOnce) else Stale()
        return Exists() if self._known(append.once_id) else None

    def _id_first(self, appends: Sequence[Append]) -> Answer | None:
        """As the server does for a batch, and with three replicas: event by event, the id first."""
        for append in appends:
            if self._known(append.once_id):
                return Exists()
            if not self._holds(append):
                return Exists() if only_create_once(appends) else Stale()
        return None

    def _holds(self, append: Append) -> bool:
        match append.condition:
            case Unconditional():
                return True
            case CreateOnce():
                return append.subject not in self._last_of
            case Head(sequence=sequence):
                return self._last_of.get(append.subject, 0) == sequence
            case Fence(subject=subject, sequence=sequence):
                return self._last_of.get(subject, 0) == sequence

    def _known(self, once_id: str) -> bool:
        stored_ns = self._once.get(once_id) if once_id else None
        return stored_ns is not None and self._clock.now_ns() - stored_ns < DUPLICATE_WINDOW_NS


class MemoryLog:
    """Implements `Log`."""

    def __init__(self, clock: Clock, *, store: MemoryStore | None = None) -> None:
        self.store = store or MemoryStore(clock)
        self._clock = clock
        self._faults: deque[_Fault] = deque()
        self._ghosts: list[tuple[Append, ...]] = []
        self._unavailable = False

    def another(self) -> MemoryLog:
        """A second writer and reader on the same store."""
        return MemoryLog(self._clock, store=self.store)

    def busy(self, times: int = 1) -> None:
        self._faults.extend([_Fault.BUSY] * times)

    def lose_ack(self, times: int = 1) -> None:
        self._faults.extend([_Fault.LOSE_ACK] * times)

    def ghost(self, times: int = 1) -> None:
        self._faults.extend([_Fault.GHOST] * times)

    def release_ghosts(self) -> list[Answer]:
        """Let all ghosts land, in order; what the server would have answered to each."""
        ghosts, self._ghosts = self._ghosts, []
        return [self.store.apply(ghost) for ghost in ghosts]

    def drop_ghosts(self) -> int:
        """Lose them; how many there were."""
        ghosts, self._ghosts = self._ghosts, []
        return len(ghosts)

    @property
    def unavailable(self) -> bool:
        return self._unavailable

    @unavailable.setter
    def unavailable(self, value: bool) -> None:
        self._unavailable = value
        self.store.wake()

    async def append(self, append: Append) -> Answer:
        check_append(append)
        return self._apply((append,))

    async def append_batch(self, appends: Sequence[Append]) -> Answer:
        check_batch(appends)
        return self._apply(tuple(appends))

    async def read(self, after: int, subjects: Sequence[str] = ()) -> AsyncGenerator[Entry, None]:
        entries = self.store.entries
        if after > len(entries):
            raise OurMistake(
                f"the log {self.store.generation} ends at {len(entries)}, but {after} had been"
                " read: it was replaced or restored from an older copy; follow the restore"
                " procedure"
            )
        wanted = SubjectFilter(subjects)
        position = after
        while True:
            while position < len(entries) and not self._unavailable:
                entry = entries[position]
                position += 1
                if wanted.wants(entry.subject):
                    yield entry
            await self.store.changed()

    async def last(self, subject: str) -> Entry | None:
        self._must_be_available()
        return self.store.last(subject)

    async def status(self) -> LogStatus:
        self._must_be_available()
        store = self.store
        return LogStatus(
            generation=store.generation,
            last_sequence=len(store.entries),
            used_ratio=store.used_bytes / store.capacity_bytes,
        )

    async def tail(self) -> int:
        """The last sequence. Raises LogUnavailable."""
        self._must_be_available()
        return len(self.store.entries)

    def _must_be_available(self) -> None:
        if self._unavailable:
            raise LogUnavailable("the log is away")

    def _apply(self, appends: tuple[Append, ...]) -> Answer:
        if self._unavailable:
            return Busy("the log is away")
        if not self._faults:
            return self.store.apply(appends)
        match self._faults.popleft():
            case _Fault.BUSY:
                return Busy("asked for by the test")
            case _Fault.GHOST:
                self._ghosts.append(appends)
                return Unknown("no answer in time")
            case _Fault.LOSE_ACK:
                self.store.apply(appends)
                return Unknown("no answer in time")


def _size(subject: str, data: bytes) -> int:
    return len(subject) + len(data) + _OVERHEAD_BYTES

"""Following the log: one ordered reader, one fold, and appends that know what they met.

`Follower` reads every entry in order, decodes it and hands it to the service's fold, then tells
whoever waits. Everything else of a service runs between folds, never during one.

`Proposer.append` answers only when the answer has been understood: `Busy` is tried again, `Mine` is
returned when the follower has folded that very entry, `Stale` and `Unknown` when the follower has
folded everything the log held when the answer came. So whoever decides again decides on news.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from argos_common.domain.errors import WireError
from argos_common.domain.event import Event
from argos_common.runtime.clock import Clock
from argos_common.runtime.log import (
    Answer,
    Append,
    Busy,
    Entry,
    Exists,
    Full,
    Log,
    LogUnavailable,
    Mine,
    Stale,
    Unknown,
)
from argos_common.wire import codec

Fold = Callable[[Entry, Event], None]
DeadLetter = Callable[[Entry, WireError], None]

_BUSY_PAUSES_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_AWAY_PAUSE_S = 0.25


class Follower:
    """Reads the log from a checkpoint and folds it. `sequence` is the last entry folded.

    `ignored`: beginnings of subjects whose entries change nothing here; they are not even decoded.
    """

    def __init__(
        self,
        log: Log,
        fold: Fold,
        *,
        dead_letter: DeadLetter,
        after: int = 0,
        subjects: Sequence[str] = (),
        ignored: Sequence[str] = (),
    ) -> None:
        self._ignored = tuple(ignored)
        self._log = log
        self._fold = fold
        self._dead_letter = dead_letter
        self._subjects = subjects
        self.sequence = after
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    async def run(self) -> None:
        """Follow for ever. An entry that cannot be decoded is passed on and skipped."""
        async for entry in self._log.read(self.sequence, self._subjects):
            if not entry.subject.startswith(self._ignored):
                self._take(entry)
            self.sequence = entry.sequence
            if self._waiting:
                self._wake()

    def _take(self, entry: Entry) -> None:
        try:
            event = codec.decode(entry.data)
        except WireError as error:
            self._dead_letter(entry, error)
        else:
            self._fold(entry, event)

    async def reach(self, sequence: int) -> None:
        """Return once the entry at `sequence` has been folded."""
        if self.sequence >= sequence:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((sequence, future))
        await future

    def _wake(self) -> None:
        left = []
        for sequence, future in self._waiting:
            if sequence > self.sequence:
                left.append((sequence, future))
            elif not future.done():
                future.set_result(None)
        self._waiting = left


@dataclass(slots=True, kw_only=True)
class Proposer:
    """Appends for a service that follows the log with `follower`.

    `subjects_all`: the follower reads every subject, so it can reach the log's last sequence. A
    follower with a filter reaches only what it is shown; it then re-reads nothing and simply
    waits a little.
    """

    log: Log
    clock: Clock
    follower: Follower
    subjects_all: bool = True

    async def append(self, append: Append) -> Answer:
        """One append; see the module's text for when this returns."""
        return await self._understood([append])

    async def append_batch(self, appends: Sequence[Append]) -> Answer:
        """All or nothing; otherwise as `append`."""
        return await self._understood(appends)

    async def catch_up(self) -> bool:
        """Fold everything the log holds now. False if the log cannot say."""
        try:
            status = await self.log.status()
        except LogUnavailable:
            return False
        if self.subjects_all:
            await self.follower.reach(status.last_sequence)
        return True

    async def _understood(self, appends: Sequence[Append]) -> Answer:
        for pause_s in (*_BUSY_PAUSES_S, None):
            answer = await self._once(appends)
            match answer:
                case Busy() if pause_s is not None:
                    await self.clock.sleep(pause_s)
                    continue
                case Mine():
                    await self.follower.reach(answer.sequence)
                case Stale() | Unknown() | Exists():
                    while not await self.catch_up():
                        await self.clock.sleep(_AWAY_PAUSE_S)
                case Busy() | Full():
                    pass
            return answer
        raise AssertionError("unreachable: the last pause is None")

    async def _once(self, appends: Sequence[Append]) -> Answer:
        if len(appends) == 1:
            return await self.log.append(appends[0])
        return await self.log.append_batch(appends)

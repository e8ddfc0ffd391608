"""The referee who judges every answer that a log gives to a program (`log_programs`).

A program runs against a log, step by step, and beside it against the log in memory in the mode of
that log (`replicas`). The referee demands three things:

1. every answer is the one that the log in memory gives to the same append in the same state;
2. at the end both hold the same entries, and reading from any checkpoint gives them in order;
3. by the entries alone, whatever any log in memory says: each `Mine` was stored where it says, with
   its condition true at that moment and its once-only id new, and nothing else was stored but what
   was answered `Unknown` (`check_promises`).

An `Unknown` is never assumed to be anything: after it the log is asked, behind an append of the
referee's own, whether the event is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from argos_common.domain.errors import OurMistake
from argos_common.runtime.append_rules import check_batch
from argos_common.runtime.log import (
    Answer,
    Append,
    Busy,
    Condition,
    CreateOnce,
    Entry,
    Exists,
    Fence,
    Full,
    Head,
    Log,
    LogStatus,
    LogUnavailable,
    Mine,
    Unconditional,
    Unknown,
)
from argos_common.testing.log_benches import StillClock
from argos_common.testing.log_contract import PATIENCE_S, LogHarness, collect, event, settle
from argos_common.testing.log_programs import (
    FILTERS,
    SUBJECTS,
    WATCHED,
    Fill,
    Ghost,
    HandOver,
    Land,
    LoseAck,
    Put,
    Race,
    Read,
    Restart,
    Step,
    Together,
)
from argos_common.testing.memory_log import MemoryStore
from argos_common.testing.subject_match import SubjectFilter

T = TypeVar("T")

BLOCK = b"x" * 100_000
ROOM = 50_000
"""Once a block finds no room, less than this is taken to be left for it, and enough for the small."""


class ProgramHarness(LogHarness, Protocol):
    """What programs need besides. `writers` are never troubled but by restarts."""

    writers: Sequence[Log]

    async def hand_over(self) -> None: ...


@dataclass(slots=True)
class Referee:
    """Runs one program against one log. Fails with the step, and both answers, if they differ."""

    bench: ProgramHarness
    replicas: int = 1
    model: MemoryStore = field(init=False)
    told: list[tuple[tuple[Append, ...], Answer]] = field(default_factory=list)
    """Every append and what was answered to it, in the order of the answers."""
    _count: int = 0
    _ghosts: list[Append] = field(default_factory=list)
    _filled: bool = False

    def __post_init__(self) -> None:
        self.model = MemoryStore(StillClock(), replicas=self.replicas)

    async def run(self, program: Sequence[Step]) -> None:
        for step in program:
            try:
                await self._step(step)
            except AssertionError as error:
                raise AssertionError(f"at {step}: {error}") from error
        await self._land()
        await self._compare()

    async def _step(self, step: Step) -> None:
        match step:
            case Put():
                await self._put(step)
            case Together():
                await self._together(step)
            case Race():
                await self._race(step)
            case LoseAck():
                await self._lose_ack(step)
            case Ghost():
                await self._land()
                append = self._append_of(step.put)
                assert isinstance(await self.bench.append_as_ghost(append), Unknown)
                self._ghosts.append(append)
            case Land():
                await self._land()
            case Restart():
                await self._land()
                await self.bench.restart()
            case HandOver():
                await self._land()
                await self.bench.hand_over()
            case Read():
                await self._read(step)
            case Fill():
                await self._fill()

    # The steps.

    async def _put(self, put: Put) -> None:
        append = self._append_of(put)
        writer = self.bench.writers[put.writer]
        await self._judge((append,), [await _told(writer, (append,))])

    async def _together(self, step: Together) -> None:
        appends = tuple(self._append_of(put) for put in step.puts)
        writer = self.bench.writers[step.puts[0].writer]
        try:
            check_batch(appends)
        except OurMistake:
            try:
                await writer.append_batch(appends)
            except OurMistake:
                return
            raise AssertionError("a batch that contradicts itself was taken") from None
        await self._judge(appends, [await _told(writer, appends)])

    async def _race(self, step: Race) -> None:
        append = self._append_of(step.put)
        writers = [self.bench.writers[n % 2] for n in range(step.writers)]
        answers = await asyncio.gather(*(_told(writer, (append,)) for writer in writers))
        await self._judge((append,), list(answers))

    async def _lose_ack(self, step: LoseAck) -> None:
        await self._land()
        append = self._append_of(step.put)
        answer = await self.bench.append_losing_ack(append)
        assert isinstance(answer, Unknown), answer
        # If the answer is lost nobody is told what the server did; the log tells.
        await self._judge((append,), [answer])
        if step.again:
            await self._judge((append,), [await _told(self.bench.writers[0], (append,))])

    async def _land(self) -> None:
        ghosts, self._ghosts = self._ghosts, []
        if ghosts:
            await self.bench.land_ghosts()
        for ghost in ghosts:
            await self._judge((ghost,), [Unknown("a ghost")])

    async def _fill(self) -> None:
        for number in range(12):
            append = event(f"fill.{number}", data=BLOCK)
            answer = await _told(self.bench.writers[0], (append,))
            if isinstance(answer, Full):
                self.told.append(((append,), answer))
                used = (await self._status()).used_ratio
                assert used > 0.7, f"full at {used:.0%}"
                # How much fits is the server's own arithmetic; from here on both are full.
                self.model.capacity_bytes = self.model.used_bytes + ROOM
                self._filled = True
                return
            await self._judge((append,), [answer])
        raise AssertionError("the log never says that it is full")

    async def _read(self, step: Read) -> None:
        after = len(self.model.entries) * step.quarters // 4
        wanted = FILTERS[step.filter]
        chosen = SubjectFilter(wanted)
        expected = [_facts(e) for e in self.model.entries[after:] if chosen.wants(e.subject)]
        found = await collect(self.bench.other, after, len(expected), wanted)
        assert [_facts(entry) for entry in found] == expected

    # Judging.

    async def _judge(self, appends: tuple[Append, ...], answers: list[Answer]) -> None:
        """`answers` to as many equal calls. Whoever was told `Mine` came first, losers after."""
        stored = sorted(answer.sequence for answer in answers if isinstance(answer, Mine))
        barrier = None
        if any(isinstance(answer, Unknown) for answer in answers):
            barrier = await self._barrier()
            stored = await self._found(appends)
        for sequence in stored:
            expected = self.model.apply(appends)
            assert expected == Mine(sequence), f"stored at {sequence}, by the model {expected}"
        for answer in answers:
            self.told.append((appends, answer))
            if not isinstance(answer, Mine | Unknown):
                expected = self.model.apply(appends)
                assert type(answer) is type(expected), f"told {answer}, by the model {expected}"
        if barrier is not None:
            self.told.append(((barrier,), Unknown("the referee's")))
            assert self.model.apply((barrier,)) == Mine(await self._last_sequence())

    async def _barrier(self) -> Append:
        """An append of the referee's own: whatever was sent before it is stored by then, or never."""
        self._count += 1
        barrier = event(f"barrier.{self._count}")
        answer = await settle(self.bench.writers[0], barrier)
        assert isinstance(answer, Mine | Exists), answer  # Exists: an earlier try was not heard of
        return barrier

    async def _found(self, appends: tuple[Append, ...]) -> list[int]:
        """Where appends of unknown outcome stand, before the barrier; nobody else's may be there."""
        end, known = await self._last_sequence(), len(self.model.entries)
        new = await collect(self.bench.other, known, end - known)
        last = (appends[-1].subject, appends[-1].data)
        found = [entry.sequence for entry in new if (entry.subject, entry.data) == last]
        others = len(new) - len(found) * len(appends) - 1
        assert not others, f"{others} entries of nobody's: {[_facts(each) for each in new]}"
        return found

    async def _last_sequence(self) -> int:
        return (await self._status()).last_sequence

    async def _status(self) -> LogStatus:
        return await _patiently(self.bench.other.status)

    async def _compare(self) -> None:
        """Both logs hold the same, and by the entries alone every promise was kept."""
        end = await self._last_sequence()
        assert end == len(self.model.entries), "the logs are of different length"
        entries = await collect(self.bench.other, 0, end)
        assert [_facts(each) for each in entries] == [_facts(each) for each in self.model.entries]
        for subject in SUBJECTS:
            expected = self.model.last(f"argos.v1.{subject}")
            found = await _patiently(partial(self.bench.other.last, f"argos.v1.{subject}"))
            assert (found and _facts(found)) == (expected and _facts(expected))
        check_promises(self.told, entries)

    # What a step means in the state it meets.

    def _append_of(self, put: Put) -> Append:
        self._count += 1
        subject = SUBJECTS[put.subject]
        large = put.large and self._filled
        return event(
            subject,
            self._condition(put, subject),
            data=b"%d" % self._count + (BLOCK if large else b""),
            once_id=f"once-{put.once}" if put.once else "",
        )

    def _condition(self, put: Put, subject: str) -> Condition:
        watched = WATCHED[put.watched]
        if put.kind == "fence" and watched == subject:
            watched = WATCHED[1 - put.watched]
        match put.kind:
            case "create":
                return CreateOnce()
            case "free":
                return Unconditional()
            case "head":
                return Head(self._aimed(put, subject))
            case "fence":
                return Fence(f"argos.v1.{watched}", self._aimed(put, watched))

    def _aimed(self, put: Put, subject: str) -> int:
        last = self.model.last(f"argos.v1.{subject}")
        sequence = last.sequence if last else 0
        match put.aim:
            case "right":
                return sequence
            case "older":
                return max(0, sequence - 1)
            case "zero":
                return 0


async def _told(log: Log, appends: tuple[Append, ...]) -> Answer:
    """The first answer that says something: `Busy` says nothing, and stores nothing."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            single = len(appends) == 1
            answer = await (log.append(appends[0]) if single else log.append_batch(appends))
            if not isinstance(answer, Busy):
                return answer
            await asyncio.sleep(0.01)


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, however long the log is unavailable meanwhile."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await ask()
            except LogUnavailable:
                await asyncio.sleep(0.02)


def _facts(entry: Entry) -> tuple[int, str, bytes]:
    return entry.sequence, entry.subject, entry.data[:20]


def check_promises(
    told: Sequence[tuple[tuple[Append, ...], Answer]], entries: Sequence[Entry]
) -> None:
    """What the port promises, by the entries of the log alone.

    Raises AssertionError: an entry was stored against its condition or a once-only id, at another
    place than its writer was told, twice, or without anybody who could have stored it.
    """
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    mine: dict[int, Append] = {}
    for appends, answer in told:
        if isinstance(answer, Mine):
            for number, append in enumerate(appends, start=answer.sequence - len(appends) + 1):
                assert number not in mine, f"two were told that {number} is theirs"
                mine[number] = append
    doubtful = [append for appends, answer in told if isinstance(answer, Unknown)
                for append in appends]  # fmt: skip
    last_of: dict[str, int] = {}
    once: set[str] = set()
    for entry in entries:
        meant = mine.get(entry.sequence) or next((e for e in doubtful if _is(e, entry)), None)
        assert meant is not None, f"nobody stored {_facts(entry)}"
        if entry.sequence not in mine:
            doubtful.remove(meant)
        assert _is(meant, entry), f"{_facts(entry)} is not what was acknowledged"
        assert _held(meant, last_of), f"{_facts(entry)} stands against {meant.condition}"
        assert meant.once_id not in once, f"{_facts(entry)}: {meant.once_id} a second time"
        if meant.once_id:
            once.add(meant.once_id)
        last_of[entry.subject] = entry.sequence
    assert max(mine, default=0) <= len(entries), "an acknowledged entry is not there"


def _is(append: Append, entry: Entry) -> bool:
    return (append.subject, append.data) == (entry.subject, entry.data)


def _held(append: Append, last_of: dict[str, int]) -> bool:
    """Whether the condition was true. A batch's own entries are never conditions of each other."""
    match append.condition:
        case Unconditional():
            return True
        case CreateOnce():
            return append.subject not in last_of
        case Head(sequence=sequence):
            return last_of.get(append.subject, 0) == sequence
        case Fence(subject=subject, sequence=sequence):
            return last_of.get(subject, 0) == sequence

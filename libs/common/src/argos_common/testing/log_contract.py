"""What every log must do. The same tests run against the log in memory and the real one.

A test file subclasses `LogContract` and provides a fixture `harness`; see `LogHarness`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Protocol

import pytest

from argos_common.domain.errors import OurMistake
from argos_common.runtime.append_rules import MAX_EVENT_BYTES
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
    Mine,
    Stale,
    Unconditional,
    Unknown,
)

CAPACITY_BYTES = 1_000_000
"""How much the harness's log can hold."""
PATIENCE_S = 20.0


class LogHarness(Protocol):
    """A fresh, empty log of `CAPACITY_BYTES`, and the means to trouble it."""

    @property
    def log(self) -> Log:
        """The writer that can be troubled."""
        ...

    @property
    def other(self) -> Log:
        """A second one, never troubled but by a restart."""
        ...

    async def append_losing_ack(self, append: Append) -> Answer:
        """Append through `log`; the server does its part, its answer is lost."""
        ...

    async def append_as_ghost(self, append: Append) -> Answer:
        """Append through `log`; the bytes wait on the way after the writer has given up."""
        ...

    async def land_ghosts(self) -> None:
        """Let them arrive, and return when the server has dealt with them."""
        ...

    async def restart(self) -> None:
        """End the server without warning and start it on what it had stored."""
        ...


def event(
    subject: str, condition: Condition | None = None, data: bytes = b"x", once_id: str = ""
) -> Append:
    """An append under the log's prefix, create-once unless told otherwise."""
    return Append(
        subject=f"argos.v1.{subject}",
        data=data,
        condition=condition if condition is not None else CreateOnce(),
        once_id=once_id,
    )


async def collect(log: Log, after: int, count: int, subjects: Sequence[str] = ()) -> list[Entry]:
    """The first `count` entries after `after`; fails if they do not come."""
    entries: list[Entry] = []
    if count == 0:
        return entries
    async with asyncio.timeout(PATIENCE_S):
        reading = log.read(after, subjects)
        async with aclosing(reading):  # type: ignore[type-var]  # all logs give generators
            async for entry in reading:
                entries.append(entry)
                if len(entries) == count:
                    break
    return entries


async def settle(log: Log, append: Append) -> Answer:
    """Append until the answer is neither Busy nor Unknown."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await log.append(append)
            if not isinstance(answer, (Busy, Unknown)):
                return answer
            await asyncio.sleep(0.05)


class LogContract:
    """Subclass it, and give it a `harness`; `replicas` says how many its log has."""

    replicas = 1

    async def test_first_event_of_a_subject_is_mine_and_the_second_exists(
        self, harness: LogHarness
    ) -> None:
        first = await harness.log.append(event("signal.tv.a"))
        again = await harness.other.append(event("signal.tv.a", data=b"other content"))

        assert first == Mine(1)
        assert again == Exists()
        assert [e.data for e in await collect(harness.log, 0, 1)] == [b"x"]

    async def test_head_is_stale_once_something_newer_stands_there(
        self, harness: LogHarness
    ) -> None:
        assert await harness.log.append(event("verdict.acc", Head(0))) == Mine(1)
        assert await harness.log.append(event("verdict.acc", Head(1))) == Mine(2)
        assert await harness.other.append(event("verdict.acc", Head(1))) == Stale()
        assert await harness.other.append(event("verdict.acc", Head(0))) == Stale()
        assert await harness.other.append(event("verdict.acc", Head(2))) == Mine(3)

    async def test_fence_looks_at_another_subject_only(self, harness: LogHarness) -> None:
        control = await harness.log.append(event("control.acc", Unconditional()))
        assert control == Mine(1)
        fence = Fence("argos.v1.control.acc", 1)
        assert await harness.log.append(event("order.acc.o1.1", fence)) == Mine(2)
        assert await harness.log.append(event("order.acc.o2.1", fence)) == Mine(3)

        kill = await harness.other.append(event("control.acc", Unconditional()))

        assert kill == Mine(4)
        assert await harness.log.append(event("order.acc.o3.1", fence)) == Stale()

    async def test_fence_on_an_empty_subject_holds_until_it_is_written(
        self, harness: LogHarness
    ) -> None:
        fence = Fence("argos.v1.control.acc", 0)
        assert await harness.log.append(event("order.acc.o1.1", fence)) == Mine(1)
        await harness.other.append(event("control.acc", Unconditional()))
        assert await harness.log.append(event("order.acc.o2.1", fence)) == Stale()

    async def test_once_id_is_taken_once_whatever_subject_and_content(
        self, harness: LogHarness
    ) -> None:
        once = event("order.acc.o1.1", Unconditional(), once_id="o1")
        assert await harness.log.append(once) == Mine(1)
        assert await harness.other.append(once) == Exists()
        elsewhere = event("order.acc.o9.1", Unconditional(), data=b"y", once_id="o1")
        assert await harness.other.append(elsewhere) == Exists()
        assert await harness.other.append(event("order.acc.o2.1", once_id="o2")) == Mine(2)

    async def test_stale_fence_wins_over_a_known_once_id_on_one_replica_only(
        self, harness: LogHarness
    ) -> None:
        # With three the id is looked at first. Both answers say that nothing was stored.
        fenced = event("order.acc.o1.1", Fence("argos.v1.control.acc", 0), once_id="o1")
        assert await harness.log.append(fenced) == Mine(1)
        assert await harness.log.append(fenced) == Exists()
        await harness.other.append(event("control.acc", Unconditional()))
        expected = Stale() if self.replicas == 1 else Exists()
        assert await harness.log.append(fenced) == expected
        assert (await harness.other.status()).last_sequence == 2

    async def test_retry_of_a_head_after_a_lost_ack_stores_nothing_more(
        self, harness: LogHarness
    ) -> None:
        # The writer reads on: what it meets at the head is its own event, if the log has it.
        append = event("verdict.acc", Head(0), once_id="v1")
        assert isinstance(await harness.append_losing_ack(append), Unknown)
        expected = Stale() if self.replicas == 1 else Exists()
        assert await settle(harness.log, append) == expected
        assert (await harness.other.status()).last_sequence == 1

    async def test_batch_is_stored_whole_and_in_order(self, harness: LogHarness) -> None:
        answer = await harness.log.append_batch(
            [event(f"control.acc{n}", Head(0), data=b"%d" % n) for n in range(5)]
        )
        assert answer == Mine(5)
        entries = await collect(harness.other, 0, 5)
        assert [(e.sequence, e.data) for e in entries] == [(n + 1, b"%d" % n) for n in range(5)]

    async def test_batch_with_one_failed_condition_stores_nothing(
        self, harness: LogHarness
    ) -> None:
        await harness.other.append(event("control.b", Unconditional()))

        stale = await harness.log.append_batch(
            [event("control.a", Head(0)), event("control.b", Head(0))]
        )
        exists = await harness.log.append_batch([event("alert.1"), event("control.b")])

        assert (stale, exists) == (Stale(), Exists())
        assert (await harness.other.status()).last_sequence == 1

    async def test_batch_with_a_known_once_id_stores_nothing(self, harness: LogHarness) -> None:
        known = event("order.acc.o1.1", Unconditional(), once_id="o1")
        await harness.log.append(known)
        # In a batch the id is looked at before the condition.
        answer = await harness.log.append_batch(
            [event("alert.1"), event("verdict.acc", Head(7), once_id="o1")]
        )
        stale_first = await harness.log.append_batch(
            [event("verdict.acc", Head(7)), event("alert.1", once_id="o1")]
        )
        assert (answer, stale_first) == (Exists(), Stale())
        assert (await harness.other.status()).last_sequence == 1

    async def test_of_two_racing_writers_exactly_one_wins(self, harness: LogHarness) -> None:
        head = 0
        for _ in range(25):
            append = event("verdict.acc", Head(head))
            # Three replicas may first answer Busy to the loser: the winner is still under way.
            answers = await asyncio.gather(
                settle(harness.log, append), settle(harness.other, append)
            )
            assert sorted(type(a).__name__ for a in answers) == ["Mine", "Stale"]
            head = next(a.sequence for a in answers if isinstance(a, Mine))
        assert (await harness.log.status()).last_sequence == 25

    async def test_reading_starts_after_the_checkpoint_and_waits_for_more(
        self, harness: LogHarness
    ) -> None:
        for n in range(10):
            await harness.log.append(event(f"signal.tv.{n}"))

        waiting = asyncio.create_task(collect(harness.other, 7, 5))
        await asyncio.sleep(0)
        await harness.log.append(event("signal.tv.10"))
        await harness.log.append(event("signal.tv.11"))

        assert [e.sequence for e in await waiting] == [8, 9, 10, 11, 12]

    async def test_reading_by_subjects_gives_those_only(self, harness: LogHarness) -> None:
        for n in range(6):
            await harness.log.append(event(f"signal.tv.{n}"))
            await harness.log.append(event(f"order.acc.{n}.1"))
            await harness.log.append(event("verdict.acc", Unconditional()))

        entries = await collect(
            harness.other, 3, 10, ["argos.v1.verdict.acc", "argos.v1.order.*.*.1"]
        )

        assert [e.sequence for e in entries] == [5, 6, 8, 9, 11, 12, 14, 15, 17, 18]

    async def test_reading_beyond_the_end_is_refused(self, harness: LogHarness) -> None:
        await harness.log.append(event("alert.1"))
        with pytest.raises(OurMistake, match="ends at 1, but 2 had been read"):
            await collect(harness.log, 2, 1)

    async def test_last_and_status_tell_what_stands(self, harness: LogHarness) -> None:
        assert await harness.log.last("argos.v1.control.acc") is None
        for data in (b"1", b"2"):
            await harness.log.append(event("control.acc", Unconditional(), data))
        await harness.log.append(event("control.other", Unconditional()))

        last = await harness.other.last("argos.v1.control.acc")
        status = await harness.other.status()

        assert last is not None
        assert last == (await collect(harness.log, 0, 2))[1]
        assert (last.sequence, last.data) == (2, b"2")
        assert status.last_sequence == 3
        assert status.generation == (await harness.log.status()).generation != ""
        assert 0 < status.used_ratio < 0.01

    async def test_lost_answer_is_unknown_and_the_retry_says_exists(
        self, harness: LogHarness
    ) -> None:
        append = event("signal.tv.a")
        lost = await harness.append_losing_ack(append)
        assert isinstance(lost, Unknown), lost
        assert await settle(harness.log, append) == Exists()
        assert (await harness.other.status()).last_sequence == 1

    async def test_ghost_lands_late_and_its_condition_is_checked_then(
        self, harness: LogHarness
    ) -> None:
        fence = Fence("argos.v1.control.acc", 0)
        refused = await harness.append_as_ghost(event("order.acc.o1.1", fence))
        assert isinstance(refused, Unknown)
        assert await harness.other.append(event("control.acc", Unconditional())) == Mine(1)
        await harness.land_ghosts()
        assert (await harness.other.status()).last_sequence == 1

        taken = await harness.append_as_ghost(event("alert.1"))
        assert isinstance(taken, Unknown)
        await harness.land_ghosts()
        assert await settle(harness.log, event("alert.1")) == Exists()
        assert (await harness.other.status()).last_sequence == 2

    async def test_full_log_refuses_and_can_still_be_read(self, harness: LogHarness) -> None:
        block = b"x" * 100_000
        answers = [await harness.log.append(event(f"signal.tv.{n}", data=block)) for n in range(12)]
        stored = [answer for answer in answers if isinstance(answer, Mine)]

        assert len(stored) in {8, 9}
        assert all(isinstance(answer, Full) for answer in answers[len(stored) :])
        batch = [event("alert.1", data=block), event("alert.2", data=block)]
        assert isinstance(await harness.log.append_batch(batch), Full)
        assert len(await collect(harness.other, 0, len(stored))) == len(stored)
        status = await harness.other.status()
        assert status.last_sequence == len(stored)
        assert 0.8 < status.used_ratio <= 1
        assert isinstance(await harness.log.append(event("alert.3")), Mine)  # room for a small one

    async def test_restart_keeps_everything_and_a_reader_goes_on(self, harness: LogHarness) -> None:
        for n in range(20):
            await harness.log.append(event(f"signal.tv.{n}", once_id=f"s{n}"))
        reading = asyncio.create_task(collect(harness.log, 0, 30))
        await asyncio.sleep(0)

        await harness.restart()
        for n in range(15, 30):  # five of them again
            await settle(harness.other, event(f"signal.tv.{n}", once_id=f"s{n}"))

        entries = await reading
        assert [e.subject for e in entries] == [f"argos.v1.signal.tv.{n}" for n in range(30)]
        assert [e.sequence for e in entries] == list(range(1, 31))

    @pytest.mark.parametrize(
        "append",
        [
            Append(subject="argos.v2.x", data=b"", condition=CreateOnce()),
            event("order.*.o1.1"),
            event("order..o1"),
            event("order.acc.o1.1", Fence("argos.v1.control.>", 0)),
            event("order.acc.o1.1", Fence("argos.beat.risk", 0)),
            event("order.acc.o1.1", Head(-1)),
            event("order.acc.o1.1", once_id="two words"),
            event("order.acc.o1.1", data=b"x" * (MAX_EVENT_BYTES + 1)),
        ],
        ids=lambda append: append.subject,
    )
    async def test_what_could_never_be_meant_is_our_mistake(
        self, harness: LogHarness, append: Append
    ) -> None:
        with pytest.raises(OurMistake):
            await harness.log.append(append)
        with pytest.raises(OurMistake):
            await harness.log.append_batch([event("alert.1"), append])
        assert (await harness.other.status()).last_sequence == 0

    async def test_batch_that_contradicts_itself_is_our_mistake(self, harness: LogHarness) -> None:
        for batch in (
            [],
            [event("alert.1"), event("alert.1", Head(0))],
            [event("control.a"), event("order.a.o.1", Fence("argos.v1.control.a", 0))],
            [event("alert.1", once_id="a"), event("alert.2", once_id="a")],
        ):
            with pytest.raises(OurMistake):
                await harness.log.append_batch(batch)

    async def test_largest_event_is_stored(self, harness: LogHarness) -> None:
        largest = event("alert.1", data=b"x" * MAX_EVENT_BYTES, once_id="i" * 200)
        assert await harness.log.append(largest) == Mine(1)
        last = await harness.other.last("argos.v1.alert.1")
        assert last is not None
        assert len(last.data) == MAX_EVENT_BYTES

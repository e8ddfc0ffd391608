"""The log in memory keeps the contract, and its faults do what they say."""

from __future__ import annotations

import pytest
from argos_common.runtime.log import Busy, CreateOnce, Exists, Mine, Unconditional, Unknown
from argos_common.testing.log_benches import MemoryBench, StillClock
from argos_common.testing.log_contract import LogContract, collect, event
from argos_common.testing.memory_log import DUPLICATE_WINDOW_NS, MemoryLog, MemoryStore


class TestMemoryLog(LogContract):
    @pytest.fixture
    def harness(self) -> MemoryBench:
        return MemoryBench()


class TestMemoryLogOfThree(LogContract):
    replicas = 3

    @pytest.fixture
    def harness(self) -> MemoryBench:
        return MemoryBench(replicas=3)


async def test_faults_are_used_up_in_the_order_asked_for() -> None:
    log = MemoryLog(StillClock())
    log.busy()
    log.lose_ack()
    log.ghost(2)

    answers = [await log.append(event(f"alert.{n}")) for n in range(5)]

    assert [type(a) for a in answers] == [Busy, Unknown, Unknown, Unknown, Mine]
    assert [e.subject[-1] for e in log.store.entries] == ["1", "4"]
    await log.another().append(event("alert.3"))
    assert log.release_ghosts() == [Mine(4), Exists()]
    assert [e.subject[-1] for e in log.store.entries] == ["1", "4", "3", "2"]
    assert log.release_ghosts() == []


async def test_dropped_ghost_never_lands() -> None:
    log = MemoryLog(StillClock())
    log.ghost()
    await log.append(event("alert.1"))
    assert log.drop_ghosts() == 1
    assert log.release_ghosts() == []
    assert log.store.entries == []


async def test_once_id_is_forgotten_after_the_window_but_a_subject_never() -> None:
    clock = StillClock()
    log = MemoryLog(clock)
    await log.append(event("order.acc.o1.1", Unconditional(), once_id="o1"))
    clock.now += DUPLICATE_WINDOW_NS - 1
    assert await log.append(event("order.acc.o1.1", Unconditional(), once_id="o1")) == Exists()
    clock.now += 1
    assert await log.append(event("order.acc.o1.1", CreateOnce(), once_id="o1")) == Exists()
    assert await log.append(event("order.acc.o1.1", Unconditional(), once_id="o1")) == Mine(2)


async def test_store_made_from_entries_goes_on_where_they_end() -> None:
    clock = StillClock()
    first = MemoryLog(clock)
    await first.append(event("alert.1"))
    await first.append(event("alert.2"))
    again = MemoryLog(clock, store=MemoryStore(clock, entries=first.store.entries))
    assert await again.append(event("alert.2")) == Exists()
    assert await again.append(event("alert.3")) == Mine(3)
    assert [e.sequence for e in await collect(again, 0, 3)] == [1, 2, 3]

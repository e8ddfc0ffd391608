"""The simulation's log keeps the log's promises: alone it answers as the real one, troubled never lies.

The first test is the one that real servers pass too (`libs/common/tests/runtime`). In the second the
network is as bad as the simulation makes it and several processes write at once: then no answer is
foretold, but by the entries alone every acknowledgement must be true.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest
from argos_common.runtime.log import Answer, Append, Log, Mine, Unknown
from argos_common.testing.examples import examples
from argos_common.testing.log_contract import CAPACITY_BYTES, collect
from argos_common.testing.log_programs import Put, Step, programs, puts
from argos_common.testing.log_referee import Referee, check_promises
from argos_common.testing.memory_log import MemoryLog, MemoryStore
from argos_simulation.chance import Chance
from argos_simulation.faults import RATES, Faults
from argos_simulation.loop import VirtualLoop
from argos_simulation.network import GHOST_S, Cable, SimLog
from argos_simulation.process import HostClock, Process
from hypothesis import given
from hypothesis import strategies as st

LOG_FAULTS = ("append-ghost", "append-ack-lost", "append-request-lost", "append-busy")


class Latest(Chance):
    """Everything takes as long as it may: a ghost then lands when it is asked to, not before."""

    def between(self, low: float, high: float) -> float:
        del low
        return high


class SimBench:
    """The one store behind as many cables as there are writers. Implements `ProgramHarness`."""

    def __init__(self, replicas: int, seed: int = 0, faults: Sequence[str] = ()) -> None:
        clock = HostClock(0)
        self._store = MemoryStore(clock, capacity_bytes=CAPACITY_BYTES, replicas=replicas)
        self._clock, self._chance = clock, Chance(str(seed))
        self._faults = Faults({})
        self.log: Log = self._behind(Cable(Process("near", 1), Latest("near"), self._faults))
        troubles = dict.fromkeys(faults, 4.0)
        self.writers: Sequence[Log] = [self._writer(f"far{n}", Faults(troubles)) for n in range(3)]
        self.other: Log = self._writer("reader", Faults({}))

    def _writer(self, name: str, faults: Faults) -> SimLog:
        return self._behind(Cable(Process(name, 1), self._chance.fork(name), faults))

    def _behind(self, cable: Cable) -> SimLog:
        return SimLog(MemoryLog(self._clock, store=self._store), cable)

    async def _with(self, fault: str, append: Append) -> Answer:
        self._faults.intensity = {fault: 1 / RATES[fault]}
        answer = await self.log.append(append)
        self._faults.intensity = {}
        return answer

    async def append_losing_ack(self, append: Append) -> Answer:
        return await self._with("append-ack-lost", append)

    async def append_as_ghost(self, append: Append) -> Answer:
        return await self._with("append-ghost", append)

    async def land_ghosts(self) -> None:
        await asyncio.sleep(GHOST_S[1])

    async def restart(self) -> None:
        """A store has no process to end."""

    async def hand_over(self) -> None:
        """The same."""


def run(work: Coroutine[Any, Any, None]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


@pytest.mark.parametrize("replicas", [1, 3])
def test_alone_it_answers_as_the_real_log(replicas: int) -> None:
    async def judge(program: list[Step]) -> None:
        await Referee(SimBench(replicas), replicas).run(program)  # its clock reads the loop

    @examples(60)
    @given(programs(restarts=False))
    def agrees(program: list[Step]) -> None:
        run(judge(program))

    agrees()


@examples(60)
@given(st.lists(puts(large=False), min_size=5, max_size=40), st.integers(0, 2**32))
def test_troubled_it_never_says_what_is_not_so(steps: list[Put], seed: int) -> None:
    async def several_writers() -> None:
        bench = SimBench(1, seed, LOG_FAULTS)
        told: list[tuple[tuple[Append, ...], Answer]] = []
        referee = Referee(bench)

        async def write(log: Log, mine: list[Put]) -> None:
            for put in mine:
                # What it aims at is what was there a moment ago.
                referee.model = bench._store
                append = referee._append_of(put)
                told.append(((append,), await log.append(append)))

        await asyncio.gather(*(write(log, steps[n::3]) for n, log in enumerate(bench.writers)))
        await bench.land_ghosts()
        end = (await bench.other.status()).last_sequence
        check_promises(told, await collect(bench.other, 0, end))
        assert sum(isinstance(answer, Mine | Unknown) for _, answer in told) >= end

    run(several_writers())

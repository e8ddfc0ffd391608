"""Programs that Hypothesis writes run on every log alike: in memory, one server, three servers.

What each must do is said in `testing/log_referee.py`. The simulation's log has the same test in
its own package. `ARGOS_EXAMPLES=20` tries twenty times as many.
"""

from __future__ import annotations

import asyncio
from itertools import count
from pathlib import Path

import pytest
from argos_common.testing.examples import examples
from argos_common.testing.log_benches import MemoryBench, Server, nats_bench
from argos_common.testing.log_programs import Put, Step, programs
from argos_common.testing.log_referee import Referee
from argos_common.testing.nats_cluster import start_cluster
from argos_common.testing.nats_server import running_nats
from hypothesis import given

# The NATS client forgets the writer of a reconnect that failed.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <StreamWriter:ResourceWarning")


@pytest.mark.parametrize("replicas", [1, 3])
def test_the_log_in_memory_answers_as_promised(replicas: int) -> None:
    @examples(100)
    @given(programs(restarts=True))
    def agrees(program: list[Step]) -> None:
        asyncio.run(Referee(MemoryBench(replicas), replicas).run(program))

    agrees()


def test_one_real_server_answers_as_the_log_in_memory(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        running = running_nats(tmp_path)
        server = runner.run(running.__aenter__())
        numbers = count(1)

        @examples(12, dear=True)
        @given(programs(restarts=True))
        def agrees(program: list[Step]) -> None:
            runner.run(judge(server, f"g{next(numbers)}", program))

        try:
            agrees()
        finally:
            runner.run(running.__aexit__(None, None, None))


async def judge(server: Server, generation: str, program: list[Step]) -> None:
    async with nats_bench(server, generation) as bench:
        await Referee(bench, server.replicas).run(program)


def test_three_real_servers_answer_as_the_log_in_memory(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        cluster = runner.run(start_cluster(tmp_path))
        numbers = count(1)

        @examples(10, dear=True)
        @given(programs(restarts=False))
        def agrees(program: list[Step]) -> None:
            runner.run(judge(cluster, f"g{next(numbers)}", program))

        try:
            agrees()
        finally:
            cluster.stop()


def test_the_referee_notices_a_log_of_the_other_kind() -> None:
    fenced = Put(2, "fence", "zero", once=1)
    program = [fenced, Put(0, "free"), fenced]  # its fence is stale by now, and its id is known
    asyncio.run(Referee(MemoryBench(3), 3).run(program))
    with pytest.raises(AssertionError, match=r"told Exists\(\), by the model Stale\(\)"):
        asyncio.run(Referee(MemoryBench(3), 1).run(program))
